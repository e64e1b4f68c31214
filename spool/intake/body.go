package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"notices/spool"
	"notices/spool/internal/piece"
	"notices/spool/recode"
)

// maxLine is the longest line that SMTP carries, without its CRLF (RFC 5321 section
// 4.5.3.1.6).
const maxLine = recode.MaxLine

// maxCRs is how many CRs before an LF belong to it. More than two were never seen.
const maxCRs = 4

// body makes the text behind the header canonical.
type body struct {
	out     *output
	crs     int   // CRs that no other octet followed yet
	column  int64 // octets of the line so far
	lines   int   // that have ended, from the beginning of the input
	longest int64
	where   int  // number of the longest line
	wide    bool // a field of a part seems to have octets over 127, and is to be encoded
}

// add takes the next piece.
func (b *body) add(p []byte) error {
	if i := bytes.IndexByte(p, 0); i >= 0 {
		return errNUL(b.lines + 1 + bytes.Count(p[:i], []byte("\n")))
	}
	if !b.out.eightBit {
		b.out.eightBit = recode.EightBit(p)
	}
	if b.out.eightBit && !b.wide {
		b.wide = hasWideField(p)
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.text(p)
			break
		}
		b.text(p[:i])
		b.crs = 0
		b.endLine()
		p = p[i+1:]
		if err := b.out.full(); err != nil {
			return err
		}
	}
	return b.out.full()
}

// hasWideField looks for a MIME field with octets over 127, for which the whole message
// is then looked at: programs write the name of an attached file as they find it.
func hasWideField(p []byte) bool {
	field := false
	for line := range bytes.Lines(p) {
		if line[0] != ' ' && line[0] != '\t' {
			field = bytes.HasPrefix(line, []byte("Content-"))
		}
		if field && recode.EightBit(line) {
			return true
		}
	}
	return false
}

// text takes octets among which there is no LF. CRs at their end wait for what
// follows: before an LF they belong to it, else each ends a line.
func (b *body) text(p []byte) {
	for len(p) > 0 {
		for ; b.crs > 0 && p[0] != '\r'; b.crs-- {
			b.endLine()
		}
		i := bytes.IndexByte(p, '\r')
		if i < 0 {
			i = len(p)
		}
		b.out.buf = append(b.out.buf, p[:i]...)
		b.column += int64(i)
		for p = p[i:]; len(p) > 0 && p[0] == '\r'; p = p[1:] {
			if b.crs++; b.crs > maxCRs {
				b.crs--
				b.endLine()
			}
		}
	}
}

func (b *body) endLine() {
	b.lines++
	if b.column > b.longest {
		b.longest, b.where = b.column, b.lines
	}
	b.column = 0
	b.out.buf = append(b.out.buf, '\r', '\n')
}

// end ends the last line.
func (b *body) end() error {
	for ; b.crs > 0; b.crs-- {
		b.endLine()
	}
	if b.column > 0 {
		b.endLine()
	}
	return b.out.full()
}

// recode writes the message once more, with its long lines re-encoded and the fields of
// its parts in ASCII, if that is needed.
func (m *message) recode(b *body) error {
	long := b.longest > maxLine
	switch {
	case !long && (!b.wide || m.r.ID != ""):
		return nil
	case m.r.ID != "":
		return badMessage("%s, and it was to have none", lineIs(b.where, b.longest))
	}
	first := m.out
	var src io.ReaderAt = bytes.NewReader(first.buf)
	size := int64(len(first.buf))
	second := &output{ctx: m.ctx, store: m.in.Store, id: first.id}
	if first.draft != nil {
		if err := first.flush(); err != nil {
			return err
		}
		src, size = first.draft, first.draft.Len()
		second.id = spool.NewID(m.now)
	}
	if err := recode.Recode(second, src, size, recode.Options{Fields: b.wide}); err != nil {
		second.abort()
		if !long && errors.Is(err, recode.ErrHeader) {
			return nil // it stays as it is
		}
		if errors.Is(err, recode.ErrSigned) || errors.Is(err, recode.ErrHeader) {
			return &Error{Kind: BadMessage, Err: err, Msg: "the message has a line that is too long: " +
				lineIs(b.where, b.longest) + ". It cannot be re-encoded: " + err.Error()}
		}
		return err
	}
	first.abort()
	m.out = second
	return nil
}

// pieceSize is how much is read and written at once: all the memory that a body takes.
const pieceSize = piece.Size

// output collects a message and writes it to a draft, piece by piece. The draft is
// made when the first piece is full: a small message that is refused leaves no trace.
type output struct {
	ctx      context.Context
	store    Store
	id       spool.ID
	buf      []byte
	draft    spool.Draft // nil: all of the message is in buf
	eightBit bool
}

func (s *output) flush() error {
	if s.draft != nil && len(s.buf) == 0 {
		return nil
	}
	if s.draft == nil {
		d, err := s.store.New(s.ctx, s.id)
		if err != nil {
			return fmt.Errorf("writing the message: %w", err)
		}
		s.draft = d
	}
	if _, err := s.draft.Write(s.buf); err != nil {
		return fmt.Errorf("writing the message: %w", err)
	}
	s.buf = s.buf[:0]
	return nil
}

// full writes what has come together, if it is a piece.
func (s *output) full() error {
	if len(s.buf) < pieceSize {
		return nil
	}
	return s.flush()
}

// Write implements io.Writer, for recode.
func (s *output) Write(p []byte) (int, error) {
	s.eightBit = s.eightBit || recode.EightBit(p)
	s.buf = append(s.buf, p...)
	return len(p), s.full()
}

// abort drops the draft. What it cannot remove is swept.
func (s *output) abort() {
	if s.draft != nil {
		_ = s.draft.Abort()
	}
}
