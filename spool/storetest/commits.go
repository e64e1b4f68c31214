package storetest

import (
	"fmt"

	"notices/spool"
)

func testCommitMany(k kit, h Harness) {
	if n, err := h.Store.Commit(k.ctx); n != 0 || err != nil {
		k.Errorf("Commit of nothing: %d, %v", n, err)
	}
	var drafts []spool.Draft
	var want []spool.Entry
	for i := range 200 {
		env := sample(spool.ID(fmt.Sprintf("m%03d", i)), 1)
		env.QueuedAt = later(i)
		drafts = append(drafts, k.sealed(h.Store, env, content(i)))
		want = append(want, spool.Entry{ID: env.ID, Next: env.QueuedAt, State: spool.StateQueued})
	}
	n, err := h.Store.Commit(k.ctx, drafts...)
	k.ok(err, "Commit")
	if n != len(drafts) {
		k.Fatalf("Commit of %d says %d", len(drafts), n)
	}
	other := h.Reopen()
	defer closeAll(k, other)
	k.listed("after Commit", []spool.Store{h.Store, other}, want...)
	for i := range drafts {
		_, body := k.look(other, want[i].ID)
		k.sameBody(string(want[i].ID), body, content(i))
	}
}

// testCommitExisting puts a second message under the id of one that is queued,
// in flight, and failed: the first stays as it was, those before the second are
// queued, those behind it are not, but still can be.
func testCommitExisting(k kit, h Harness) {
	k.put(h.Store, full("A"), content(1000))
	env := full("A")
	env.Size = 1000
	want := fold(env)
	again := func(what string, before, after spool.ID) {
		k.Helper()
		first := k.sealed(h.Store, sample(before, 1), content(1))
		second := k.sealed(h.Store, sample("A", 2), content(2))
		third := k.sealed(h.Store, sample(after, 1), content(3))
		n, err := h.Store.Commit(k.ctx, first, second, third)
		k.wants(err, what, spool.ErrExists)
		if n != 1 {
			k.Errorf("%s: Commit says %d, want 1", what, n)
		}
		k.find(h.Store, before)
		_, err = spool.FindOne(k.ctx, h.Store, after)
		k.wants(err, what+": the draft behind it", spool.ErrGone)
		_, err = h.Store.Commit(k.ctx, third)
		k.ok(err, what+": Commit of the rest")
		k.find(h.Store, after)
		k.ok(second.Abort(), "Abort of the dropped draft")
		r, body := k.look(h.Store, "A")
		k.same(what, r, want)
		k.sameBody(what, body, content(1000))
	}
	again("queued", "b1", "c1")

	c := k.claim(h.Store, "A")
	k.ok(c.Begin(try(1, 5, later(60))), "Begin")
	want.Apply(try(1, 5, later(60)))
	again("in flight", "b2", "c2")
	k.same("the claim", c.Record(), want)

	k.ok(c.Fail(giveUp(6)), "Fail")
	want.Apply(giveUp(6))
	again("failed", "b3", "c3")
}

// testCommitUnsealed: without an envelope a message could never be delivered.
func testCommitUnsealed(k kit, h Harness) {
	d := k.draft(h.Store, "A")
	k.write(d, content(10))
	n, err := h.Store.Commit(k.ctx, d)
	if err == nil || n != 0 {
		k.Errorf("Commit of a draft that is not sealed: %d, %v", n, err)
	}
	k.listed("not sealed", []spool.Store{h.Store})
	k.ok(d.Abort(), "Abort")
}

// testNewBadID: an id becomes a path.
func testNewBadID(k kit, h Harness) {
	for _, id := range []spool.ID{"", ".hidden", "../A", "a/b", "a b", "a\x00b", "ä"} {
		if d, err := h.Store.New(k.ctx, id); err == nil {
			k.Errorf("New takes the id %q", id)
			d.Abort()
		}
		if _, err := spool.FindOne(k.ctx, h.Store, id); err == nil {
			k.Errorf("Find finds %q", id)
		}
		if _, err := h.Store.Claim(k.ctx, spool.Entry{ID: id, Next: start, State: spool.StateQueued}); err == nil {
			k.Errorf("Claim takes %q", id)
		}
	}
}
