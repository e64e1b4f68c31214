package mbox

import (
	"bytes"
	"strings"
	"unicode"

	"notices/spool/recode"
)

// parts knows whether the message at hand is a multipart that is not closed yet. A
// separator within a multipart may be a line of an attached message. If parts of the same
// multipart follow, it was.
type parts struct {
	inHeader bool
	field    []byte // a Content-Type of the header
	boundary string // between the parts, until they are closed
	suspect  struct {
		boundary string
		line     []byte
		number   int
	}
}

func (p *parts) begin() { p.inHeader, p.boundary, p.field = true, "", p.field[:0] }

// end takes note of the separator behind the message.
func (p *parts) end(number int, line []byte) {
	if p.boundary != "" {
		p.suspect.boundary, p.suspect.line, p.suspect.number = p.boundary, bytes.Clone(line), number
	}
}

func (p *parts) doubt() error { return doubtful(p.suspect.number, p.suspect.line, inParts) }

// line takes a line, or its beginning; an empty one is nil. It reports whether the suspect
// stands within an attachment.
func (p *parts) line(line []byte) bool {
	if p.inHeader {
		p.headerLine(line)
		return false
	}
	if !bytes.HasPrefix(line, []byte("--")) {
		return false
	}
	delimiter := strings.TrimRightFunc(string(line[2:]), unicode.IsSpace)
	if p.boundary != "" && delimiter == p.boundary+"--" {
		p.boundary = ""
		return false
	}
	b := p.suspect.boundary
	return b != "" && b != p.boundary && (delimiter == b || delimiter == b+"--")
}

// headerLine looks for the boundary.
func (p *parts) headerLine(line []byte) {
	if len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		if len(p.field) > 0 && len(p.field) < maxAhead {
			p.field = append(p.field, line...)
		}
		return
	}
	if _, value, ok := bytes.Cut(p.field, []byte(":")); ok {
		p.boundary = recode.Boundary(recode.Unfold(string(value)))
		if p.boundary == p.suspect.boundary {
			p.suspect.boundary = "" // this message has such parts itself
		}
	}
	p.field, p.inHeader = p.field[:0], len(line) > 0
	if name, _, _ := recode.CutField(line); strings.EqualFold(string(name), "Content-Type") {
		p.field = append(p.field, line...)
	}
}
