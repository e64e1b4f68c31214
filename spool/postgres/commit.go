package postgres

import (
	"context"
	"errors"
	"fmt"

	"notices/spool"
	"notices/spool/postgres/rowtext"
)

// A transaction of Commit takes so many messages, or so many octets.
const (
	batchMessages = 500
	batchSize     = 1 << 20
)

// Commit queues the drafts, many in a transaction.
func (s *Store) Commit(ctx context.Context, drafts ...spool.Draft) (n int, err error) {
	b := putting{fence: s.fence.Load()}
	for _, each := range drafts {
		d, ok := each.(*draft)
		switch {
		case !ok || d.s.db != s.db:
			err = fmt.Errorf("draft %s is not of this store", each.ID())
		case d.over != nil:
			err = d.over
		case d.envelope == nil:
			err = fmt.Errorf("draft %s is not sealed", d.id)
		}
		if err != nil {
			break
		}
		b.add(d)
		if b.full() {
			done, err := b.commit(ctx, s.db)
			if n += done; err != nil {
				return n, err
			}
			b = putting{fence: b.fence}
		}
	}
	done, commitErr := b.commit(ctx, s.db)
	return n + done, errors.Join(commitErr, err)
}

// putting are the drafts of one transaction, as the arguments of notices.put.
type putting struct {
	fence   int64 // the token of the lock of imports; 0: it is not an import's
	again   bool  // an earlier try may have queued them, although its answer was lost
	drafts  []*draft
	size    int
	ids     []string
	states  []string
	nexts   []int64
	expires []*int64
	octets  []int64
	bodies  []int64
	found   []string // by rowtext.Search
	wide    [][]byte
	heads   [][]byte
	spilled []int64
	keyed   []string
	keys    [][]byte
	counts  []int32 // of the events of each
	logged  []string
	events  [][]byte
	queued  []int64
	lasts   [][]byte // the last import key of each; nil if it has no key
}

func (b *putting) add(d *draft) {
	b.drafts = append(b.drafts, d)
	b.size += len(d.head) + len(d.envelope)
	for _, text := range d.log {
		b.size += len(text)
	}
	e := listing(d.rec)
	b.ids = append(b.ids, string(d.id))
	b.states = append(b.states, e.state)
	b.nexts = append(b.nexts, e.next)
	b.expires = append(b.expires, e.expires)
	stored := d.size + int64(len(d.envelope))
	for _, text := range d.log {
		b.logged, b.events = append(b.logged, string(d.id)), append(b.events, text)
		stored += int64(len(text))
	}
	b.counts = append(b.counts, int32(len(d.log)))
	b.octets = append(b.octets, stored)
	b.bodies = append(b.bodies, d.body)
	b.found = append(b.found, rowtext.Search(&d.rec.Envelope))
	b.wide = append(b.wide, d.envelope)
	b.heads = append(b.heads, d.head)
	if d.spilled > 0 {
		b.spilled = append(b.spilled, d.body)
	}
	var last []byte
	for _, key := range d.rec.Envelope.ImportKeys {
		last = key[:]
		b.keyed, b.keys = append(b.keyed, string(d.id)), append(b.keys, last)
	}
	b.queued, b.lasts = append(b.queued, d.rec.Envelope.QueuedAt.Unix()), append(b.lasts, last)
}

func (b *putting) full() bool { return len(b.drafts) >= batchMessages || b.size >= batchSize }

const putSQL = `select notices.put($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)::text`

const putOfImportSQL = `select notices.put_of_import($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)::text`

// commit queues all, or those before the first whose id is there.
func (b *putting) commit(ctx context.Context, db *database) (n int, err error) {
	if len(b.drafts) == 0 {
		return 0, nil
	}
	args := []any{b.ids, b.states, b.nexts, b.expires, b.octets, b.bodies, b.found, b.wide, b.heads, b.spilled, b.keyed, b.keys, b.counts, b.logged, b.events, b.queued, b.lasts}
	sql := putSQL
	if b.fence != 0 {
		sql, args = putOfImportSQL, append(args, b.fence)
	}
	again, err := db.rowAgain(ctx, sql, args, new(string))
	b.again = b.again || again
	switch {
	case (codeOf(err) == uniqueViolation || codeOf(err) == messageLeft) && len(b.drafts) > 1:
		return b.oneByOne(ctx, db)
	case codeOf(err) == messageLeft && b.again: // the earlier try queued it, and it was sent since
		err = nil
	case codeOf(err) == messageLeft:
		err = errors.Join(fmt.Errorf("%s: %w", b.ids[0], spool.ErrLeft), b.drafts[0].Abort())
	case codeOf(err) == uniqueViolation:
		err = b.exists(ctx, db)
	case codeOf(err) == lockLost:
		err = fmt.Errorf("%w: this host stood still, or was cut off, and another import has begun; to queue what is missing, and nothing twice, run the same command again", spool.ErrLockLost)
	case codeOf(err) == draftSwept:
		err = fmt.Errorf("%w: the message was being written for too long without a sign of life", spool.ErrUnreachable)
	case errors.As(err, new(maybeDone)):
		for _, d := range b.drafts {
			d.end()
		}
		err = fmt.Errorf("%w: %w", spool.ErrUnsure, err)
	}
	if err != nil {
		return 0, err
	}
	for _, d := range b.drafts {
		d.end()
	}
	return len(b.drafts), nil
}

func (b *putting) oneByOne(ctx context.Context, db *database) (n int, err error) {
	for _, d := range b.drafts {
		one := putting{fence: b.fence, again: b.again}
		one.add(d)
		done, err := one.commit(ctx, db)
		if n += done; err != nil {
			return n, err
		}
	}
	return n, nil
}

// exists tells a message of another from the very draft, which was queued though the answer
// was lost. That one may have left meanwhile.
func (b *putting) exists(ctx context.Context, db *database) error {
	d := b.drafts[0]
	var own *bool
	err := db.row(ctx, `select (select body = $2 from notices.message where id = $1)`, []any{b.ids[0], d.body}, &own)
	kind := spool.ErrExists
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", spool.ErrUnsure, err)
	case own != nil && *own, own == nil && b.again:
		return nil
	case own == nil:
		kind = spool.ErrLeft
	}
	err = d.Abort()
	return errors.Join(fmt.Errorf("%s: %w", d.id, kind), err)
}
