package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"

	"notices/spool"
)

// chunkSize is how much of a body a row has. The first is in the message's content.
const chunkSize = 256 << 10

// draft keeps the last chunk of a body in memory; the earlier ones, but for the first, are in
// the database already.
type draft struct {
	s    *Store
	ctx  context.Context
	id   spool.ID
	body int64

	head     []byte // the first chunk; never nil, which would be NULL
	last     []byte // a later chunk, not full yet
	spilled  int    // chunks that are in the database; they are numbered from 1
	session  int64  // that the spilled ones belong to
	size     int64
	envelope []byte // sealed
	log      [][]byte
	rec      *spool.Record
	over     error // set: why it cannot be used any more
}

// New starts a message. A small one stays in memory until Commit.
func (s *Store) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	if !id.Valid() {
		return nil, fmt.Errorf("%q cannot name a message", id)
	}
	return &draft{s: s, ctx: context.WithoutCancel(ctx), id: id, body: nonce(), head: []byte{}}, nil
}

var errSealed = errors.New("the draft is sealed")

func (d *draft) ID() spool.ID { return d.id }

func (d *draft) Len() int64 { return d.size }

func (d *draft) Write(p []byte) (n int, err error) {
	if d.over != nil || d.envelope != nil {
		return 0, errors.Join(d.over, errSealed)
	}
	for len(p) > 0 {
		part := &d.last
		if len(d.head) < chunkSize {
			part = &d.head
		} else if len(d.last) == chunkSize {
			if err := d.spill(); err != nil {
				return n, err
			}
		}
		k := min(len(p), chunkSize-len(*part))
		*part = append(*part, p[:k]...)
		p, n, d.size = p[k:], n+k, d.size+int64(k)
	}
	return n, nil
}

// spill writes the last chunk.
func (d *draft) spill() error {
	if len(d.last) == 0 {
		return nil
	}
	id, answer, err := d.s.session.within(d.ctx, func(id int64) (answer string, err error) {
		if d.spilled > 0 && id != d.session {
			return "lost", nil
		}
		err = d.s.db.row(d.ctx, `select notices.spill($1, $2, $3, $4)`, []any{id, d.body, d.spilled + 1, d.last}, &answer)
		return answer, err
	})
	if err == nil && answer != "ok" {
		err = fmt.Errorf("%w: the message was being written for too long without a sign of life", spool.ErrUnreachable)
	}
	if err != nil {
		return err
	}
	d.session, d.spilled, d.last = id, d.spilled+1, d.last[:0]
	return nil
}

// ReadAt reads what was written.
func (d *draft) ReadAt(p []byte, off int64) (int, error) {
	b := &body{ctx: d.ctx, db: d.s.db, number: d.body, head: d.head, size: d.size}
	inDatabase := int64(len(d.head)) + int64(d.spilled)*chunkSize
	if off < inDatabase || len(d.last) == 0 {
		b.size = inDatabase
		n, err := b.ReadAt(p, off)
		if err != io.EOF || len(d.last) == 0 || n == len(p) {
			return n, err
		}
		m, err := d.readLast(p[n:], 0)
		return n + m, err
	}
	return d.readLast(p, off-inDatabase)
}

func (d *draft) readLast(p []byte, off int64) (n int, err error) {
	if off < int64(len(d.last)) {
		n = copy(p, d.last[off:])
	}
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (d *draft) Seal(env spool.Envelope, events ...spool.Event) error {
	if d.over != nil || d.envelope != nil {
		return errors.Join(d.over, errSealed)
	}
	if env.ID != d.id {
		return fmt.Errorf("the envelope is that of %q, and the draft is %q", env.ID, d.id)
	}
	env.Size = d.size
	if err := d.spill(); err != nil {
		return err
	}
	text, err := spool.AppendJSON(nil, env)
	log := make([][]byte, len(events))
	for i := 0; i < len(events) && err == nil; i++ {
		log[i], err = spool.AppendJSON(nil, events[i])
	}
	if err == nil {
		d.envelope, d.log, d.rec = text, log, spool.NewRecord(env, events...)
	}
	return err
}

var errDraftOver = errors.New("the draft was committed or dropped")

// Abort drops the draft. What it cannot remove is swept.
func (d *draft) Abort() error {
	if d.over != nil {
		return nil
	}
	d.end()
	if d.spilled == 0 {
		return nil
	}
	return d.s.db.row(d.ctx, `select notices.abort($1)::text`, []any{d.body}, new(string))
}

// end lets go of the memory.
func (d *draft) end() { d.over, d.head, d.last, d.log = errDraftOver, nil, nil, nil }
