package recode

import (
	"io"
	"strings"
)

// lineLimit leaves room for the "=" of a soft line break within 76.
const lineLimit = 75

// wrapper writes text in lines of 76 with line ends between them.
type wrapper struct {
	out    output
	column int
}

func (w *wrapper) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 {
		if w.column == 76 {
			w.out.text("\r\n")
			w.column = 0
		}
		n := min(len(p), 76-w.column)
		if _, err := w.out.Write(p[:n]); err != nil {
			return 0, err
		}
		w.column += n
		p = p[n:]
	}
	return total, nil
}

// close ends the last line if it ends the message; elsewhere the line end before the
// delimiter does.
func (w *wrapper) close(endsMessage bool) error {
	if endsMessage {
		w.out.text("\r\n")
	}
	return w.out.failed()
}

// quoted writes quoted-printable, RFC 2045 section 6.7. The standard library's writer
// does not serve here: a soft line break of its could leave the end of a line, which
// happens to look like a delimiter, in a line of its own.
type quoted struct {
	out    output
	column int
	soft   bool // the line began by a soft line break
	blank  byte // a blank that may turn out to end the line
	cr     bool // a CR that may turn out to end the line
}

// room makes room for n octets in the line.
func (q *quoted) room(n int) {
	if q.column+n > lineLimit {
		q.out.text("=\r\n")
		q.column, q.soft = 0, true
	}
}

func (q *quoted) literal(c byte) {
	q.room(1)
	if q.column == 0 && q.soft && c == '-' {
		q.escape(c)
		return
	}
	q.out.octet(c)
	q.column++
}

func (q *quoted) escape(c byte) {
	q.room(3)
	q.out.octets(appendEscaped(q.out.AvailableBuffer(), '=', c))
	q.column += 3
}

// octet adds one octet of text whose line ends are CRLF.
func (q *quoted) octet(c byte) {
	if q.cr {
		q.cr = false
		if c == '\n' {
			q.endLine()
			return
		}
		q.flushBlank()
		q.escape('\r')
	}
	if c == '\r' {
		q.cr = true
		return
	}
	q.flushBlank()
	switch {
	case c == ' ' || c == '\t':
		q.blank = c
	case isPlain(c):
		q.literal(c)
	default:
		q.escape(c)
	}
}

func isPlain(c byte) bool { return c > ' ' && c < 0x7f && c != '=' }

func (q *quoted) flushBlank() {
	if q.blank != 0 {
		q.literal(q.blank)
		q.blank = 0
	}
}

// endLine ends a line. A blank at its end would be lost on the way: it is escaped.
func (q *quoted) endLine() {
	q.close()
	q.out.text("\r\n")
	q.column, q.soft = 0, false
}

// close writes what was held back.
func (q *quoted) close() {
	if q.blank != 0 {
		q.escape(q.blank)
		q.blank = 0
	}
	if q.cr {
		q.escape('\r')
		q.cr = false
	}
}

// run is how many octets can be written as they are: plain ones, and blanks that are
// seen not to end a line.
func (q *quoted) run(b []byte) int {
	if q.cr || q.blank != 0 || q.soft && q.column == 0 {
		return 0
	}
	n, limit := 0, min(len(b), lineLimit-q.column)
	for n < limit && (isPlain(b[n]) || (b[n] == ' ' || b[n] == '\t') && n+1 < len(b) && isPlain(b[n+1])) {
		n++
	}
	return n
}

// quotedPrintable writes the text from off to end in quoted-printable.
func (k *walker) quotedPrintable(off, end int64) error {
	q := quoted{out: k.out}
	err := k.src.each(off, end, func(b []byte) error {
		for len(b) > 0 {
			n := q.run(b)
			if n > 0 {
				q.out.octets(b[:n])
				q.column += n
			} else {
				n = 1
				q.octet(b[0])
			}
			b = b[n:]
		}
		return nil
	})
	if err != nil {
		return err
	}
	q.close()
	return k.out.failed()
}

// mendQuotedPrintable writes quoted-printable whose lines are too long or not seven
// bits wide. Lines that are as they should be stay so.
func (k *walker) mendQuotedPrintable(off, end int64) error {
	for off < end {
		l, err := k.src.line(off)
		if err != nil {
			return err
		}
		next, stop := min(l.next, end), l.start+l.length
		if k.unfit(extent{eightBit: l.eightBit, longest: l.length}) == "" {
			if err := k.copy(off, next); err != nil {
				return err
			}
		} else if err := k.mendLine(off, stop, next); err != nil {
			return err
		}
		off = next
	}
	return nil
}

// mendLine breaks up one line of quoted-printable, whose line end, if any, is from stop to next.
// Blanks at its end are no part of it: readers drop them (RFC 2045 section 6.7, rule 3).
func (k *walker) mendLine(off, stop, next int64) error {
	ended := stop < next
	stop, err := k.src.withoutBlanks(off, stop)
	if err != nil {
		return err
	}
	k.octets.Reset(io.NewSectionReader(k.src.r, off, stop-off))
	q := quoted{out: k.out}
	b, err := k.octets.Peek(3)
	for ; len(b) > 0; b, err = k.octets.Peek(3) {
		_, _ = k.octets.Discard(q.token(b)) // it was seen
	}
	if err != io.EOF {
		return err
	}
	if ended {
		k.out.text("\r\n")
	}
	return k.out.failed()
}

// token writes the first token of quoted-printable text, of which up to three octets
// are seen, and returns its length.
func (q *quoted) token(b []byte) int {
	c := b[0]
	switch {
	case c == '=' && len(b) == 1: // a soft line break
		q.out.octet(c)
		return 1
	case c == '=' && len(b) == 3 && isHex(b[1]) && isHex(b[2]):
		q.room(3)
		q.out.octets(b)
		q.column += 3
		return 3
	case isPlain(c) || c == ' ' || c == '\t':
		q.literal(c)
	default:
		q.escape(c)
	}
	return 1
}

func isHex(c byte) bool { return strings.IndexByte("0123456789ABCDEFabcdef", c) >= 0 }
