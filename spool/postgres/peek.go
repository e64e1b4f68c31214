package postgres

import (
	"context"
	"fmt"

	"notices/spool"
)

const peekSQL = `select m.stored, m.body, c.envelope, c.head,
	case when m.events > 0 then (select array_agg(e.data order by e.n) from notices.event e where e.id = m.id) end
	from notices.message m join notices.content c using (id) where m.id = $1 and m.state <> 'a' and (m.state = 'f') = $2`

// Peek reads a message without claiming it, in one call.
func (s *Store) Peek(ctx context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	if !e.ID.Valid() {
		return nil, nil, fmt.Errorf("%q: %w", e.ID, spool.ErrGone)
	}
	var m stored
	b := &peekedBody{body: body{ctx: context.WithoutCancel(ctx), db: s.db}}
	err := s.db.row(ctx, peekSQL, []any{string(e.ID), e.State == spool.StateFailed}, &b.stored, &b.number, &m.envelope, &m.head, &m.log)
	if err != nil {
		return nil, nil, gone(err, string(e.ID))
	}
	r, err := m.record()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", e.ID, err)
	}
	b.head, b.size = m.head, r.Envelope.Size
	return r, b, nil
}

type peekedBody struct {
	body
	stored int64
}

func (b *peekedBody) Stored() int64 { return b.stored }
