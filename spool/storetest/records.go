package storetest

import (
	"fmt"
	"strings"
	"time"

	"notices/spool"
)

// life is one of every event, with every field in use somewhere.
func life() []spool.Event {
	passed := answer(spool.Deferred, 0, "connection refused")
	passed.Scope, passed.Reason, passed.To = spool.ServerScope, spool.ReasonConnect, nil
	refused := answer(spool.Failed, 550, "5.1.1 „keiner da“ \"\\\t<>", 1)
	refused.Reply.Enhanced = "5.1.1"
	lost := answer(spool.Uncertain, 0, "no answer to the final dot", 2)
	lost.Scope, lost.Reason, lost.Reply.Server = spool.MessageScope, spool.ReasonLost, "google"
	lastTry := result(2, 70, later(150), lost)
	lastTry.Grace = true
	return []spool.Event{
		try(1, 0, later(75)),
		result(1, 1, later(6), passed, answer(spool.Delivered, 250, "2.0.0 ok", 0), refused, deferral(2)),
		{Kind: spool.Returned, At: later(2), N: 1},
		{Kind: spool.Postpone, At: later(6), Next: later(65), Note: "every server is paused"},
		{Kind: spool.Warned, At: later(7)},
		try(2, 65, later(140)),
		lastTry,
		{Kind: spool.Hold, At: later(71), Note: "the third time without an answer"},
		{Kind: spool.Retry, At: later(72), Next: later(72)},
		{Kind: spool.Release, At: later(73), Next: later(73)},
		{Kind: spool.Retry, At: later(80), Next: later(80), Fresh: true},
		try(3, 81, later(150)),
	}
}

func testRecord(k kit, h Harness) {
	other := k.opened(h.Reopen())
	want := k.putFolded(h.Store, full("A"), content(100))

	c := k.claim(h.Store, "A")
	for i, e := range life() {
		k.append(c, e, spool.Durability(i%3))
		want.Apply(e)
		what := fmt.Sprintf("after event %d, %s", i, e.Kind)
		k.same(what+", the claim", c.Record(), want)
		k.same(what+", another handle", k.recordOf(other, "A"), want)
		if e.Kind == spool.Try {
			continue // the listing stays
		}
		listed := spool.Entry{ID: "A", Next: want.NextSendAt, State: spool.StateQueued, Expires: want.Envelope.ExpiresAt}
		if want.Held {
			listed.State, listed.Expires = spool.StateHeld, time.Time{}
		}
		k.listed(what, []spool.Store{h.Store, other}, listed)
	}
	k.ok(c.Release(), "Release")
	c = k.claim(other, "A")
	k.same("claimed anew", c.Record(), want)
	k.append(c, result(3, 82, later(200), deferral(2)), spool.Soon)
	want.Apply(result(3, 82, later(200), deferral(2)))
	k.ok(c.Release(), "Release")
	k.same("at last", k.recordOf(h.Store, "A"), want)
}

// testRecordUnknownKind: a newer program's event is kept by an older one.
func testRecordUnknownKind(k kit, h Harness) {
	want := k.putFolded(h.Store, sample("A", 1), content(100))
	e := spool.Event{Kind: "future", At: later(1), N: 7, Next: later(9), Note: "?"}
	c := k.claim(h.Store, "A")
	k.append(c, e, spool.Now)
	k.ok(c.Release(), "Release")
	want.Apply(e)
	k.same("an unknown event", k.recordOf(h.Store, "A"), want)
}

// testRecordLong: a message that was long on the road outgrows any room that a
// store sets aside for it.
func testRecordLong(k kit, h Harness) {
	want := k.putFolded(h.Store, sample("A", 3), content(100))
	c := k.claim(h.Store, "A")
	for i := range 150 {
		text := fmt.Sprintf("%d %s", i, strings.Repeat("4.7.0 please read our policy ", 70))
		for _, e := range []spool.Event{
			try(i+1, i, later(i+60)),
			result(i+1, i, later(i+1), answer(spool.Deferred, 450, text, 0, 1, 2)),
		} {
			k.append(c, e, spool.Lazy)
			want.Apply(e)
		}
		if i%50 == 0 {
			k.ok(c.Release(), "Release")
			c = k.claim(h.Store, "A")
		}
	}
	k.same("the claim", c.Record(), want)
	k.ok(c.Release(), "Release")
	other := k.opened(h.Reopen())
	k.same("300 events", k.recordOf(other, "A"), want)
}

// testListingFarTimes: a held message's next send may be never, which is the last
// second of ten digits.
func testListingFarTimes(k kit, h Harness) {
	other := k.opened(h.Reopen())
	k.putSample(h.Store, "A")
	for _, next := range []time.Time{time.Unix(9_999_999_999, 0).UTC(), time.Unix(1_000_000_000, 0).UTC()} {
		c := k.claim(h.Store, "A")
		k.append(c, spool.Event{Kind: spool.Hold, At: later(1), Next: next}, spool.Lazy)
		k.ok(c.Release(), "Release")
		k.listed("far away", []spool.Store{h.Store, other}, spool.Entry{ID: "A", Next: next, State: spool.StateHeld})
	}
	k.ok(k.claim(other, "A").Release(), "Release")
}

// testListingExpires: the listing tells when --expires is over, of what waits to be sent.
func testListingExpires(k kit, h Harness) {
	other := k.opened(h.Reopen())
	both := []spool.Store{h.Store, other}
	env := sample("A", 3)
	env.ExpiresAt = later(90)
	k.put(h.Store, env, content(500))
	k.putSample(h.Store, "never")
	never := queued("never")
	listed := func(what string, next int, state spool.MessageState) {
		k.Helper()
		e := spool.Entry{ID: "A", Next: later(next), State: state}
		if state == spool.StateQueued {
			e.Expires = later(90)
		}
		k.listed(what, both, e, never)
	}
	listed("put", 0, spool.StateQueued)
	c := k.claim(other, "A")
	k.append(c, try(1, 0, later(60)), spool.Lazy)
	k.append(c, result(1, 1, later(9), deferral(0)), spool.Lazy)
	listed("deferred", 9, spool.StateQueued)
	k.append(c, spool.Event{Kind: spool.Hold, At: later(10), Next: later(90)}, spool.Now)
	listed("held", 90, spool.StateHeld)
	k.append(c, spool.Event{Kind: spool.Release, At: later(11), Next: later(11)}, spool.Now)
	listed("released", 11, spool.StateQueued)
	k.ok(c.Fail(giveUp(12)), "Fail")
	listed("failed", 12, spool.StateFailed)
	k.ok(k.claim(h.Store, "A").Revive(fresh(13)), "Revive")
	listed("revived", 13, spool.StateQueued)
	k.ok(k.claim(other, "A").Remove(spool.Event{}, spool.Now), "Remove")
	k.listed("removed", both, never)
}

// testMoved: a message that comes from another store is at once as it was there.
func testMoved(k kit, h Harness) {
	other := k.opened(h.Reopen())
	for id, events := range map[spool.ID][]spool.Event{"whole": life(), "interrupted": life()[:1], "held": {{Kind: spool.Hold, At: later(1)}}, "failed": append(life()[:2:2], giveUp(3))} {
		d := k.draft(h.Store, id)
		k.ok(d.Seal(sample(id, 3), events...), "Seal")
		k.commit(h.Store, d)
		want, e := fold(sample(id, 3), events...), k.find(other, id)
		k.same(string(id), k.recordOf(other, id), want)
		if (e.State == spool.StateFailed) != want.GivenUp || (e.State == spool.StateHeld) != want.Held || !want.GivenUp && !e.Next.Equal(want.NextSendAt) {
			k.Errorf("%s is listed as %v", id, e)
		}
		more := spool.Event{Kind: spool.Returned, At: later(90), N: 1}
		k.ok(k.claim(other, id).Append(more, spool.Now), "Append")
		want.Apply(more)
		k.same(string(id)+", one more", k.recordOf(h.Store, id), want)
	}
}
