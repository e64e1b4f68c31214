// Package rate counts the transactions of all flushes that share a spool, and holds them to what the
// site allows: rate_per_minute and rate_per_day of a server, and [[limit]] of recipients' domains.
// The counts are values in the spool's State (ledger.go). A Quota reserves a transaction before it
// happens and gives back what was not used.
package rate

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

// Exhausted is the error that the budget of a day, or of a [[limit]], is used up.
type Exhausted struct {
	What  string // "rate_per_day of server 1"
	Until time.Time
}

func (e *Exhausted) Error() string {
	return fmt.Sprintf("%s is used up until %s", e.What, e.Until.UTC().Format(time.RFC3339))
}

// Outcome is the outcome of a recipient that is put off. It does not name the time, so that all that
// wait for the same limit have the same text.
func (e *Exhausted) Outcome() spool.Outcome {
	return spool.Outcome{
		Class: spool.Deferred, Scope: spool.RecipientScope, Reason: spool.ReasonRate,
		Reply: spool.Reply{Text: e.What + " is used up"},
	}
}

// Quota counts the transactions of a server, or of a [[limit]], over all flushes in
// the spool's State. It costs nothing when no rate is set.
type Quota struct {
	name   string // of the value in the State
	what   string // as a person is told: "rate_per_day of server 1"
	budget budget
	block  int // reserved at once, to save updates of the state; 1 unless the rates are high
	state  spool.State
	now    func() time.Time

	turn chan struct{} // full while one caller reserves or waits for the minute

	mu             sync.Mutex
	held           int         // reserved and unused, all of the same moment
	at             time.Time   // that moment
	owed           []time.Time // reservations to be given back with the next update
	exhaustedUntil time.Time   // the long window's budget is
	minuteUntil    time.Time   // the minute's is; only TryTake sets and reads it
}

// newQuota makes a quota. The more there is to reserve, the more is reserved at once: what the rates
// allow in so many tenths of a second, or so.
func newQuota(name, what string, b budget, tenths int, state spool.State, now func() time.Time) *Quota {
	block := 50
	if b.perMinute > 0 {
		block = min(block, tenths*b.perMinute/600)
	}
	if b.perLong > 0 {
		block = min(block, tenths*b.perLong/20_000)
	}
	return &Quota{name: name, what: what, budget: b, block: max(block, 1), state: state, now: now, turn: make(chan struct{}, 1)}
}

// Server is the rates of a server.
type Server struct {
	Name      string
	PerMinute int // transactions in any 60 seconds; 0: no limit
	PerDay    int // in any 24 hours; 0: no limit
}

// NewQuota makes the quota of a server.
func NewQuota(s Server, state spool.State, now func() time.Time) *Quota {
	b := budget{perMinute: s.PerMinute, perLong: s.PerDay, long: day, grace: graceTime}
	return newQuota(spool.RateName+s.Name, "rate_per_day of server "+s.Name, b, 1, state, now)
}

// newSiteQuota makes the quota of a site of a hosted service, for TryTake. A message is counted when
// it comes, and no server counts it later, so the grace is short. For the same reason a second's
// worth may be reserved at once: Close returns what was not used.
func newSiteQuota(name string, perMinute, perDay int, state spool.State, now func() time.Time) *Quota {
	b := budget{perMinute: perMinute, perLong: perDay, long: day, grace: 100 * time.Millisecond}
	return newQuota(spool.RateName+name, "messages_per_day", b, 10, state, now)
}

func (q *Quota) unlimited() bool {
	return q.state == nil || q.budget.perMinute <= 0 && q.budget.perLong <= 0
}

// takeTurn waits until no other caller reserves. endTurn must follow it, unless it fails.
func (q *Quota) takeTurn(ctx context.Context) error {
	select {
	case q.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *Quota) endTurn() { <-q.turn }

// Take reserves one transaction, waiting for the minute's rate, and returns when
// that was. The error is *Exhausted when the long window's budget is used up, ctx's,
// or the state's.
func (q *Quota) Take(ctx context.Context) (time.Time, error) {
	if q.unlimited() {
		return time.Time{}, nil
	}
	if err := q.takeTurn(ctx); err != nil {
		return time.Time{}, err
	}
	defer q.endTurn()
	for {
		if at, ok := q.fromHeld(); ok {
			return at, nil
		}
		wait, err := q.reserve(ctx, q.block)
		if err != nil {
			return time.Time{}, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// TryTake is Take without waiting: what a minute's rate forbids is *Exhausted, too.
func (q *Quota) TryTake(ctx context.Context) (time.Time, error) {
	if q.unlimited() {
		return time.Time{}, nil
	}
	if err := q.takeTurn(ctx); err != nil {
		return time.Time{}, err
	}
	defer q.endTurn()
	if at, ok := q.fromHeld(); ok {
		return at, nil
	}
	if now := q.now(); now.Before(q.minuteUntil) {
		return time.Time{}, &Exhausted{"messages_per_minute", q.minuteUntil}
	}
	wait, err := q.reserve(ctx, q.block)
	if err != nil {
		return time.Time{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if wait > 0 {
		q.minuteUntil = q.at.Add(wait)
		return time.Time{}, &Exhausted{"messages_per_minute", q.minuteUntil}
	}
	q.held-- // of those reserved just now, however long that took
	return q.at, nil
}

// fromHeld uses a reservation made before, if there is a fresh one.
func (q *Quota) fromHeld() (time.Time, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stale(q.at) {
		q.oweHeld()
	}
	if q.held == 0 {
		return time.Time{}, false
	}
	q.held--
	return q.at, true
}

func (q *Quota) stale(at time.Time) bool {
	age := q.now().Sub(at)
	return age < 0 || age > q.budget.grace
}

func (q *Quota) oweHeld() {
	for ; q.held > 0; q.held-- {
		q.owed = append(q.owed, q.at)
	}
}

// Renew is called right before a transaction: a reservation that has aged while the message waited
// for a connection is exchanged for one of this moment. That needs no turn: there is always room for
// it, unless the limits were lowered in the meantime.
func (q *Quota) Renew(ctx context.Context, at time.Time) (time.Time, error) {
	if q.unlimited() || !q.stale(at) {
		return at, nil
	}
	now := q.now()
	granted, _, _, err := q.update(ctx, now, 1, []time.Time{at})
	if err != nil || granted > 0 {
		return now, err
	}
	return q.Take(ctx)
}

// PutBack returns a reservation that was not used.
func (q *Quota) PutBack(at time.Time) {
	if at.IsZero() {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held > 0 && q.at.Equal(at) {
		q.held++
	} else {
		q.owed = append(q.owed, at)
	}
}

// Close gives back what was reserved and not used. The quota can be used on.
func (q *Quota) Close(ctx context.Context) error {
	q.turn <- struct{}{}
	defer q.endTurn()
	q.mu.Lock()
	q.oweHeld()
	idle := len(q.owed) == 0
	q.mu.Unlock()
	if idle {
		return nil
	}
	_, err := q.reserve(context.WithoutCancel(ctx), 0)
	return err
}

// reserve asks the ledger for want transactions and gives back what is owed. If it gets none, wait is
// how long the minute's rate has to be waited for. Call it between takeTurn and endTurn.
func (q *Quota) reserve(ctx context.Context, want int) (wait time.Duration, err error) {
	q.mu.Lock()
	owed, exhausted, now := q.owed, q.exhaustedUntil, q.now()
	q.owed = nil
	q.mu.Unlock()
	if now.Before(exhausted) && len(owed) == 0 {
		return 0, &Exhausted{q.what, exhausted}
	}
	granted, until, long, err := q.update(ctx, now, want, owed)
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil {
		q.owed = append(q.owed, owed...)
		return 0, err
	}
	q.held, q.at, q.exhaustedUntil = granted, now, time.Time{}
	switch {
	case long:
		q.exhaustedUntil = until
		return 0, &Exhausted{q.what, until}
	case !until.IsZero():
		return until.Sub(now), nil
	}
	return 0, nil
}

// update gives back and reserves in one change of the ledger.
func (q *Quota) update(ctx context.Context, now time.Time, want int, owed []time.Time) (granted int, until time.Time, long bool, err error) {
	err = spool.UpdateState(ctx, q.state, q.name, false, func(l *ledger) error {
		for _, at := range owed {
			l.giveBack(at)
		}
		granted, until, long = l.reserve(now, want, q.budget)
		return nil
	})
	if err != nil {
		err = fmt.Errorf("counting %s: %w", q.what, err)
	}
	return granted, until, long, err
}
