package faulty

import (
	"context"

	"notices/spool"
)

// state, draft, claim and body count for their store.

type state struct{ f *Store }

func (s state) Load(ctx context.Context, name string) ([]byte, error) {
	return get(s.f, Call{Method: "State.Load", ID: spool.ID(name)}, func() ([]byte, error) {
		return s.f.inner.State().Load(ctx, name)
	})
}

func (s state) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	return s.f.do(Call{Method: "State.Update", ID: spool.ID(name)}, func() error {
		return s.f.inner.State().Update(ctx, name, durable, change)
	})
}

type draft struct {
	f     *Store
	inner spool.Draft
}

func (d *draft) do(method string, call func() error) error {
	return d.f.do(Call{Method: "Draft." + method, ID: d.inner.ID()}, call)
}

func (d *draft) ID() spool.ID { return d.inner.ID() }

func (d *draft) Len() int64 { return d.inner.Len() }

func (d *draft) Write(p []byte) (n int, err error) {
	err = d.do("Write", func() error {
		n, err = d.inner.Write(p)
		return err
	})
	return n, err
}

func (d *draft) ReadAt(p []byte, off int64) (n int, err error) {
	err = d.do("ReadAt", func() error {
		n, err = d.inner.ReadAt(p, off)
		return err
	})
	return n, err
}

func (d *draft) Seal(env spool.Envelope) error {
	return d.do("Seal", func() error { return d.inner.Seal(env) })
}

func (d *draft) Abort() error { return d.do("Abort", d.inner.Abort) }

type claim struct {
	f     *Store
	inner spool.Claim
}

func (c *claim) do(method string, kind spool.Kind, call func() error) error {
	return c.f.do(Call{Method: "Claim." + method, ID: c.inner.Entry().ID, Kind: kind}, call)
}

func (c *claim) Entry() spool.Entry { return c.inner.Entry() }

func (c *claim) Record() *spool.Record { return c.inner.Record() }

func (c *claim) Body() spool.Body { return &body{c.f, c.inner.Body(), c.inner.Entry().ID} }

func (c *claim) Begin(e spool.Event) error {
	return c.do("Begin", e.Kind, func() error { return c.inner.Begin(e) })
}

func (c *claim) Append(e spool.Event, d spool.Durability) error {
	return c.do("Append", e.Kind, func() error { return c.inner.Append(e, d) })
}

func (c *claim) Remove(d spool.Durability) error {
	return c.do("Remove", "", func() error { return c.inner.Remove(d) })
}

func (c *claim) Fail(e spool.Event) error {
	return c.do("Fail", e.Kind, func() error { return c.inner.Fail(e) })
}

func (c *claim) Revive(e spool.Event) error {
	return c.do("Revive", e.Kind, func() error { return c.inner.Revive(e) })
}

// Release by a living process is carried out even when it is to fail: a claim
// that cannot be ended would hang a test for a reason that no store has.
func (c *claim) Release() error {
	v := c.f.count(Call{Method: "Claim.Release", ID: c.inner.Entry().ID})
	if v.err == nil {
		return c.inner.Release()
	}
	if v.late || !c.f.isDead() {
		_ = c.inner.Release()
	}
	return v.err
}

func (f *Store) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

type body struct {
	f     *Store
	inner spool.Body
	id    spool.ID
}

// peekedBody is a body that Peek returned.
type peekedBody struct {
	body
	inner spool.PeekedBody
}

func (b *peekedBody) Stored() int64 { return b.inner.Stored() }

func (b *body) Size() int64 { return b.inner.Size() }

func (b *body) ReadAt(p []byte, off int64) (n int, err error) {
	err = b.f.do(Call{Method: "Body.ReadAt", ID: b.id}, func() error {
		n, err = b.inner.ReadAt(p, off)
		return err
	})
	return n, err
}

func (b *body) Close() error { return b.inner.Close() }
