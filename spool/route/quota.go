package route

import (
	"context"
	"fmt"
	"sync"
	"time"

	"notices/spool"
)

// A reservation must be used within graceTime, or the server might count it in
// another minute than we do.
const graceTime = 2 * time.Second

// quotaExhausted: the budget of a day, or of a [[limit]], is used up.
type quotaExhausted struct {
	what  string // quota.what
	until time.Time
}

func (e *quotaExhausted) Error() string {
	return fmt.Sprintf("%s is used up until %s", e.what, e.until.UTC().Format(time.RFC3339))
}

// why is the error without the time, so that all who wait for the same limit say
// the same.
func (e *quotaExhausted) why() string { return e.what + " is used up" }

// outcome is that of a recipient who is put off.
func (e *quotaExhausted) outcome() spool.Outcome {
	return spool.Outcome{
		Class: spool.Deferred, Scope: spool.RecipientScope, Reason: spool.ReasonRate,
		Reply: spool.Reply{Text: e.why()},
	}
}

// quota counts the transactions of a server, or of a [[limit]], over all flushes in
// the spool's State. Nothing of it costs anything when no rate is set.
type quota struct {
	name   string // of the value in the State
	what   string // as it is told: "rate_per_day of server 1"
	budget budget
	block  int // reserved at once, to save updates of the state; 1 but for high rates
	state  spool.State
	now    func() time.Time

	turn chan struct{} // held by the one who reserves or waits for the minute

	mu             sync.Mutex
	held           int         // reserved and unused, all of the same moment
	at             time.Time   // that moment
	owed           []time.Time // reservations to be given back with the next update
	exhaustedUntil time.Time   // the long window's budget is
}

func newServerQuota(s Server, state spool.State, now func() time.Time) *quota {
	q := &quota{
		name: spool.RateName + s.Name, what: "rate_per_day of server " + s.Name,
		budget: budget{perMinute: s.RatePerMinute, perLong: s.RatePerDay, long: day, grace: graceTime},
		state:  state, now: now, turn: make(chan struct{}, 1),
	}
	q.setBlock()
	return q
}

// setBlock has more reserved at once the more there is to reserve, a tenth of a
// second's worth or so.
func (q *quota) setBlock() {
	q.block = 50
	if q.budget.perMinute > 0 {
		q.block = min(q.block, q.budget.perMinute/600)
	}
	if q.budget.perLong > 0 {
		q.block = min(q.block, q.budget.perLong/20_000)
	}
	q.block = max(q.block, 1)
}

func (q *quota) unlimited() bool {
	return q.state == nil || q.budget.perMinute <= 0 && q.budget.perLong <= 0
}

// take reserves one transaction, waiting for the minute's rate, and returns when
// that was. The error is *quotaExhausted when the long window's budget is used up, ctx's,
// or the state's.
func (q *quota) take(ctx context.Context) (time.Time, error) {
	if q.unlimited() {
		return time.Time{}, nil
	}
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	defer func() { <-q.turn }()
	for {
		if at, ok := q.fromHeld(); ok {
			return at, nil
		}
		wait, err := q.reserve(ctx, q.block)
		if err == nil {
			err = pause(ctx, wait)
		}
		if err != nil {
			return time.Time{}, err
		}
	}
}

// fromHeld uses a reservation made before, if there is a fresh one.
func (q *quota) fromHeld() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held > 0 && q.stale(q.at) {
		q.owe(q.at, q.held)
		q.held = 0
	}
	if q.held == 0 {
		return time.Time{}, false
	}
	q.held--
	return q.at, true
}

func (q *quota) stale(at time.Time) bool {
	age := q.now().Sub(at)
	return age < 0 || age > q.budget.grace
}

func (q *quota) owe(at time.Time, n int) {
	for range n {
		q.owed = append(q.owed, at)
	}
}

// renew is called right before a transaction: a reservation that has aged while a
// connection was waited for is exchanged for one of this moment. That needs no
// turn: there is always room for it, unless the limits were lowered meanwhile.
func (q *quota) renew(ctx context.Context, at time.Time) (time.Time, error) {
	if q.unlimited() || !q.stale(at) {
		return at, nil
	}
	now := q.now()
	granted, _, _, err := q.update(ctx, now, 1, []time.Time{at})
	if err != nil || granted > 0 {
		return now, err
	}
	return q.take(ctx)
}

// putBack returns a reservation that was not used.
func (q *quota) putBack(at time.Time) {
	if at.IsZero() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held > 0 && q.at.Equal(at) {
		q.held++
		return
	}
	q.owe(at, 1)
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close gives back what was reserved and not used.
func (q *quota) close(ctx context.Context) error {
	q.mu.Lock()
	q.owe(q.at, q.held)
	q.held = 0
	idle := len(q.owed) == 0
	q.mu.Unlock()
	if idle {
		return nil
	}
	_, err := q.reserve(context.WithoutCancel(ctx), 0)
	return err
}

// reserve asks the ledger for so many and gives back what is owed. It returns how
// long to wait for the minute's rate if there is nothing. One calls it at a time.
func (q *quota) reserve(ctx context.Context, want int) (wait time.Duration, err error) {
	q.mu.Lock()
	owed, until, now := q.owed, q.exhaustedUntil, q.now()
	q.owed = nil
	q.mu.Unlock()
	if now.Before(until) && len(owed) == 0 {
		return 0, &quotaExhausted{q.what, until}
	}
	granted, minute, long, err := q.update(ctx, now, want, owed)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.owed = append(q.owed, owed...)
		return 0, err
	}
	q.held, q.at, q.exhaustedUntil = granted, now, long
	switch {
	case !long.IsZero():
		return 0, &quotaExhausted{q.what, long}
	case !minute.IsZero():
		return minute.Sub(now), nil
	}
	return 0, nil
}

// update gives back and reserves in one change of the ledger.
func (q *quota) update(ctx context.Context, now time.Time, want int, owed []time.Time) (granted int, minute, long time.Time, err error) {
	err = spool.UpdateState(ctx, q.state, q.name, false, func(l *ledger) error {
		for _, at := range owed {
			l.giveBack(at)
		}
		granted, minute, long = l.reserve(now, want, q.budget)
		return nil
	})
	if err != nil {
		err = fmt.Errorf("counting %s: %w", q.what, err)
	}
	return granted, minute, long, err
}
