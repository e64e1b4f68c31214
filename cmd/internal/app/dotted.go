package app

import (
	"bytes"
	"io"
)

// dotted is a message that a line with a single dot ends, as sendmail has it without
// -i. The line may end in LF or CRLF, or with the input. Dots before other text stay:
// this is no SMTP.
type dotted struct {
	r    io.Reader
	held []byte // ".", or ".\r", at the beginning of a line: what follows decides
	bol  bool   // a line begins with what comes next
	over bool
}

func (d *dotted) Read(p []byte) (int, error) {
	if d.over {
		return 0, io.EOF
	}
	if len(p) <= len(d.held) {
		return 0, io.ErrShortBuffer
	}
	n := copy(p, d.held)
	d.held = d.held[:0]
	m, err := d.r.Read(p[n:])
	text := p[:n+m]
	end, ended := d.find(text, err == io.EOF)
	if ended {
		d.over = true
		return end, io.EOF
	}
	d.held = append(d.held, text[end:]...)
	if end > 0 {
		d.bol = text[end-1] == '\n'
	}
	return end, err
}

// find returns where the message ends; or, when it does not, how much of the text
// is known to be of it. whole: no more follows.
func (d *dotted) find(text []byte, whole bool) (end int, ended bool) {
	for at := d.next(text, 0); at >= 0; at = d.next(text, at+1) {
		switch rest := text[at+1:]; {
		case bytes.HasPrefix(rest, []byte("\n")), bytes.HasPrefix(rest, []byte("\r\n")):
			return at, true
		case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
			return at, whole
		}
	}
	return len(text), false
}

// next is the place of the next dot, from there on, that a line begins with; -1: none.
func (d *dotted) next(text []byte, from int) int {
	if from == 0 && d.bol && len(text) > 0 && text[0] == '.' {
		return 0
	}
	if from > 0 {
		from--
	}
	if i := bytes.Index(text[from:], []byte("\n.")); i >= 0 {
		return from + i + 1
	}
	return -1
}
