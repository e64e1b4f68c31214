// Package flush is the engine: it takes what is due, has it delivered, and writes
// down what became of it.
//
// The life of one attempt: claim the message; finish what a killed run left undone;
// write the attempt down (Begin, when the route is about to dial); deliver; fold
// the outcomes into one Result; tell the sender of what failed; remove, postpone or
// hold. What is written when, and how durably, decides what a crash costs:
//
//	Try        before a server hears of it   not synced: it is for a killed process
//	Result     nothing final in it           not synced: an early try
//	Result     somebody got it               synced with others: a duplicate
//	Result     somebody failed               synced: then the return is stored durably,
//	Returned   the return is stored          synced: only now may the message go
//	Result     somebody got it, and success  synced: then a report on that is stored
//	           is ours to report             durably,
//	Relayed    that report is stored         synced: only now may the message go
//
// Reports (returns, warnings, what -N success asked for) are stored under ids derived from their message's, so
// that one stored again after a crash is stored once, and none is sent while its
// message, if still there, does not say that it was stored; derived.go has the ids.
//
// The count: a run counts the messages it found, each once. A report that the run
// itself made is part of its message's count, and counted for itself only if it
// goes to failed/, where a person has to look; one that an earlier run left behind
// is a message like any other.
package flush

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/maillog"
	"notices/spool/schedule"
)

// ErrSpool says that nothing (more) was sent, because nothing could be written down. Exit 75.
var ErrSpool = errors.New("the spool cannot be written")

// UnknownError names the ids that were asked for and are not there. It is
// spool.ErrGone for errors.Is; the others were served.
type UnknownError struct{ IDs []spool.ID }

func (e *UnknownError) Error() string { return fmt.Sprintf("no such message: %v", e.IDs) }

func (e *UnknownError) Unwrap() error { return spool.ErrGone }

// Deliverer sends messages. Package route's Route is one.
type Deliverer interface {
	// Deliver attempts one message. It calls m.Begin once before the first server
	// hears of the message. Its error ends the run: Begin's, or that of ctx, when an
	// attempt was abandoned and its outcome is not known.
	Deliver(ctx context.Context, m *spool.Message) (spool.Delivery, error)
	// Workers is how many messages may be handed to it at once.
	Workers() int
	// Group names the servers that mail of an envelope sender goes to. When one message
	// of a group finds no server, none of that group is tried in this run.
	Group(sender string, recipients []string) string
}

// Options are what a run needs.
type Options struct {
	Store     spool.Store
	Deliverer Deliverer
	Policy    schedule.Policy
	Site      bounce.Site           // who reports come from
	Log       *maillog.Log          // nil: silent
	Now       func() time.Time      // nil: time.Now; its location is that of the times in reports
	Random    func(n int64) int64   // uniform in [0, n), called by many goroutines; nil: math/rand/v2
	Progress  func(done, total int) // called after each message, never twice at once; nil: not
	HandIn    HandIn                // nil: there is nothing to take over

	All bool       // everything not held, not only what is due
	IDs []spool.ID // these, due or not
	Max int        // at most so many; 0: all
	// Only, of what All and the schedule choose, are those that it holds for; nil: all of
	// them. Each message is looked at.
	Only func(*spool.Record) bool

	WarnAfter  time.Duration // [retry] warn_after; 0: never
	KeepFailed time.Duration // [spool] keep_failed; 0: for ever
}

// engine is one run.
type engine struct {
	Options
	store spool.Store
	work  context.Context // for what must be written down even when the run is cut short

	down  outages               // groups of servers that are all paused: their mail is postponed
	spent atomic.Pointer[spent] // set: the rest waits for another day
	cut   atomic.Bool           // the run ended before its work did
	stuck stuck

	mu      sync.Mutex
	tally   spool.Tally
	doubts  []doubt        // attempts that the end of the run decides on
	made    []spool.Entry  // reports stored in this run, to be sent at its end
	fatal   error          // ends the run
	trouble error          // the first trouble with one message; the run goes on
	limited map[string]int // messages that a limit put off, by what it says
	done    int
	total   int
}

func newEngine(ctx context.Context, o Options) *engine {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Int64N
	}
	return &engine{Options: o, store: o.Store, work: context.WithoutCancel(ctx)}
}

// now is the time as records keep it.
func (e *engine) now() time.Time { return e.Now().UTC().Truncate(time.Second) }

// Run makes one flush. The error says that the run itself did not work, or not to
// its end: ErrSpool, ctx's error when work was left, *UnknownError. What the
// servers said is no error.
func Run(ctx context.Context, o Options) (spool.Tally, error) {
	e := newEngine(ctx, o)
	found, err := e.takeAndFind(ctx)
	if errors.Is(err, fs.ErrPermission) && !errors.Is(err, ErrSpool) {
		err = e.unlistable(ctx, err)
	}
	if err != nil {
		return spool.Tally{}, err
	}
	if found.any() { // an idle run writes no trial file every few minutes
		if err := e.store.Writable(ctx); err != nil {
			return spool.Tally{}, fmt.Errorf("%w, nothing was sent: %w", ErrSpool, err)
		}
		if err := e.tryApart(); err != nil {
			return spool.Tally{}, fmt.Errorf("%w, nothing was sent: %w", ErrSpool, err)
		}
		e.writeLate()
	}
	e.repair(ctx)
	e.round(ctx, found.messages, e.serve)
	e.round(ctx, pileOf(found.held), e.serveHeld)
	e.sendReports(ctx, found.reports)
	e.settleDoubts(ctx)
	for made := e.takeMade(); len(made) > 0 && !e.stopped(ctx); made = e.takeMade() {
		e.round(ctx, pileOf(made), e.serveOwn)
	}
	return e.finish(ctx, found)
}

// unlistable has the trial of the spool say what repairs it.
func (e *engine) unlistable(ctx context.Context, err error) error {
	if w := e.store.Writable(ctx); w != nil {
		err = w
	}
	return fmt.Errorf("%w, nothing was sent: %w", ErrSpool, err)
}

// repair sets aside what is not understood. That it cannot is no reason not to send.
func (e *engine) repair(ctx context.Context) {
	found, err := e.store.Repair(ctx)
	for _, a := range found {
		e.Log.Aside(a)
	}
	if err != nil && ctx.Err() == nil {
		e.stick("repair of the spool", err)
	}
}

// round has visit called for each entry, by as many goroutines as the route takes
// messages at once.
func (e *engine) round(ctx context.Context, entries *pile, visit func(context.Context, spool.Entry)) {
	e.addTotal(entries.n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(max(e.Deliverer.Workers(), 1), entries.n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(entries.n); i = next.Add(1) - 1 {
				if e.stopped(ctx) {
					e.cut.Store(true)
					return
				}
				visit(ctx, *entries.at(int(i)))
				e.progress()
			}
		})
	}
	wg.Wait()
}

// stopped: no message is begun any more.
func (e *engine) stopped(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fatal != nil
}

// stop ends the run once what is under way is done.
func (e *engine) stop(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fatal == nil {
		e.fatal = err
	}
}

// report notes what went wrong with one message. If it could not be written down,
// the run ends: the next message's outcome could not either.
func (e *engine) report(id spool.ID, err error) {
	e.Log.MessageTrouble(id, err)
	if errors.Is(err, ErrSpool) {
		e.stop(err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.trouble == nil {
		e.trouble = fmt.Errorf("%s: %w", id, err)
	}
}

func (e *engine) addTotal(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total += n
}

func (e *engine) progress() {
	if e.Progress == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.done++
	e.Progress(e.done, e.total)
}

func (e *engine) addMade(entries []spool.Entry) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.made = append(e.made, entries...)
}

func (e *engine) takeMade() []spool.Entry {
	e.mu.Lock()
	defer e.mu.Unlock()
	made := e.made
	e.made = nil
	return made
}

// finish writes down that and how the run ended.
func (e *engine) finish(ctx context.Context, found *found) (spool.Tally, error) {
	for _, o := range e.down.list() {
		if o.last.Reason == spool.ReasonNoServer {
			e.Log.Trouble("senders", errors.New(o.text()))
		}
		if o.postponed > 0 {
			e.Log.Postponed(o.postponed, o.text())
		}
	}
	for _, why := range slices.Sorted(maps.Keys(e.limited)) {
		e.Log.Postponed(e.limited[why], why+"; they stay due")
	}
	err := e.fatal
	if err == nil {
		e.purge(ctx)
		err = spool.UpdateState(e.work, e.store.State(), spool.LastFlushName, false, func(l *spool.LastFlush) error {
			*l = spool.LastFlush{At: e.now(), Tally: e.tally}
			return nil
		})
	}
	if isForeign(err) { // no mail depends on it
		e.Log.Trouble("the time of the last flush", err)
		err = nil
	}
	if e.stuck.now != nil { // else it was not even looked at
		if rememberErr := e.remember(); err == nil {
			err = rememberErr
		}
	}
	if syncErr := e.store.Sync(e.work); err == nil {
		err = syncErr
	}
	if err != nil && !errors.Is(err, ErrSpool) && e.fatal == nil {
		err = fmt.Errorf("%w: %w", ErrSpool, err)
	}
	if e.cut.Load() {
		err = errors.Join(err, ctx.Err())
	}
	if len(found.unknown) > 0 {
		err = errors.Join(err, &UnknownError{found.unknown})
	}
	e.Log.Run(e.tally)
	return e.tally, errors.Join(err, e.trouble)
}
