package recode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"unicode/utf8"
)

// windowSize is how much of a message is in memory at a time. It is also how much of
// a line is looked at for a delimiter or a field: all that is well formed fits.
const windowSize = 64 << 10

// source reads a message forward, a window at a time.
type source struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	at   int64 // offset of buf[0]
	n    int   // octets in buf
}

func newSource(r io.ReaderAt, size int64) *source {
	return &source{r: r, size: size, buf: make([]byte, min(size, windowSize))}
}

// window returns what is in memory from off on, at least one octet; it is good until
// the next call. off is less than size.
func (s *source) window(off int64) ([]byte, error) {
	if off < s.at || off >= s.at+int64(s.n) {
		if err := s.load(off); err != nil {
			return nil, err
		}
	}
	return s.buf[off-s.at : s.n], nil
}

func (s *source) load(off int64) error {
	want := int(min(int64(len(s.buf)), s.size-off))
	s.at, s.n = off, 0
	n, err := s.r.ReadAt(s.buf[:want], off)
	if n < want {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("the message cannot be read: %w", err)
	}
	s.n = n
	return nil
}

// each calls do with the octets from off to end.
func (s *source) each(off, end int64, do func([]byte) error) error {
	for off < end {
		b, err := s.window(off)
		if err != nil {
			return err
		}
		b = b[:min(int64(len(b)), end-off)]
		if err := do(b); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

// line is one line, of which only the beginning is in memory.
type line struct {
	start, next int64 // next: of the line that follows
	length      int64 // without its line end
	head        []byte
	eightBit    bool
}

// line reads the line at off, which is less than size. head is good until the next call.
func (s *source) line(off int64) (line, error) {
	b, err := s.window(off)
	if err == nil && off > s.at && off+int64(len(b)) < s.size && bytes.IndexByte(b, '\n') < 0 {
		err = s.load(off) // it may end within a whole window
		b = s.buf[:s.n]
	}
	l, cr := line{start: off, next: off}, false
	for err == nil {
		i := bytes.IndexByte(b, '\n')
		if i >= 0 {
			b = b[:i]
		}
		if len(b) > 0 {
			cr = b[len(b)-1] == '\r'
		}
		if l.next == off {
			l.head = b
		}
		l.eightBit = l.eightBit || EightBit(b)
		l.length += int64(len(b))
		l.next += int64(len(b))
		switch {
		case i >= 0:
			l.next++
			if cr {
				l.length--
				l.head = bytes.TrimSuffix(l.head, []byte("\r"))
			}
			return l, nil
		case l.next == s.size:
			return l, nil
		case len(l.head) == len(b):
			// Longer than anything that is compared with it; this is for an error's text.
			l.head = bytes.Clone(b[:min(len(b), 128)])
		}
		b, err = s.window(l.next)
	}
	return l, err
}

// EightBit reports whether b has octets over 127.
func EightBit(b []byte) bool {
	const high = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&high != 0 {
			return true
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// withoutBlanks returns where the line from start to end ends if the blanks at its
// end are left out.
func (s *source) withoutBlanks(start, end int64) (int64, error) {
	for end > start {
		from := max(start, end-int64(len(s.buf)))
		if from < s.at || end > s.at+int64(s.n) {
			if err := s.load(from); err != nil {
				return 0, err
			}
		}
		text := bytes.TrimRight(s.buf[from-s.at:end-s.at], " \t")
		if end = from + int64(len(text)); len(text) > 0 {
			break
		}
	}
	return end, nil
}

// charset names that of text which says nothing about it. What is valid UTF-8 is
// hardly ever anything else; for the rest RFC 1428 section 3 has an honest name.
func (s *source) charset(off int64, e extent) (string, error) {
	if !e.eightBit {
		return "us-ascii", nil
	}
	var piece []byte
	valid, rest := true, 0 // rest: octets at the end of piece that begin a character
	err := s.each(off, e.end, func(b []byte) error {
		piece = append(piece[:copy(piece, piece[len(piece)-rest:])], b...)
		n := len(piece)
		for i := max(0, n-utf8.UTFMax+1); i < n; i++ {
			if utf8.RuneStart(piece[i]) && !utf8.FullRune(piece[i:]) {
				n = i
			}
		}
		valid, rest = valid && utf8.Valid(piece[:n]), len(piece)-n
		return nil
	})
	if !valid || rest > 0 {
		return "unknown-8bit", err
	}
	return "utf-8", err
}
