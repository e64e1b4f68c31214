package recode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
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
	if err != nil {
		return line{}, err
	}
	i := bytes.IndexByte(b, '\n')
	if i < 0 && len(b) < len(s.buf) && off+int64(len(b)) < s.size {
		if err := s.load(off); err != nil {
			return line{}, err
		}
		b = s.buf[:s.n]
		i = bytes.IndexByte(b, '\n')
	}
	if i < 0 {
		return s.longLine(off, b)
	}
	l := line{start: off, next: off + int64(i) + 1, head: withoutCR(b[:i])}
	l.length = int64(len(l.head))
	l.eightBit = EightBit(l.head)
	return l, nil
}

// longLine reads a line whose end is not in the window b, or is that of the message.
func (s *source) longLine(off int64, b []byte) (line, error) {
	l := line{start: off, next: off, eightBit: EightBit(b)}
	if off+int64(len(b)) == s.size {
		l.head, l.next, l.length = b, s.size, int64(len(b))
		return l, nil
	}
	// Longer than anything that is compared with it; this is for an error's text.
	l.head = bytes.Clone(b[:min(len(b), 128)])
	cr := false
	for l.next < s.size {
		b, err := s.window(l.next)
		if err != nil {
			return l, err
		}
		i := bytes.IndexByte(b, '\n')
		if i >= 0 {
			b = b[:i]
		}
		l.eightBit = l.eightBit || EightBit(b)
		l.length += int64(len(b))
		l.next += int64(len(b))
		if len(b) > 0 {
			cr = b[len(b)-1] == '\r'
		}
		if i >= 0 {
			l.next++
			if cr {
				l.length--
			}
			break
		}
	}
	return l, nil
}

func withoutCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
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
		b, err := s.window(from)
		if err != nil {
			return 0, err
		}
		if int64(len(b)) < end-from {
			if err := s.load(from); err != nil {
				return 0, err
			}
			b = s.buf[:s.n]
		}
		b = bytes.TrimRight(b[:end-from], " \t")
		end = from + int64(len(b))
		if len(b) > 0 {
			break
		}
	}
	return end, nil
}
