package intake

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"notices/spool"
)

// Bounds of what waits to be committed together. Each message holds two files open,
// and what is interrupted before its commit is read again.
const (
	bulkMessages = 256
	bulkOctets   = 32 << 20
)

// Bulk queues many messages for an import, sharing syncs among them, and none twice:
// of messages that are alike, octet for octet, the notes of the spool know how many
// were queued by earlier runs, and this run passes over as many. So two equal
// messages in one mbox are two, and a second run over it adds none.
//
// It is used by one goroutine.
type Bulk struct {
	in    *Intake
	book  spool.Notebook
	again bool
	seen  map[[sha256.Size]byte]uint64
	piece []byte

	drafts []spool.Draft
	notes  []spool.Note
	sealed []*spool.Envelope
	octets int64
}

// Bulk begins to queue many messages; again: those too that earlier runs queued.
func (in *Intake) Bulk(book spool.Notebook, again bool) *Bulk {
	mine := *in
	mine.Store = notedStore{in.Store, book}
	return &Bulk{in: &mine, book: book, again: again, seen: map[[sha256.Size]byte]uint64{}, piece: make([]byte, pieceSize)}
}

// notedStore makes drafts that get a note.
type notedStore struct {
	Store
	book spool.Notebook
}

func (s notedStore) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	return s.book.New(ctx, id)
}

// Refused finds what is wrong with a request whatever its message is: an *Error.
func (b *Bulk) Refused(r Request) error {
	j := &job{in: b.in, r: r, now: b.in.now()}
	return j.arguments()
}

// Add prepares a message for the next Commit; before: it was queued by an earlier run.
// Errors are those of Intake.Accept, and concern this message alone.
func (b *Bulk) Add(ctx context.Context, r Request) (before bool, err error) {
	n, err := io.ReadFull(r.Body, b.piece)
	sum := sha256.New()
	sum.Write(b.piece[:n])
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		note, known := b.note(sum)
		if known {
			return true, nil
		}
		r.Body = bytes.NewReader(b.piece[:n])
		return false, b.prepare(ctx, r, func() (spool.Note, bool) { return note, false })
	case err != nil:
		return false, fmt.Errorf("reading the message: %w", err)
	}
	// It is larger than what is kept of it: whether it is known shows at its end.
	r.Body = io.MultiReader(bytes.NewReader(b.piece), io.TeeReader(r.Body, sum))
	err = b.prepare(ctx, r, func() (note spool.Note, known bool) {
		note, before = b.note(sum)
		return note, before
	})
	return before, err
}

// note is the note of the next message with that content.
func (b *Bulk) note(sum hash.Hash) (note spool.Note, known bool) {
	content := [sha256.Size]byte(sum.Sum(nil))
	which := binary.BigEndian.AppendUint64(content[:], b.seen[content])
	b.seen[content]++
	whole := sha256.Sum256(which)
	copy(note[:], whole[:])
	return note, !b.again && b.book.Has(note)
}

// prepare makes the draft and asks for its note.
func (b *Bulk) prepare(ctx context.Context, r Request, noteOf func() (note spool.Note, known bool)) error {
	d, env, err := b.in.Draft(ctx, r)
	if err != nil {
		return err
	}
	note, known := noteOf()
	if known {
		return d.Abort()
	}
	b.drafts, b.notes, b.sealed = append(b.drafts, d), append(b.notes, note), append(b.sealed, env)
	b.octets += env.Size
	return nil
}

// Full reports whether it is time for a Commit.
func (b *Bulk) Full() bool { return len(b.drafts) >= bulkMessages || b.octets >= bulkOctets }

// Commit queues what was added since the last one, durably, and returns the ids. On an
// error the others are not queued (but spool.ErrUnsure: they may be), and dropped.
func (b *Bulk) Commit(ctx context.Context) ([]spool.ID, error) {
	if len(b.drafts) == 0 {
		return nil, nil
	}
	n, err := b.book.Commit(ctx, b.notes, b.drafts...)
	ids := make([]spool.ID, n)
	for i, env := range b.sealed[:n] {
		ids[i] = env.ID
		b.in.Log.Queued(env)
	}
	for _, d := range b.drafts[n:] {
		if e := d.Abort(); e != nil && err == nil {
			err = e
		}
	}
	if n < len(b.drafts) && err == nil {
		err = errors.New("not all messages were queued")
	}
	b.drafts, b.notes, b.sealed, b.octets = b.drafts[:0], b.notes[:0], b.sealed[:0], 0
	return ids, err
}

// Abort drops what was added and not committed.
func (b *Bulk) Abort() {
	for _, d := range b.drafts {
		_ = d.Abort() // what it cannot remove is swept
	}
	b.drafts = nil
}
