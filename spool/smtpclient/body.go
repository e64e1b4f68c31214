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
	message io.ReaderAt
	size    int64
	// recoding: it is changed so on the way; nil: not at all. declared is the size after that.
	recoding *recode.Options
	declared int64

	field string // goes before the message: its signature; often empty

	buffer *[]byte // for pieces of a message that is not changed
	first  []byte  // the first piece, in buffer
}

// SignFunc makes the header field that goes before a message, with its line end: a
// DKIM-Signature, say. It is empty for a message that gets none. message writes the message as
// it will go out, in pieces, and may be called once. changed: it was re-encoded for this server.
// ErrUnsignable: no attempt can sign the message; after any other error the next one may.
type SignFunc = func(message func(io.Writer) error, changed bool) (field string, err error)

// ErrUnsignable is the cause of a SignFunc's error if the message itself is the reason. It is returned
// then, and does not wait.
var ErrUnsignable = errors.New("no attempt can sign the message")

// newBody gets the message ready. The first piece, which is mostly the whole message, is read before
// the first command, so that an error of the disk costs no connection.
func newBody(t *Transaction, recoding *recode.Options, sign SignFunc) (*body, error) {
	b := &body{message: t.Body, size: t.Size, declared: t.Size, recoding: recoding}
	var err error
	if recoding != nil {
		// Once for nothing: what cannot be re-encoded is found before MAIL, and SIZE is right.
		var count counter
		err = recode.Recode(&count, b.message, b.size, *recoding)
		b.declared = int64(count)
	} else {
		b.buffer = pieces.Get().(*[]byte)
		b.first, err = b.read(0)
	}
	if err == nil && sign != nil {
		err = b.sign(sign)
	}
	if err != nil {
		b.free()
		return nil, err
	}
	return b, nil
}

// sign reads the whole message, as it will go out, before the first octet of it is sent.
func (b *body) sign(sign SignFunc) error {
	var err error
	if b.field, err = sign(b.writeTo, b.recoding != nil); err != nil {
		return err
	}
	b.declared += int64(len(b.field))
	if int64(len(b.first)) < b.size && b.recoding == nil {
		b.first, err = b.read(0) // the buffer has the last piece now
	}
	return err
}

// writeTo writes the message as it will go out, without the field before it and the dots.
func (b *body) writeTo(w io.Writer) error {
	if b.recoding != nil {
		return recode.Recode(w, b.message, b.size, *b.recoding)
	}
	for p, at := b.first, int64(len(b.first)); ; {
		if _, err := w.Write(p); err != nil || at == b.size {
			return err
		}
		var err error
		if p, err = b.read(at); err != nil {
			return err
		}
		at += int64(len(p))
	}
}

func (b *body) free() {
	if b.buffer != nil {
		pieces.Put(b.buffer)
		b.buffer, b.first = nil, nil
	}
}

// read reads the piece at an offset into the buffer. A message that has become shorter is not sent
// as if it were whole.
func (b *body) read(at int64) ([]byte, error) {
	p := (*b.buffer)[:min(piece, b.size-at)]
	n, err := b.message.ReadAt(p, at)
	if n == len(p) {
		return p, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return nil, fmt.Errorf("the message cannot be read: %w", err)
}

// send writes the message and the final dot in pieces, a short message in one.
func (b *body) send(write func([]byte) error) error {
	if int64(len(b.first)) == b.size && b.recoding == nil && b.field == "" && !needsStuffing(b.first, true) {
		return write(appendEnd(b.first, len(b.first) == 0 || bytes.HasSuffix(b.first, []byte("\r\n"))))
	}
	out := pieces.Get().(*[]byte)
	defer pieces.Put(out)
	w := &stuffer{write: write, out: append((*out)[:0], b.field...), lineStart: true}
	if b.recoding != nil {
		if err := recode.Recode(w, b.message, b.size, *b.recoding); err != nil {
			return err
		}
		return w.end()
	}
	p, at := b.first, int64(len(b.first))
	if b.field != "" && at < b.size {
		if err := w.flush(); err != nil { // by itself, so that what follows need not be copied
			return err
		}
	}
	for {
		w.direct = at < b.size // the last one goes out together with the dot
		if _, err := w.Write(p); err != nil {
			return err
		}
		if at == b.size {
			return w.end()
		}
		var err error
		if p, err = b.read(at); err != nil {
			return err
		}
		at += int64(len(p))
	}
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
func appendEnd(dst []byte, lineStart bool) []byte {
	if !lineStart {
		dst = append(dst, "\r\n"...)
	}
	return append(dst, ".\r\n"...)
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

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
	s.out = appendEnd(s.out, s.lineStart)
	return s.flush()
}
