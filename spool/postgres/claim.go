package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"notices/spool"
	"notices/spool/postgres/batch"
)

// claim is a message whose holder is our session, with the token that was drawn for it.
type claim struct {
	s       *Store
	ctx     context.Context
	id      string
	session int64
	token   int64
	before  int64  // the token that it had then
	shown   listed // as the listing has it now
	rec     *spool.Record
	body    *body
	done    bool
}

var claimFunc = &batch.Function{Place: 4, SQL: `select n, answer, coalesce(before, 0), coalesce(entry_state, ''), coalesce(entry_next, 0), entry_expires, coalesce(rest, 0), wide, first, log
	from notices.claim($1, $2, $3, $4) order by n`}

// taking is a claim under way.
type taking struct {
	*claim
	call   *call
	answer string
	m      stored
	rest   int64
}

// take makes the call that claims a message for a session.
func (s *Store) take(ctx context.Context, e spool.Entry, session, token int64) *taking {
	c := &claim{s: s, ctx: context.WithoutCancel(ctx), id: string(e.ID), session: session, token: token}
	t := &taking{claim: c}
	t.call = newCall(claimFunc, []any{c.id, e.State == spool.StateFailed, session, c.token},
		&t.answer, &c.before, &c.shown.state, &c.shown.next, &c.shown.expires, &t.rest, &t.m.envelope, &t.m.head, &t.m.log)
	return t
}

// Claim takes a message, with its record and the beginning of its body, in one call.
func (s *Store) Claim(ctx context.Context, e spool.Entry) (spool.Claim, error) {
	if !e.ID.Valid() {
		return nil, fmt.Errorf("%q: %w", e.ID, spool.ErrGone)
	}
	token := nonce()
	if t := s.ahead.get(e); t != nil {
		token = t.token // so that it is this claim, if it was taken
		if o := <-t.call.done; o.err == nil && t.answer != "lapsed" && s.session.has(t.session) {
			return t.end(e)
		}
	}
	var t *taking
	_, _, err := s.session.within(ctx, func(id int64) (answer string, err error) {
		t = s.take(ctx, e, id, token)
		s.shared.start(t.call)
		o := <-t.call.done
		return t.answer, o.err
	})
	if err != nil {
		return nil, err
	}
	return t.end(e)
}

// end reads what was answered.
func (t *taking) end(e spool.Entry) (spool.Claim, error) {
	c := t.claim
	err := answered(e.ID, t.answer)
	if err != nil {
		return nil, err
	}
	if c.rec, err = t.m.record(); err != nil {
		return nil, c.setAside(err)
	}
	c.body = &body{ctx: c.ctx, db: c.s.db, number: t.rest, head: t.m.head, size: c.rec.Envelope.Size, claimed: true}
	return c, nil
}

// changed turns the answer to a step of a claim into an error. If the message is gone, another host
// has claimed it since, and has sent or removed it.
func (c *claim) changed(answer string) error {
	if answer != "ok" {
		c.s.session.doubt(c.session)
		return fmt.Errorf("%w: this host gave no sign of life for too long, and another may have taken it over", spool.ErrClaimLost)
	}
	return nil
}

// answered turns the answer to a claim into an error.
func answered(id spool.ID, answer string) error {
	switch answer {
	case "ok":
		return nil
	case "busy":
		return fmt.Errorf("%s: %w", id, spool.ErrBusy)
	case "gone":
		return fmt.Errorf("%s: %w", id, spool.ErrGone)
	}
	return fmt.Errorf("%s: the database answered %q", id, answer)
}

// stored is a message as the tables have it.
type stored struct {
	envelope []byte
	head     []byte
	log      [][]byte
}

func (m *stored) record() (*spool.Record, error) {
	var env spool.Envelope
	if err := json.Unmarshal(m.envelope, &env); err != nil {
		return nil, fmt.Errorf("its envelope: %w", err)
	}
	r := spool.NewRecord(env)
	for n, text := range m.log {
		var e spool.Event
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("its event %d: %w", n, err)
		}
		r.Apply(e)
	}
	if m.head == nil {
		return r, nil // it was not asked for
	}
	if env.Size > chunkSize && len(m.head) != chunkSize || env.Size <= chunkSize && len(m.head) != int(env.Size) {
		return nil, fmt.Errorf("its body begins with %d octets, and has %d in all", len(m.head), env.Size)
	}
	return r, nil
}

// setAside hides what cannot be understood.
func (c *claim) setAside(why error) error {
	err := c.s.db.row(c.ctx, `select notices.set_aside($1, $2, $3)::text`, []any{c.id, c.session, c.token}, new(string))
	return errors.Join(fmt.Errorf("%s: %w: %w (its row has state 'a')", c.id, spool.ErrDamaged, why), err)
}

// errOver: the claim has ended.
var errOver = errors.New("the claim on the message is over")

func (c *claim) Entry() spool.Entry { return c.shown.entry(spool.ID(c.id)) }

func (c *claim) Record() *spool.Record { return c.rec }

func (c *claim) Body() spool.Body { return c.body }

// Begin appends a Try. The listing stays.
func (c *claim) Begin(e spool.Event) error {
	return c.append(e, how{begins: true})
}

func (c *claim) Append(e spool.Event, d spool.Durability) error {
	return c.append(e, how{durable: d == spool.Now})
}

// Revive queues a failed message again.
func (c *claim) Revive(e spool.Event) error {
	e.Kind, e.Fresh = spool.Retry, true
	return c.append(e, how{durable: true, ends: true})
}

// how says how an event is appended.
type how struct{ begins, durable, ends bool }

var (
	appendFunc        = &batch.Function{Place: 1, SQL: `select n, answer from notices.append(false, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) order by n`}
	durableAppendFunc = &batch.Function{Place: 1, SQL: `select n, answer from notices.append(true, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) order by n`}
)

// append writes an event, and with it what the listing shows then.
func (c *claim) append(e spool.Event, as how) error {
	if c.done {
		return errOver
	}
	text, after, err := c.prepare(e)
	if err != nil {
		return err
	}
	show := listing(after)
	if as.begins {
		show = c.shown
	}
	var answer string
	args := []any{c.id, c.session, c.token, int32(len(c.rec.Events)), text, as.begins, as.ends, show.state, show.next, show.expires}
	if as.durable {
		_, err = c.s.db.alone(durableAppendFunc, args, &answer)
	} else {
		_, err = c.s.shared.row(appendFunc, args, &answer)
	}
	if err == nil {
		err = c.changed(answer)
	}
	if err != nil {
		return err
	}
	c.shown = show
	c.rec.Apply(e)
	if as.ends {
		c.over()
	}
	return nil
}

// prepare returns the event as it is written, and the record behind it.
func (c *claim) prepare(e spool.Event) ([]byte, *spool.Record, error) {
	text, err := spool.AppendJSON(nil, e)
	after := *c.rec
	after.Recipients = append([]spool.Recipient(nil), c.rec.Recipients...)
	after.Events = c.rec.Events[:len(c.rec.Events):len(c.rec.Events)]
	after.Apply(e)
	return text, &after, err
}

var releaseFunc = &batch.Function{Place: 2, SQL: `select n, answer from notices.release($1, $2, $3, $4, $5, $6) order by n`}

// Release brings the listing in line, and lets go. Should that fail, the claim ends when the
// session does.
func (c *claim) Release() error {
	if c.done {
		return nil
	}
	c.over()
	call := c.release(listing(c.rec))
	c.s.shared.start(call)
	o := <-call.done
	return o.err
}

func (c *claim) release(show listed) *call {
	return newCall(releaseFunc, []any{c.id, c.session, c.token, show.state, show.next, show.expires}, new(string))
}

func (c *claim) over() {
	c.done = true
	c.body.end(errOver)
}
