package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"notices/spool"
	"notices/spool/route"
)

// loadLimits looks how far the [[limit]]s are used up.
func (s *statusJSON) loadLimits(ctx context.Context, state spool.State, o statusOptions, now time.Time) error {
	if o.Config == nil || len(o.Config.Limits) == 0 {
		return nil
	}
	used, err := route.Usages(ctx, state, limits(o.Config), now)
	s.limitsUsed, s.limitWaits = used, route.WaitsFor(used)
	return err
}

// dueAt is when a message goes out next; a [[limit]] that is used up puts that off, and
// limited says so: it is not stuck. Zero: it does not go out.
func (s *statusJSON) dueAt(r *spool.Record, now time.Time) (next time.Time, limited bool) {
	next = nextSend(r)
	if next.IsZero() {
		return next, false
	}
	var to []string
	for _, i := range r.Pending() {
		to = append(to, r.Recipients[i].Address)
	}
	at, limit := s.limitWaits.Until(to)
	if limit == nil || !at.After(next) {
		return next, false
	}
	if at.After(now) {
		s.limited++
		if s.limitedBy == nil || at.Before(s.limitedBy.Free) {
			s.limitedBy = limit
		}
	}
	return at, true
}

// findOldestDue looks for the due message that has been so for longest. Some of the listing
// are not due: they are being attempted, left, or wait for a limit.
func (s *statusJSON) findOldestDue(ctx context.Context, q *queue, due []spool.Entry, now time.Time) error {
	s.sends.due = len(due)
	slices.SortFunc(due, byNext)
	for i := range min(len(due), most) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := q.look(ctx, due[i])
		if r.err != nil {
			s.sends.due--
			s.noteUnreadable(r.err)
			continue
		}
		next, limited := s.dueAt(r.Record, now)
		if next.IsZero() || !q.policy.Due(next, now) {
			s.sends.due--
			continue
		}
		if s.NextSendAt == nil || next.Before(*s.NextSendAt) {
			s.NextSendAt = stamp(next)
		}
		if !limited {
			return nil // the others are due later
		}
	}
	return nil
}

// forLimit tells of mail that waits for a limit of the site's own.
func (s *statusJSON) forLimit(now time.Time) string {
	verb := "wait"
	if s.limited == 1 {
		verb = "waits"
	}
	return fmt.Sprintf("%s %s for %s; the next goes out %s", count(s.limited, "message"), verb, s.limitedBy.Limit, ago(s.limitedBy.Free, now))
}

// ratesKeepAll reports whether each server that takes mail has a rate that is used up.
func (s *statusJSON) ratesKeepAll() bool {
	some := false
	for i := range s.rates {
		if s.Servers[i].spare || s.troubled[i] {
			continue
		}
		if u := &s.rates[i]; u.DayFree.IsZero() && u.MinuteFree.IsZero() {
			return false
		}
		some = true
	}
	return some
}
