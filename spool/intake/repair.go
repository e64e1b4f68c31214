package intake

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"notices/spool/recode"
)

// header checks and completes the header and writes it, with the empty line. rest is
// how much of the body is known already.
func (j *job) header(h *header, rest int) error {
	if err := j.recipientsOf(h); err != nil {
		return err
	}
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
	j.complete(from, &seen)
	if err := j.checkLines(h); err != nil {
		return err
	}
	head := j.out.buf
	if recode.EightBit(head) {
		j.out.eightBit = true
		j.env.UTF8 = utf8.Valid(head)
	}
	j.env.UTF8 = j.env.UTF8 || j.to.utf8 || recode.EightBit([]byte(j.env.Sender))
	j.out.buf = append(head, '\r', '\n')
	return nil
}

// present tells which fields the header has.
type present struct{ date, id, from, replyTo bool }

// field writes one field, unless it is to go.
func (j *job) field(h *header, f field, from fromField, seen *present) error {
	switch {
	case h.is(f, "Bcc"), h.is(f, "Resent-Bcc"), h.is(f, "Return-Path"):
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
			j.env.MessageID = messageID(h.value(f))
		}
		seen.id = true
	case h.is(f, "From"):
		if from.replaces {
			if !seen.from && from.value != "" {
				j.add("From", from.value)
				seen.from = true
			}
			return nil
		}
		seen.from = true
	case h.is(f, "Reply-To"):
		seen.replyTo = seen.replyTo || h.has(f)
	case h.is(f, "Sender") && from.rewritten:
		return nil
	}
	j.out.buf = append(j.out.buf, h.raw(f)...)
	return nil
}

// complete adds what is missing.
func (j *job) complete(from fromField, seen *present) {
	if !seen.from {
		j.add("From", from.value)
	}
	if from.rewritten && from.original != "" && !seen.replyTo {
		j.add("Reply-To", from.original)
	}
	if !seen.date {
		j.add("Date", j.now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	}
	if !seen.id {
		j.env.MessageID = "<" + string(j.env.ID) + "@" + j.in.Site.host() + ">"
		j.add("Message-ID", j.env.MessageID)
	}
}

func (j *job) add(name, value string) {
	j.out.buf = append(j.out.buf, name...)
	j.out.buf = append(j.out.buf, ": "...)
	j.out.buf = append(j.out.buf, value...)
	j.out.buf = append(j.out.buf, '\r', '\n')
}

// checkLines refuses header lines that SMTP does not carry: they cannot be
// re-encoded, and where to fold them only their writer knows.
func (j *job) checkLines(h *header) error {
	for rest := j.out.buf; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\r\n"))
		if len(line) > maxLine {
			return badMessage("the header of the message has a line that is too long: %s. Fold it: go on in a new line that begins with a blank",
				lineIs(h.lineOf(line), int64(len(line))))
		}
		rest = after
	}
	return nil
}

// lineOf finds the field that a line is in, to tell its number; 0: it was added.
func (h *header) lineOf(line []byte) int {
	for _, f := range h.fields {
		if bytes.Contains(h.raw(f), line) {
			return f.line + bytes.Count(h.text[f.start:f.start+bytes.Index(h.raw(f), line)], []byte("\n"))
		}
	}
	return 0
}

func lineIs(number int, length int64) string {
	if number == 0 {
		return fmt.Sprintf("one has %d octets, %d are allowed", length, maxLine)
	}
	return fmt.Sprintf("line %d has %d octets, %d are allowed", number, length, maxLine)
}

// messageID is the id as it stands in a Message-ID field, if it is printable ASCII.
func messageID(value string) string {
	id := strings.TrimSpace(unfold(value))
	if i := strings.IndexByte(id, '>'); i >= 0 && strings.HasPrefix(id, "<") {
		id = id[:i+1]
	}
	if len(id) > maxLine || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r >= 0x7f }) {
		return ""
	}
	return id
}

// unfold takes the line ends out of a field's value (RFC 5322 section 2.2.3).
func unfold(value string) string {
	if !strings.Contains(value, "\r\n") {
		return value
	}
	return strings.ReplaceAll(value, "\r\n", "")
}
