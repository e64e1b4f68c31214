package intake

import (
	"context"
	"fmt"

	"notices/spool"
	"notices/spool/recode"
)

// pieceSize is how much is read and written at once, and thus all the memory that a
// body takes, however long it is.
const pieceSize = 64 << 10

// sink collects a message and writes it to a draft, piece by piece. The draft is
// made when the first piece is full: a small message that is refused leaves no trace.
type sink struct {
	ctx      context.Context
	store    Store
	id       spool.ID
	buf      []byte
	draft    spool.Draft // nil: all of the message is in buf
	eightBit bool
}

func (s *sink) flush() error {
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
func (s *sink) full() error {
	if len(s.buf) < pieceSize {
		return nil
	}
	return s.flush()
}

// Write implements io.Writer, for recode.
func (s *sink) Write(p []byte) (int, error) {
	s.eightBit = s.eightBit || recode.EightBit(p)
	s.buf = append(s.buf, p...)
	return len(p), s.full()
}

// abort drops the draft. What it cannot remove is swept.
func (s *sink) abort() {
	if s.draft != nil {
		_ = s.draft.Abort()
	}
}
