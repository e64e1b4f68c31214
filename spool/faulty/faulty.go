// Package faulty wraps a spool.Store so that it goes wrong as a test planned: a call
// fails, or the process is dead from there on.
package faulty

import (
	"errors"
	"slices"
	"sync"

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
	spool.Store
	*process
}

// New wraps a store. To see what a dead process left behind, look at the spool
// through another handle: what the wrapped one has claimed is still claimed until
// it is killed, too (maildirtest.Spool.Crash).
func New(s spool.Store, plan Plan) *Store {
	p := &process{plan: plan}
	return &Store{store{p, s}, p}
}

// process is what all calls through one Store have in common.
type process struct {
	plan Plan

	mu    sync.Mutex
	seen  int
	dead  bool
	calls []Call
}

// Calls returns the calls so far, those that Match, in order; the one that was
// hit is the last that a dead process made.
func (p *process) Calls() []Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Hit reports whether the plan's call was made.
func (p *process) Hit() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan.At > 0 && p.seen >= p.plan.At
}

// Kill ends the process now.
func (p *process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// count returns the error that the plan has for one call; nil: it goes through. Of a
// call that is late only the result is replaced by the error.
func (p *process) count(c Call) (late bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false, ErrDead
	}
	if p.plan.Match != nil && !p.plan.Match(c) {
		return false, nil
	}
	p.seen++
	p.calls = append(p.calls, c)
	switch hit := p.seen == p.plan.At || p.plan.Always && p.plan.At > 0 && p.seen > p.plan.At; {
	case !hit:
		return false, nil
	case p.plan.Die:
		p.dead = true
		return p.plan.Late, ErrDead
	case p.plan.Err != nil:
		return p.plan.Late, p.plan.Err
	}
	return p.plan.Late, ErrInjected
}

// get makes one call, or what the plan makes of it.
func get[T any](p *process, c Call, call func() (T, error)) (got T, err error) {
	late, err := p.count(c)
	if err == nil {
		return call()
	}
	if late {
		_, _ = call() // it failed for the caller in any case
	}
	return got, err
}

// do is get for a call that returns nothing but an error.
func (p *process) do(c Call, call func() error) error {
	_, err := get(p, c, func() (struct{}, error) { return struct{}{}, call() })
	return err
}
