package recode

import (
	"bytes"
	"fmt"
)

// extent is the content of an entity, up to the delimiter that ends it.
type extent struct {
	end      int64 // the line end before the delimiter belongs to that
	next     int64 // the delimiter, or the size of the message
	eightBit bool
	longest  int64 // longest line
	delimiter
}

// extent looks at the content that begins at off.
func (k *walker) extent(off int64) (extent, error) {
	e := extent{end: off, next: off}
	for e.next < k.src.size {
		l, err := k.src.line(e.next)
		if err != nil {
			return e, err
		}
		if e.delimiter = k.bounds.delimits(l); e.found {
			return e, nil
		}
		e.end, e.next = l.start+l.length, l.next
		e.eightBit = e.eightBit || l.eightBit
		e.longest = max(e.longest, l.length)
	}
	e.end = e.next
	return e, nil
}

// unfit says what in the content cannot stay; empty: nothing.
func (o *Options) unfit(e extent) string {
	switch {
	case o.SevenBit && e.eightBit:
		return "octets over 127"
	case e.longest > MaxLine:
		return fmt.Sprintf("a line of %d octets", e.longest)
	}
	return ""
}

// delimiter is a line that ends what stands before it.
type delimiter struct {
	line    line
	found   bool
	level   int  // index in boundaries
	closing bool // the multipart ends too
}

// boundaries are those of the multiparts around, outermost first.
type boundaries []string

// delimits tells whether l is the delimiter of a multipart around. The outermost is
// asked first: its delimiter ends all that is in it.
func (bounds boundaries) delimits(l line) delimiter {
	if len(bounds) == 0 || int64(len(l.head)) != l.length || !bytes.HasPrefix(l.head, []byte("--")) {
		return delimiter{}
	}
	text := bytes.TrimRight(l.head[2:], " \t")
	for i, boundary := range bounds {
		if len(text) < len(boundary) || string(text[:len(boundary)]) != boundary {
			continue
		}
		switch string(text[len(boundary):]) {
		case "":
			return delimiter{line: l, found: true, level: i}
		case "--":
			return delimiter{line: l, found: true, level: i, closing: true}
		}
	}
	return delimiter{}
}

// delimiterAt is the delimiter that begins at off; at the end of the message none.
func (k *walker) delimiterAt(off int64) (delimiter, error) {
	if off >= k.src.size {
		return delimiter{}, nil
	}
	l, err := k.src.line(off)
	return k.bounds.delimits(l), err
}

func (k *walker) writeDelimiter(d delimiter) error {
	if d.line.length <= MaxLine {
		return k.copy(d.line.start, d.line.next)
	}
	_, err := fmt.Fprintf(k.out, "%s\r\n", bytes.TrimRight(d.line.head, " \t"))
	return err
}

// filler writes what stands before the first part of a multipart or after the last.
// No reader shows it (RFC 2046 section 5.1.1), so what does not fit is not encoded
// but made to fit: an octet over 127 becomes "?", a long line is cut.
func (k *walker) filler(off int64) (int64, error) {
	e, err := k.extent(off)
	if err != nil {
		return 0, err
	}
	if k.unfit(e) == "" {
		return e.next, k.copy(off, e.next)
	}
	column := 0
	return e.next, k.src.each(off, e.next, func(b []byte) error {
		for _, c := range b {
			if c >= 0x80 && k.SevenBit {
				c = '?'
			}
			// The blank keeps the rest of the line from looking like a delimiter.
			if column >= MaxLine && c != '\r' && c != '\n' {
				k.out.text("\r\n ")
				column = 1
			}
			k.out.octet(c)
			if column++; c == '\n' {
				column = 0
			}
		}
		return k.out.failed()
	})
}
