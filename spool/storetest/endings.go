package storetest

import (
	"notices/spool"
)

func testRemove(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	both := []spool.Store{h.Store, other}
	for id, d := range map[spool.ID]spool.Durability{"soon": spool.Soon, "now": spool.Now} {
		entry := k.putSample(h.Store, id)
		c := k.claim(h.Store, id)
		k.append(c, try(1, 0, later(60)), spool.Lazy)
		k.ok(c.Remove(d), "Remove")
		k.listed("removed "+string(id), both)
		entry2 := entry
		entry2.Next = later(60)
		for _, s := range both {
			k.gone(s, entry)
			k.gone(s, entry2)
		}
	}
	// A failed one, by a person.
	k.putSample(h.Store, "failed")
	k.ok(k.claim(h.Store, "failed").Fail(giveUp(1)), "Fail")
	entry := k.find(other, "failed")
	k.ok(k.claim(other, "failed").Remove(spool.Now), "Remove of a failed one")
	k.gone(h.Store, entry)
	k.listed("removed", both)
}

func testFail(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	k.put(h.Store, full("A"), content(2000))
	env := full("A")
	env.Size = 2000
	c := k.claim(h.Store, "A")
	events := []spool.Event{try(1, 1, later(60)), result(1, 2, later(9), deferral(0, 1, 2)), giveUp(33)}
	k.append(c, events[0], spool.Lazy)
	k.append(c, events[1], spool.Lazy)
	k.ok(c.Fail(events[2]), "Fail")

	want := spool.Entry{ID: "A", Next: later(33), State: spool.StateFailed}
	k.listed("failed", []spool.Store{h.Store, other}, want)
	for _, s := range []spool.Store{h.Store, other} {
		r, body := k.look(s, "A")
		k.same("failed", r, fold(env, events...))
		k.sameBody("failed", body, content(2000))
	}
}

// testFailedIsClaimed: a failed message is changed by one at a time, too, and
// what is appended to it does not bring it back.
func testFailedIsClaimed(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	k.putSample(h.Store, "A")
	k.ok(k.claim(h.Store, "A").Fail(giveUp(5)), "Fail")
	entry := k.find(h.Store, "A")
	c := k.claim(h.Store, "A")
	_, err := other.Claim(k.ctx, entry)
	k.wants(err, "Claim of a failed message in use", spool.ErrBusy)
	k.ok(c.Release(), "Release")
	k.listed("after Release", []spool.Store{h.Store, other}, entry)
	k.ok(k.claim(other, "A").Release(), "Release")
}

func testRevive(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	k.put(h.Store, full("A"), content(2000))
	env := full("A")
	env.Size = 2000
	c := k.claim(h.Store, "A")
	events := []spool.Event{
		try(1, 1, later(60)),
		result(1, 2, later(9), answer(spool.Failed, 550, "no", 0), answer(spool.Delivered, 250, "ok", 1, 2)),
		giveUp(33), fresh(500),
	}
	k.append(c, events[0], spool.Lazy)
	k.append(c, events[1], spool.Lazy)
	k.ok(c.Fail(events[2]), "Fail")
	k.ok(k.claim(other, "A").Revive(events[3]), "Revive")

	entry := spool.Entry{ID: "A", Next: later(500), State: spool.StateQueued, Expires: env.ExpiresAt}
	third := h.Reopen()
	defer closeAll(k, third)
	k.listed("revived", []spool.Store{h.Store, other, third}, entry)
	c = k.claim(third, "A")
	want := fold(env, events...)
	k.same("revived", c.Record(), want)
	k.sameBody("revived", k.read(c.Body()), content(2000))

	// And it is as good as any other: it can be tried and fail again.
	for _, e := range []spool.Event{try(2, 501, later(560)), result(2, 502, later(570), deferral(0))} {
		k.append(c, e, spool.Soon)
		want.Apply(e)
	}
	k.ok(c.Fail(giveUp(600)), "Fail again")
	want.Apply(giveUp(600))
	k.same("failed again", k.recordOf(h.Store, "A"), want)
	k.listed("failed again", []spool.Store{h.Store},
		spool.Entry{ID: "A", Next: later(600), State: spool.StateFailed})
}

func testClose(k kit, h Harness) {
	other := h.Reopen()
	k.putSample(other, "A")
	k.putSample(other, "B")
	k.claim(other, "A") // never released
	k.ok(k.claim(other, "B").Remove(spool.Soon), "Remove")
	k.ok(other.State().Update(k.ctx, "value", false, func([]byte) ([]byte, error) { return []byte("x"), nil }), "Update")
	k.ok(other.Close(), "Close")
	_ = other.Close() // harmless

	entry := spool.Entry{ID: "A", Next: start, State: spool.StateQueued}
	k.listed("after Close of the other handle", []spool.Store{h.Store}, entry)
	k.ok(k.claim(h.Store, "A").Release(), "Release")
	k.ok(h.Store.Close(), "Close of the last handle")
	again := h.Reopen()
	defer closeAll(k, again)
	k.listed("opened again", []spool.Store{again}, entry)
	if b, err := again.State().Load(k.ctx, "value"); err != nil || string(b) != "x" {
		k.Errorf("the value after Close: %q, %v", b, err)
	}
}
