package intake

import (
	"bytes"
	"strings"

	"notices/spool/intake/mailaddr"
	"notices/spool/intake/mbox"
)

// Programs that call sendmail put lines into a header that are none of it, and an empty
// line before it. To end the header there, as the letter of RFC 5322 has it, would show
// everybody a Bcc field that follows. So while fields follow, the header goes on.

// brokenField is the name of a field that keeps a broken line.
const brokenField = "X-Broken-Header"

// maxBlock is how far is looked for fields behind a broken line, in octets.
const maxBlock = maxHeader / 2

// goesOn reports whether the header goes on behind a broken line, or an empty one before
// it, that begins at from. ok is false when more is needed to know.
//
// A Bcc field before the next empty line is reason enough. So are, up to an empty line, no
// fewer fields than broken lines, one of them such as mail has; two where none came before.
func (h *header) goesOn(b []byte, from int, whole bool) (goes, ok bool) {
	if from < h.goesOnTo {
		return true, true
	}
	wanted, known, fields, broken, last := 1, 0, 0, 0, 0
	if len(h.fields) == 0 {
		wanted = 2
	}
	for at := from; ; {
		line, next, ok := cutLine(b[at:], whole)
		switch {
		case !ok && len(b)-from < maxBlock:
			return false, false
		case !ok, next == 0:
			return from < h.goesOnTo, true
		case len(line) == 0:
			h.goesOnTo = max(h.goesOnTo, last)
			return from < h.goesOnTo, true
		}
		switch name := mendedName(line); {
		case isBcc(name), name == "" && saysBcc(string(line)) && bytes.IndexByte(line, '@') >= 0:
			h.goesOnTo = at + 1
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
// long. ok is false when more is needed to know.
func (h *header) beginsBehind(b []byte, next int, whole bool) (begins, ok bool) {
	from := h.size + next
	line, next, ok := cutLine(b[from:], whole)
	for ok && next > 0 && len(bytes.Trim(line, " \t\r")) == 0 {
		from += next
		line, next, ok = cutLine(b[from:], whole)
	}
	if !ok {
		return false, false
	}
	switch name := mendedName(line); strings.ToLower(name) {
	case "":
		return false, true
	case "to", "cc":
		return true, true
	}
	return h.goesOn(b, from, whole)
}

// mendedName is the name of a field; blanks of any kind at its ends do not count. Empty:
// it is none.
func mendedName(line []byte) string {
	name, _, ok := strings.Cut(string(line), ":")
	if name = mailaddr.TrimBlanks(name); !ok || mbox.Colon([]byte(name+":")) != len(name) || strings.ContainsAny(name, " \t") {
		return ""
	}
	return name
}

func isBcc(name string) bool {
	return strings.EqualFold(name, "Bcc") || strings.EqualFold(name, "Resent-Bcc")
}

// mend takes a broken line: with its name mended, if that is all, else as what a field of
// our own says.
func (h *header) mend(line []byte) {
	if name := mendedName(line); name != "" {
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

// cutBcc takes what looks like a Bcc field behind a CR out of a header line: recipients it
// does not make, since that may be an injection, but nobody is to see it.
func cutBcc(line []byte) (rest []byte, found bool) {
	if bytes.IndexByte(line, '\r') < 0 {
		return line, false
	}
	pieces := bytes.Split(line, []byte("\r"))
	kept := pieces[:1]
	for _, piece := range pieces[1:] {
		if isBcc(mendedName(piece)) {
			found = true
			continue
		}
		kept = append(kept, piece)
	}
	return bytes.Join(kept, []byte("\r")), found
}
