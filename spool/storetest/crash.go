package storetest

import (
	"notices/spool"
)

// testCrashFreesClaims: nothing to wait for and nothing for a person to remove.
func testCrashFreesClaims(k kit, h Harness) {
	if h.Crash == nil {
		return
	}
	other := h.Reopen()
	defer closeAll(k, other)
	k.putSample(h.Store, "A")
	k.putSample(h.Store, "B")
	k.putSample(h.Store, "F")
	k.ok(k.claim(h.Store, "F").Fail(giveUp(1)), "Fail")
	k.claim(h.Store, "A")
	k.claim(h.Store, "F")
	mine := k.claim(other, "B")

	again := h.Crash()
	defer closeAll(k, again)
	k.ok(k.claim(other, "A").Release(), "Release")
	k.ok(k.claim(again, "F").Release(), "Release")
	_, err := again.Claim(k.ctx, k.find(again, "B"))
	k.wants(err, "Claim of what a living handle has", spool.ErrBusy)
	k.ok(mine.Release(), "Release")
}

// testCrashKeepsWhatWasWritten: a killed process never loses an appended event,
// whatever its durability, and what it removed stays removed.
func testCrashKeepsWhatWasWritten(k kit, h Harness) {
	if h.Crash == nil {
		return
	}
	env := sample("A", 3)
	env.Size = 500
	k.putSample(h.Store, "A")
	removed := k.putSample(h.Store, "R")
	k.ok(k.claim(h.Store, "R").Remove(spool.Soon), "Remove")
	events := []spool.Event{try(1, 0, later(60)), result(1, 1, later(9), deferral(0, 1, 2)), try(2, 9, later(70))}
	c := k.claim(h.Store, "A")
	for _, e := range events {
		k.append(c, e, spool.Lazy)
	}

	s := h.Crash()
	defer closeAll(k, s)
	k.countTo(9, s.Scan)
	_, err := s.Repair(k.ctx)
	k.ok(err, "Repair")
	k.gone(s, removed)
	if n := len(k.list(s)); n != 1 {
		k.Errorf("%d messages after the crash, want 1", n)
	}
	c = k.claim(s, "A")
	k.same("after the crash", c.Record(), fold(env, events...))
	if !c.Record().InFlight {
		k.Errorf("the interrupted attempt does not show")
	}
	k.ok(c.Release(), "Release")
	k.listed("after Release", []spool.Store{s}, spool.Entry{ID: "A", Next: later(70), State: spool.StateQueued})
}

// testCrashOfAWriter: what was not committed is not there, is in nobody's way,
// and is swept.
func testCrashOfAWriter(k kit, h Harness) {
	if h.Crash == nil {
		return
	}
	k.write(k.draft(h.Store, "open"), content(5000))
	k.sealed(h.Store, sample("sealed", 1), content(5000))
	s := h.Crash()
	defer closeAll(k, s)
	k.listed("after the crash", []spool.Store{s})

	k.put(s, sample("open", 1), content(11))
	k.put(s, sample("sealed", 1), content(12))
	k.countTo(9, s.Scan)
	found, err := s.Repair(k.ctx)
	k.ok(err, "Repair")
	for _, a := range found {
		if a.Moved != "" {
			k.Errorf("what was never accepted is kept: %+v", a)
		}
	}
	for id, size := range map[spool.ID]int{"open": 11, "sealed": 12} {
		_, body := k.look(s, id)
		k.sameBody(string(id), body, content(size))
	}
}

// testPowerCut holds a store to its durabilities: Commit, Now, Fail and Revive at
// once, Soon after Sync. What else is lost is the store's own affair, as long as
// every message is there, once, with a record that is a beginning of its history.
func testPowerCut(k kit, h Harness) {
	if h.PowerCut == nil {
		return
	}
	s := h.Store
	env := func(id spool.ID) spool.Envelope {
		e := sample(id, 3)
		e.Size = 500
		return e
	}
	k.putSample(s, "soon")
	k.append(k.claim(s, "soon"), result(1, 1, later(9), deferral(0)), spool.Soon)
	k.putSample(s, "gone-soon")
	k.ok(k.claim(s, "gone-soon").Remove(spool.Soon), "Remove")
	k.ok(s.State().Update(k.ctx, "synced", true, func([]byte) ([]byte, error) { return []byte("x"), nil }), "Update")
	k.ok(s.Sync(k.ctx), "Sync")

	k.putSample(s, "lazy")
	k.append(k.claim(s, "lazy"), try(1, 1, later(9)), spool.Lazy)
	k.putSample(s, "now")
	k.append(k.claim(s, "now"), result(1, 1, later(9), deferral(0)), spool.Now)
	k.putSample(s, "gone-now")
	k.ok(k.claim(s, "gone-now").Remove(spool.Now), "Remove")
	k.putSample(s, "failed")
	k.ok(k.claim(s, "failed").Fail(giveUp(5)), "Fail")
	k.putSample(s, "revived")
	k.ok(k.claim(s, "revived").Fail(giveUp(5)), "Fail")
	k.ok(k.claim(s, "revived").Revive(fresh(6)), "Revive")

	s = h.PowerCut()
	defer closeAll(k, s)
	k.countTo(99, s.Scan)
	_, err := s.Repair(k.ctx)
	k.ok(err, "Repair")
	for id, events := range map[spool.ID][]spool.Event{
		"soon": {result(1, 1, later(9), deferral(0))}, "now": {result(1, 1, later(9), deferral(0))},
		"failed": {giveUp(5)}, "revived": {giveUp(5), fresh(6)},
	} {
		k.same(string(id)+" after the power cut", k.recordOf(s, id), fold(env(id), events...))
	}
	if n := len(k.recordOf(s, "lazy").Events); n > 1 {
		k.Errorf("a lazy event came back as %d", n)
	}
	if all := k.list(s); len(all) != 5 {
		k.Errorf("after the power cut there are %v, want 5 messages", all)
	}
	if b, err := s.State().Load(k.ctx, "synced"); err != nil || string(b) != "x" {
		k.Errorf("a durable value after the power cut: %q, %v", b, err)
	}
}
