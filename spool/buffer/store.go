package buffer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"notices/spool"
	"notices/spool/move"
)

// Patience is how long the database may take to answer when mail is handed in.
const Patience = 3 * time.Second

// pause is how long the database is not tried again when it could not be reached: a program that hands
// in many messages does not wait with each of them.
const pause = 30 * time.Second

// HistoryKept is how long the history must be kept for Store.Mark to be false.
const HistoryKept = 30 * 24 * time.Hour

// Target is the part of a spool.Store that mail is taken in with.
type Target interface {
	New(ctx context.Context, id spool.ID) (spool.Draft, error)
	Commit(ctx context.Context, drafts ...spool.Draft) (n int, err error)
}

// Store takes mail in. It is safe for concurrent use.
type Store struct {
	// Database opens the database, Folder the folder. Each is called again until it has succeeded.
	Database, Folder func(context.Context) (Target, error)
	Now              func() time.Time
	// Mark gives each message in the database an import key, because the history is kept for less than
	// HistoryKept, or not at all.
	Mark bool
	// Buffered is called with messages that went into the folder, and why; it may be nil.
	Buffered func(ids []spool.ID, why error)

	mu       sync.Mutex
	database opened
	folder   opened
}

// opened is a store that is opened when it is needed.
type opened struct {
	Target
	failed error     // why it could not be used
	again  time.Time // when it is tried again
}

// Open opens the database, unless it cannot be reached now. Other errors are returned.
func (s *Store) Open(ctx context.Context) error {
	_, err := s.openDatabase(ctx)
	if errors.Is(err, spool.ErrUnreachable) {
		err = nil
	}
	return err
}

func (s *Store) openDatabase(ctx context.Context) (Target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.database
	if d.failed != nil && s.Now().Before(d.again) {
		return nil, d.failed
	}
	if d.Target == nil {
		t, err := s.Database(ctx)
		if err != nil {
			d.failed, d.again = err, s.Now().Add(pause)
			return nil, err
		}
		d.Target = t
	}
	d.failed = nil
	return d.Target, nil
}

// lost notes that the database cannot be reached.
func (s *Store) lost(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.database.failed == nil {
		s.database.failed, s.database.again = why, s.Now().Add(pause)
	}
}

func (s *Store) openFolder(ctx context.Context) (Target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folder.Target == nil {
		t, err := s.Folder(ctx)
		if err != nil {
			return nil, err
		}
		s.folder.Target = t
	}
	return s.folder.Target, nil
}

// New starts a message. Nothing of it is in the database before Commit.
func (s *Store) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	if !id.Valid() {
		return nil, fmt.Errorf("%q cannot name a message", id)
	}
	return &draft{s: s, ctx: context.WithoutCancel(ctx), id: id}, nil
}

// Commit queues the drafts durably, as spool.Store has it: in the database, or else in the folder.
// If neither takes them, the error names both; spool.ErrUnsure is in it only if the database may
// have them.
func (s *Store) Commit(ctx context.Context, drafts ...spool.Draft) (n int, err error) {
	list := make([]*draft, len(drafts))
	for i, each := range drafts {
		d, ok := each.(*draft)
		switch {
		case !ok || d.s != s:
			return 0, fmt.Errorf("draft %s is not of this store", each.ID())
		case d.over:
			return 0, fmt.Errorf("draft %s was committed or dropped", d.id)
		case d.env == nil:
			return 0, fmt.Errorf("draft %s is not sealed", d.id)
		}
		list[i] = d
	}
	db, err := s.openDatabase(ctx)
	if err == nil {
		n, err = commit(ctx, db, list, (*draft).forDatabase)
	}
	for _, d := range list[:n] {
		_ = d.Abort() // the message is queued; what it cannot remove is swept
	}
	rest := list[n:]
	if err == nil || !away(err) || slices.ContainsFunc(rest, func(d *draft) bool { return d.direct }) {
		return n, err
	}
	s.lost(err)
	kept, failed := s.keep(ctx, rest)
	if failed != nil {
		failed = fmt.Errorf("%w; %s: %w", err, cannotTake, failed)
	}
	if s.Buffered != nil && kept > 0 {
		s.Buffered(idsOf(rest[:kept]), err)
	}
	return n + kept, failed
}

const cannotTake = "and the folder beside the database cannot take it"

// away reports whether an error of the database sends mail into the folder.
func away(err error) bool {
	return errors.Is(err, spool.ErrUnreachable) || errors.Is(err, spool.ErrUnsure)
}

func idsOf(list []*draft) []spool.ID {
	ids := make([]spool.ID, len(list))
	for i, d := range list {
		ids[i] = d.id
	}
	return ids
}

// keep queues the drafts in the folder.
func (s *Store) keep(ctx context.Context, list []*draft) (n int, err error) {
	folder, err := s.openFolder(ctx)
	if err == nil {
		n, err = commit(ctx, folder, list, (*draft).forFolder)
	}
	for _, d := range list[:n] {
		d.over = true
	}
	return n, err
}

// commit queues what prepare makes of the drafts.
func commit(ctx context.Context, to Target, list []*draft, prepare func(*draft, context.Context, Target) (spool.Draft, error)) (n int, err error) {
	var ready []spool.Draft
	for _, d := range list {
		each, err := prepare(d, ctx, to)
		if err != nil {
			return 0, errors.Join(err, abort(ready))
		}
		ready = append(ready, each)
	}
	if n, err = to.Commit(ctx, ready...); err != nil {
		_ = abort(ready[n:]) // what it cannot remove is swept
	}
	return n, err
}

func abort(list []spool.Draft) (err error) {
	for _, d := range list {
		err = errors.Join(err, d.Abort())
	}
	return err
}

// marked is the envelope as the database gets it.
func (s *Store) marked(env spool.Envelope) spool.Envelope {
	if s.Mark {
		env.ImportKeys = append(slices.Clone(env.ImportKeys), move.KeyOf(&env))
	}
	return env
}

// copyInto copies a body.
func copyInto(to io.Writer, from io.ReaderAt, size int64) error {
	_, err := io.Copy(to, io.NewSectionReader(from, 0, size))
	return err
}
