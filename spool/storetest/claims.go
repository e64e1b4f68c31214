package storetest

import (
	"context"
	"errors"

	"notices/spool"
)

type scanner func(context.Context, func(spool.Entry) bool) error

func testClaimExclusive(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	entry := k.putSample(h.Store, "A")
	k.putSample(h.Store, "B")

	c := k.claim(h.Store, "A")
	for what, s := range map[string]spool.Store{"the same handle": h.Store, "another": other} {
		_, err := s.Claim(k.ctx, entry)
		k.wants(err, "Claim twice by "+what, spool.ErrBusy)
	}
	k.ok(k.claim(other, "B").Release(), "Release of another message")
	k.ok(c.Release(), "Release")
	k.ok(c.Release(), "Release once more")

	c = k.claim(other, "A")
	_, err := h.Store.Claim(k.ctx, entry)
	k.wants(err, "Claim of what the other handle has", spool.ErrBusy)
	k.ok(c.Release(), "Release")
	k.ok(k.claim(h.Store, "A").Release(), "Release")
}

func testClaimGone(k kit, h Harness) {
	k.gone(h.Store, spool.Entry{ID: "never", Next: start, State: spool.StateQueued})
	entry := k.putSample(h.Store, "A")
	k.ok(k.claim(h.Store, "A").Remove(spool.Now), "Remove")
	k.gone(h.Store, entry)
	entry = k.putSample(h.Store, "B")
	k.ok(k.claim(h.Store, "B").Fail(giveUp(1)), "Fail")
	_, err := h.Store.Claim(k.ctx, entry)
	k.wants(err, "Claim of a failed message as a queued one", spool.ErrGone)
}

// testClaimStale claims by a listing that another handle has overtaken. The
// answer is that it is gone, or the message as it is now.
func testClaimStale(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	stale := k.put(h.Store, sample("A", 1), content(10))
	env := sample("A", 1)
	env.Size = 10
	want := fold(env)
	for i, e := range []spool.Event{
		{Kind: spool.Postpone, At: later(1), Next: later(90), Note: "no server"},
		{Kind: spool.Hold, At: later(2)},
		{Kind: spool.Release, At: later(3), Next: later(3)},
		{Kind: spool.Retry, At: later(4), Next: start}, // as it was listed first
	} {
		c := k.claim(other, "A")
		k.append(c, e, spool.Lazy)
		want.Apply(e)
		_, err := h.Store.Claim(k.ctx, stale)
		k.wants(err, "Claim of a stale entry in flight", spool.ErrBusy, spool.ErrGone)
		k.ok(c.Release(), "Release")
		k.currentOrGone(h.Store, stale, want)
		if i%2 == 0 {
			stale = k.find(h.Store, "A")
		}
	}
}

func (k kit) currentOrGone(s spool.Store, stale spool.Entry, want *spool.Record) {
	k.Helper()
	r, b, err := s.Peek(k.ctx, stale)
	if err == nil {
		k.same("Look by a stale entry", r, want)
		k.ok(b.Close(), "closing the body")
	} else if !errors.Is(err, spool.ErrGone) {
		k.Fatalf("Look by a stale entry: %v", err)
	}
	c, err := s.Claim(k.ctx, stale)
	if errors.Is(err, spool.ErrGone) {
		c = k.claim(s, stale.ID)
	} else {
		k.ok(err, "Claim by a stale entry")
	}
	k.same("Claim by a stale entry", c.Record(), want)
	k.ok(c.Release(), "Release")
}

// testClaimOver: a claim that ended changes nothing any more.
func testClaimOver(k kit, h Harness) {
	ends := map[spool.ID]func(spool.Claim) error{
		"released": func(c spool.Claim) error { return c.Release() },
		"removed":  func(c spool.Claim) error { return c.Remove(spool.Now) },
		"soon":     func(c spool.Claim) error { return c.Remove(spool.Soon) },
		"failed":   func(c spool.Claim) error { return c.Fail(giveUp(1)) },
	}
	for id, end := range ends {
		k.putSample(h.Store, id)
		c := k.claim(h.Store, id)
		body := c.Body()
		k.ok(end(c), string(id))
		before := k.list(h.Store)
		k.ok(c.Release(), "Release of what is "+string(id))
		if err := c.Begin(try(1, 1, later(9))); err == nil {
			k.Errorf("%s: Begin after the end", id)
		}
		if err := c.Append(spool.Event{Kind: spool.Hold, At: start}, spool.Now); err == nil {
			k.Errorf("%s: Append after the end", id)
		}
		if err := c.Remove(spool.Now); err == nil {
			k.Errorf("%s: Remove after the end", id)
		}
		if _, err := body.ReadAt(make([]byte, 1), 0); err == nil {
			k.Errorf("%s: the claim's body can still be read", id)
		}
		after := k.list(h.Store)
		if len(before) != len(after) || before[id] != after[id] && !sameEntry(before[id], after[id]) {
			k.Errorf("%s: the listing was %v and is %v", id, before, after)
		}
	}
}

// testClaimLeavesReading: lists and show work on what is in flight.
func testClaimLeavesReading(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	entry := k.put(h.Store, sample("A", 2), content(700))
	c := k.claim(h.Store, "A")
	k.append(c, try(1, 0, later(60)), spool.Lazy)
	both := []spool.Store{h.Store, other}
	k.listed("in flight", both, entry)
	for _, s := range both {
		r, body := k.look(s, "A")
		k.sameBody("in flight", body, content(700))
		if !r.InFlight || r.Attempts != 1 {
			k.Errorf("Look at what is in flight: in flight %v, attempts %d", r.InFlight, r.Attempts)
		}
	}
	k.ok(c.Remove(spool.Now), "Remove")
}
