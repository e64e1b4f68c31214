package storetest

import (
	"slices"
	"time"

	"notices/spool"
)

// testNotesOnce: a message that has a note is not queued again, not when it has been
// sent either, by whatever handle.
func testNotesOnce(k kit, h Harness) {
	sent := map[spool.ID]int{}
	other := h.Reopen()
	defer closeAll(k, other)
	if n := k.known(h.Store, allNotes, "A"); n != 0 {
		k.Errorf("an empty spool has notes")
	}
	k.imports(h.Store)
	k.imports(h.Store, "A", "B")
	k.imports(other, "A", "B", "C")
	k.listed("after two imports", []spool.Store{h.Store, other}, queued("A"), queued("B"), queued("C"))
	k.sends(h.Store, sent, "A", "B", "C")
	k.imports(other, "C", "A", "B", "D")
	k.sends(other, sent, "A", "B", "C", "D")
	if n := k.known(h.Store, allNotes, "A", "B", "C", "D", "E"); n != 4 {
		k.Errorf("%d notes are known, want 4", n)
	}
}

// queued is the entry of a message that Import queued.
func queued(id spool.ID) spool.Entry {
	return spool.Entry{ID: id, Next: start, State: spool.StateQueued}
}

// testNotesSeveral: a message may have more than one note, and another none.
func testNotesSeveral(k kit, h Harness) {
	book := k.notebook(h.Store, allNotes)
	b := k.batchOf(book, "A", "B", "C")
	defer b.abort()
	b.notes[0] = append(b.notes[0], NoteOf("A2"), NoteOf("A3"))
	b.notes[1] = nil
	n, err := book.Commit(k.ctx, b.notes, b.drafts...)
	k.ok(err, "Commit")
	if n != 3 {
		k.Errorf("Commit of three says %d", n)
	}
	for id, want := range map[spool.ID]bool{"A": true, "A2": true, "A3": true, "B": false, "C": true} {
		if book.Has(NoteOf(id)) != want {
			k.Errorf("the notebook has a note of %s: %v", id, !want)
		}
	}
	k.ok(book.Close(), "Close")
	if n := k.known(h.Store, allNotes, "A", "A2", "A3", "B", "C"); n != 4 {
		k.Errorf("%d notes are known, want 4", n)
	}
	k.sends(h.Store, map[spool.ID]int{}, "A", "B", "C")
}

// testNotesAlone: two imports at once would both queue what has no note yet.
func testNotesAlone(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	book := k.notebook(h.Store, allNotes)
	for _, s := range []spool.Store{h.Store, other} {
		_, err := k.noted(s).Notebook(k.ctx, allNotes)
		k.wants(err, "a second Notebook", spool.ErrBusy)
	}
	k.putSample(other, "enqueued") // nobody else waits for it
	k.ok(book.Close(), "Close")
	k.imports(other, "A")
	k.listed("after all", []spool.Store{h.Store}, queued("A"), queued("enqueued"))
	b := &batch{book: book}
	defer b.abort()
	if b.add(k.ctx, "B") == nil {
		if n, err := book.Commit(k.ctx, b.notes, b.drafts...); err == nil || n != 0 {
			k.Errorf("Commit by a notebook that is closed: %d, %v", n, err)
		}
	}
}

func testNotesExpire(k kit, h Harness) {
	k.imports(h.Store, "A", "B")
	k.sends(h.Store, map[spool.ID]int{}, "A", "B")
	if n := k.known(h.Store, start, "A", "B"); n != 2 {
		k.Errorf("%d notes of 2 are known at the end of their time", n)
	}
	if n := k.known(h.Store, start.Add(time.Second), "A", "B"); n != 0 {
		k.Errorf("%d notes are known after their time", n)
	}
}

// testNotesNotCommitted: what was prepared and not committed has no note and is in
// nobody's way.
func testNotesNotCommitted(k kit, h Harness) {
	book := k.notebook(h.Store, allNotes)
	b := k.batchOf(book, "A", "B")
	k.ok(b.drafts[0].Abort(), "Abort")
	k.ok(b.drafts[0].Abort(), "Abort once more")
	k.listed("before Commit", []spool.Store{h.Store})
	if book.Has(NoteOf("A")) || book.Has(NoteOf("B")) {
		k.Errorf("a note before Commit")
	}
	k.ok(b.drafts[1].Abort(), "Abort")
	k.ok(book.Close(), "Close")
	k.imports(h.Store, "A", "B")
	k.sends(h.Store, map[spool.ID]int{}, "A", "B")
}

// testNotesExisting: what is behind the error has no note, and can be committed without
// the draft that is at fault.
func testNotesExisting(k kit, h Harness) {
	k.put(h.Store, sample("B", 1), imported("B"))
	book := k.notebook(h.Store, allNotes)
	b := k.batchOf(book, "A", "B", "C")
	defer b.abort()
	n, err := book.Commit(k.ctx, b.notes, b.drafts...)
	k.wants(err, "Commit of an id that is there", spool.ErrExists)
	if n > 1 {
		k.Fatalf("%d were queued in order, and the second is there", n)
	}
	for i, id := range []spool.ID{"A", "B", "C"} {
		if book.Has(NoteOf(id)) != (i < n) {
			k.Errorf("%s is noted: %v, and %d were queued", id, i >= n, n)
		}
	}
	k.ok(b.drafts[1].Abort(), "Abort")
	b.drafts, b.notes = slices.Delete(b.drafts, 1, 2)[n:], slices.Delete(b.notes, 1, 2)[n:]
	_, err = book.Commit(k.ctx, b.notes, b.drafts...)
	k.ok(err, "Commit of the rest")
	k.ok(book.Close(), "Close")
	if n := k.known(h.Store, allNotes, "A", "B", "C"); n != 2 {
		k.Errorf("%d notes are known, want those of A and C", n)
	}
	k.sends(h.Store, map[spool.ID]int{}, "A", "B", "C")
}

// testNotesUnfit: a message without envelope, and one that was not begun here, so that
// its note could not be tied to it.
func testNotesUnfit(k kit, h Harness) {
	book := k.notebook(h.Store, allNotes)
	defer book.Close()
	open, err := book.New(k.ctx, "open")
	k.ok(err, "New")
	defer open.Abort()
	plain := k.sealed(h.Store, sample("plain", 1), content(10))
	defer plain.Abort()
	for _, d := range []spool.Draft{open, plain} {
		id := "good-" + d.ID()
		good := k.batchOf(book, id)
		n, err := book.Commit(k.ctx, [][]spool.Note{good.notes[0], {NoteOf("bad")}}, good.drafts[0], d)
		if err == nil || n > 1 {
			k.Errorf("Commit of %s: %d, %v", d.ID(), n, err)
		}
		if book.Has(NoteOf("bad")) || book.Has(NoteOf(id)) != (n == 1) {
			k.Errorf("Commit of %s says %d, and there are other notes", d.ID(), n)
		}
		good.abort()
	}
	if _, err := book.New(k.ctx, "../A"); err == nil {
		k.Errorf("New takes a bad id")
	}
}

// testNotesLeftAloneByRepair: a flush beside an import takes nothing of it for left over.
func testNotesLeftAloneByRepair(k kit, h Harness) {
	other := h.Reopen()
	defer closeAll(k, other)
	book := k.notebook(h.Store, allNotes)
	defer book.Close()
	d, err := book.New(k.ctx, "open")
	k.ok(err, "New")
	defer d.Abort()
	k.write(d, content(100))
	b := k.batchOf(book, "A", "B")
	k.sends(other, map[spool.ID]int{})
	_, err = book.Commit(k.ctx, b.notes, b.drafts...)
	k.ok(err, "Commit")
	k.write(d, content(100))
	k.sends(other, map[spool.ID]int{}, "A", "B")
}

// testNotesCrash: an import that is killed has noted what it queued and nothing else,
// and the next one need not wait.
func testNotesCrash(k kit, h Harness) {
	if h.Crash == nil {
		return
	}
	sent := map[spool.ID]int{}
	k.imports(h.Store, "A", "B")
	book := k.notebook(h.Store, allNotes)
	done := k.batchOf(book, "C")
	_, err := book.Commit(k.ctx, done.notes, done.drafts...)
	k.ok(err, "Commit")
	k.batchOf(book, "D", "E")

	s := h.Crash()
	defer closeAll(k, s)
	if n := k.known(s, allNotes, "A", "B", "C", "D", "E"); n != 3 {
		k.Errorf("%d notes after the crash, want those of A, B and C", n)
	}
	k.sends(s, sent, "A", "B", "C")
	k.imports(s, "A", "B", "C", "D", "E")
	k.sends(s, sent, "A", "B", "C", "D", "E")
}

// testNotesPowerCut: a note is as durable as its message.
func testNotesPowerCut(k kit, h Harness) {
	if h.PowerCut == nil {
		return
	}
	k.imports(h.Store, "A", "B", "C")
	book := k.notebook(h.Store, allNotes)
	k.batchOf(book, "D")
	s := h.PowerCut()
	defer closeAll(k, s)
	if n := k.known(s, allNotes, "A", "B", "C", "D"); n != 3 {
		k.Errorf("%d notes after the power cut, want 3", n)
	}
	sent := map[spool.ID]int{}
	k.imports(s, "A", "B", "C", "D")
	k.sends(s, sent, "A", "B", "C", "D")
}
