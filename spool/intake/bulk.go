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
	"syscall"

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
	again *Again
	seen  map[[sha256.Size]byte]uint64
	piece []byte

	drafts []spool.Draft
	notes  [][]spool.Note
	sealed []*spool.Envelope
	octets int64
}

// Again names an import that queues once more what earlier ones queued. Interrupted, it
// is gone on with under the same name: what it queued itself it passes over.
type Again [16]byte

// Bulk begins to queue many messages; again nil: none that an earlier run queued.
func (in *Intake) Bulk(book spool.Notebook, again *Again) *Bulk {
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

// Add prepares a message for the next Commit; before: it was queued by an earlier run.
// Errors are those of Intake.Accept, and concern this message alone.
func (b *Bulk) Add(ctx context.Context, r Request) (before bool, err error) {
	n, err := io.ReadFull(r.Body, b.piece)
	sum := sha256.New()
	sum.Write(b.piece[:n])
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		notes, known := b.note(sum)
		if known {
			return true, nil
		}
		r.Body = bytes.NewReader(b.piece[:n])
		return false, b.prepare(ctx, r, func() ([]spool.Note, bool) { return notes, false })
	case err != nil:
		return false, fmt.Errorf("reading the message: %w", err)
	}
	// It is larger than what is kept of it: whether it is known shows at its end.
	r.Body = io.MultiReader(bytes.NewReader(b.piece), io.TeeReader(r.Body, sum))
	err = b.prepare(ctx, r, func() (notes []spool.Note, known bool) {
		notes, before = b.note(sum)
		return notes, before
	})
	return before, err
}

// Preview is Add for a message that is not to be queued: it returns what its envelope would be.
func (b *Bulk) Preview(ctx context.Context, r Request) (env *spool.Envelope, before bool, err error) {
	if before, err = b.Add(ctx, r); err != nil || before || len(b.sealed) == 0 {
		return nil, before, err
	}
	env = b.sealed[len(b.sealed)-1]
	b.octets = 0
	return env, false, b.drop(1)
}

// note gives the notes of the next message with that content: one that it was queued,
// and in an import again one that this import did it.
func (b *Bulk) note(sum hash.Hash) (notes []spool.Note, known bool) {
	content := [sha256.Size]byte(sum.Sum(nil))
	which := binary.BigEndian.AppendUint64(content[:], b.seen[content])
	b.seen[content]++
	queued := noteOf(which)
	if b.again == nil {
		return []spool.Note{queued}, b.book.Has(queued)
	}
	mine := noteOf(append(which, b.again[:]...))
	if b.book.Has(queued) {
		return []spool.Note{mine}, b.book.Has(mine)
	}
	return []spool.Note{mine, queued}, b.book.Has(mine)
}

func noteOf(what []byte) (n spool.Note) {
	whole := sha256.Sum256(what)
	copy(n[:], whole[:])
	return n
}

// prepare makes the draft and asks for its notes.
func (b *Bulk) prepare(ctx context.Context, r Request, notesOf func() (notes []spool.Note, known bool)) error {
	d, env, err := b.in.Draft(ctx, r)
	if gone := (*discardedError)(nil); errors.As(err, &gone) {
		b.in.Log.Discarded(gone.id, "its recipients lead to /dev/null")
		return nil
	}
	if err != nil {
		return err
	}
	notes, known := notesOf()
	if known {
		return d.Abort()
	}
	b.drafts, b.notes, b.sealed = append(b.drafts, d), append(b.notes, notes), append(b.sealed, env)
	b.octets += env.Size
	for _, address := range env.Recipients {
		b.octets += int64(len(address))
	}
	return nil
}

// Full reports whether it is time for a Commit.
func (b *Bulk) Full() bool { return len(b.drafts) >= bulkMessages || b.octets >= bulkOctets }

// Commit queues what was added since the last one, durably, and returns the ids. On an
// error the others are not queued (but spool.ErrUnsure: they may be), and dropped. Where
// there is no room for all it queues what fits: messages are dropped from the end, twice
// as many each time, until the rest has the room that they took.
func (b *Bulk) Commit(ctx context.Context) (ids []spool.ID, failed error) {
	for drop := 1; len(b.drafts) > 0; drop *= 2 {
		n, err := b.book.Commit(ctx, b.notes, b.drafts...)
		ids = b.queued(ids, n)
		if err == nil && len(b.drafts) > 0 {
			err = errors.New("not all messages were queued")
		}
		if failed == nil {
			failed = err
		}
		if !noRoom(err) {
			drop = len(b.drafts)
		}
		if e := b.drop(drop); failed == nil {
			failed = e
		}
	}
	b.octets = 0
	return ids, failed
}

// noRoom: with fewer messages it may go well.
func noRoom(err error) bool {
	return !errors.Is(err, spool.ErrUnsure) && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT))
}

// queued takes the first n out of what waits: they are committed.
func (b *Bulk) queued(ids []spool.ID, n int) []spool.ID {
	for _, env := range b.sealed[:n] {
		ids = append(ids, env.ID)
		b.in.Log.Queued(env)
	}
	b.drafts, b.notes, b.sealed = b.drafts[n:], b.notes[n:], b.sealed[n:]
	return ids
}

// drop aborts the last n of what waits.
func (b *Bulk) drop(n int) (failed error) {
	left := max(len(b.drafts)-n, 0)
	for _, d := range b.drafts[left:] {
		if err := d.Abort(); err != nil {
			failed = err
		}
	}
	b.drafts, b.notes, b.sealed = b.drafts[:left], b.notes[:left], b.sealed[:left]
	return failed
}

// Abort drops what was added and not committed.
func (b *Bulk) Abort() {
	for _, d := range b.drafts {
		_ = d.Abort() // what it cannot remove is swept
	}
	b.drafts = nil
}
