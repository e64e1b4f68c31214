package storetest

import (
	"fmt"

	"notices/spool"
)

// testScan lists a queued, a deferred, a held and a failed message.
func testScan(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
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
	err := h.Store.Scan(k.ctx, func(e spool.Entry) bool {
		c, err := h.Store.Claim(k.ctx, e)
		k.ok(err, "Claim within Scan")
		k.ok(c.Remove(spool.Soon), "Remove within Scan")
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
	err := scan(k.ctx, func(spool.Entry) bool {
		seen++
		return seen < n
	})
	k.ok(err, "scanning")
	return seen
}

func testFind(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	k.putSample(h.Store, "A")
	k.putSample(h.Store, "A-1") // a return's id begins with its original's
	k.putSample(h.Store, "A.w")
	k.putSample(h.Store, "AA")
	for id, want := range map[spool.ID]spool.Entry{
		"A":   {ID: "A", Next: start, State: spool.StateQueued},
		"A-1": {ID: "A-1", Next: start, State: spool.StateQueued},
		"A.w": {ID: "A.w", Next: start, State: spool.StateQueued},
	} {
		if e := k.find(other, id); !sameEntry(e, want) {
			k.Errorf("Find %s: %v, want %v", id, e, want)
		}
	}
	k.ok(k.claim(h.Store, "A").Fail(giveUp(3)), "Fail")
	want := spool.Entry{ID: "A", Next: later(3), State: spool.StateFailed}
	if e := k.find(other, "A"); !sameEntry(e, want) {
		k.Errorf("Find of a failed message: %v, want %v", e, want)
	}
	found, err := other.Find(k.ctx, "A-1", "B", "A", "../x", "AA", "A")
	k.ok(err, "Find of several")
	if len(found) != 3 || !sameEntry(found["A"], want) || found["A-1"].ID != "A-1" || found["AA"].ID != "AA" {
		k.Errorf("Find of several: %v", found)
	}
	for _, id := range []spool.ID{"B", "A-2", "A-", "A.", "a"} {
		_, err := spool.FindOne(k.ctx, other, id)
		k.wants(err, "Find "+string(id), spool.ErrGone)
	}
}

func testUsage(k kit, h Harness) {
	usage := func() int64 {
		k.Helper()
		n, err := h.Store.Usage(k.ctx)
		k.ok(err, "Usage")
		k.sameUsage(h.Store, n)
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
	k.ok(k.claim(h.Store, "A").Remove(spool.Now), "Remove")
	k.ok(k.claim(h.Store, "B").Remove(spool.Now), "Remove")
	k.ok(h.Store.Sync(k.ctx), "Sync")
	if got := usage() - empty; got != 0 {
		k.Errorf("%d octets are taken when all is removed", got)
	}
}

// sameUsage: who looks at every message learns what all of them take.
func (k kit) sameUsage(s spool.Store, want int64) {
	k.Helper()
	var all, failed int64
	for id, e := range k.list(s) {
		_, looked, err := s.Peek(k.ctx, e)
		k.ok(err, "Look "+string(id))
		if all += looked.Stored(); e.State == spool.StateFailed {
			failed += looked.Stored()
		}
		k.ok(looked.Close(), "Close")
	}
	n, err := s.UsageFailed(k.ctx)
	k.ok(err, "UsageFailed")
	if all != want || failed != n {
		k.Errorf("Usage %d, of failed ones %d; looked at one by one they are %d and %d", want, n, all, failed)
	}
}

// testUpkeep: on a spool in order there is nothing to do.
func testUpkeep(k kit, h Harness) {
	k.putSample(h.Store, "A")
	k.ok(h.Store.Writable(k.ctx), "Writable")
	k.ok(h.Store.Sync(k.ctx), "Sync")
	k.countTo(9, h.Store.Scan)
	found, err := h.Store.Repair(k.ctx)
	k.ok(err, "Repair")
	if len(found) != 0 {
		k.Errorf("Repair of a spool in order: %v", found)
	}
	k.listed("after Writable, Sync and Repair", []spool.Store{h.Store},
		spool.Entry{ID: "A", Next: start, State: spool.StateQueued})
}

// testRepairLeavesTheLiving: another process sweeps while this one writes a
// message and works on another.
func testRepairLeavesTheLiving(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	k.put(h.Store, sample("A", 1), content(10))
	c := k.claim(h.Store, "A")
	k.ok(c.Begin(try(1, 1, later(60))), "Begin")
	d := k.draft(h.Store, "B")
	k.write(d, content(400))
	sweep := func() {
		k.Helper()
		k.countTo(9, other.Scan)
		found, err := other.Repair(k.ctx)
		k.ok(err, "Repair")
		if len(found) != 0 {
			k.Errorf("Repair beside a writer: %v", found)
		}
	}
	sweep()
	k.ok(d.Seal(sample("B", 1)), "Seal")
	sweep()
	_, err := h.Store.Commit(k.ctx, d)
	k.ok(err, "Commit")
	sweep()
	_, body := k.look(other, "B")
	k.sameBody("B", body, content(400))
	k.sameBody("A", k.read(c.Body()), content(10))
	k.ok(c.Remove(spool.Soon), "Remove")
	sweep()
	k.listed("after all", []spool.Store{h.Store, other}, spool.Entry{ID: "B", Next: start, State: spool.StateQueued})
}
