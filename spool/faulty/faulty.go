// Package faulty wraps a spool.Store so that it goes wrong as a test planned: a call
// fails, or the process is dead from there on.
package faulty

import (
	"context"
	"errors"
	"sync"
	"time"

	"notices/spool"
)

// Errors of a Store.
var (
	// ErrInjected is the default error of the call that a Plan fails.
	ErrInjected = errors.New("faulty: injected fault")
	// ErrDead: the process died earlier; nothing that it calls happens any more.
	ErrDead = errors.New("faulty: the process is dead")
)

// Call is one call on a Store or on what it handed out.
type Call struct {
	// Method is "Scan", "Commit", "Claim.Append", "Draft.Write", "Body.ReadAt",
	// "State.Update" and so on: the interface, unless it is Store, and the method.
	Method string
	ID     spool.ID   // of the message, if the call is about one; of a State, the name
	Kind   spool.Kind // of the event, if the call brings one
}

func (c Call) String() string {
	s := c.Method
	if c.Kind != "" {
		s += " " + string(c.Kind)
	}
	if c.ID != "" {
		s += " " + string(c.ID)
	}
	return s
}

// Plan says which call goes wrong, and how. The zero Plan only counts.
type Plan struct {
	// At is the number, from 1, of the call to hit among those that Match; 0: none.
	At int
	// Match picks the calls that count; nil: all.
	Match func(Call) bool
	// Die ends the process there: this call and all later ones fail with ErrDead
	// and do nothing, Release too. Otherwise only this one fails, with Err.
	Die bool
	// Late carries the call out first: it happened, and the caller does not learn it.
	Late bool
	// Err is what the call fails with; nil: ErrInjected. With Die it is ErrDead.
	Err error
	// Always fails every matching call from At on.
	Always bool
}

// Store is a spool.Store that goes wrong as planned. Commit of several
// drafts counts as so many calls, so that it can break off in the middle.
type Store struct {
	inner spool.Store
	plan  Plan

	mu    sync.Mutex
	seen  int
	dead  bool
	calls []Call
}

// New wraps a store. To see what a dead process left behind, look at the spool
// through another handle: what the wrapped one has claimed is still claimed until
// it is killed, too (maildirtest.Spool.Crash).
func New(s spool.Store, plan Plan) *Store {
	return &Store{inner: s, plan: plan}
}

// Calls returns the calls so far, those that Match, in order; the one that was
// hit is the last that a dead process made.
func (f *Store) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Call(nil), f.calls...)
}

// Hit reports whether the plan's call was made.
func (f *Store) Hit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.plan.At > 0 && f.seen >= f.plan.At
}

// Kill ends the process now.
func (f *Store) Kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = true
}

// verdict is what becomes of one call.
type verdict struct {
	err  error // nil: it goes through
	late bool  // and only its result is replaced by err
}

func (f *Store) count(c Call) verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return verdict{err: ErrDead}
	}
	if f.plan.Match != nil && !f.plan.Match(c) {
		return verdict{}
	}
	f.seen++
	f.calls = append(f.calls, c)
	hit := f.seen == f.plan.At || f.plan.Always && f.plan.At > 0 && f.seen > f.plan.At
	switch {
	case !hit:
		return verdict{}
	case f.plan.Die:
		f.dead = true
		return verdict{err: ErrDead, late: f.plan.Late}
	case f.plan.Err != nil:
		return verdict{err: f.plan.Err, late: f.plan.Late}
	}
	return verdict{err: ErrInjected, late: f.plan.Late}
}

// do makes one call, or what the plan makes of it.
func (f *Store) do(c Call, call func() error) error {
	v := f.count(c)
	if v.err == nil {
		return call()
	}
	if v.late {
		_ = call() // it failed for the caller in any case
	}
	return v.err
}

// get is do for a call that has a result; on an error of the plan it is the zero value.
func get[T any](f *Store, c Call, call func() (T, error)) (T, error) {
	var got T
	err := f.do(c, func() (err error) {
		got, err = call()
		return err
	})
	if err != nil {
		got = *new(T)
	}
	return got, err
}

// New implements spool.Store.
func (f *Store) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	return get(f, Call{Method: "New", ID: id}, func() (spool.Draft, error) {
		inner, err := f.inner.New(ctx, id)
		return &draft{f, inner}, err
	})
}

// Commit implements spool.Store.
func (f *Store) Commit(ctx context.Context, drafts ...spool.Draft) (int, error) {
	for n, d := range drafts {
		err := f.do(Call{Method: "Commit", ID: d.ID()}, func() error {
			if own, ok := d.(*draft); ok {
				d = own.inner
			}
			_, err := f.inner.Commit(ctx, d)
			return err
		})
		if err != nil {
			return n, err
		}
	}
	return len(drafts), nil
}

// Scan implements spool.Store.
func (f *Store) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	return f.do(Call{Method: "Scan"}, func() error { return f.inner.Scan(ctx, yield) })
}

// ScanFailed implements spool.Store.
func (f *Store) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	return f.do(Call{Method: "ScanFailed"}, func() error { return f.inner.ScanFailed(ctx, yield) })
}

// Find implements spool.Store. Its call is about the first of several messages.
func (f *Store) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	call := Call{Method: "Find"}
	if len(ids) > 0 {
		call.ID = ids[0]
	}
	return get(f, call, func() (map[spool.ID]spool.Entry, error) { return f.inner.Find(ctx, ids...) })
}

// Imported implements spool.Store.
func (f *Store) Imported(ctx context.Context, since time.Time) (keys map[spool.ImportKey]struct{}, release func() error, err error) {
	err = f.do(Call{Method: "Imported"}, func() error {
		keys, release, err = f.inner.Imported(ctx, since)
		return err
	})
	return keys, release, err
}

// Claim implements spool.Store. A Late failure leaves the message claimed.
func (f *Store) Claim(ctx context.Context, e spool.Entry) (spool.Claim, error) {
	return get(f, Call{Method: "Claim", ID: e.ID}, func() (spool.Claim, error) {
		inner, err := f.inner.Claim(ctx, e)
		return &claim{f, inner}, err
	})
}

// Peek implements spool.Store.
func (f *Store) Peek(ctx context.Context, e spool.Entry) (r *spool.Record, b spool.PeekedBody, err error) {
	b, err = get(f, Call{Method: "Peek", ID: e.ID}, func() (spool.PeekedBody, error) {
		record, found, err := f.inner.Peek(ctx, e)
		r = record
		return &peekedBody{body{f, found, e.ID}, found}, err
	})
	return r, b, err
}

// Writable implements spool.Store.
func (f *Store) Writable(ctx context.Context) error {
	return f.do(Call{Method: "Writable"}, func() error { return f.inner.Writable(ctx) })
}

// Sync implements spool.Store.
func (f *Store) Sync(ctx context.Context) error {
	return f.do(Call{Method: "Sync"}, func() error { return f.inner.Sync(ctx) })
}

// Repair implements spool.Store.
func (f *Store) Repair(ctx context.Context) ([]spool.Anomaly, error) {
	return get(f, Call{Method: "Repair"}, func() ([]spool.Anomaly, error) { return f.inner.Repair(ctx) })
}

// Usage implements spool.Store.
func (f *Store) Usage(ctx context.Context) (int64, error) {
	return get(f, Call{Method: "Usage"}, func() (int64, error) { return f.inner.Usage(ctx) })
}

// UsageFailed implements spool.Store.
func (f *Store) UsageFailed(ctx context.Context) (int64, error) {
	return get(f, Call{Method: "UsageFailed"}, func() (int64, error) { return f.inner.UsageFailed(ctx) })
}

// State implements spool.Store.
func (f *Store) State() spool.State { return state{f} }

// Close implements spool.Store.
func (f *Store) Close() error {
	return f.do(Call{Method: "Close"}, f.inner.Close)
}
