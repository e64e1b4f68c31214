package status

import (
	"context"
	"fmt"
	"slices"
	"time"

	"notices/cmd/notices/queue"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/route"
)

// loadLimits looks how far the [[limit]]s are used up.
func (s *statusJSON) loadLimits(ctx context.Context, state spool.State, o Options, now time.Time) error {
	if len(o.Limits) == 0 {
		return nil
	}
	used, err := route.Usages(ctx, state, o.Limits, now)
	s.limitsUsed, s.limitWaits = used, route.WaitsFor(used)
	return err
}

// dueAt is when a message goes out next; a [[limit]] that is used up puts that off, and
// limited says so: it is not stuck. Zero: it does not go out.
func (s *statusJSON) dueAt(r *spool.Record, now time.Time) (next time.Time, limited bool) {
	next = queue.NextSend(r)
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
func (s *statusJSON) findOldestDue(ctx context.Context, q *queue.Queue, due []spool.Entry, now time.Time) error {
	s.sends.due = len(due)
	slices.SortFunc(due, queue.ByNextSend)
	for i := range min(len(due), most) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := q.Peek(ctx, due[i])
		if r.Err != nil {
			s.sends.due--
			s.noteUnreadable(r.Err)
			continue
		}
		next, limited := s.dueAt(r.Record, now)
		if next.IsZero() || !q.Policy.Due(next, now) {
			s.sends.due--
			continue
		}
		if s.NextSendAt == nil || next.Before(*s.NextSendAt) {
			s.NextSendAt = term.Stamp(next)
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
	return fmt.Sprintf("%s %s for %s; the next goes out %s", term.Count(s.limited, "message"), verb, s.limitedBy.Limit, term.Ago(s.limitedBy.Free, now))
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

// limitLines tells for a person how far each limit is used up, and what waits for it.
func limitLines(used []route.Usage, now time.Time) []string {
	lines := make([]string, len(used))
	for i := range used {
		u := &used[i]
		line := fmt.Sprintf("%d of %d sent in %s", u.Used, u.Messages, u.Window())
		if u.Waiting > 0 {
			line += fmt.Sprintf("; %s waited at the last flush, %s", term.Count(u.Waiting, "message"), term.Ago(u.At, now))
		}
		if !u.Free.IsZero() {
			line += "; the next goes out " + term.Ago(u.Free, now)
		}
		lines[i] = u.Name() + ": " + line
	}
	return lines
}
