package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"notices/spool"
)

// use is what a site used.
type use struct {
	Last time.Time `json:"last,omitzero"` // a key was accepted, to the second
	Day  string    `json:"day,omitempty"` // by the clock of the host
	N    int       `json:"messages,omitempty"`
}

// usePage is one of the values that keep it.
type usePage map[string]*use

func usePageName(n int) string { return fmt.Sprintf("site-use-%02d", n) }

// add joins what two hosts, or two times, know of the same site.
func (u *use) add(o *use) {
	if o.Last.After(u.Last) {
		u.Last = o.Last
	}
	switch {
	case o.Day > u.Day: // a date sorts as a text
		u.Day, u.N = o.Day, o.N
	case o.Day == u.Day:
		u.N += o.N
	}
}

// loadUse treats a damaged page as an empty one, as Flush does: only counts are lost.
func (r *Register) loadUse(ctx context.Context, n int) (p usePage, err error) {
	raw, err := r.State.Load(ctx, usePageName(n))
	if err != nil {
		return nil, fmt.Errorf("reading what sites used: %w", err)
	}
	if json.Unmarshal(raw, &p) != nil {
		return nil, nil
	}
	return p, nil
}

// tell fills in what List says of a site.
func (u *use) tell(s *Site, now time.Time) {
	if u == nil || u.Last.Before(s.Created) { // of the revoked site that had this id before
		return
	}
	s.LastUsed = u.Last
	if u.Day == now.Format(time.DateOnly) {
		s.Today = u.N
	}
}

// forgetUse forgets what a revoked site used, before its id is given to another customer.
func (r *Register) forgetUse(ctx context.Context, id string) error {
	old, err := r.Lookup(ctx, id)
	if errors.Is(err, ErrUnknown) || err == nil && old.Revoked.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.used, id)
	r.mu.Unlock()
	return spool.UpdateState(ctx, r.State, usePageName(pageOf(id)), false, func(p *usePage) error {
		delete(*p, id)
		return nil
	})
}

// Used counts that a key of the site was accepted now, and messages that were taken from it. It
// writes nothing; Flush does.
func (r *Register) Used(id string, messages int) {
	now := r.now()
	one := &use{Last: now.UTC().Truncate(time.Second), Day: now.Format(time.DateOnly), N: messages}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used.join(usePage{id: one})
}

// Flush writes what was counted since the last Flush. It is to be called about each second,
// and at the end; a process that is killed loses the counts of that time. What cannot be written
// is kept for the next Flush.
func (r *Register) Flush(ctx context.Context) error {
	r.mu.Lock()
	used := r.used
	r.used = nil
	r.mu.Unlock()
	parts := map[int]usePage{}
	for id, u := range used {
		n := pageOf(id)
		if parts[n] == nil {
			parts[n] = usePage{}
		}
		parts[n][id] = u
	}
	var errs []error
	for n, part := range parts {
		err := spool.UpdateState(ctx, r.State, usePageName(n), false, func(p *usePage) error {
			p.join(part)
			return nil
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("counting what sites use: %w", err))
			r.mu.Lock()
			r.used.join(part)
			r.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// join adds part, which it does not change.
func (p *usePage) join(part usePage) {
	if *p == nil {
		*p = usePage{}
	}
	for id, u := range part {
		if old := (*p)[id]; old != nil {
			old.add(u)
		} else {
			fresh := *u
			(*p)[id] = &fresh
		}
	}
}
