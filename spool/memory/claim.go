package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"notices/spool"
)

// claim is the flag on a message, and the record of who has it.
type claim struct {
	s      *Store
	m      *message
	entry  spool.Entry
	record *spool.Record
	body   *body
}

// Claim implements spool.Store.
func (s *Store) Claim(ctx context.Context, e spool.Entry) (spool.Claim, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.d.mu.Unlock()
	if m := s.d.messages[e.ID]; m != nil && m.claim != nil {
		return nil, fmt.Errorf("%s: %w", e.ID, spool.ErrBusy)
	}
	m, err := s.d.listedAs(e)
	if err != nil {
		return nil, err
	}
	r, err := m.record()
	if err != nil {
		s.d.setAside(e.ID, err)
		return nil, fmt.Errorf("%s: %w", e.ID, spool.ErrDamaged)
	}
	m.claim = &claim{s: s, m: m, entry: m.listed, record: r, body: &body{data: m.body}}
	return m.claim, nil
}

func (d *disk) setAside(id spool.ID, why error) {
	delete(d.messages, id)
	d.aside = append(d.aside, spool.Anomaly{Name: string(id), Moved: "aside/" + string(id), Why: why.Error()})
}

func (c *claim) Entry() spool.Entry { return c.entry }

func (c *claim) Record() *spool.Record { return c.record }

func (c *claim) Body() spool.Body { return c.body }

// held says whether the claim is still one; with disk.mu held.
func (c *claim) held() error {
	if err := c.s.usable(); err != nil {
		return err
	}
	if c.m.claim != c {
		return fmt.Errorf("memory: the claim of %s is over: %w", c.entry.ID, os.ErrClosed)
	}
	return nil
}

// write appends an event of a kind that the caller allows.
func (c *claim) write(e spool.Event, allowed bool, d spool.Durability) error {
	if err := c.held(); err != nil {
		return err
	}
	if !allowed {
		return fmt.Errorf("memory: %s: event %q does not belong here", c.entry.ID, e.Kind)
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	// The copy that was stored, not the caller's, whose slices are its own.
	if e, err = decodeEvent(b); err != nil {
		return err
	}
	c.m.events = append(c.m.events, b)
	c.record.Apply(e)
	switch d {
	case spool.Soon:
		c.m.wanted = len(c.m.events)
	case spool.Now:
		c.m.wanted = len(c.m.events)
		c.m.synced = c.m.wanted
	}
	return nil
}

func (c *claim) Begin(e spool.Event) error {
	c.s.d.mu.Lock()
	defer c.s.d.mu.Unlock()
	return c.write(e, e.Kind == spool.Try && c.entry.State != spool.StateFailed, spool.Lazy)
}

func (c *claim) Append(e spool.Event, d spool.Durability) error {
	c.s.d.mu.Lock()
	defer c.s.d.mu.Unlock()
	allowed := e.Kind != spool.Try && e.Kind != spool.GiveUp
	if err := c.write(e, allowed, d); err != nil {
		return err
	}
	c.relist()
	return nil
}

func (c *claim) relist() {
	c.entry = entryOf(c.entry.ID, c.record)
	c.m.listed = c.entry
}

// end gives the claim up; with disk.mu held.
func (c *claim) end() {
	c.m.claim = nil
	c.body.Close()
}

func (c *claim) Remove(d spool.Durability) error {
	c.s.d.mu.Lock()
	defer c.s.d.mu.Unlock()
	if err := c.held(); err != nil {
		return err
	}
	c.end()
	id := c.entry.ID
	delete(c.s.d.messages, id)
	if d != spool.Now {
		c.s.d.removed[id] = c.m
	}
	return nil
}

func (c *claim) Fail(e spool.Event) error {
	return c.move(e, e.Kind == spool.GiveUp && c.entry.State != spool.StateFailed)
}

func (c *claim) Revive(e spool.Event) error {
	return c.move(e, e.Kind == spool.Retry && e.Fresh && c.entry.State == spool.StateFailed)
}

func (c *claim) move(e spool.Event, allowed bool) error {
	c.s.d.mu.Lock()
	defer c.s.d.mu.Unlock()
	if err := c.write(e, allowed, spool.Now); err != nil {
		return err
	}
	c.relist()
	c.end()
	return nil
}

// Release is silent about a handle that was killed meanwhile: it is deferred
// everywhere, and the dead tell nothing.
func (c *claim) Release() error {
	c.s.d.mu.Lock()
	defer c.s.d.mu.Unlock()
	if c.held() != nil {
		return nil
	}
	c.relist()
	c.end()
	return nil
}

// failedAt is when a message was given up.
func failedAt(r *spool.Record) time.Time {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if r.Events[i].Kind == spool.GiveUp {
			return r.Events[i].At
		}
	}
	return r.QueuedAt
}
