package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"notices/spool"
)

// body reads a message. It keeps the chunk that was read last, so that reading from one end to
// the other reads each once.
type body struct {
	ctx     context.Context
	db      *database
	number  int64
	id      string // of a message whose head is read when it is needed; empty: head is there
	head    []byte // the first chunk
	size    int64
	claimed bool // if the message is gone, another host has taken it over and removed it

	mu    sync.Mutex
	place int    // of chunk; 0: none
	chunk []byte // never changed, only replaced
	over  error
}

func (b *body) Size() int64 { return b.size }

func (b *body) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < b.size {
		part, err := b.at(off)
		if err != nil {
			return n, err
		}
		k := copy(p[n:], part)
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// at returns what there is from an offset to the end of its chunk.
func (b *body) at(off int64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over != nil {
		return nil, b.over
	}
	place, within := int(off/chunkSize), int(off%chunkSize)
	if place == 0 && b.id != "" {
		if err := b.readHead(); err != nil {
			return nil, err
		}
	}
	if place == 0 {
		return b.head[within:], nil
	}
	if place != b.place {
		var chunk []byte
		err := b.db.row(b.ctx, `select data from notices.chunk where body = $1 and n = $2`, []any{b.number, place}, &chunk)
		if err != nil {
			if err = gone(err, "the message"); b.claimed && errors.Is(err, spool.ErrGone) {
				err = fmt.Errorf("%w: another host has removed it", spool.ErrClaimLost)
			}
			return nil, err
		}
		b.place, b.chunk = place, chunk
	}
	if within >= len(b.chunk) {
		return nil, fmt.Errorf("%w: chunk %d of body %d is too short", spool.ErrUnusable, place, b.number)
	}
	return b.chunk[within:], nil
}

func (b *body) readHead() error {
	err := b.db.row(b.ctx, `select head from notices.content where id = $1`, []any{b.id}, &b.head)
	if err != nil {
		return gone(err, b.id)
	}
	if int64(len(b.head)) != min(b.size, chunkSize) {
		return fmt.Errorf("%w: the body of %s begins with %d octets, and has %d in all", spool.ErrUnusable, b.id, len(b.head), b.size)
	}
	b.id = ""
	return nil
}

func (b *body) Close() error {
	b.end(fs.ErrClosed)
	return nil
}

// end makes all reading fail.
func (b *body) end(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over, b.head, b.chunk, b.place = why, nil, nil, 0
}
