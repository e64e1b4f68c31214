package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/schedule"
)

// queue is what the commands on the queue work with.
type queue struct {
	store  spool.Store
	policy schedule.Policy
	site   bounce.Site
	log    *maillog.Log
	handIn flush.HandIn // nil: there is nothing to take over
}

// entries lists the messages that keep holds for, failed ones too, in no order.
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
	return found, ctx.Err()
}

// byNext orders entries as they go out: by the next send, then those held, then those
// failed, each oldest first. Ids sort by time.
func byNext(a, b spool.Entry) int {
	when := 0
	if a.State == spool.StateQueued && b.State == spool.StateQueued {
		when = a.Next.Compare(b.Next)
	}
	return cmp.Or(cmp.Compare(turn(a.State), turn(b.State)), when, cmp.Compare(a.ID, b.ID))
}

func turn(s spool.MessageState) int {
	switch s {
	case spool.StateHeld:
		return 1
	case spool.StateFailed:
		return 2
	}
	return 0
}

// ahead is how many records read reads at once: enough to keep all processors busy, few
// enough to be no burden on memory.
const ahead = 256

// looked is a record that was read, or why it could not be.
type looked struct {
	*spool.Record
	stored int64 // octets that the message takes in the spool, its record too
	err    error
}

// read hands the records of entries to visit in their order, each read once, many at a
// time. A message that left meanwhile is passed over; another error comes in its place.
func (q *queue) read(ctx context.Context, entries []spool.Entry, visit func(looked)) error {
	results := make([]looked, min(ahead, len(entries)))
	for some := range slices.Chunk(entries, ahead) {
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for i, e := range some {
			g.Go(func() error { results[i] = q.look(ctx, e); return ctx.Err() })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, found := range results[:len(some)] {
			if !errors.Is(found.err, spool.ErrGone) {
				visit(found)
			}
		}
	}
	return nil
}

// look reads a message's record and nothing of its body.
func (q *queue) look(ctx context.Context, e spool.Entry) looked {
	r, body, err := q.store.Peek(ctx, e)
	if err != nil {
		return looked{err: err}
	}
	return looked{r, body.Stored(), body.Close()}
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
		// All commands on messages ask this, also those that have no --all.
		return errors.New("which message? Give its id (notices list shows them); hold, release and retry take --all, too")
	}
	return nil
}

// action is one of hold, release, retry, remove: what it does to a claimed message,
// and which messages --all means. A refusal (errNothing) is said and is no failure.
type action struct {
	done string // "held": how -v says it
	all  func(spool.Entry) bool
	act  func(ctx context.Context, c spool.Claim) error
}

// errNothing: there is nothing to do, and why.
type errNothing struct{ why string }

func (e errNothing) Error() string { return e.why }

// tell says what became of one id. fatal: the spool itself is in trouble, and the
// rest would meet the same.
func (a *cli) tell(id string, err error) (code int, fatal bool) {
	switch {
	case err == nil:
		return app.ExitOK, false
	case errors.As(err, new(errNothing)):
		a.Say("%s", err)
		return app.ExitOK, false
	case errors.Is(err, spool.ErrGone):
		a.Say("%s: no such message; notices list shows those there are", id)
		return app.ExitUnknown, false
	case errors.Is(err, spool.ErrBusy):
		a.Say("%s is in flight: try again when its attempt is over", id)
		return app.ExitTryLater, false
	case errors.Is(err, spool.ErrUnusable):
		a.Say("%s: %s", id, err)
		return exitCode(err), false
	case errors.Is(err, spool.ErrDamaged):
		a.Say("%s: %s", id, err)
		return app.ExitUnknown, false
	}
	return exitCode(err), true
}

// nothing makes a refusal.
func nothing(id spool.ID, format string, args ...any) error {
	return errNothing{fmt.Sprintf("%s "+format, append([]any{id}, args...)...)}
}
