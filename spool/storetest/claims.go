package storetest

import (
	"context"
	"errors"
	"fmt"

	"notices/spool"
)

type scanner func(context.Context, func(spool.Entry) bool) error

func testClaimExclusive(k kit, h Harness) {
	other := k.opened(h.Reopen())
	entry := k.putSample(h.Store, "A")
	k.putSample(h.Store, "B")

	c := k.claim(h.Store, "A")
	for what, s := range map[string]spool.Store{"the same handle": h.Store, "another": other} {
		_, err := s.Claim(k.Context(), entry)
		k.wants(err, "Claim twice by "+what, spool.ErrBusy)
	}
	k.ok(k.claim(other, "B").Release(), "Release of another message")
	k.ok(c.Release(), "Release")
	k.ok(c.Release(), "Release once more")

	c = k.claim(other, "A")
	_, err := h.Store.Claim(k.Context(), entry)
	k.wants(err, "Claim of what the other handle has", spool.ErrBusy)
	k.ok(c.Release(), "Release")
	k.ok(k.claim(h.Store, "A").Release(), "Release")
}

func testClaimGone(k kit, h Harness) {
	k.gone(h.Store, spool.Entry{ID: "never", Next: start, State: spool.StateQueued})
	entry := k.putSample(h.Store, "A")
	k.ok(k.claim(h.Store, "A").Remove(spool.Event{}, spool.Now), "Remove")
	k.gone(h.Store, entry)
	entry = k.putSample(h.Store, "B")
	k.ok(k.claim(h.Store, "B").Fail(giveUp(1)), "Fail")
	_, err := h.Store.Claim(k.Context(), entry)
	k.wants(err, "Claim of a failed message as a queued one", spool.ErrGone)
}

// testClaimStale claims by a listing that another handle has overtaken. The
// answer is that it is gone, or the message as it is now.
func testClaimStale(k kit, h Harness) {
	other := k.opened(h.Reopen())
	want := k.putFolded(h.Store, sample("A", 1), content(10))
	stale := k.find(h.Store, "A")
	for i, e := range []spool.Event{
		{Kind: spool.Postpone, At: later(1), Next: later(90), Note: "no server"},
		{Kind: spool.Hold, At: later(2)},
		{Kind: spool.Release, At: later(3), Next: later(3)},
		{Kind: spool.Retry, At: later(4), Next: start}, // as it was listed first
	} {
		c := k.claim(other, "A")
		k.append(c, e, spool.Lazy)
		want.Apply(e)
		_, err := h.Store.Claim(k.Context(), stale)
		k.wants(err, "Claim of a stale entry in flight", spool.ErrBusy, spool.ErrGone)
		k.ok(c.Release(), "Release")
		currentOrGone(k, h.Store, stale, want)
		if i%2 == 0 {
			stale = k.find(h.Store, "A")
		}
	}
}

// currentOrGone claims and peeks by a stale entry.
func currentOrGone(k kit, s spool.Store, stale spool.Entry, want *spool.Record) {
	k.Helper()
	r, b, err := s.Peek(k.Context(), stale)
	if err == nil {
		k.same("Peek by a stale entry", r, want)
		k.ok(b.Close(), "closing the body")
	} else {
		k.wants(err, "Peek by a stale entry", spool.ErrGone)
	}
	c, err := s.Claim(k.Context(), stale)
	if errors.Is(err, spool.ErrGone) {
		c, err = k.claim(s, stale.ID), nil
	}
	k.ok(err, "Claim by a stale entry")
	k.same("Claim by a stale entry", c.Record(), want)
	k.ok(c.Release(), "Release")
}

// testClaimOver: a claim that ended changes nothing any more.
func testClaimOver(k kit, h Harness) {
	ends := map[spool.ID]func(spool.Claim) error{
		"released": func(c spool.Claim) error { return c.Release() },
		"removed":  func(c spool.Claim) error { return c.Remove(spool.Event{}, spool.Now) },
		"soon":     func(c spool.Claim) error { return c.Remove(spool.Event{}, spool.Soon) },
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
		if err := c.Remove(spool.Event{}, spool.Now); err == nil {
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
	other := k.opened(h.Reopen())
	entry := k.put(h.Store, sample("A", 2), content(700))
	c := k.claim(h.Store, "A")
	k.append(c, try(1, 0, later(60)), spool.Lazy)
	both := []spool.Store{h.Store, other}
	k.listed("in flight", both, entry)
	for _, s := range both {
		r, body := k.peek(s, "A")
		k.sameBody("in flight", body, content(700))
		if !r.InFlight || r.Attempts != 1 {
			k.Errorf("Peek at what is in flight: in flight %v, attempts %d", r.InFlight, r.Attempts)
		}
	}
	k.ok(c.Remove(spool.Event{}, spool.Now), "Remove")
}

// testScan lists a queued, a deferred, a held and a failed message.
func testScan(k kit, h Harness) {
	other := k.opened(h.Reopen())
	both := []spool.Store{h.Store, other}
	k.listed("empty", both)

	for _, id := range []spool.ID{"queued", "deferred", "held", "failed"} {
		k.putSample(h.Store, id)
	}
	c := k.claim(h.Store, "deferred")
	k.append(c, try(1, 0, later(60)), spool.Lazy)
	k.append(c, result(1, 1, later(7), deferral(0, 1, 2)), spool.Lazy)
	k.ok(c.Release(), "Release")
	c = k.claim(h.Store, "held")
	k.append(c, spool.Event{Kind: spool.Hold, At: later(1)}, spool.Now)
	k.ok(c.Release(), "Release")
	k.ok(k.claim(h.Store, "failed").Fail(giveUp(42)), "Fail")

	k.listed("one of each", both,
		spool.Entry{ID: "queued", Next: start, State: spool.StateQueued},
		spool.Entry{ID: "deferred", Next: later(7), State: spool.StateQueued},
		spool.Entry{ID: "held", Next: start, State: spool.StateHeld},
		spool.Entry{ID: "failed", Next: later(42), State: spool.StateFailed})
}

func testScanStops(k kit, h Harness) {
	for i := range 5 {
		id := spool.ID(fmt.Sprintf("m%d", i))
		k.putSample(h.Store, id)
		id = spool.ID(fmt.Sprintf("f%d", i))
		k.putSample(h.Store, id)
		k.ok(k.claim(h.Store, id).Fail(giveUp(1)), "Fail")
	}
	for name, scan := range map[string]scanner{"Scan": h.Store.Scan, "ScanFailed": h.Store.ScanFailed} {
		if n := k.countTo(2, scan); n != 2 {
			k.Errorf("%s went on to %d when told to stop at 2", name, n)
		}
	}
	// What is shown may be claimed at once, while the scan goes on.
	err := h.Store.Scan(k.Context(), func(e spool.Entry) bool {
		c, err := h.Store.Claim(k.Context(), e)
		k.ok(err, "Claim within Scan")
		k.ok(c.Remove(spool.Event{}, spool.Soon), "Remove within Scan")
		return true
	})
	k.ok(err, "Scan")
	if n := k.countTo(9, h.Store.Scan); n != 0 {
		k.Errorf("%d are left after all were removed", n)
	}
}

// countTo stops a scan when it has shown n.
func (k kit) countTo(n int, scan scanner) int {
	k.Helper()
	seen := 0
	err := scan(k.Context(), func(spool.Entry) bool {
		seen++
		return seen < n
	})
	k.ok(err, "scanning")
	return seen
}

func testFind(k kit, h Harness) {
	other := k.opened(h.Reopen())
	k.putSample(h.Store, "A")
	k.putSample(h.Store, "A-1") // a return's id begins with its original's
	k.putSample(h.Store, "A.w")
	k.putSample(h.Store, "AA")
	for _, id := range []spool.ID{"A", "A-1", "A.w"} {
		if e := k.find(other, id); !sameEntry(e, queued(id)) {
			k.Errorf("Find %s: %v, want %v", id, e, queued(id))
		}
	}
	k.ok(k.claim(h.Store, "A").Fail(giveUp(3)), "Fail")
	want := spool.Entry{ID: "A", Next: later(3), State: spool.StateFailed}
	if e := k.find(other, "A"); !sameEntry(e, want) {
		k.Errorf("Find of a failed message: %v, want %v", e, want)
	}
	found, err := other.Find(k.Context(), "A-1", "B", "A", "../x", "AA", "A")
	k.ok(err, "Find of several")
	if len(found) != 3 || !sameEntry(found["A"], want) || found["A-1"].ID != "A-1" || found["AA"].ID != "AA" {
		k.Errorf("Find of several: %v", found)
	}
	for _, id := range []spool.ID{"B", "A-2", "A-", "A.", "a"} {
		_, err := spool.FindOne(k.Context(), other, id)
		k.wants(err, "Find "+string(id), spool.ErrGone)
	}
}

func testUsage(k kit, h Harness) {
	usage := func() int64 {
		k.Helper()
		n, err := h.Store.Usage(k.Context())
		k.ok(err, "Usage")
		var all, failed int64 // by what Peek says of each message
		for id, e := range k.list(h.Store) {
			_, body, err := h.Store.Peek(k.Context(), e)
			k.ok(err, "Peek "+string(id))
			if all += body.Stored(); e.State == spool.StateFailed {
				failed += body.Stored()
			}
			k.ok(body.Close(), "Close")
		}
		ofFailed, err := h.Store.UsageFailed(k.Context())
		k.ok(err, "UsageFailed")
		if all != n || failed != ofFailed {
			k.Errorf("Usage %d, of failed ones %d; by Peek they are %d and %d", n, ofFailed, all, failed)
		}
		return n
	}
	const size = 1 << 20
	empty := usage()
	k.put(h.Store, sample("A", 1), content(size))
	k.put(h.Store, sample("B", 1), content(size))
	if got := usage() - empty; got < 2*size || got > 3*size {
		k.Errorf("two messages of 1 MiB take %d octets", got)
	}
	c := k.claim(h.Store, "A")
	for n := range 40 { // beyond the room that it had
		k.append(c, try(n+1, n, later(60)), spool.Lazy)
		k.append(c, result(n+1, n, later(60), deferral(0)), spool.Lazy)
		if n%7 == 0 {
			usage()
		}
	}
	k.ok(c.Fail(giveUp(1)), "Fail")
	if got := usage() - empty; got < 2*size {
		k.Errorf("a failed one and another of 1 MiB take %d octets", got)
	}
	k.ok(k.claim(h.Store, "A").Remove(spool.Event{}, spool.Now), "Remove")
	k.ok(k.claim(h.Store, "B").Remove(spool.Event{}, spool.Now), "Remove")
	k.ok(h.Store.Sync(k.Context()), "Sync")
	if got := usage() - empty; got != 0 {
		k.Errorf("%d octets are taken when all is removed", got)
	}
}
