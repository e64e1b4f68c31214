package intake

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"notices/spool/intake/mailaddr"
	"notices/spool/printable"
	"notices/spool/recode"
)

// header checks and completes the header and writes it, with the empty line. rest is
// how much of the body is known already.
func (m *message) header(h *header, rest int) error {
	if err := m.recipientsOf(h); err != nil {
		return err
	}
	if m.r.Hosted != nil {
		h.removeForged()
	}
	h.removeDuplicates()
	from, err := m.from(h)
	if err != nil {
		return err
	}
	// One allocation for a small message, with room for a CR in each of its lines.
	m.out.buf = make([]byte, 0, len(h.text)+rest+rest/8+1024)
	w := headerWriter{message: m, h: h, from: from}
	if m.r.Hosted != nil {
		if err := m.r.Hosted.trace(&w); err != nil {
			return err
		}
	}
	for _, f := range h.fields {
		if err := w.field(f); err != nil {
			return err
		}
	}
	if err := w.complete(); err != nil {
		return err
	}
	head := m.out.buf
	if recode.EightBit(head) {
		m.out.eightBit = true
		m.env.UTF8 = utf8.Valid(head)
	}
	m.env.UTF8 = m.env.UTF8 || m.to.utf8 || recode.NeedsUTF8(m.env.Sender)
	m.out.buf = append(head, '\r', '\n')
	return nil
}

// headerWriter writes the fields of a header.
type headerWriter struct {
	message *message
	h       *header
	from    fromField

	hasDate, hasID, hasFrom, hasReplyTo bool // so far
}

// field writes one field, unless it is to be left out.
func (w *headerWriter) field(f field) error {
	h := w.h
	switch {
	case h.is(f, "Bcc"), h.is(f, "Resent-Bcc"), h.is(f, "Return-Path"), h.hidesBcc(f):
		return nil
	case h.is(f, "Date"):
		if !h.has(f) {
			return nil
		}
		w.hasDate = true
	case h.is(f, "Message-ID"):
		if !h.has(f) {
			return nil
		}
		if !w.hasID {
			_, value, _ := strings.Cut(string(w.stored(f)), ":")
			w.message.env.MessageID = messageID(value)
		}
		w.hasID = true
	case h.is(f, "From"):
		return w.fromField(f)
	case h.is(f, "Reply-To"):
		if w.from.rewritten && (w.hasReplyTo || !h.has(f)) {
			return nil // one is enough, and servers refuse two
		}
		w.hasReplyTo = w.hasReplyTo || h.has(f)
	case h.is(f, "Sender") && w.from.rewritten:
		return nil
	}
	return w.write(w.stored(f), f.line)
}

// fromField writes a From field. There is to be one (RFC 5322 section 3.6); of more the
// first that says anything is kept.
func (w *headerWriter) fromField(f field) error {
	from, says := w.from, w.h.has(f)
	if w.hasFrom || !from.replaces && !says || from.value == "" {
		return nil
	}
	w.hasFrom = true
	if from.replaces && (from.rewritten || !says || !w.h.isSigned()) {
		return w.add("From", from.value)
	}
	return w.write(w.stored(f), f.line)
}

// complete adds what is missing.
func (w *headerWriter) complete() error {
	var errs [4]error
	if !w.hasFrom {
		errs[0] = w.add("From", w.from.value)
	}
	if w.from.rewritten && w.from.original != "" && !w.hasReplyTo {
		original, _ := w.message.domain.Repair(recode.ToUTF8(w.from.original)) // as any other address field is stored
		errs[1] = w.add("Reply-To", original)
	}
	if !w.hasDate {
		errs[2] = w.add("Date", dateField(w.message.now))
	}
	if env := &w.message.env; !w.hasID {
		env.MessageID = "<" + string(env.ID) + "@" + w.message.in.Site.messageIDHost() + ">"
		errs[3] = w.add("Message-ID", env.MessageID)
	}
	return errors.Join(errs[:]...)
}

func (w *headerWriter) add(name, value string) error {
	return w.write([]byte(name+": "+value+"\r\n"), 0)
}

// stored is a field as it is stored: its text in ASCII, where it can be (RFC 2047, RFC
// 2231), so that no server needs SMTPUTF8 for it; its addresses with their domains. What
// is signed stays as it is.
func (w *headerWriter) stored(f field) []byte {
	h, raw := w.h, w.h.raw(f)
	switch {
	case h.isSigned():
	case recode.IsAddressField(string(bytes.TrimRight(h.text[f.start:f.colon], " \t"))):
		if list, changed := w.message.domain.Repair(h.value(f)); changed {
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

// write writes a field, folded if SMTP would not carry its lines. number is the line of
// the message that it begins in, or 0 if it was added.
func (w *headerWriter) write(raw []byte, number int) error {
	fit, err := recode.FitField(raw)
	if name, value, _ := strings.Cut(string(raw), ":"); err != nil && recode.IsAddressField(name) {
		fit, err = recode.FitField([]byte(name + ": " + mailaddr.EncodeNames(value) + "\r\n"))
	}
	if err == nil {
		w.message.out.buf = append(w.message.out.buf, fit...)
		return nil
	}
	for line := range bytes.Lines(raw) {
		if long := len(bytes.TrimRight(line, "\r\n")); long > maxLine {
			return &Error{Kind: BadMessage, Err: err, Msg: "the header of the message has a line that is too long: " + lineIs(number, int64(long)) +
				". It has no blank to fold it at: go on in a new line that begins with a blank"}
		}
		if number > 0 {
			number++
		}
	}
	return err
}

func lineIs(number int, length int64) string {
	line := "one"
	if number > 0 {
		line = fmt.Sprintf("line %d", number)
	}
	return fmt.Sprintf("%s has %d octets, %d are allowed", line, length, maxLine)
}

// dateField is a time as a header shows it.
func dateField(t time.Time) string { return t.Format("Mon, 02 Jan 2006 15:04:05 -0700") }

// messageID is the id as it stands in a Message-ID field, if it is printable ASCII.
func messageID(value string) string {
	id := strings.TrimSpace(recode.Unfold(value))
	if i := strings.IndexByte(id, '>'); i >= 0 && strings.HasPrefix(id, "<") {
		id = id[:i+1]
	}
	if len(id) > maxLine || printable.ASCII(id) != id {
		return ""
	}
	return id
}
