package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// store is a machine's spool. A maildir writes each event as JSON, which would take minutes
// for the millions of this simulation. This store keeps the record in memory, and of its
// history only what the engine reads.
type store struct {
	spool.Store // methods that the simulation does not call
	values      spool.State
	queue       []*stored
	byID        map[spool.ID]*stored
}

// stored is one message.
type stored struct {
	record  *spool.Record
	claimed bool
	gone    bool
}

func newStore(ids []spool.ID, at time.Time) *store {
	s := &store{values: maildirtest.State(), byID: map[spool.ID]*stored{}}
	for _, id := range ids {
		m := &stored{record: spool.NewRecord(spool.Envelope{
			ID: id, Sender: "library@example.org", Recipients: []string{string(id) + "@example.net"},
			QueuedAt: at, Size: int64(len(notice)),
		})}
		s.queue = append(s.queue, m)
		s.byID[id] = m
	}
	return s
}

// Scan implements spool.Store, in the order in which the messages were queued.
func (s *store) Scan(_ context.Context, yield func(spool.Entry) bool) error {
	s.queue = slices.DeleteFunc(s.queue, func(m *stored) bool { return m.gone })
	for _, m := range s.queue {
		if !yield(m.entry()) {
			break
		}
	}
	return nil
}

func (m *stored) entry() spool.Entry {
	return spool.Entry{ID: m.record.Envelope.ID, Next: m.record.NextSendAt, State: spool.StateQueued}
}

// Claim implements spool.Store.
func (s *store) Claim(_ context.Context, e spool.Entry) (spool.Claim, error) {
	m := s.byID[e.ID]
	switch {
	case m == nil || !m.record.NextSendAt.Equal(e.Next):
		return nil, spool.ErrGone
	case m.claimed:
		return nil, spool.ErrBusy
	}
	m.claimed = true
	return &claim{store: s, m: m}, nil
}

// Writable implements spool.Store.
func (s *store) Writable(context.Context) error { return nil }

// Sync implements spool.Store.
func (s *store) Sync(context.Context) error { return nil }

// ForgetHistory implements spool.Store: no history is kept.
func (s *store) ForgetHistory(context.Context, time.Time) error { return nil }

// HistoryError implements spool.Store.
func (s *store) HistoryError() error { return nil }

// Repair implements spool.Store.
func (s *store) Repair(context.Context) ([]spool.Anomaly, error) { return nil, nil }

// State implements spool.Store.
func (s *store) State() spool.State { return s.values }

// claim is the sole right to a message.
type claim struct {
	store *store
	m     *stored
}

var errUnexpected = errors.New("no message of this simulation is given up")

func (c *claim) Entry() spool.Entry        { return c.m.entry() }
func (c *claim) Record() *spool.Record     { return c.m.record }
func (c *claim) Body() spool.Body          { return body{bytes.NewReader(notice)} }
func (c *claim) Begin(e spool.Event) error { return c.Append(e, spool.Lazy) }
func (c *claim) Fail(spool.Event) error    { return errUnexpected }
func (c *claim) Revive(spool.Event) error  { return errUnexpected }
func (c *claim) Release() error            { c.m.claimed = false; return nil }
func (c *claim) Remove(spool.Event, spool.Durability) error {
	c.m.gone = true
	delete(c.store.byID, c.m.record.Envelope.ID)
	return nil
}

// lookedAt is how much of a message's history the engine reads.
const lookedAt = 2

// Append implements spool.Claim.
func (c *claim) Append(e spool.Event, _ spool.Durability) error {
	r := c.m.record
	r.Apply(e)
	if n := len(r.Events); n > lookedAt {
		r.Events = append(r.Events[:0], r.Events[n-lookedAt:]...)
	}
	return nil
}

// notice is the text of every message.
var notice = []byte("From: library@example.org\r\nSubject: Your book is overdue\r\n\r\nPlease bring it back.\r\n")

type body struct{ *bytes.Reader }

func (b body) Close() error { return nil }
