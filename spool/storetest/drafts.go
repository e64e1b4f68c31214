package storetest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"notices/spool"
)

func testBodies(k kit, h Harness) {
	for _, size := range []int{0, 1, 4 << 10, 3 << 20} {
		id := spool.ID(fmt.Sprintf("size-%d", size))
		body := content(size)
		d := k.draft(h.Store, id)
		for piece := range slices.Chunk(body, 7001) { // fits no buffer
			k.write(d, piece)
		}
		if d.Len() != int64(size) {
			k.Fatalf("a draft of %d octets says %d", size, d.Len())
		}
		if size > 0 {
			// Before it is sealed, and past its end.
			data := make([]byte, size+1)
			n, err := d.ReadAt(data, 0)
			if err != io.EOF {
				k.Fatalf("ReadAt of a draft, and one octet more: %d, %v", n, err)
			}
			k.sameBody("draft", data[:n], body)
			if _, err := d.ReadAt(data[:1], int64(size)); err != io.EOF {
				k.Errorf("ReadAt behind the end of a draft: %v, want EOF", err)
			}
		}
		env := sample(id, 1)
		env.Size = int64(size)
		k.ok(d.Seal(env), "Seal")
		k.commit(h.Store, d)

		c := k.claim(h.Store, id)
		k.sameBody("claimed", k.read(c.Body()), body)
		k.ok(c.Release(), "Release")
		other := h.Reopen()
		_, data := k.peek(other, id)
		k.sameBody("looked at from another handle", data, body)
		k.ok(other.Close(), "Close")
	}
}

func testBodyManyReaders(k kit, h Harness) {
	body := content(3 << 20)
	k.put(h.Store, sample("A", 1), body)
	c := k.claim(h.Store, "A")
	defer c.Release()
	_, seen, err := h.Store.Peek(k.Context(), k.find(h.Store, "A"))
	k.ok(err, "Peek")
	defer seen.Close()

	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := io.ReaderAt(c.Body())
			if g%2 == 1 {
				r = seen
			}
			buf := make([]byte, 9973)
			for off := g * 1000; off < len(body); off += 4 * len(buf) {
				n, err := r.ReadAt(buf, int64(off))
				end := min(len(body), off+len(buf))
				if (err != nil && err != io.EOF) || !bytes.Equal(buf[:n], body[off:end]) {
					k.Errorf("reading %d octets at %d among others: %d, %v", len(buf), off, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// full is an envelope in which every field is set, and none to what a careless
// encoding would keep.
func full(id spool.ID) spool.Envelope {
	return spool.Envelope{
		ID:         id,
		Sender:     "bücherei@büchereien.example",
		Recipients: []string{`"odd \" one"@example.net`, "用户@例子.example", "o'neill+due=today@example.org"},
		ReturnTo:   "returns@example.org",
		QueuedAt:   start,
		ExpiresAt:  start.Add(36 * time.Hour),
		Ref:        "patron 4711, \"Ärger\" \\ <tag> \t 50 % = {x}\nsecond line\u2028\x00\x7f end ",
		MessageID:  "<1.2@mail.example.org>",
		Site:       "springfield",
		Form:       spool.PlainReport,
		EightBit:   true, UTF8: true,
	}
}

func testEnvelope(k kit, h Harness) {
	for id, env := range map[spool.ID]spool.Envelope{
		"full": full("full"),
		"null": {ID: "null", Recipients: []string{"a@example.net"}, QueuedAt: start, Form: spool.Report},
		spool.ID("9" + strings.Repeat("-_.z", 24)): sample(spool.ID("9"+strings.Repeat("-_.z", 24)), 1),
	} {
		want := k.putFolded(h.Store, env, content(300))
		k.same(string(id), k.recordOf(h.Store, id), want)
		other := h.Reopen()
		c := k.claim(other, id)
		k.same(string(id)+" claimed by another handle", c.Record(), want)
		k.ok(c.Release(), "Release")
		k.ok(other.Close(), "Close")
	}
}

func testManyRecipients(k kit, h Harness) {
	env := sample("A", 1000)
	for i := range env.Recipients {
		env.Recipients[i] = strings.Repeat("long-name-", 5) + env.Recipients[i]
	}
	want := k.putFolded(h.Store, env, content(100))
	k.same("put", k.recordOf(h.Store, "A"), want)

	c := k.claim(h.Store, "A")
	each := make([]spool.Answer, len(env.Recipients))
	for i := range each {
		each[i] = answer(spool.Failed, 550, fmt.Sprintf("5.1.1 no such user %d", i), i)
	}
	for _, e := range []spool.Event{try(1, 0, later(60)), result(1, 1, later(70), each...)} {
		k.append(c, e, spool.Soon)
		want.Apply(e)
	}
	k.ok(c.Release(), "Release")
	k.same("an answer for each", k.recordOf(h.Store, "A"), want)
}

func (k kit) recordOf(s spool.Store, id spool.ID) *spool.Record {
	k.Helper()
	r, _ := k.peek(s, id)
	return r
}

// append writes an event by the method that is for it.
func (k checks) append(c spool.Claim, e spool.Event, d spool.Durability) {
	k.Helper()
	if e.Kind == spool.Try {
		k.ok(c.Begin(e), "Begin")
		return
	}
	k.ok(c.Append(e, d), "Append "+string(e.Kind))
}

func testInvisibleBeforeCommit(k kit, h Harness) {
	other := k.opened(h.Reopen())
	both := []spool.Store{h.Store, other}
	entry := queued("A")

	unseen := func(what string) {
		k.Helper()
		k.listed(what, both)
		k.gone(h.Store, entry)
		k.gone(other, entry)
	}
	d := k.draft(h.Store, "A")
	unseen("after New")
	k.write(d, content(5000))
	unseen("after Write")
	k.ok(d.Seal(sample("A", 1)), "Seal")
	unseen("after Seal")
	k.commit(h.Store, d)
	k.listed("after Commit", both, entry)
}

func testAbort(k kit, h Harness) {
	entry := queued("A")
	open := k.draft(h.Store, "A")
	k.write(open, content(5000))
	k.ok(open.Abort(), "Abort")
	k.gone(h.Store, entry)

	d := k.sealed(h.Store, sample("A", 1), content(10))
	k.ok(d.Abort(), "Abort when sealed")
	k.ok(d.Abort(), "Abort once more")
	k.gone(h.Store, entry)
	k.listed("after Abort", []spool.Store{h.Store})

	d = k.sealed(h.Store, sample("A", 1), content(77))
	k.commit(h.Store, d)
	k.ok(d.Abort(), "Abort after Commit")
	_, body := k.peek(h.Store, "A")
	k.sameBody("after an Abort that came too late", body, content(77))
}

func testCommitMany(k kit, h Harness) {
	if n, err := h.Store.Commit(k.Context()); n != 0 || err != nil {
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
	k.commit(h.Store, drafts...)
	other := k.opened(h.Reopen())
	k.listed("after Commit", []spool.Store{h.Store, other}, want...)
	for i := range drafts {
		_, body := k.peek(other, want[i].ID)
		k.sameBody(string(want[i].ID), body, content(i))
	}
}

// testCommitExisting puts a second message under the id of one that is queued,
// in flight, and failed: the first stays as it was, those before the second are
// queued, those behind it are not, but still can be.
func testCommitExisting(k kit, h Harness) {
	want := k.putFolded(h.Store, full("A"), content(1000))
	again := func(what string, before, after spool.ID) {
		k.Helper()
		first := k.sealed(h.Store, sample(before, 1), content(1))
		second := k.sealed(h.Store, sample("A", 2), content(2))
		third := k.sealed(h.Store, sample(after, 1), content(3))
		n, err := h.Store.Commit(k.Context(), first, second, third)
		k.wants(err, what, spool.ErrExists)
		if n != 1 {
			k.Errorf("%s: Commit says %d, want 1", what, n)
		}
		k.find(h.Store, before)
		_, err = spool.FindOne(k.Context(), h.Store, after)
		k.wants(err, what+": the draft behind it", spool.ErrGone)
		k.commit(h.Store, third)
		k.find(h.Store, after)
		k.ok(second.Abort(), "Abort of the dropped draft")
		r, body := k.peek(h.Store, "A")
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
	n, err := h.Store.Commit(k.Context(), d)
	if err == nil || n != 0 {
		k.Errorf("Commit of a draft that is not sealed: %d, %v", n, err)
	}
	k.listed("not sealed", []spool.Store{h.Store})
	k.ok(d.Abort(), "Abort")
}

// testNewBadID: an id becomes a path.
func testNewBadID(k kit, h Harness) {
	for _, id := range []spool.ID{"", ".hidden", "../A", "a/b", "a b", "a\x00b", "ä"} {
		if d, err := h.Store.New(k.Context(), id); err == nil {
			k.Errorf("New takes the id %q", id)
			d.Abort()
		}
		if _, err := spool.FindOne(k.Context(), h.Store, id); err == nil {
			k.Errorf("Find finds %q", id)
		}
		if _, err := h.Store.Claim(k.Context(), spool.Entry{ID: id, Next: start, State: spool.StateQueued}); err == nil {
			k.Errorf("Claim takes %q", id)
		}
	}
}
