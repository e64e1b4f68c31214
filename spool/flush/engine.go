// Package flush is the engine: it takes what is due, has it delivered, and records what
// became of it.
//
// An attempt claims the message, finishes what a killed run left undone, records the attempt
// (Begin, when the route is about to dial), delivers, merges the outcomes into one Result,
// sends a return to the sender for what failed, and then removes, postpones or holds the
// message. What is recorded when, and how durably, decides what a crash costs:
//
//	Try        before a server hears of it   not synced: it is for a killed process
//	Result     nothing is final in it        not synced: costs an early try
//	Result     somebody got it, or perhaps   synced with others: costs a duplicate
//	Result     perhaps, for the third time   synced; then the message is held
//	           in a row
//	Result     somebody failed               synced; then the return is stored durably,
//	Returned   the return is stored          synced; only now may the message go
//	Result     somebody got it, and success  synced; then a report on that is stored
//	           is ours to report             durably,
//	Relayed    that report is stored         synced; only now may the message go
//
// Reports are messages about a message: returns, warnings, and what -N success asked for.
// Their ids are derived from the id of their message (reportid.go), so that a report that is
// stored again after a crash is stored once. No report is sent while its message is still
// there and does not say that the report was stored.
//
// A run counts each message that it found once. A report that the run itself made belongs to
// the count of its message. It is counted for itself only if it goes to failed/, where a
// person has to look. A report that an earlier run left is a message like any other.
package flush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/feed"
	"notices/spool/maillog"
	"notices/spool/schedule"
)

// ErrSpool says that nothing (more) was sent, because nothing could be recorded. Exit 75, or 78
// with spool.ErrMisconfigured.
var ErrSpool = errors.New("the spool cannot be written")

// spoolError wraps an error of recording, without which a run cannot go on. If a claim was lost,
// the message is another host's now, and others can be recorded.
func spoolError(err error) error {
	if err != nil && !errors.Is(err, spool.ErrClaimLost) {
		err = fmt.Errorf("%w: %w", ErrSpool, err)
	}
	return err
}

// UnknownError names the ids that were asked for and do not exist. It wraps spool.ErrGone.
// The other messages were served.
type UnknownError struct{ IDs []spool.ID }

func (e *UnknownError) Error() string { return fmt.Sprintf("no such message: %v", e.IDs) }

func (e *UnknownError) Unwrap() error { return spool.ErrGone }

// Deliverer sends messages. Package route's Route is one.
type Deliverer interface {
	// Deliver attempts one message. It calls m.Begin once before the first server hears of
	// the message. With an error the outcome is not known, and the Delivery is empty: Begin
	// failed, the rates could not be counted, or ctx ended before a server was asked. It ends
	// the run, unless the claim was lost.
	Deliver(ctx context.Context, m *spool.Message) (spool.Delivery, error)
	// Workers is how many messages it takes at once.
	Workers() int
	// Group names the servers that accept mail of an envelope sender. If one message of a
	// group finds no server, no other message of the group is tried in this run.
	Group(sender string, recipients []string) string
}

// Options are what a run needs.
type Options struct {
	Store     spool.Store
	Deliverer Deliverer
	Policy    schedule.Policy
	Site      bounce.Site           // the sender of reports
	Log       *maillog.Log          // nil: no log
	Now       func() time.Time      // nil: time.Now; its location is that of the times in reports
	Random    func(n int64) int64   // uniform in [0, n), called by many goroutines; nil: math/rand/v2
	Progress  func(done, total int) // called after each message, never concurrently; may be nil
	HandIn    HandIn                // nil: nothing was handed in

	All bool       // everything that is not held, not only what is due
	IDs []spool.ID // these, due or not
	Max int        // at most so many; 0: all
	// Only narrows down what All or the schedule chose; nil: it does not. It opens each message.
	Only func(*spool.Record) bool

	WarnAfter   time.Duration // [retry] warn_after; 0: never
	KeepFailed  time.Duration // [spool] keep_failed; 0: for ever
	KeepHistory time.Duration // [spool] keep_history; 0: not at all
}

// engine is one run.
type engine struct {
	Options
	work context.Context // for what must be recorded even if the run is cut short

	exhausted atomic.Pointer[exhausted] // set: the rest waits for the quota
	cut       atomic.Bool               // the run ended before its work did
	feed      *feed.Feed                // of a run that takes in more while it lasts; else nil
	stuck     stuck
	results   results
}

func newEngine(ctx context.Context, o Options) *engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Int64N
	}
	work := context.WithoutCancel(ctx)
	e := &engine{
		Options: o, work: work, stuck: stuck{work: work, store: o.Store, log: o.Log},
		results: results{outages: map[string]*outage{}, limited: map[string]int{}},
	}
	e.stuck.ready = sync.OnceValue(e.stuck.prepare)
	return e
}

// now is the time as records keep it.
func (e *engine) now() time.Time { return e.Now().UTC().Truncate(time.Second) }

// Run makes one flush. An error says that the run itself did not work, or not to its end:
// ErrSpool, ctx's error if work was left, *UnknownError, or the first error of a single
// message. What servers reply is not an error.
func Run(ctx context.Context, o Options) (spool.Tally, error) {
	e := newEngine(ctx, o)
	found, err := e.takeAndFind(ctx)
	if err == nil && found.any() { // an idle run writes no trial file
		err = e.stuck.ready()
	}
	if err != nil {
		return spool.Tally{}, err
	}
	e.repair(ctx)
	serve := func(ctx context.Context, entry spool.Entry) { e.serve(ctx, entry, false) }
	e.round(ctx, &found.messages, serve)
	e.round(ctx, &found.held, e.serveHeld)
	e.sendReports(ctx, &found.reports)
	e.resolveRefusals(ctx)
	for made := e.results.takeReports(); made.n > 0 && !e.stopped(ctx); made = e.results.takeReports() {
		e.round(ctx, &made, func(ctx context.Context, entry spool.Entry) { e.serve(ctx, entry, true) })
	}
	return e.end(ctx, found)
}

// explain says what to do if the spool cannot be listed.
func explain(ctx context.Context, s spool.Store, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if w := s.Writable(ctx); w != nil {
		err = w // it says what to do
	}
	return fmt.Errorf("%w, nothing was sent: %w", ErrSpool, err)
}

// repair sets aside what is not understood. If it fails, mail is sent all the same.
func (e *engine) repair(ctx context.Context) {
	found, err := e.Store.Repair(ctx)
	for _, a := range found {
		e.Log.Aside(a)
	}
	if err != nil && ctx.Err() == nil {
		e.stuck.mark("repair of the spool", err)
	}
}

// round calls visit for each entry, in as many goroutines as the route has workers.
func (e *engine) round(ctx context.Context, entries *entryList, visit func(context.Context, spool.Entry)) {
	e.results.change(func(r *results) { r.total += entries.n })
	next := inOrder(e, entries)
	var wg sync.WaitGroup
	for range min(max(e.Deliverer.Workers(), 1), entries.n) {
		wg.Go(func() {
			for i := next(); i < entries.n; i = next() {
				if e.stopped(ctx) {
					e.cut.Store(true)
					return
				}
				visit(ctx, *entries.at(i))
				if e.Progress != nil {
					e.results.change(func(r *results) { r.done++; e.Progress(r.done, r.total) })
				}
			}
		})
	}
	wg.Wait()
	if s, ok := e.Store.(spool.AheadClaimer); ok {
		s.ClaimAhead(e.work)
	}
}

// mostAnnounced is how many entries at most a store is told of at a time.
const mostAnnounced = 16

// inOrder returns a function that counts entries. A store that can claim many messages at once is told of
// entries before they are counted: of as many as there are workers, and at most of twice as many. More would
// wait longer than they need if this host is slow and another one is not.
func inOrder(e *engine, entries *entryList) (next func() int) {
	var mu sync.Mutex
	i, told, step := -1, 0, min(max(e.Deliverer.Workers(), 1), mostAnnounced)
	s, _ := e.Store.(spool.AheadClaimer)
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		i++
		if s == nil || i%step != 0 || e.exhausted.Load() != nil {
			return i
		}
		var list []spool.Entry
		for told = max(told, i); told < min(i+2*step, entries.n); told++ {
			list = append(list, *entries.at(told))
		}
		if len(list) > 0 {
			s.ClaimAhead(e.work, list...)
		}
		return i
	}
}

// stopped reports whether no further message is begun.
func (e *engine) stopped(ctx context.Context) bool { return ctx.Err() != nil || e.results.stopped() }

// noteError logs an error of one message. ErrSpool ends the run: the outcome of the next
// message could not be recorded either.
func (e *engine) noteError(id spool.ID, err error) {
	e.Log.MessageTrouble(id, err, false)
	switch {
	case errors.Is(err, spool.ErrClaimLost): // whoever has it now counts it
	case errors.Is(err, ErrSpool):
		e.results.stop(err)
	default:
		e.results.change(func(r *results) { r.firstErr = cmp.Or(r.firstErr, fmt.Errorf("%s: %w", id, err)) })
	}
}

// end records that the run ended, and how.
func (e *engine) end(ctx context.Context, found *found) (spool.Tally, error) {
	r := &e.results
	r.logPostponed(e.Log)
	err := r.fatal
	if err == nil {
		e.purge(ctx)
		err = spool.UpdateState(e.work, e.Store.State(), spool.LastFlushName, false, func(l *spool.LastFlush) error {
			l.At, l.Tally = e.now(), r.tally
			if e.feed != nil {
				l.ServedAt, l.Serving = l.At, ctx.Err() == nil
			}
			return nil
		})
		if shared, ok := e.Store.(spool.Hosts); ok && err == nil {
			err = shared.Flushed(e.work)
		}
	}
	if isForeign(err) { // no mail depends on it
		e.Log.Trouble("the time of the last flush", err)
		err = nil
	}
	if e.stuck.now != nil { // else nothing has read it
		err = cmp.Or(err, e.stuck.save())
	}
	err = cmp.Or(err, e.Store.Sync(e.work))
	if err := HistoryError(e.Store); err != nil {
		e.Log.Trouble(HistoryTrouble, err)
	}
	if err != nil && !errors.Is(err, ErrSpool) && r.fatal == nil {
		err = spoolError(err)
	}
	if e.cut.Load() {
		err = errors.Join(err, ctx.Err())
	}
	if len(found.unknown) > 0 {
		err = errors.Join(err, &UnknownError{found.unknown})
	}
	if e.feed == nil || r.tally != (spool.Tally{}) {
		e.Log.Run(r.tally)
	}
	if errors.Is(err, spool.ErrUnreachable) && errors.Is(r.firstErr, spool.ErrUnreachable) { // the same, of one message
		return r.tally, err
	}
	return r.tally, errors.Join(err, r.firstErr)
}
