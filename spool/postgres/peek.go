package postgres

import (
	"cmp"
	"context"
	"fmt"

	"notices/spool"
)

const peekSQL = `select m.id, (m.state = 'f'), m.stored, m.body, c.envelope, m.log
	from notices.message m join notices.content c using (id) where m.id = any($1) and m.state <> 'a'`

// Peek reads a message without claiming it. Its body is read when it is asked for.
func (s listings) Peek(ctx context.Context, e spool.Entry) (r *spool.Record, b spool.PeekedBody, err error) {
	var cause error
	failed := s.PeekMany(ctx, []spool.Entry{e}, func(_ int, found *spool.Record, body spool.PeekedBody, why error) {
		r, b, cause = found, body, why
	})
	return r, b, cmp.Or(failed, cause)
}

// PeekMany is Peek for several messages, in one call. visit gets each, in no order; one may come again,
// if the connection was lost: then the last time counts.
func (s listings) PeekMany(ctx context.Context, entries []spool.Entry, visit func(i int, r *spool.Record, b spool.PeekedBody, err error)) error {
	ids, place := make([]string, 0, len(entries)), map[string]int{}
	for i, e := range entries {
		if e.ID.Valid() {
			ids = append(ids, string(e.ID))
		}
		place[string(e.ID)] = i
	}
	left := map[string]int{}
	err := s.db.again(ctx, func(ctx context.Context) error {
		rows, err := s.db.pool.Query(ctx, peekSQL, ids)
		if err != nil {
			return err
		}
		defer rows.Close()
		for id, i := range place {
			left[id] = i
		}
		for rows.Next() {
			var m stored
			var failed bool
			b := &peekedBody{body: body{ctx: context.WithoutCancel(ctx), db: s.db}}
			if err := rows.Scan(&b.id, &failed, &b.stored, &b.number, &m.envelope, &m.log); err != nil {
				return err
			}
			i := place[b.id]
			if failed != (entries[i].State == spool.StateFailed) {
				continue // it is another listing's
			}
			delete(left, b.id)
			r, err := m.record()
			if err != nil {
				visit(i, nil, nil, fmt.Errorf("%s: %w", b.id, err))
				continue
			}
			b.size = r.Envelope.Size
			visit(i, r, b, nil)
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for id, i := range left {
		visit(i, nil, nil, fmt.Errorf("%q: %w", id, spool.ErrGone))
	}
	return nil
}

type peekedBody struct {
	body
	stored int64
}

func (b *peekedBody) Stored() int64 { return b.stored }
