package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/maillog"
	"notices/spool/schedule"
)

// queue is what the commands on the queue work with.
type queue struct {
	store  spool.Store
	policy schedule.Policy
	site   bounce.Site
	log    *maillog.Log
}

// entries lists the messages that keep holds for, failed ones too, oldest first:
// ids sort by time.
func (q *queue) entries(ctx context.Context, keep func(spool.Entry) bool) ([]spool.Entry, error) {
	var found []spool.Entry
	collect := func(e spool.Entry) bool {
		if keep(e) {
			found = append(found, e)
		}
		return ctx.Err() == nil
	}
	if err := q.store.Scan(ctx, collect); err != nil {
		return nil, err
	}
	if err := q.store.ScanFailed(ctx, collect); err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b spool.Entry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return found, ctx.Err()
}

// look reads a message's record and nothing of its body.
func (q *queue) look(ctx context.Context, e spool.Entry) (*spool.Record, error) {
	r, body, err := q.store.Look(ctx, e)
	if err != nil {
		return nil, err
	}
	return r, body.Close()
}

// tries bounds how often a message is looked up anew because it was renamed between
// the listing and the claim.
const tries = 5

// find looks a message up by what a person typed.
func (q *queue) find(ctx context.Context, id string) (spool.Entry, error) {
	if !spool.ID(id).Valid() {
		return spool.Entry{}, spool.ErrGone
	}
	return q.store.Find(ctx, spool.ID(id))
}

// claim takes a message. Where the listing knew it is tried first, for to find one
// costs another listing.
func (q *queue) claim(ctx context.Context, t target) (spool.Claim, error) {
	for range tries {
		if !t.listed {
			var err error
			if t.entry, err = q.find(ctx, t.id); err != nil {
				return nil, err
			}
		}
		c, err := q.store.Claim(ctx, t.entry)
		if !errors.Is(err, spool.ErrGone) {
			return c, err
		}
		t.listed = false
	}
	return nil, spool.ErrBusy
}

// target is one message that a command is for.
type target struct {
	id     string // as it was typed
	entry  spool.Entry
	listed bool // entry is known
}

// few ids are looked up one by one, more by one listing of all.
const few = 3

// targets lists what a selection means.
func (q *queue) targets(ctx context.Context, s selection, all func(spool.Entry) bool) ([]target, error) {
	var list []target
	if s.All {
		entries, err := q.entries(ctx, all)
		for _, e := range entries {
			list = append(list, target{string(e.ID), e, true})
		}
		return list, err
	}
	known := map[string]spool.Entry{}
	if len(s.IDs) > few {
		entries, err := q.entries(ctx, func(spool.Entry) bool { return true })
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			known[string(e.ID)] = e
		}
	}
	for _, id := range s.IDs {
		e, listed := known[id]
		list = append(list, target{id, e, listed})
	}
	return list, nil
}

// selection is which messages a command is for.
type selection struct {
	All bool
	IDs []string
}

func (s selection) check() error {
	switch {
	case s.All && len(s.IDs) > 0:
		return errors.New("--all and ids exclude each other")
	case !s.All && len(s.IDs) == 0:
		return errors.New("which message? Give its id (notices list shows them), or --all")
	}
	return nil
}

// deed is one of hold, release, retry, remove: what it does to a claimed message,
// and which messages --all means. A refusal (errNothing) is said and is no failure.
type deed struct {
	done string // "held": how -v says it
	all  func(spool.Entry) bool
	act  func(ctx context.Context, c spool.Claim) error
}

// errNothing: there is nothing to do, and why.
type errNothing struct{ why string }

func (e errNothing) Error() string { return e.why }

// each does a deed to every message that is meant. One that is unknown or in
// flight is told of, and the others are still served. The exit code is 66 when one
// was unknown, else 75 when one was in flight.
func (a *app) each(ctx context.Context, q *queue, s selection, d deed) error {
	targets, err := q.targets(ctx, s, d.all)
	if err != nil {
		return err
	}
	done, code := 0, exitOK
	for _, t := range targets {
		err := a.one(ctx, q, t, d)
		if s.All && errors.Is(err, spool.ErrGone) {
			continue // it left meanwhile
		}
		switch worse, fatal := a.tell(t.id, err); {
		case fatal:
			return err
		case worse == exitOK && !errors.As(err, new(errNothing)):
			done++
		case code != exitUnknown && worse != exitOK:
			code = worse
		}
	}
	if err := q.store.Sync(ctx); err != nil {
		return err
	}
	if s.All && (a.verbose || width(a.stderr) > 0) {
		a.say("%s %s", count(done, "message"), d.done)
	}
	if code != exitOK {
		return &failure{code: code}
	}
	return nil
}

// one does the deed to one message.
func (a *app) one(ctx context.Context, q *queue, t target, d deed) error {
	c, err := q.claim(ctx, t)
	if err != nil {
		return err
	}
	err = d.act(ctx, c)
	if e := c.Release(); err == nil {
		err = e
	}
	if err == nil && a.verbose {
		a.say("%s %s", t.id, d.done)
	}
	return err
}

// tell says what became of one id. fatal: the spool itself is in trouble, and the
// rest would meet the same.
func (a *app) tell(id string, err error) (code int, fatal bool) {
	switch {
	case err == nil:
		return exitOK, false
	case errors.As(err, new(errNothing)):
		a.say("%s", err)
		return exitOK, false
	case errors.Is(err, spool.ErrGone):
		a.say("%s: no such message; notices list shows those there are", id)
		return exitUnknown, false
	case errors.Is(err, spool.ErrBusy):
		a.say("%s is in flight: try again when its attempt is over", id)
		return exitTryLater, false
	case errors.Is(err, spool.ErrDamaged):
		a.say("%s: %s", id, err)
		return exitUnknown, false
	}
	return exitCode(err), true
}

// nothing makes a refusal.
func nothing(id spool.ID, format string, args ...any) error {
	return errNothing{fmt.Sprintf("%s "+format, append([]any{id}, args...)...)}
}
