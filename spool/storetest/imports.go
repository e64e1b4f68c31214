package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"notices/spool"
)

// KeyOf is the import key of a message in these tests.
func KeyOf(id spool.ID) (k spool.ImportKey) {
	copy(k[:], id)
	return k
}

// Import does what an import does: it queues in one batch those messages whose keys are
// not known, and where the disk is full, fewer of them. queued are those of which it knows.
// Each is queued at the same time and has the content that Send looks for.
func Import(ctx context.Context, s spool.Store, ids ...spool.ID) (queued []spool.ID, failed error) {
	known, release, err := s.Imported(ctx, time.Unix(0, 0))
	if err != nil {
		return nil, err
	}
	defer release()
	var drafts []spool.Draft
	defer func() {
		for _, d := range drafts {
			_ = d.Abort() // what it cannot remove is swept
		}
	}()
	for _, id := range ids {
		if _, there := known[KeyOf(id)]; there {
			continue
		}
		d, err := draftImport(ctx, s, id, KeyOf(id))
		if failed = err; err != nil {
			break
		}
		drafts = append(drafts, d)
	}
	for len(drafts) > 0 {
		n, err := s.Commit(ctx, drafts...)
		for _, d := range drafts[:n] {
			queued = append(queued, d.ID())
		}
		drafts = drafts[n:]
		if err == nil && len(drafts) > 0 {
			err = fmt.Errorf("%d are not queued, and no error", len(drafts))
		}
		failed = errors.Join(failed, err)
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, spool.ErrUnsure) || len(drafts) == 0 {
			break
		}
		_ = drafts[len(drafts)-1].Abort()
		drafts = drafts[:len(drafts)-1]
	}
	return queued, failed
}

func draftImport(ctx context.Context, s spool.Store, id spool.ID, keys ...spool.ImportKey) (spool.Draft, error) {
	d, err := s.New(ctx, id)
	if err != nil {
		return nil, err
	}
	text := imported(id)
	if _, err = d.Write(text); err == nil {
		env := sample(id, 2)
		env.Size, env.ImportKeys = int64(len(text)), keys
		err = d.Seal(env)
	}
	if err != nil {
		return nil, errors.Join(err, d.Abort())
	}
	return d, nil
}

// imported is the message that Import queues under that id.
func imported(id spool.ID) []byte { return append([]byte("Subject: "+id+"\r\n\r\n"), content(3000)...) }

// Send takes every message out of the spool, as a flush does that delivers it, and
// counts it in sent. A message that is not as Import made it, or set aside, is an error.
func Send(ctx context.Context, s spool.Store, sent map[spool.ID]int) error {
	var all []spool.Entry
	errs := []error{s.Scan(ctx, func(e spool.Entry) bool { all = append(all, e); return true })}
	for _, e := range all {
		c, err := s.Claim(ctx, e)
		if errors.Is(err, spool.ErrGone) {
			continue // it is done with, and its removal is finished now
		}
		if err == nil {
			sent[e.ID]++
			err = remove(c)
		}
		errs = append(errs, err)
	}
	found, err := s.Repair(ctx)
	for _, a := range setAside(found) {
		errs = append(errs, fmt.Errorf("set aside: %+v", a))
	}
	return errors.Join(append(errs, err, s.Sync(ctx))...)
}

func remove(c spool.Claim) error {
	id := c.Entry().ID
	got := make([]byte, c.Body().Size())
	if _, err := c.Body().ReadAt(got, 0); err != nil || string(got) != string(imported(id)) {
		return errors.Join(fmt.Errorf("%s changed: %d octets, %w", id, len(got), err), c.Release())
	}
	return errors.Join(c.Remove(spool.Event{}, spool.Soon), c.Release())
}

// known tells which of the messages have a key that the store knows.
func (k kit) known(s spool.Store, since time.Time, ids ...spool.ID) (known []spool.ID) {
	k.Helper()
	keys, release, err := s.Imported(k.Context(), since)
	k.ok(err, "Imported")
	for _, id := range ids {
		if _, there := keys[KeyOf(id)]; there {
			known = append(known, id)
		}
	}
	k.ok(release(), "release")
	return known
}

// knows checks that of A to F the keys of exactly these are known.
func (k kit) knows(what string, s spool.Store, since time.Time, want ...spool.ID) {
	k.Helper()
	if got := k.known(s, since, "A", "B", "C", "D", "E", "F"); !slices.Equal(got, want) {
		k.Errorf("%s: the keys of %q are known, want %q", what, got, want)
	}
}

func (k kit) imports(s spool.Store, ids ...spool.ID) {
	k.Helper()
	_, err := Import(k.Context(), s, ids...)
	k.ok(err, "import")
}

// sends takes all messages out and wants to have seen each of these exactly once.
func (k kit) sends(s spool.Store, sent map[spool.ID]int, want ...spool.ID) {
	k.Helper()
	k.ok(Send(k.Context(), s, sent), "sending all")
	for _, id := range want {
		if sent[id] != 1 {
			k.Errorf("%s was sent %d times", id, sent[id])
		}
	}
	if len(sent) != len(want) {
		k.Errorf("sent: %v, want %v", sent, want)
	}
}

// testImportOnce: a message whose key is known is not queued again, not when it has been
// sent either, by whatever handle.
func testImportOnce(k kit, h Harness) {
	sent := map[spool.ID]int{}
	other := k.opened(h.Reopen())
	k.knows("empty", h.Store, start)
	k.imports(h.Store)
	k.imports(h.Store, "A", "B")
	k.imports(other, "A", "B", "C")
	k.listed("after two imports", []spool.Store{h.Store, other}, queued("A"), queued("B"), queued("C"))
	k.sends(h.Store, sent, "A", "B", "C")
	k.imports(other, "C", "A", "B", "D")
	k.sends(other, sent, "A", "B", "C", "D")
	k.knows("at last", h.Store, start, "A", "B", "C", "D")
}

// testImportedEverywhere: a key is known wherever its message is, has been moved to, or has
// left by.
func testImportedEverywhere(k kit, h Harness) {
	k.imports(h.Store, "A", "B", "C", "D", "E", "F")
	c := k.claim(h.Store, "A")
	k.append(c, spool.Event{Kind: spool.Hold, At: later(1)}, spool.Now)
	k.ok(c.Release(), "Release")
	for _, id := range []spool.ID{"B", "C", "D"} {
		k.ok(k.claim(h.Store, id).Fail(giveUp(1)), "Fail")
	}
	k.ok(k.claim(h.Store, "C").Revive(fresh(2)), "Revive")
	k.ok(k.claim(h.Store, "D").Remove(spool.Event{}, spool.Now), "Remove of a failed one")
	k.ok(k.claim(h.Store, "E").Remove(spool.Event{}, spool.Soon), "Remove")
	k.knows("everywhere", h.Store, start, "A", "B", "C", "D", "E", "F")
	k.ok(h.Store.Sync(k.Context()), "Sync")
	other := k.opened(h.Reopen())
	k.knows("everywhere, synced", other, start, "A", "B", "C", "D", "E", "F")
}

// testImportSeveral: a message may have more than one key, and another none. Each envelope
// keeps them.
func testImportSeveral(k kit, h Harness) {
	var drafts []spool.Draft
	keys := map[spool.ID][]spool.ImportKey{"A": {KeyOf("A"), KeyOf("D"), KeyOf("E")}, "B": nil, "C": {KeyOf("C")}}
	for _, id := range []spool.ID{"A", "B", "C"} {
		d, err := draftImport(k.Context(), h.Store, id, keys[id]...)
		k.ok(err, "draft")
		drafts = append(drafts, d)
	}
	k.knows("before Commit", h.Store, start)
	k.commit(h.Store, drafts...)
	for id, want := range keys {
		if got := k.recordOf(h.Store, id).Envelope.ImportKeys; !slices.Equal(got, want) {
			k.Errorf("%s has the keys %v, want %v", id, got, want)
		}
	}
	k.knows("queued", h.Store, start, "A", "C", "D", "E")
	k.sends(h.Store, map[spool.ID]int{}, "A", "B", "C")
	k.knows("sent", h.Store, start, "A", "C", "D", "E")
}

// testImportAlone: two imports at once would both queue what is not known yet.
func testImportAlone(k kit, h Harness) {
	other := k.opened(h.Reopen())
	_, release, err := h.Store.Imported(k.Context(), start)
	k.ok(err, "Imported")
	for _, s := range []spool.Store{h.Store, other} {
		_, _, err := s.Imported(k.Context(), start)
		k.wants(err, "a second Imported", spool.ErrBusy)
	}
	k.putSample(other, "enqueued") // only imports wait for it
	k.ok(release(), "release")
	k.imports(other, "A")
	k.knows("after all", h.Store, start, "A")
}

// testImportExpires: what left before since is forgotten, and what is still there is not.
func testImportExpires(k kit, h Harness) {
	k.imports(h.Store, "A", "B", "C")
	k.ok(k.claim(h.Store, "A").Remove(spool.Event{}, spool.Now), "Remove")
	k.knows("within their time", h.Store, time.Now().Add(-time.Hour), "A", "B", "C")
	k.knows("after their time", h.Store, time.Now().Add(time.Hour), "B", "C")
	k.knows("long after", h.Store, time.Now().Add(100*time.Hour), "B", "C")
}

// testImportBesideFlush: a flush that runs during an import does not remove the drafts of that import.
func testImportBesideFlush(k kit, h Harness) {
	other := k.opened(h.Reopen())
	_, release, err := h.Store.Imported(k.Context(), start)
	k.ok(err, "Imported")
	defer release()
	open := k.draft(h.Store, "open")
	defer open.Abort()
	k.write(open, content(100))
	a, err := draftImport(k.Context(), h.Store, "A", KeyOf("A"))
	k.ok(err, "draft")
	k.sends(other, map[spool.ID]int{})
	k.commit(h.Store, a)
	k.write(open, content(100))
	k.sends(other, map[spool.ID]int{}, "A")
}

// testImportCut: an import that is cut short is known to have queued what it did and nothing
// else, and the next one need not wait.
func testImportCut(k kit, h Harness, cut func() spool.Store) {
	if cut == nil {
		return
	}
	ids := []spool.ID{"000000000000000A", "000000000000000B", "000000000000000C", "000000000000000D"}
	k.imports(h.Store, ids[:2]...)
	_, _, err := h.Store.Imported(k.Context(), start)
	k.ok(err, "Imported")
	var drafts []spool.Draft
	for _, id := range ids[2:] {
		d, err := draftImport(k.Context(), h.Store, id, KeyOf(id))
		k.ok(err, "draft")
		drafts = append(drafts, d)
	}
	k.commit(h.Store, drafts[0])

	s := k.opened(cut())
	if got := k.known(s, start, ids...); !slices.Equal(got, ids[:3]) {
		k.Errorf("afterwards %q are known", got)
	}
	sent := map[spool.ID]int{}
	k.sends(s, sent, ids[:3]...)
	k.imports(s, ids...)
	k.sends(s, sent, ids...)
}

// testImportedElsewhere: the keys of messages that left another store count as its own do.
func testImportedElsewhere(k kit, h Harness) {
	k.ok(h.Store.AddImported(k.Context(), KeyOf("A"), KeyOf("C")), "AddImported")
	k.knows("added", h.Store, time.Unix(0, 0), "A", "C")
}
