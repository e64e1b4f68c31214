package faulty

import (
	"context"
	"errors"
	"time"

	"notices/spool"
)

// store, state, draft, claim and body are what they embed, with the calls counted that
// may go wrong.

type store struct {
	p     *process
	inner spool.Store
}

func (s store) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	return get(s.p, Call{Method: "New", ID: id}, func() (spool.Draft, error) {
		inner, err := s.inner.New(ctx, id)
		if err != nil {
			return nil, err
		}
		return &draft{inner, s.p}, nil
	})
}

func (s store) Commit(ctx context.Context, drafts ...spool.Draft) (int, error) {
	for n, d := range drafts {
		err := s.p.do(Call{Method: "Commit", ID: d.ID()}, func() error {
			if own, ok := d.(*draft); ok {
				d = own.Draft
			}
			_, err := s.inner.Commit(ctx, d)
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return len(drafts), nil
}

func (s store) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	return s.p.do(Call{Method: "Scan"}, func() error { return s.inner.Scan(ctx, yield) })
}

func (s store) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	return s.p.do(Call{Method: "ScanFailed"}, func() error { return s.inner.ScanFailed(ctx, yield) })
}

// Find is a call about the first of several messages.
func (s store) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	call := Call{Method: "Find"}
	if len(ids) > 0 {
		call.ID = ids[0]
	}
	return get(s.p, call, func() (map[spool.ID]spool.Entry, error) { return s.inner.Find(ctx, ids...) })
}

func (s store) Imported(ctx context.Context, since time.Time) (keys map[spool.ImportKey]struct{}, release func() error, err error) {
	err = s.p.do(Call{Method: "Imported"}, func() error {
		keys, release, err = s.inner.Imported(ctx, since)
		return err
	})
	return keys, release, err
}

func (s store) AddImported(ctx context.Context, keys ...spool.ImportKey) error {
	return s.p.do(Call{Method: "AddImported"}, func() error { return s.inner.AddImported(ctx, keys...) })
}

// Claim leaves the message claimed when it fails Late.
func (s store) Claim(ctx context.Context, e spool.Entry) (spool.Claim, error) {
	return get(s.p, Call{Method: "Claim", ID: e.ID}, func() (spool.Claim, error) {
		inner, err := s.inner.Claim(ctx, e)
		if err != nil {
			return nil, err
		}
		return &claim{inner, s.p}, nil
	})
}

func (s store) Peek(ctx context.Context, e spool.Entry) (r *spool.Record, b spool.PeekedBody, err error) {
	b, err = get(s.p, Call{Method: "Peek", ID: e.ID}, func() (spool.PeekedBody, error) {
		record, found, err := s.inner.Peek(ctx, e)
		if err != nil {
			return nil, err
		}
		r = record
		return &peekedBody{found, body{found, s.p, e.ID}}, nil
	})
	return r, b, err
}

func (s store) History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	return get(s.p, Call{Method: "History"}, func() ([]spool.Anomaly, error) { return s.inner.History(ctx, q, yield) })
}

// AddHistory is a call about the message of the first of several entries.
func (s store) AddHistory(ctx context.Context, entries ...spool.HistoryEntry) error {
	call := Call{Method: "AddHistory"}
	if len(entries) > 0 {
		call.ID = entries[0].ID
	}
	return s.p.do(call, func() error { return s.inner.AddHistory(ctx, entries...) })
}

func (s store) ForgetHistory(ctx context.Context, before time.Time) error {
	return s.p.do(Call{Method: "ForgetHistory"}, func() error { return s.inner.ForgetHistory(ctx, before) })
}

func (s store) HistoryError() error {
	return s.p.do(Call{Method: "HistoryError"}, s.inner.HistoryError)
}

func (s store) Writable(ctx context.Context) error {
	return s.p.do(Call{Method: "Writable"}, func() error { return s.inner.Writable(ctx) })
}

func (s store) Sync(ctx context.Context) error {
	return s.p.do(Call{Method: "Sync"}, func() error { return s.inner.Sync(ctx) })
}

func (s store) Repair(ctx context.Context) ([]spool.Anomaly, error) {
	return get(s.p, Call{Method: "Repair"}, func() ([]spool.Anomaly, error) { return s.inner.Repair(ctx) })
}

func (s store) Usage(ctx context.Context) (int64, error) {
	return get(s.p, Call{Method: "Usage"}, func() (int64, error) { return s.inner.Usage(ctx) })
}

func (s store) UsageFailed(ctx context.Context) (int64, error) {
	return get(s.p, Call{Method: "UsageFailed"}, func() (int64, error) { return s.inner.UsageFailed(ctx) })
}

func (s store) State() spool.State { return state{s.p, s.inner.State()} }

func (s store) Close() error { return s.p.do(Call{Method: "Close"}, s.inner.Close) }

type state struct {
	p     *process
	inner spool.State
}

func (s state) Load(ctx context.Context, name string) ([]byte, error) {
	return get(s.p, Call{Method: "State.Load", ID: spool.ID(name)}, func() ([]byte, error) {
		return s.inner.Load(ctx, name)
	})
}

func (s state) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	return s.p.do(Call{Method: "State.Update", ID: spool.ID(name)}, func() error {
		return s.inner.Update(ctx, name, durable, change)
	})
}

type draft struct {
	spool.Draft
	p *process
}

func (d *draft) call(method string) Call { return Call{Method: "Draft." + method, ID: d.ID()} }

func (d *draft) Write(b []byte) (int, error) {
	return get(d.p, d.call("Write"), func() (int, error) { return d.Draft.Write(b) })
}

func (d *draft) ReadAt(b []byte, off int64) (int, error) {
	return get(d.p, d.call("ReadAt"), func() (int, error) { return d.Draft.ReadAt(b, off) })
}

func (d *draft) Seal(env spool.Envelope, events ...spool.Event) error {
	return d.p.do(d.call("Seal"), func() error { return d.Draft.Seal(env, events...) })
}

func (d *draft) Abort() error { return d.p.do(d.call("Abort"), d.Draft.Abort) }

type claim struct {
	spool.Claim
	p *process
}

func (c *claim) do(method string, kind spool.Kind, call func() error) error {
	return c.p.do(Call{Method: "Claim." + method, ID: c.Entry().ID, Kind: kind}, call)
}

func (c *claim) Body() spool.Body { return &body{c.Claim.Body(), c.p, c.Entry().ID} }

func (c *claim) Begin(e spool.Event) error {
	return c.do("Begin", e.Kind, func() error { return c.Claim.Begin(e) })
}

func (c *claim) Append(e spool.Event, d spool.Durability) error {
	return c.do("Append", e.Kind, func() error { return c.Claim.Append(e, d) })
}

func (c *claim) Remove(last spool.Event, d spool.Durability) error {
	return c.do("Remove", last.Kind, func() error { return c.Claim.Remove(last, d) })
}

func (c *claim) Fail(e spool.Event) error {
	return c.do("Fail", e.Kind, func() error { return c.Claim.Fail(e) })
}

func (c *claim) Revive(e spool.Event) error {
	return c.do("Revive", e.Kind, func() error { return c.Claim.Revive(e) })
}

// Release by a living process is carried out even when it is to fail: a claim
// that cannot be ended would hang a test for a reason that no store has.
func (c *claim) Release() error {
	late, err := c.p.count(Call{Method: "Claim.Release", ID: c.Entry().ID})
	if err == nil {
		return c.Claim.Release()
	}
	if late || !errors.Is(err, ErrDead) {
		_ = c.Claim.Release()
	}
	return err
}

type body struct {
	spool.Body
	p  *process
	id spool.ID
}

func (b *body) ReadAt(p []byte, off int64) (int, error) {
	return get(b.p, Call{Method: "Body.ReadAt", ID: b.id}, func() (int, error) { return b.Body.ReadAt(p, off) })
}

// peekedBody is a body that Peek returned.
type peekedBody struct {
	spool.PeekedBody
	counted body
}

func (b *peekedBody) ReadAt(p []byte, off int64) (int, error) { return b.counted.ReadAt(p, off) }
