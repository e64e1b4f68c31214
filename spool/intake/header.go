package intake

import (
	"bytes"
	"strings"

	"notices/spool/intake/mbox"
)

// header is a header in canonical form.
type header struct {
	text   []byte // every line ends in CRLF; without the empty line
	fields []field
	size   int // octets it took of the input, with what was before and the empty line
	lines  int // lines of the input it took

	mbox bool // a "From " line of an mbox stood before it or within

	goesOnTo int   // of the input: up to there a broken line does not end the header
	sign     *bool // whether it is signed, once that was looked for
}

// field is a place in header.text.
type field struct {
	start, colon, end int
	line              int  // of the input, from 1
	cr                bool // a CR stood within it, which has become a blank
}

func (h *header) raw(f field) []byte { return h.text[f.start:f.end] }

// value is what stands behind the colon, with its folding.
func (h *header) value(f field) string { return string(h.text[f.colon+1 : f.end-2]) }

func (h *header) is(f field, name string) bool {
	return strings.EqualFold(string(bytes.TrimRight(h.text[f.start:f.colon], " \t")), name)
}

// has reports whether the field says anything.
func (h *header) has(f field) bool { return strings.Trim(h.value(f), " \t\r\n") != "" }

// first is the first field of that name that says anything.
func (h *header) first(name string) (field, bool) {
	for _, f := range h.fields {
		if h.is(f, name) && h.has(f) {
			return f, true
		}
	}
	return field{}, false
}

// signed reports whether the message has a DKIM signature, which a changed field would break.
func (h *header) signed() bool {
	if h.sign == nil {
		_, found := h.first("DKIM-Signature")
		h.sign = &found
	}
	return *h.sign
}

// parseHeader reads the header that b begins with; whole: b is all there is. It
// returns nil when more is needed to know where the header ends.
func parseHeader(b []byte, whole, lenient bool) (*header, error) {
	h := &header{text: make([]byte, 0, min(len(b)+len(b)/16, pieceSize)), fields: make([]field, 0, 16)}
	if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
		h.size = 3 // a byte order mark
	}
	for {
		line, next, ok := cutLine(b[h.size:], whole)
		if !ok {
			return nil, nil
		}
		result, err := h.emptyLine(b, line, next, whole, lenient), error(nil)
		if result == lineOpen {
			result, err = h.line(b, line, next, whole, lenient)
		}
		switch {
		case err != nil:
			return nil, err
		case result == lineNeedsMore:
			return nil, nil
		case result == headerEnds: // or the message does
			h.size += next
			h.lines += min(next, 1)
			return h, h.check(lenient)
		case result == textBegins:
			return h, nil
		}
		h.size += next
		h.lines++
	}
}

// lineResult is what a line does to the header.
type lineResult int

const (
	lineOpen      lineResult = iota // not decided yet
	lineTaken                       // it is of the header, which goes on
	lineNeedsMore                   // more of the input tells
	headerEnds                      // it is the empty line behind the header
	textBegins                      // it is of the text already
)

// emptyLine decides on a line if it is an empty one.
func (h *header) emptyLine(b, line []byte, next int, whole, lenient bool) lineResult {
	if lenient && next > 0 && len(h.fields) == 0 && len(bytes.Trim(line, " \t\r")) == 0 {
		begins, ok := h.beginsBehind(b, next, whole)
		if !ok {
			return lineNeedsMore
		}
		if begins {
			return lineTaken
		}
	}
	if next == 0 || len(line) == 0 && !(h.mbox && len(h.fields) == 0 && h.fieldFollows(b, next, whole)) {
		return headerEnds
	}
	return lineOpen
}

// line takes a line that is not empty.
func (h *header) line(b, line []byte, next int, whole, lenient bool) (lineResult, error) {
	if bytes.IndexByte(line, 0) >= 0 {
		return lineOpen, errNUL(h.lines + 1)
	}
	line, hidden := cutBcc(line)
	switch {
	case hidden && !lenient:
		return lineOpen, badMessage("line %d of the message has a carriage return in it, and a Bcc field behind that: %s. End the lines with LF or CR LF", h.lines+1, quote(string(line)))
	case len(line) == 0:
	case h.mbox && len(h.fields) > 0 && line[0] == 'F' && mbox.IsDated(line) && h.fieldFollows(b, next, whole):
		return lineOpen, errSecond(h.lines + 1)
	case mbox.IsFromLine(line) && (len(h.fields) == 0 || h.separates(line, b, next, whole)):
		h.mbox = true
	case !h.take(line):
		return h.brokenLine(b, line, whole, lenient)
	}
	return lineTaken, nil
}

// brokenLine decides on a line that is no field.
func (h *header) brokenLine(b, line []byte, whole, lenient bool) (lineResult, error) {
	if !lenient {
		return lineOpen, h.notAField(line)
	}
	goes, ok := h.goesOn(b, h.size, whole)
	switch {
	case !ok:
		return lineNeedsMore, nil
	case !goes:
		return textBegins, nil
	}
	h.mend(line)
	return lineTaken, nil
}

// separates reports whether a "From " line behind the first field is one of an mbox
// nevertheless, and no text: it is quoted, has a date, or a field follows.
func (h *header) separates(line, b []byte, next int, whole bool) bool {
	return line[0] == '>' || mbox.IsDated(line) || h.fieldFollows(b, next, whole)
}

// fieldFollows reports whether a field comes next behind the line that is next octets
// long; empty lines between do not count.
func (h *header) fieldFollows(b []byte, next int, whole bool) bool {
	rest := bytes.TrimLeft(b[h.size+next:], "\r\n")
	line, _, _ := cutLine(rest, whole)
	return mbox.Colon(line) > 0 || mbox.IsFromLine(line)
}

// cutLine returns the first line of b, without the line end, and where the next one
// begins. The last line may have no line end if b is whole.
func cutLine(b []byte, whole bool) (line []byte, next int, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return bytes.TrimRight(b, "\r"), len(b), whole
	}
	return bytes.TrimRight(b[:i], "\r"), i + 1, true
}

// take adds a line; false: it is no part of a header.
func (h *header) take(line []byte) bool {
	if line[0] == ' ' || line[0] == '\t' {
		if len(h.fields) == 0 {
			return false
		}
		if len(bytes.Trim(line, " \t\r")) == 0 {
			// Some readers take it for the end of the header.
			return true
		}
		last := &h.fields[len(h.fields)-1]
		last.cr = h.append(line) || last.cr
		last.end = len(h.text)
		return true
	}
	colon := mbox.Colon(line)
	if colon < 0 {
		return false
	}
	start := len(h.text)
	cr := h.append(line)
	h.fields = append(h.fields, field{start: start, colon: start + colon, end: len(h.text), line: h.lines + 1, cr: cr})
	return true
}

// append adds a line, and reports whether it has a CR within.
func (h *header) append(line []byte) (cr bool) {
	start := len(h.text)
	h.text = append(h.text, line...)
	for i := start; i < len(h.text); i++ {
		if h.text[i] == '\r' {
			h.text[i], cr = ' ', true
		}
	}
	h.text = append(h.text, '\r', '\n')
	return cr
}

// check is for a header that ended well.
func (h *header) check(lenient bool) error {
	if len(h.fields) > 0 || lenient {
		return nil
	}
	return badMessage("the message has no header: it begins with an empty line. It must begin with fields such as To: and Subject:, then an empty line, then the text")
}

func (h *header) notAField(line []byte) error {
	if len(h.fields) == 0 {
		return badMessage("the message has no header: its first line is %s. It must begin with fields such as To: and Subject:, then an empty line, then the text", quote(string(line)))
	}
	return badMessage("line %d of the message is no header field: %s. Is the empty line missing that ends the header?", h.lines+1, quote(string(line)))
}

// errSecond: the text of the second one must not go to the first one's patron.
func errSecond(line int) error {
	return badMessage("line %d begins another message: this is an mbox of several. Queue it with notices import FILE", line)
}

func errNUL(line int) error {
	return badMessage("line %d of the message has a NUL octet: this is no mail text; attach files in base64", line)
}
