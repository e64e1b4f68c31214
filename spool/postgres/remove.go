package postgres

import (
	"notices/spool"
	"notices/spool/postgres/batch"
)

var (
	removeFunc        = &batch.Function{Place: 0, SQL: `select n, answer from notices.remove(false, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) order by n`}
	durableRemoveFunc = &batch.Function{Place: 0, SQL: `select n, answer from notices.remove(true, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) order by n`}
)

// Remove takes the message out, and says in the history what became of it.
func (c *claim) Remove(last spool.Event, d spool.Durability) error {
	if c.done {
		return errOver
	}
	args := []any{c.id, c.session, c.token, c.before, c.rec.Envelope.Size > chunkSize, len(c.rec.Envelope.ImportKeys) > 0}
	args = append(args, c.s.endings(c.rec, last)...)
	var answer string
	var again bool
	var err error
	if d == spool.Now {
		again, err = c.s.db.alone(durableRemoveFunc, args, &answer)
	} else {
		again, err = c.s.shared.row(removeFunc, args, &answer)
	}
	if err == nil && !(again && answer == "gone") { // else it was done the first time
		err = c.changed(answer)
	}
	if err == nil {
		c.over()
	}
	return err
}

const failSQL = `select notices.fail($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`

// Fail puts the message among the failed ones, and says so in the history.
func (c *claim) Fail(e spool.Event) error {
	if c.done {
		return errOver
	}
	e.Kind = spool.GiveUp
	text, after, err := c.prepare(e)
	if err != nil {
		return err
	}
	show := listing(after)
	args := []any{c.id, c.session, c.token, len(c.rec.Events), text, show.next}
	var answer string
	err = c.s.db.row(c.ctx, failSQL, append(args, c.s.endings(c.rec, e)...), &answer)
	if err == nil {
		err = c.changed(answer)
	}
	if err == nil {
		c.shown = show
		c.rec.Apply(e)
		c.over()
	}
	return err
}
