// Package memory is a spool.Store wholly in memory, for the tests of everything
// that works on a spool: the flush engine, intake, the commands.
//
// It is as strict as a store on disk and stricter where a test should notice: the
// envelope and the events are kept as the JSON that a disk would hold, so nothing
// is shared with the caller and nothing survives that a file would not keep; a
// stale Entry is ErrGone; a claim or a body that is over refuses work; an event
// of the wrong kind is an error.
//
// Three things can happen to a spool that no method of spool.Store shows. Reopen
// is a second process on the same spool, Crash kills the process of one handle,
// PowerCut stops the machine and loses what was not synced by then.
package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
	"time"

	"notices/spool"
)

// ErrKilled is what every call on a handle answers after Crash or PowerCut: a
// killed process does nothing more.
var ErrKilled = errors.New("memory: the process of this handle was killed")

// Store is one handle on a spool in memory: what one process has open.
type Store struct {
	d *disk
	// over says why the handle is of no more use; under d.mu.
	over error
	born int
}

// disk is what all handles share.
type disk struct {
	mu       sync.Mutex
	messages map[spool.ID]*message
	drafts   map[*draft]struct{}
	// removed waits for the sync that makes a removal Soon durable.
	removed map[spool.ID]*message
	aside   []spool.Anomaly
	// notes are those of imports and when their messages were queued; book has them open.
	notes map[spool.Note]time.Time
	book  *notebook
	// cuts counts the power cuts; a handle born before the last one is dead.
	cuts int

	state values
}

// New returns a handle on a new, empty spool.
func New() *Store {
	return (&disk{
		messages: map[spool.ID]*message{},
		drafts:   map[*draft]struct{}{},
		removed:  map[spool.ID]*message{},
		notes:    map[spool.Note]time.Time{},
		state:    values{now: map[string][]byte{}, synced: map[string][]byte{}},
	}).open()
}

func (d *disk) open() *Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Store{d: d, born: d.cuts}
}

// Reopen returns another handle on the same spool, as another process has one.
func (s *Store) Reopen() *Store { return s.d.open() }

// Crash kills the process of this handle: its claims are free, its drafts are
// gone, every later call on it fails with ErrKilled. What it wrote stays: the
// system keeps it. A fresh handle is returned.
func (s *Store) Crash() *Store {
	s.end(ErrKilled)
	return s.d.open()
}

// PowerCut stops the machine: all handles are dead, and what was not synced is
// lost. That is every event not followed by one that was synced, Lazy ones after
// the last Soon even when Sync was called, and removals that were Soon. The
// listing follows the record, as after a repair. A fresh handle is returned.
func (s *Store) PowerCut() *Store {
	d := s.d
	d.mu.Lock()
	d.cuts++
	clear(d.drafts)
	d.book = nil
	for id, m := range d.removed {
		if d.messages[id] == nil {
			d.messages[id] = m
		}
	}
	clear(d.removed)
	for id, m := range d.messages {
		m.claim = nil
		m.events = m.events[:m.synced]
		m.wanted = m.synced
		m.list(id)
	}
	d.mu.Unlock()
	d.state.powerCut()
	return d.open()
}

// end frees what the handle holds. The first reason stays.
func (s *Store) end(why error) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.usable() != nil {
		return
	}
	s.over = why
	for _, m := range s.d.messages {
		if m.claim != nil && m.claim.s == s {
			m.claim = nil
		}
	}
	if s.d.book != nil && s.d.book.s == s {
		s.d.book = nil
	}
	maps.DeleteFunc(s.d.drafts, func(w *draft, _ struct{}) bool { return w.s == s })
}

// usable is called with d.mu held.
func (s *Store) usable() error {
	if s.over == nil && s.born != s.d.cuts {
		return ErrKilled
	}
	return s.over
}

// lock takes the disk for one call, unless that call is not to happen.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.d.mu.Lock()
	if err := s.usable(); err != nil {
		s.d.mu.Unlock()
		return err
	}
	return nil
}

// Scan implements spool.Store. The order is random.
func (s *Store) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	return s.scan(ctx, false, yield)
}

// ScanFailed implements spool.Store.
func (s *Store) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	return s.scan(ctx, true, yield)
}

// scan yields with the disk unlocked, so that yield may claim what it is shown.
func (s *Store) scan(ctx context.Context, failed bool, yield func(spool.Entry) bool) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	var entries []spool.Entry
	for _, m := range s.d.messages {
		if (m.listed.State == spool.StateFailed) == failed {
			entries = append(entries, m.listed)
		}
	}
	s.d.mu.Unlock()
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !yield(e) {
			return nil
		}
	}
	return nil
}

// Find implements spool.Store.
func (s *Store) Find(ctx context.Context, id spool.ID) (spool.Entry, error) {
	if err := s.lock(ctx); err != nil {
		return spool.Entry{}, err
	}
	defer s.d.mu.Unlock()
	m := s.d.messages[id]
	if m == nil {
		return spool.Entry{}, fmt.Errorf("%s: %w", id, spool.ErrGone)
	}
	return m.listed, nil
}

// Look implements spool.Store.
func (s *Store) Peek(ctx context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	if err := s.lock(ctx); err != nil {
		return nil, nil, err
	}
	defer s.d.mu.Unlock()
	m, err := s.d.listedAs(e)
	if err != nil {
		return nil, nil, err
	}
	r, err := m.record()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", e.ID, spool.ErrDamaged)
	}
	return r, &body{data: m.body, stored: m.size()}, nil
}

// listedAs finds the message that is listed just as e says. One that is listed
// otherwise by now was changed by somebody who was faster.
func (d *disk) listedAs(e spool.Entry) (*message, error) {
	m := d.messages[e.ID]
	if m == nil || !m.listed.Next.Equal(e.Next) || m.listed.State != e.State {
		return nil, fmt.Errorf("%s: %w", e.ID, spool.ErrGone)
	}
	return m, nil
}

// Writable implements spool.Store; memory always is.
func (s *Store) Writable(ctx context.Context) error {
	err := s.lock(ctx)
	if err == nil {
		s.d.mu.Unlock()
	}
	return err
}

// Sync implements spool.Store.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.d.mu.Unlock()
	s.d.sync()
	return nil
}

func (d *disk) sync() {
	clear(d.removed)
	for _, m := range d.messages {
		m.synced = max(m.synced, m.wanted)
	}
}

// Repair implements spool.Store. It reports what Damage did, once.
func (s *Store) Repair(ctx context.Context) ([]spool.Anomaly, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.d.mu.Unlock()
	found := s.d.aside
	s.d.aside = nil
	return found, nil
}

// Damage makes a message's record unreadable: Look and Claim answer ErrDamaged,
// and Claim moves it to aside/, which Repair then tells.
func (s *Store) Damage(id spool.ID) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if m := s.d.messages[id]; m != nil {
		m.env = []byte("damaged")
	}
}

// Usage implements spool.Store.
func (s *Store) Usage(ctx context.Context) (int64, error) {
	return s.usage(ctx, func(*message) bool { return true })
}

// UsageFailed implements spool.Store.
func (s *Store) UsageFailed(ctx context.Context) (int64, error) {
	return s.usage(ctx, func(m *message) bool { return m.listed.State == spool.StateFailed })
}

func (s *Store) usage(ctx context.Context, counts func(*message) bool) (int64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.d.mu.Unlock()
	var n int64
	for _, m := range s.d.messages {
		if counts(m) {
			n += m.size()
		}
	}
	return n, nil
}

// State implements spool.Store.
func (s *Store) State() spool.State { return state{s} }

// Close implements spool.Store. Claims and drafts that are left are let go.
func (s *Store) Close() error {
	if err := s.lock(context.Background()); err != nil {
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		return err
	}
	s.d.sync()
	s.d.mu.Unlock()
	s.d.state.sync()
	s.end(os.ErrClosed)
	return nil
}

// second is t as a listing has it.
func second(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
