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

// limited: the budget of a day, or of a [[limit]], is used up.
type limited struct {
	what  string // rate.what
	until time.Time
}

func (l *limited) Error() string {
	return fmt.Sprintf("%s is used up until %s", l.what, l.until.UTC().Format(time.RFC3339))
}

// why is the error without the time, so that all who wait for the same limit say
// the same.
func (l *limited) why() string { return l.what + " is used up" }

// outcome is that of a recipient who is put off.
func (l *limited) outcome() spool.Outcome {
	return spool.Outcome{
		Class: spool.Deferred, Scope: spool.RecipientScope, Reason: spool.ReasonRate,
		Reply: spool.Reply{Text: l.why()},
	}
}

// rate counts the transactions of a server, or of a [[limit]], over all flushes in
// the spool's State. Nothing of it costs anything when no rate is set.
type rate struct {
	name string // of the value in the State
	what string // as it is told: "rate_per_day of server 1"
	budget
	block int // reserved at once, to save updates of the state; 1 but for high rates
	state spool.State
	now   func() time.Time

	turn chan struct{} // held by the one who reserves or waits for the minute

	mu    sync.Mutex
	held  int         // reserved and unused, all of the same moment
	at    time.Time   // that moment
	owed  []time.Time // reservations to be given back with the next update
	spent time.Time   // the long window's budget is used up until then
}

func newRate(s Server, state spool.State, now func() time.Time) *rate {
	r := &rate{
		name: spool.RateName + s.Name, what: "rate_per_day of server " + s.Name,
		budget: budget{perMinute: s.RatePerMinute, perLong: s.RatePerDay, long: day, grace: graceTime},
		state:  state, now: now, turn: make(chan struct{}, 1),
	}
	r.setBlock()
	return r
}

// setBlock has more reserved at once the more there is to reserve, a tenth of a
// second's worth or so.
func (r *rate) setBlock() {
	r.block = 50
	if r.perMinute > 0 {
		r.block = min(r.block, r.perMinute/600)
	}
	if r.perLong > 0 {
		r.block = min(r.block, r.perLong/20_000)
	}
	r.block = max(r.block, 1)
}

func (r *rate) unlimited() bool { return r.state == nil || r.perMinute <= 0 && r.perLong <= 0 }

// take reserves one transaction, waiting for the minute's rate, and returns when
// that was. The error is *limited when the long window's budget is used up, ctx's,
// or the state's.
func (r *rate) take(ctx context.Context) (time.Time, error) {
	if r.unlimited() {
		return time.Time{}, nil
	}
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	defer func() { <-r.turn }()
	for {
		if at, ok := r.fromHeld(); ok {
			return at, nil
		}
		wait, err := r.reserve(ctx, r.block)
		if err == nil {
			err = pause(ctx, wait)
		}
		if err != nil {
			return time.Time{}, err
		}
	}
}

// fromHeld uses a reservation made before, if there is a fresh one.
func (r *rate) fromHeld() (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held > 0 && r.stale(r.at) {
		r.owe(r.at, r.held)
		r.held = 0
	}
	if r.held == 0 {
		return time.Time{}, false
	}
	r.held--
	return r.at, true
}

func (r *rate) stale(at time.Time) bool {
	age := r.now().Sub(at)
	return age < 0 || age > r.grace
}

func (r *rate) owe(at time.Time, n int) {
	for range n {
		r.owed = append(r.owed, at)
	}
}

// renew is called right before a transaction: a reservation that has aged while a
// connection was waited for is exchanged for one of this moment. That needs no
// turn: there is always room for it, unless the limits were lowered meanwhile.
func (r *rate) renew(ctx context.Context, at time.Time) (time.Time, error) {
	if r.unlimited() || !r.stale(at) {
		return at, nil
	}
	now := r.now()
	granted, _, _, err := r.update(ctx, now, 1, []time.Time{at})
	if err != nil || granted > 0 {
		return now, err
	}
	return r.take(ctx)
}

// putBack returns a reservation that was not used.
func (r *rate) putBack(at time.Time) {
	if at.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held > 0 && r.at.Equal(at) {
		r.held++
		return
	}
	r.owe(at, 1)
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
func (r *rate) close(ctx context.Context) error {
	r.mu.Lock()
	r.owe(r.at, r.held)
	r.held = 0
	idle := len(r.owed) == 0
	r.mu.Unlock()
	if idle {
		return nil
	}
	_, err := r.reserve(context.WithoutCancel(ctx), 0)
	return err
}

// reserve asks the ledger for so many and gives back what is owed. It returns how
// long to wait for the minute's rate if there is nothing. One calls it at a time.
func (r *rate) reserve(ctx context.Context, want int) (wait time.Duration, err error) {
	r.mu.Lock()
	owed, spent, now := r.owed, r.spent, r.now()
	r.owed = nil
	r.mu.Unlock()
	if now.Before(spent) && len(owed) == 0 {
		return 0, &limited{r.what, spent}
	}
	granted, minute, long, err := r.update(ctx, now, want, owed)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.owed = append(r.owed, owed...)
		return 0, err
	}
	r.held, r.at, r.spent = granted, now, long
	switch {
	case !long.IsZero():
		return 0, &limited{r.what, long}
	case !minute.IsZero():
		return minute.Sub(now), nil
	}
	return 0, nil
}

// update gives back and reserves in one change of the ledger.
func (r *rate) update(ctx context.Context, now time.Time, want int, owed []time.Time) (granted int, minute, long time.Time, err error) {
	err = spool.UpdateState(ctx, r.state, r.name, false, func(l *ledger) error {
		for _, at := range owed {
			l.giveBack(at)
		}
		granted, minute, long = l.reserve(now, want, r.budget)
		return nil
	})
	if err != nil {
		err = fmt.Errorf("counting %s: %w", r.what, err)
	}
	return granted, minute, long, err
}
