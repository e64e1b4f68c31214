package storetest

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"notices/spool"
)

// RunNotes tests the notebook of a store, which is a spool.Noted. open is called once
// for each part, with an empty spool.
func RunNotes(t *testing.T, open func(t *testing.T) Harness) { run(t, open, noteParts) }

var noteParts = []part{
	{"Once", testNotesOnce},
	{"Several", testNotesSeveral},
	{"Alone", testNotesAlone},
	{"Expire", testNotesExpire},
	{"NotCommitted", testNotesNotCommitted},
	{"Existing", testNotesExisting},
	{"Unfit", testNotesUnfit},
	{"LeftAloneByRepair", testNotesLeftAloneByRepair},
	{"Crash", testNotesCrash},
	{"PowerCut", testNotesPowerCut},
}

// allNotes opens a notebook that forgets nothing.
var allNotes = time.Unix(0, 0)

// NoteOf is the note of a message in these tests.
func NoteOf(id spool.ID) (n spool.Note) {
	copy(n[:], id)
	return n
}

// Import does what an import does: it queues in one batch those messages that have no
// note, and where the disk is full, fewer of them. queued are those of which it knows.
// Each is queued at the same time and has the content that Send looks for.
func Import(ctx context.Context, s spool.Noted, ids ...spool.ID) (queued []spool.ID, failed error) {
	book, err := s.Notebook(ctx, allNotes)
	if err != nil {
		return nil, err
	}
	defer book.Close()
	b := &batch{book: book}
	defer b.abort()
	for _, id := range ids {
		if book.Has(NoteOf(id)) {
			continue
		}
		if failed = b.add(ctx, id); failed != nil {
			break
		}
	}
	return b.commit(ctx, failed)
}

// batch is what one Commit of a notebook is to queue.
type batch struct {
	book   spool.Notebook
	drafts []spool.Draft
	notes  [][]spool.Note
}

func (b *batch) commit(ctx context.Context, failed error) (queued []spool.ID, first error) {
	for {
		n, err := b.book.Commit(ctx, b.notes, b.drafts...)
		for _, d := range b.drafts[:n] {
			queued = append(queued, d.ID())
		}
		b.drafts, b.notes = b.drafts[n:], b.notes[n:]
		if err == nil && len(b.drafts) > 0 {
			err = fmt.Errorf("%d are not queued, and no error", len(b.drafts))
		}
		if failed == nil {
			failed = err
		}
		if !errors.Is(err, syscall.ENOSPC) || errors.Is(err, spool.ErrUnsure) || len(b.drafts) == 0 {
			return queued, failed
		}
		last := len(b.drafts) - 1
		_ = b.drafts[last].Abort() // what it cannot remove is swept
		b.drafts, b.notes = b.drafts[:last], b.notes[:last]
	}
}

func (b *batch) add(ctx context.Context, id spool.ID) error {
	d, err := b.book.New(ctx, id)
	if err != nil {
		return err
	}
	text := imported(id)
	if _, err = d.Write(text); err == nil {
		env := sample(id, 2)
		env.Size = int64(len(text))
		err = d.Seal(env)
	}
	if err != nil {
		return errors.Join(err, d.Abort())
	}
	b.drafts, b.notes = append(b.drafts, d), append(b.notes, []spool.Note{NoteOf(id)})
	return nil
}

func (b *batch) abort() {
	for _, d := range b.drafts {
		_ = d.Abort() // most were committed
	}
}

// imported is the message that Import queues under that id.
func imported(id spool.ID) []byte { return append([]byte("Subject: "+id+"\r\n\r\n"), content(3000)...) }

// Send takes every message out of the spool, as a flush does that delivers it, and
// counts it in sent. A message that is not as Import made it, or set aside, is an error.
func Send(ctx context.Context, s spool.Store, sent map[spool.ID]int) error {
	var all []spool.Entry
	errs := []error{s.Scan(ctx, func(e spool.Entry) bool { all = append(all, e); return true })}
	for _, e := range all {
		errs = append(errs, send(ctx, s, e))
		sent[e.ID]++
	}
	found, err := s.Repair(ctx)
	for _, a := range found {
		if a.Moved != "" {
			errs = append(errs, fmt.Errorf("set aside: %+v", a))
		}
	}
	return errors.Join(append(errs, err)...)
}

func send(ctx context.Context, s spool.Store, e spool.Entry) error {
	c, err := s.Claim(ctx, e)
	if err != nil {
		return err
	}
	got := make([]byte, c.Body().Size())
	if _, err := c.Body().ReadAt(got, 0); err != nil || string(got) != string(imported(e.ID)) {
		err = fmt.Errorf("%s changed: %d octets, %w", e.ID, len(got), err)
		return errors.Join(err, c.Release())
	}
	return c.Remove(spool.Now)
}

func (k kit) noted(s spool.Store) spool.Noted {
	k.Helper()
	n, ok := s.(spool.Noted)
	if !ok {
		k.Fatalf("%T keeps no notes", s)
	}
	return n
}

func (k kit) notebook(s spool.Store, since time.Time) spool.Notebook {
	k.Helper()
	book, err := k.noted(s).Notebook(k.ctx, since)
	k.ok(err, "Notebook")
	return book
}

// known counts which of the messages have a note.
func (k kit) known(s spool.Store, since time.Time, ids ...spool.ID) (n int) {
	k.Helper()
	book := k.notebook(s, since)
	for _, id := range ids {
		if book.Has(NoteOf(id)) {
			n++
		}
	}
	k.ok(book.Close(), "Close of the notebook")
	return n
}

func (k kit) imports(s spool.Store, ids ...spool.ID) {
	k.Helper()
	_, err := Import(k.ctx, k.noted(s), ids...)
	k.ok(err, "import")
}

// batchOf prepares messages for a Commit.
func (k kit) batchOf(book spool.Notebook, ids ...spool.ID) *batch {
	k.Helper()
	b := &batch{book: book}
	for _, id := range ids {
		k.ok(b.add(k.ctx, id), "preparing "+string(id))
	}
	return b
}

// sends takes all messages out and wants to have seen each of these exactly once.
func (k kit) sends(s spool.Store, sent map[spool.ID]int, want ...spool.ID) {
	k.Helper()
	k.ok(Send(k.ctx, s, sent), "sending all")
	for _, id := range want {
		if sent[id] != 1 {
			k.Errorf("%s was sent %d times", id, sent[id])
		}
	}
	if len(sent) != len(want) {
		k.Errorf("sent: %v, want %v", sent, want)
	}
}
