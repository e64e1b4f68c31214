package storetest

import (
	"context"

	"notices/spool"
)

// faultyState, faultyDraft, faultyClaim and faultyBody count for their store.

type faultyState struct{ f *FaultyStore }

func (s faultyState) Load(ctx context.Context, name string) (b []byte, err error) {
	err = s.f.do(Call{Method: "State.Load", ID: spool.ID(name)}, func() error {
		b, err = s.f.inner.State().Load(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (s faultyState) Update(ctx context.Context, name string, durable bool, change func([]byte) ([]byte, error)) error {
	return s.f.do(Call{Method: "State.Update", ID: spool.ID(name)}, func() error {
		return s.f.inner.State().Update(ctx, name, durable, change)
	})
}

type faultyDraft struct {
	f     *FaultyStore
	inner spool.Draft
}

func (d *faultyDraft) do(method string, call func() error) error {
	return d.f.do(Call{Method: "Draft." + method, ID: d.inner.ID()}, call)
}

func (d *faultyDraft) ID() spool.ID { return d.inner.ID() }

func (d *faultyDraft) Len() int64 { return d.inner.Len() }

func (d *faultyDraft) Write(p []byte) (n int, err error) {
	err = d.do("Write", func() error {
		n, err = d.inner.Write(p)
		return err
	})
	return n, err
}

func (d *faultyDraft) ReadAt(p []byte, off int64) (n int, err error) {
	err = d.do("ReadAt", func() error {
		n, err = d.inner.ReadAt(p, off)
		return err
	})
	return n, err
}

func (d *faultyDraft) Truncate(n int64) error {
	return d.do("Truncate", func() error { return d.inner.Truncate(n) })
}

func (d *faultyDraft) Seal(env spool.Envelope) error {
	return d.do("Seal", func() error { return d.inner.Seal(env) })
}

func (d *faultyDraft) Abort() error { return d.do("Abort", d.inner.Abort) }

type faultyClaim struct {
	f     *FaultyStore
	inner spool.Claim
}

func (c *faultyClaim) do(method string, kind spool.Kind, call func() error) error {
	return c.f.do(Call{Method: "Claim." + method, ID: c.inner.Entry().ID, Kind: kind}, call)
}

func (c *faultyClaim) Entry() spool.Entry { return c.inner.Entry() }

func (c *faultyClaim) Record() *spool.Record { return c.inner.Record() }

func (c *faultyClaim) Body() spool.Body { return &faultyBody{c.f, c.inner.Body(), c.inner.Entry().ID} }

func (c *faultyClaim) Begin(e spool.Event) error {
	return c.do("Begin", e.Kind, func() error { return c.inner.Begin(e) })
}

func (c *faultyClaim) Append(e spool.Event, d spool.Durability) error {
	return c.do("Append", e.Kind, func() error { return c.inner.Append(e, d) })
}

func (c *faultyClaim) Remove(d spool.Durability) error {
	return c.do("Remove", "", func() error { return c.inner.Remove(d) })
}

func (c *faultyClaim) Fail(e spool.Event) error {
	return c.do("Fail", e.Kind, func() error { return c.inner.Fail(e) })
}

func (c *faultyClaim) Revive(e spool.Event) error {
	return c.do("Revive", e.Kind, func() error { return c.inner.Revive(e) })
}

// Release by a living process is carried out even when it is to fail: a claim
// that nobody can end would hang a test for a reason that no store has.
func (c *faultyClaim) Release() error {
	v := c.f.count(Call{Method: "Claim.Release", ID: c.inner.Entry().ID})
	if v.err == nil {
		return c.inner.Release()
	}
	if v.late || !c.f.isDead() {
		_ = c.inner.Release()
	}
	return v.err
}

func (f *FaultyStore) isDead() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dead
}

type faultyBody struct {
	f     *FaultyStore
	inner spool.Body
	id    spool.ID
}

// faultyLooked is a faultyBody that Look returned.
type faultyLooked struct {
	faultyBody
	inner spool.Looked
}

func (b *faultyLooked) Stored() int64 { return b.inner.Stored() }

func (b *faultyBody) Size() int64 { return b.inner.Size() }

func (b *faultyBody) ReadAt(p []byte, off int64) (n int, err error) {
	err = b.f.do(Call{Method: "Body.ReadAt", ID: b.id}, func() error {
		n, err = b.inner.ReadAt(p, off)
		return err
	})
	return n, err
}

func (b *faultyBody) Close() error { return b.inner.Close() }
