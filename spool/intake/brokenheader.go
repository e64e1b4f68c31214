package intake

import (
	"bytes"
	"strings"

	"notices/spool/intake/mailaddr"
	"notices/spool/intake/mbox"
	"notices/spool/recode"
)

// Programs that call sendmail put lines into a header that do not belong there, and an empty
// line before it. If the header ended there, as RFC 5322 has it, everybody would see a Bcc
// field that follows. So while fields follow, the header goes on.

// brokenField is the name of a field that keeps a broken line.
const brokenField = "X-Broken-Header"

// maxBlock is how far behind a broken line fields are looked for, in octets.
const maxBlock = maxHeader / 2

// continues reports whether the header goes on behind a broken line, or an empty one before
// it, that begins at from.
//
// A Bcc field before the next empty line is reason enough. So are, up to an empty line, no
// fewer fields than broken lines, one of them such as mail has; two where none came before.
func (h *header) continues(from int) (bool, error) {
	if from < h.continuesTo {
		return true, nil
	}
	wanted, known, fields, broken, last := 1, 0, 0, 0, 0
	if len(h.fields) == 0 {
		wanted = 2
	}
	for at := from; ; {
		line, next, err := h.lineAt(at)
		switch {
		case err != nil && len(h.in)-from < maxBlock:
			return false, err
		case err != nil, next == 0:
			return from < h.continuesTo, nil
		case len(line) == 0:
			h.continuesTo = max(h.continuesTo, last)
			return from < h.continuesTo, nil
		}
		switch name := fieldName(line); {
		case isBcc(name), name == "" && saysBcc(string(line)) && bytes.IndexByte(line, '@') >= 0:
			h.continuesTo = at + 1
			fallthrough
		case mbox.IsMailField(name):
			known++
			fallthrough
		case name != "":
			if fields++; fields >= broken && known >= wanted {
				last = at
			}
		case at == from || line[0] != ' ' && line[0] != '\t':
			broken++
		}
		at += next
	}
}

// beginsBehind reports whether the header begins behind an empty line that is next octets
// long.
func (h *header) beginsBehind(next int) (bool, error) {
	from := h.size + next
	line, next, err := h.lineAt(from)
	for err == nil && next > 0 && len(bytes.Trim(line, " \t\r")) == 0 {
		from += next
		line, next, err = h.lineAt(from)
	}
	if err != nil {
		return false, err
	}
	switch name := fieldName(line); strings.ToLower(name) {
	case "":
		return false, nil
	case "to", "cc":
		return true, nil
	}
	return h.continues(from)
}

// fieldName is the name of a field, without blanks of any kind at its ends; empty if the
// line is not a field.
func fieldName(line []byte) string {
	before, _, _ := strings.Cut(string(line), ":")
	name, _, ok := recode.CutField([]byte(mailaddr.TrimBlanks(before) + ":"))
	if !ok || len(before) == len(line) {
		return ""
	}
	return string(name)
}

func isBcc(name string) bool {
	return strings.EqualFold(name, "Bcc") || strings.EqualFold(name, "Resent-Bcc")
}

// takeBroken takes a broken line: with its name repaired, if that is enough, else as the
// value of brokenField.
func (h *header) takeBroken(line []byte) {
	if name := fieldName(line); name != "" {
		h.take(append([]byte(name), line[bytes.IndexByte(line, ':'):]...))
		return
	}
	h.take(append([]byte(brokenField+": "), bytes.Trim(line, " \t")...))
}

// hidesBcc reports whether a field is a broken line about blind copies.
func (h *header) hidesBcc(f field) bool { return h.is(f, brokenField) && saysBcc(h.value(f)) }

func saysBcc(text string) bool {
	text = strings.ToLower(strings.TrimLeft(mailaddr.TrimBlanks(text), ">\"'.-*"))
	return strings.HasPrefix(text, "bcc") || strings.HasPrefix(text, "resent-bcc")
}

// cutBcc removes what looks like a Bcc field behind a CR from a header line. It adds no
// recipients, since that may be an injection, but nobody is to see it.
func cutBcc(line []byte) (rest []byte, found bool) {
	if bytes.IndexByte(line, '\r') < 0 {
		return line, false
	}
	pieces := bytes.Split(line, []byte("\r"))
	kept := pieces[:1]
	for _, piece := range pieces[1:] {
		if isBcc(fieldName(piece)) {
			found = true
			continue
		}
		kept = append(kept, piece)
	}
	return bytes.Join(kept, []byte("\r")), found
}
