package smtpclient

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"notices/spool/recode"
)

// piece is how much of a message is written at once: the unit of progress that one
// Timeout is given for, and the memory that a message takes, whatever its size.
const piece = 64 << 10

// pieces are the buffers for it, a little longer than a piece for the final dot.
var pieces = sync.Pool{New: func() any { b := make([]byte, 0, piece+512); return &b }}

// body is a message on its way to the wire.
type body struct {
	// whole is all of a small message, dots stuffed, with the final dot: one write.
	whole  []byte
	buffer *[]byte // what whole lies in; goes back to pieces

	message io.ReaderAt
	size    int64
	// narrow: it is changed so on the way; nil: not at all. declared is the size after that.
	narrow   *recode.Options
	declared int64
}

// newBody gets the message ready: a small one is read before the server hears of it,
// so that an error of the disk costs nobody anything.
func newBody(t *Transaction, narrow *recode.Options) (*body, error) {
	b := &body{message: t.Body, size: t.Size, declared: t.Size, narrow: narrow}
	if narrow != nil {
		// Once for nothing: what cannot be re-encoded is found before MAIL, and SIZE is right.
		var count counter
		err := b.recode(&count)
		b.declared = int64(count)
		return b, err
	}
	if t.Size > piece {
		return b, nil
	}
	b.buffer = pieces.Get().(*[]byte)
	whole, err := stuffedWhole((*b.buffer)[:0], t)
	b.whole, *b.buffer = whole, whole[:0]
	if err != nil {
		b.free()
		return nil, err
	}
	return b, nil
}

func (b *body) free() {
	if b.buffer != nil && cap(*b.buffer) <= 2*piece {
		pieces.Put(b.buffer)
	}
	b.buffer, b.whole = nil, nil
}

func stuffedWhole(dst []byte, t *Transaction) ([]byte, error) {
	dst = dst[:t.Size]
	if err := readFull(t.Body, dst, 0); err != nil {
		return dst, err
	}
	if !needsStuffing(dst, true) {
		return appendEnd(dst), nil
	}
	spare := pieces.Get().(*[]byte)
	defer pieces.Put(spare)
	raw := append((*spare)[:0], dst...)
	dst, _ = appendStuffed(dst[:0], raw, true)
	return appendEnd(dst), nil
}

// readFull reads all of p: a message that has become shorter is not sent as if it
// were whole.
func readFull(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the message cannot be read: %w", err)
}

// A line that begins with a dot gets another (RFC 5321 4.5.2). A bare LF counts as
// a line's end here, although no stored message has one: some servers take it for one.
var dotLine = []byte("\n.")

func needsStuffing(p []byte, lineStart bool) bool {
	return lineStart && len(p) > 0 && p[0] == '.' || bytes.Contains(p, dotLine)
}

// appendStuffed appends p with its dots stuffed. lineStart: p begins a line; the
// result: what follows p does.
func appendStuffed(dst, p []byte, lineStart bool) ([]byte, bool) {
	if len(p) == 0 {
		return dst, lineStart
	}
	if lineStart && p[0] == '.' {
		dst = append(dst, '.')
	}
	lineStart = p[len(p)-1] == '\n'
	for {
		i := bytes.Index(p, dotLine)
		if i < 0 {
			return append(dst, p...), lineStart
		}
		dst = append(append(dst, p[:i+1]...), '.', '.')
		p = p[i+2:]
	}
}

// appendEnd appends the final dot, and the line end that a message must have.
func appendEnd(dst []byte) []byte {
	if len(dst) > 0 && !bytes.HasSuffix(dst, []byte("\r\n")) {
		dst = append(dst, "\r\n"...)
	}
	return append(dst, ".\r\n"...)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// stream writes the message and the final dot in pieces.
func (b *body) stream(write func([]byte) error) error {
	out := pieces.Get().(*[]byte)
	defer pieces.Put(out)
	w := &stuffer{write: write, out: (*out)[:0], lineStart: true}
	if b.narrow != nil {
		if err := b.recode(w); err != nil {
			return err
		}
		return w.end()
	}
	in := pieces.Get().(*[]byte)
	defer pieces.Put(in)
	for at := int64(0); at < b.size; {
		p := (*in)[:min(piece, b.size-at)]
		if err := readFull(b.message, p, at); err != nil {
			return err
		}
		at += int64(len(p))
		w.direct = at < b.size // the last one goes out together with the dot
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return w.end()
}

// stuffer stuffs dots and writes pieces.
type stuffer struct {
	write     func([]byte) error
	out       []byte // not written yet; never more than its capacity
	lineStart bool
	direct    bool // what needs no stuffing need not be copied
}

// stuffed is how much is looked at in one go, so that it fits into out whatever its dots.
const stuffed = piece / 4

func (s *stuffer) Write(p []byte) (int, error) {
	if s.direct && len(s.out) == 0 && !needsStuffing(p, s.lineStart) {
		s.lineStart = p[len(p)-1] == '\n'
		return len(p), s.write(p)
	}
	for rest := p; len(rest) > 0; {
		part := rest[:min(len(rest), stuffed)]
		rest = rest[len(part):]
		if len(s.out)+2*len(part)+len("\r\n.\r\n") > cap(s.out) {
			if err := s.flush(); err != nil {
				return 0, err
			}
		}
		s.out, s.lineStart = appendStuffed(s.out, part, s.lineStart)
	}
	return len(p), nil
}

func (s *stuffer) flush() error {
	err := s.write(s.out)
	s.out = s.out[:0]
	return err
}

func (s *stuffer) end() error {
	if !s.lineStart {
		s.out = append(s.out, "\r\n"...)
	}
	s.out = append(s.out, ".\r\n"...)
	return s.flush()
}

// recode writes the message as narrowed says.
func (b *body) recode(w io.Writer) error {
	return recode.Recode(w, b.message, b.size, *b.narrow)
}

// unchangeable reports whether re-encoding would break a signature, or a header that
// nobody could read. Postfix breaks it then, Exim sends 8 bits all the same; here the
// server cannot take the message and the next one is asked.
func unchangeable(err error) bool {
	return errors.Is(err, recode.ErrSigned) || errors.Is(err, recode.ErrHeader)
}
