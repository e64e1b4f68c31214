package move

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"notices/spool"
)

// taken is a message that is claimed in From, and its draft in To.
type taken struct {
	claim spool.Claim
	draft spool.Draft
	key   spool.ImportKey
}

func (t *taken) id() spool.ID { return t.claim.Record().Envelope.ID }

// KeyOf is the import key by which a message is known that was moved with that envelope. It
// comes from the keys that are there, too: a message that is moved back, and on again, has
// another one each time.
func KeyOf(env *spool.Envelope) (k spool.ImportKey) {
	sum := sha256.New()
	fmt.Fprintf(sum, "notices: moved %s %d %d", env.ID, env.QueuedAt.Unix(), env.Size)
	for _, key := range env.ImportKeys {
		sum.Write(key[:])
	}
	copy(k[:], sum.Sum(nil))
	return k
}

// alike reports whether two envelopes are of the same message. The keys may be others.
func alike(a, b spool.Envelope) bool {
	a.ImportKeys, b.ImportKeys = nil, nil
	one, err := spool.AppendJSON(nil, a)
	other, failed := spool.AppendJSON(nil, b)
	return err == nil && failed == nil && bytes.Equal(one, other)
}

// copy makes the draft.
func (t *taken) copy(ctx context.Context, to spool.Store) (err error) {
	rec := t.claim.Record()
	if t.draft, err = to.New(ctx, t.id()); err != nil {
		return err
	}
	in := &source{r: io.NewSectionReader(t.claim.Body(), 0, t.claim.Body().Size())}
	_, err = io.Copy(t.draft, in)
	if in.err != nil {
		return fmt.Errorf("%w: %w", ErrUnreadable, in.err)
	}
	env := rec.Envelope
	env.ImportKeys = append(slices.Clone(env.ImportKeys), t.key)
	if err == nil {
		err = t.draft.Seal(env, rec.Events...)
	}
	return err
}

// source keeps the errors of reading apart from those of writing.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// leave takes the message out of From: it is in To.
func (t *taken) leave() error {
	err := t.claim.Remove(spool.Event{}, spool.Soon)
	if err != nil {
		err = fmt.Errorf("%s was moved, and cannot be removed where it was: %w", t.id(), err)
	}
	return errors.Join(err, t.drop())
}

// drop lets go of it.
func (t *taken) drop() error {
	var err error
	if t.draft != nil {
		err = t.draft.Abort()
	}
	return errors.Join(err, t.claim.Release())
}

// batch are messages that are committed together.
type batch struct {
	taken  []*taken
	octets int64
}

// Bounds of a batch: each message holds four files open, and a small one of a database is in
// memory until the commit.
const (
	batchMessages = 100
	batchOctets   = 4 << 20
)

func (b *batch) full() bool { return len(b.taken) >= batchMessages || b.octets >= batchOctets }

func (b *batch) add(t *taken) {
	b.taken = append(b.taken, t)
	b.octets += t.draft.Len()
}

func (b *batch) drafts() []spool.Draft {
	list := make([]spool.Draft, len(b.taken))
	for i, t := range b.taken {
		list[i] = t.draft
	}
	return list
}

// next takes the first one off.
func (b *batch) next() *taken {
	t := b.taken[0]
	b.taken = b.taken[1:]
	if len(b.taken) == 0 {
		*b = batch{}
	}
	return t
}

func (b *batch) drop() (err error) {
	for len(b.taken) > 0 {
		err = errors.Join(err, b.next().drop())
	}
	return err
}
