package intake

import (
	"bytes"
	"errors"
	"strings"

	"notices/spool/intake/mbox"
	"notices/spool/recode"
)

// header is a header in canonical form.
type header struct {
	text   []byte // every line ends in CRLF; without the empty line
	fields []field
	size   int // octets it took of the input, with what was before and the empty line
	lines  int // lines of the input it took

	mbox   bool  // a "From " line of an mbox stood before it or within
	signed *bool // whether it has a DKIM signature, once that was looked for

	// While it is parsed: the input, whether that is all there is, and whether what is
	// broken is taken.
	in             []byte
	whole, lenient bool
	continuesTo    int // up to there a broken line does not end the header
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

// isSigned reports whether the message has a DKIM signature, which a changed field would
// break.
func (h *header) isSigned() bool {
	if h.signed == nil {
		_, found := h.first("DKIM-Signature")
		h.signed = &found
	}
	return *h.signed
}

// errMore: where the header ends, or what a line of it is, more of the input tells.
var errMore = errors.New("the header goes on")

// parseHeader reads the header that in begins with; whole: in is all there is.
func parseHeader(in []byte, whole, lenient bool) (*header, error) {
	h := &header{text: make([]byte, 0, min(len(in)+len(in)/16, pieceSize)), fields: make([]field, 0, 16), in: in, whole: whole, lenient: lenient}
	if bytes.HasPrefix(in, []byte("\xef\xbb\xbf")) {
		h.size = 3 // a byte order mark
	}
	for {
		line, next, err := h.lineAt(h.size)
		if err != nil {
			return nil, err
		}
		result, err := h.parseLine(line, next)
		switch {
		case err != nil:
			return nil, err
		case result == textBegins:
			return h, nil
		case result == headerEnds: // or the message does
			h.size += next
			h.lines += min(next, 1)
			if len(h.fields) == 0 && !lenient {
				return nil, h.notAField(line)
			}
			return h, nil
		}
		h.size += next
		h.lines++
	}
}

// lineResult is what a line does to the header.
type lineResult int

const (
	lineTaken  lineResult = iota // it is of the header, which goes on
	headerEnds                   // it is the empty line behind the header
	textBegins                   // it is of the text already
)

// parseLine decides on a line, which takes next octets of the input with its line end.
func (h *header) parseLine(line []byte, next int) (lineResult, error) {
	if h.lenient && next > 0 && len(h.fields) == 0 && len(bytes.Trim(line, " \t\r")) == 0 {
		if begins, err := h.beginsBehind(next); begins || err != nil {
			return lineTaken, err
		}
	}
	if next == 0 || len(line) == 0 && !(h.mbox && len(h.fields) == 0 && h.fieldFollows(next)) {
		return headerEnds, nil
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return lineTaken, errNUL(h.lines + 1)
	}
	line, hidden := cutBcc(line)
	switch {
	case hidden && !h.lenient:
		return lineTaken, badMessage("line %d of the message has a carriage return in it, and a Bcc field behind that: %s. End the lines with LF or CR LF", h.lines+1, quote(string(line)))
	case len(line) == 0:
	case h.mbox && len(h.fields) > 0 && line[0] == 'F' && mbox.IsDated(line) && h.fieldFollows(next):
		return lineTaken, errSecond(h.lines + 1)
	// Programs that hand in what they found in a mailbox leave its "From " line in front of
	// the header, some with more of them. Behind the first field it may be text.
	case mbox.IsFromLine(line) && (len(h.fields) == 0 || line[0] == '>' || mbox.IsDated(line) || h.fieldFollows(next)):
		h.mbox = true
	case h.take(line):
	case !h.lenient:
		return lineTaken, h.notAField(line)
	default:
		if continues, err := h.continues(h.size); !continues || err != nil {
			return textBegins, err
		}
		h.takeBroken(line)
	}
	return lineTaken, nil
}

// fieldFollows reports whether a field comes next behind the line that is next octets
// long; empty lines between do not count.
func (h *header) fieldFollows(next int) bool {
	line, _, _ := bytes.Cut(bytes.TrimLeft(h.in[h.size+next:], "\r\n"), []byte("\n"))
	_, _, isField := recode.CutField(line)
	return isField || mbox.IsFromLine(line)
}

// lineAt returns the line of the input that begins there, without its line end, and how
// many octets it takes with it. The last line may have no line end.
func (h *header) lineAt(from int) (line []byte, next int, err error) {
	b := h.in[from:]
	i := bytes.IndexByte(b, '\n')
	switch {
	case i >= 0:
		return bytes.TrimRight(b[:i], "\r"), i + 1, nil
	case !h.whole:
		return nil, 0, errMore
	}
	return bytes.TrimRight(b, "\r"), len(b), nil
}

// take adds a line, unless it cannot be part of a header.
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
	_, value, ok := recode.CutField(line)
	if !ok {
		return false
	}
	start, colon := len(h.text), len(line)-len(value)-1
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

func (h *header) notAField(line []byte) error {
	if len(h.fields) == 0 {
		begins := "its first line is " + quote(string(line))
		if len(line) == 0 {
			begins = "it begins with an empty line"
		}
		return badMessage("the message has no header: %s. It must begin with fields such as To: and Subject:, then an empty line, then the text", begins)
	}
	return badMessage("line %d of the message is not a header field: %s. Is the empty line missing that ends the header?", h.lines+1, quote(string(line)))
}

// errSecond: the text of the second one must not go to the first one's patron.
func errSecond(line int) error {
	return badMessage("line %d begins another message: this is an mbox of several. Queue it with notices import FILE", line)
}

func errNUL(line int) error {
	return badMessage("line %d of the message has a NUL octet: this is not mail text; attach files in base64", line)
}
