package intake

import (
	"bytes"
	"context"
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
// of messages that are alike, octet for octet, the import keys of the spool tell how many
// were queued by earlier runs, and this run skips as many. So two equal messages in one mbox
// are two, and a second run over it adds none.
//
// It is used by one goroutine.
type Bulk struct {
	in     *Intake
	sha256 func() hash.Hash
	known  map[spool.ImportKey]struct{}
	again  *Again
	seen   map[[sha256Size]byte]uint64
	piece  []byte

	drafts []spool.Draft
	sealed []*spool.Envelope
	octets int64
}

const sha256Size = 32

// Again names an import that queues once more what earlier ones queued. If it is
// interrupted, it continues under the same name and skips what it queued itself.
type Again [16]byte

// Bulk begins to queue many messages, except those that are known: if again is nil, those
// that an earlier run queued. sha256 is sha256.New: the small program links this package,
// and must not link crypto for it.
func (in *Intake) Bulk(sha256 func() hash.Hash, known map[spool.ImportKey]struct{}, again *Again) *Bulk {
	return &Bulk{in: in, sha256: sha256, known: known, again: again, seen: map[[sha256Size]byte]uint64{}, piece: make([]byte, pieceSize)}
}

// Add prepares a message for the next Commit; before: it was queued by an earlier run.
// Errors are those of Intake.Accept, and concern this message alone.
func (b *Bulk) Add(ctx context.Context, r Request) (before bool, err error) {
	n, err := io.ReadFull(r.Body, b.piece)
	sum := b.sha256()
	sum.Write(b.piece[:n])
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		keys, known := b.keys(sum)
		if known {
			return true, nil
		}
		r.Body = bytes.NewReader(b.piece[:n])
		r.importKeys = func() ([]spool.ImportKey, error) { return keys, nil }
	case err != nil:
		return false, fmt.Errorf("reading the message: %w", err)
	default:
		// It is larger than what is kept of it: whether it is known shows at its end.
		r.Body = io.MultiReader(bytes.NewReader(b.piece), io.TeeReader(r.Body, sum))
		r.importKeys = func() ([]spool.ImportKey, error) {
			keys, known := b.keys(sum)
			if known {
				return nil, errKnown
			}
			return keys, nil
		}
	}
	err = b.prepare(ctx, r)
	if errors.Is(err, errKnown) {
		return true, nil
	}
	return false, err
}

// errKnown: an earlier run queued the message.
var errKnown = errors.New("it was queued before")

// Preview is Add for a message that is not to be queued: it returns what its envelope would be.
func (b *Bulk) Preview(ctx context.Context, r Request) (env *spool.Envelope, before bool, err error) {
	if before, err = b.Add(ctx, r); err != nil || before || len(b.sealed) == 0 {
		return nil, before, err
	}
	env = b.sealed[len(b.sealed)-1]
	b.octets = 0
	return env, false, b.drop(1)
}

// keys gives the keys of the next message with that content: one for its place among those
// alike, and in an import again one for that and for this import, which decides then.
func (b *Bulk) keys(sum hash.Hash) (keys []spool.ImportKey, known bool) {
	content := [sha256Size]byte(sum.Sum(nil))
	which := binary.BigEndian.AppendUint64(content[:], b.seen[content])
	b.seen[content]++
	keys = append(keys, b.keyOf(which))
	if b.again != nil {
		keys = append(keys, b.keyOf(append(which, b.again[:]...)))
	}
	_, known = b.known[keys[len(keys)-1]]
	return keys, known
}

func (b *Bulk) keyOf(what []byte) (k spool.ImportKey) {
	sum := b.sha256()
	sum.Write(what)
	copy(k[:], sum.Sum(nil))
	return k
}

// prepare makes the draft.
func (b *Bulk) prepare(ctx context.Context, r Request) error {
	d, env, err := b.in.Draft(ctx, r)
	if err == errDiscarded {
		return nil
	}
	if err != nil {
		return err
	}
	b.drafts, b.sealed = append(b.drafts, d), append(b.sealed, env)
	b.octets += env.Size
	for _, address := range env.Recipients {
		b.octets += int64(len(address))
	}
	return nil
}

// Full reports whether it is time for a Commit.
func (b *Bulk) Full() bool { return len(b.drafts) >= bulkMessages || b.octets >= bulkOctets }

// Commit queues what was added since the last one, durably, and returns the ids. After an
// error the others are not queued (but spool.ErrUnsure: they may be), and dropped. If the
// disk has no room for all, it queues what fits: messages are dropped from the end, twice as
// many each time, until the rest has the room that they took.
func (b *Bulk) Commit(ctx context.Context) (ids []spool.ID, failed error) {
	for drop := 1; len(b.drafts) > 0; drop *= 2 {
		n, err := b.in.Store.Commit(ctx, b.drafts...)
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

// queued removes the first n of what waits: they are committed.
func (b *Bulk) queued(ids []spool.ID, n int) []spool.ID {
	for _, env := range b.sealed[:n] {
		ids = append(ids, env.ID)
		b.in.Log.Queued(env)
	}
	b.drafts, b.sealed = b.drafts[n:], b.sealed[n:]
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
	b.drafts, b.sealed = b.drafts[:left], b.sealed[:left]
	return failed
}

// Abort drops what was added and not committed.
func (b *Bulk) Abort() {
	_ = b.drop(len(b.drafts)) // what it cannot remove is swept
}
