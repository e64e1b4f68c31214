package intake

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"notices/spool/intake/mailaddr"
	"notices/spool/recode"
)

// header checks and completes the header and writes it, with the empty line. rest is
// how much of the body is known already.
func (j *job) header(h *header, rest int) error {
	if err := j.recipientsOf(h); err != nil {
		return err
	}
	h.removeDuplicates()
	from, err := j.from(h)
	if err != nil {
		return err
	}
	// One allocation for a small message, with room for a CR in each of its lines.
	j.out.buf = make([]byte, 0, len(h.text)+rest+rest/8+1024)
	var seen present
	for _, f := range h.fields {
		if err := j.field(h, f, from, &seen); err != nil {
			return err
		}
	}
	if err := j.complete(from, &seen); err != nil {
		return err
	}
	head := j.out.buf
	if recode.EightBit(head) {
		j.out.eightBit = true
		j.env.UTF8 = utf8.Valid(head)
	}
	j.env.UTF8 = j.env.UTF8 || j.to.utf8 || recode.NeedsUTF8(j.env.Sender)
	j.out.buf = append(head, '\r', '\n')
	return nil
}

// present tells which fields the header has.
type present struct{ date, id, from, replyTo bool }

// field writes one field, unless it is to go.
func (j *job) field(h *header, f field, from fromField, seen *present) error {
	switch {
	case h.is(f, "Bcc"), h.is(f, "Resent-Bcc"), h.is(f, "Return-Path"), h.hidesBcc(f):
		return nil
	case h.is(f, "Date"):
		if !h.has(f) {
			return nil
		}
		seen.date = true
	case h.is(f, "Message-ID"):
		if !h.has(f) {
			return nil
		}
		if !seen.id {
			_, value, _ := strings.Cut(string(j.stored(h, f)), ":")
			j.env.MessageID = messageID(value)
		}
		seen.id = true
	case h.is(f, "From"):
		return j.fromField(h, f, from, seen)
	case h.is(f, "Reply-To"):
		if from.rewritten && (seen.replyTo || !h.has(f)) {
			return nil // one is enough, and servers refuse two
		}
		seen.replyTo = seen.replyTo || h.has(f)
	case h.is(f, "Sender") && from.rewritten:
		return nil
	}
	return j.write(j.stored(h, f), h, f)
}

// fromField writes a From field. There is to be one (RFC 5322 section 3.6); of more the
// first that says anything is kept.
func (j *job) fromField(h *header, f field, from fromField, seen *present) error {
	switch {
	case seen.from, !from.replaces && !h.has(f), from.value == "":
		return nil
	case from.replaces && (from.rewritten || !h.has(f) || !h.isSigned()):
		seen.from = true
		return j.add("From", from.value)
	}
	seen.from = true
	return j.write(j.stored(h, f), h, f)
}

// complete adds what is missing.
func (j *job) complete(from fromField, seen *present) error {
	var errs [4]error
	if !seen.from {
		errs[0] = j.add("From", from.value)
	}
	if from.rewritten && from.original != "" && !seen.replyTo {
		original, _ := j.domain().Repair(recode.ToUTF8(from.original)) // as any other address field is stored
		errs[1] = j.add("Reply-To", original)
	}
	if !seen.date {
		errs[2] = j.add("Date", j.now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	}
	if !seen.id {
		j.env.MessageID = "<" + string(j.env.ID) + "@" + j.in.Site.host() + ">"
		errs[3] = j.add("Message-ID", j.env.MessageID)
	}
	return errors.Join(errs[:]...)
}

func (j *job) add(name, value string) error {
	return j.write([]byte(name+": "+value+"\r\n"), nil, field{})
}

// stored is a field as it is stored: its text in ASCII, where it can be (RFC 2047, RFC
// 2231), so that no server needs SMTPUTF8 for it; its addresses with their domains. What
// is signed stays as it is.
func (j *job) stored(h *header, f field) []byte {
	raw := h.raw(f)
	switch {
	case h.isSigned():
	case recode.IsAddressField(string(bytes.TrimRight(h.text[f.start:f.colon], " \t"))):
		if list, changed := j.domain().Repair(h.value(f)); changed {
			raw = append(append(slices.Clone(h.text[f.start:f.colon+1]), list...), '\r', '\n')
		}
		if !utf8.Valid(raw) {
			raw = []byte(recode.ToUTF8(string(raw)))
		}
	case recode.EightBit(raw):
		raw = recode.EncodeField(raw)
	}
	return raw
}

// write writes a field, folded if SMTP would not carry its lines.
func (j *job) write(raw []byte, h *header, f field) error {
	fit, err := recode.FitField(raw)
	if name, value, _ := strings.Cut(string(raw), ":"); err != nil && recode.IsAddressField(name) {
		fit, err = recode.FitField([]byte(name + ": " + mailaddr.EncodeNames(value) + "\r\n"))
	}
	if err == nil {
		j.out.buf = append(j.out.buf, fit...)
		return nil
	}
	number, long := f.line, 0
	for line := range bytes.Lines(raw) {
		if long = len(bytes.TrimRight(line, "\r\n")); long > maxLine {
			break
		}
		number++
	}
	if h == nil {
		number = 0
	}
	return &Error{Kind: BadMessage, Err: err, Msg: "the header of the message has a line that is too long: " + lineIs(number, int64(long)) +
		". It has no blank to fold it at: go on in a new line that begins with a blank"}
}

func lineIs(number int, length int64) string {
	if number == 0 {
		return fmt.Sprintf("one has %d octets, %d are allowed", length, maxLine)
	}
	return fmt.Sprintf("line %d has %d octets, %d are allowed", number, length, maxLine)
}

// messageID is the id as it stands in a Message-ID field, if it is printable ASCII.
func messageID(value string) string {
	id := strings.TrimSpace(recode.Unfold(value))
	if i := strings.IndexByte(id, '>'); i >= 0 && strings.HasPrefix(id, "<") {
		id = id[:i+1]
	}
	if len(id) > maxLine || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return ""
	}
	return id
}
