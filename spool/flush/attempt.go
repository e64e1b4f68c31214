package flush

import (
	"context"
	"errors"
	"fmt"

	"notices/spool"
)

// job is one claimed message.
type job struct {
	engine    *engine
	claim     spool.Claim
	rec       *spool.Record
	body      watchedBody
	madeByRun bool // it is a report that this run made

	timing   timing
	n        int   // the attempt's number
	to       []int // the recipients served, as indices
	begun    bool
	beginErr error

	// How the message is counted: by the first of these that is true.
	failed, returned, deferred, sent bool
	err                              error
}

func newJob(e *engine, c spool.Claim) *job {
	rec := c.Record()
	return &job{engine: e, claim: c, rec: rec, body: watchedBody{Body: c.Body()}, timing: timing{policy: e.Policy, random: e.Random, rec: rec}}
}

// claim claims a message. It returns nil if that is not possible, for instance because
// another process works on it, or has taken it out of the queue.
func (e *engine) claim(entry spool.Entry) *job {
	if e.stuck.waiting[entry.ID] {
		return nil
	}
	c, err := e.Store.Claim(e.work, entry)
	switch {
	case err == nil:
		e.stuck.clear(entry.ID)
		return newJob(e, c)
	case errors.Is(err, spool.ErrBusy), errors.Is(err, spool.ErrGone):
	case errors.Is(err, spool.ErrDamaged):
		e.Log.Aside(spool.Anomaly{Name: string(entry.ID), Moved: "aside/", Why: err.Error()})
	case errors.Is(err, spool.ErrUnusable):
		e.stuck.mark(entry.ID, err)
	default:
		e.noteError(entry.ID, err)
	}
	return nil
}

// withClaim does something with a message, if it can be claimed, and counts it.
func (e *engine) withClaim(entry spool.Entry, do func(*job) error) {
	if j := e.claim(entry); j != nil {
		j.err = do(j)
		j.end()
	}
}

// end releases the message and counts it.
func (j *job) end() {
	if err := j.claim.Release(); err != nil && j.err == nil {
		j.err = err
	}
	if j.err != nil {
		j.engine.noteError(j.id(), j.err)
	}
	if j.deferred && j.err == nil {
		j.again()
	}
	j.engine.results.change(func(r *results) {
		switch {
		case errors.Is(j.err, spool.ErrClaimLost): // another host counts it
		case j.failed:
			r.tally.Failed++
		case j.madeByRun:
		case j.returned:
			r.tally.Returned++
		case j.deferred:
			r.tally.Deferred++
		case j.sent:
			r.tally.Sent++
		}
	})
}

func (j *job) id() spool.ID { return j.rec.Envelope.ID }

// append records an event. If that fails, the run cannot go on; what a server accepted is
// then recorded elsewhere.
func (j *job) append(e spool.Event, d spool.Durability) error {
	err := j.claim.Append(e, d)
	if err != nil && delivers(e) {
		kept := j.engine.stuck.saveUnwritten(j.id(), e)
		if !errors.Is(err, spool.ErrUnreachable) || !errors.Is(kept, spool.ErrUnreachable) { // else it is said already
			err = errors.Join(err, kept)
		}
	}
	return spoolError(err)
}

// serve makes one attempt of a message. madeByRun: it is a report that this run made.
func (e *engine) serve(ctx context.Context, entry spool.Entry, madeByRun bool) {
	if e.skip(entry) {
		return
	}
	e.withClaim(entry, func(j *job) error {
		j.madeByRun = madeByRun
		return j.run(ctx)
	})
}

func (j *job) run(ctx context.Context) error {
	if died(j.rec, 1) {
		j.engine.Log.Interrupted(j.id(), j.rec.Attempts, j.rec.Events[len(j.rec.Events)-1].At)
	}
	if over, err := j.followUp(); over || err != nil {
		return err
	}
	j.timing.began, j.timing.scheduled = j.engine.now(), j.rec.NextSendAt
	// The listing was a hint; a person or another flush may have changed the message. After a
	// killed run it is free again at once. After a second one in a row,
	// its next send counts, so that a message that kills the program does not do so in every run.
	wanted := j.engine.All || len(j.engine.IDs) > 0 || j.timing.due() || died(j.rec, 1) && !died(j.rec, 2)
	if j.rec.Held || !wanted {
		return nil
	}
	if o := j.engine.results.outage(j.group()); o != nil {
		return j.postpone(o)
	}
	return j.attempt(ctx)
}

// died reports whether the k-th last event is a Try: a run was killed in that attempt.
func died(r *spool.Record, k int) bool {
	i := len(r.Events) - k
	return i >= 0 && r.Events[i].Kind == spool.Try
}

func (j *job) attempt(ctx context.Context) error {
	j.n = nextAttempt(j.rec)
	d, err := j.engine.Deliverer.Deliver(ctx, j.message())
	if why := j.body.failed; why != nil && !errors.Is(why, spool.ErrUnreachable) && !errors.Is(why, spool.ErrClaimLost) {
		j.engine.stuck.mark(j.id(), fmt.Errorf("it cannot be read, and is returned when its time is over: %w", why))
	}
	if j.beginErr != nil {
		return spoolError(j.beginErr)
	}
	if err != nil {
		// Its outcome is not known: if the attempt was begun, it is recorded as interrupted.
		j.engine.cut.Store(true)
		if ctx.Err() == nil {
			j.engine.results.stop(fmt.Errorf("delivery: %w", err))
		}
		return nil
	}
	switch {
	case d.Wait == spool.NoServer:
		return j.postpone(j.engine.results.addOutage(j.group(), newOutage(d)))
	case d.Wait == spool.Limited && !j.begun:
		return j.limit(d)
	case d.Wait == spool.Stopped:
		j.engine.cut.Store(true)
		if !j.begun {
			return nil
		}
		return j.appendPostpone(j.timing.scheduled, "the flush was stopped before it was sent", false)
	case len(d.Outcomes) != len(j.to):
		return fmt.Errorf("the route returned %d outcomes for %d recipients", len(d.Outcomes), len(j.to))
	}
	return j.finish(ctx, d)
}

// group names the servers that the message may go to.
func (j *job) group() string {
	env := &j.rec.Envelope
	sender := env.Sender
	if env.Form != spool.Ordinary {
		sender = ""
	}
	return j.engine.Deliverer.Group(sender, env.Recipients)
}

// nextAttempt numbers attempts, and also results without an attempt (a return by hand), so
// that each return has an id of its own.
func nextAttempt(r *spool.Record) int { return max(r.Attempts, r.ReturnedIn) + 1 }

// message is what the route gets. Usually all recipients are pending, and nothing is copied.
func (j *job) message() *spool.Message {
	env := &j.rec.Envelope
	m := &spool.Message{
		ID: env.ID, Sender: env.Sender, Recipients: env.Recipients, Body: &j.body, Size: env.Size,
		EightBit: env.EightBit, UTF8: env.UTF8, Report: env.Form != spool.Ordinary, Begin: j.begin,
	}
	m.RefusalFinal = reporter{j}.canResend() || refusedBefore(j.rec)
	if !env.DSNParams.Empty() {
		dsn := env.DSNParams
		if env.Site != "" {
			// Ours is sent instead. A site could name another site's message by its ENVID, and a
			// bounce would be taken for one of that.
			dsn.EnvelopeID = ""
		}
		m.DSN = &dsn
	}
	j.to = j.rec.Pending()
	if len(j.to) < len(env.Recipients) {
		m.DSN = m.DSN.Subset(j.to)
		m.Recipients = make([]string, len(j.to))
		for k, i := range j.to {
			m.Recipients[k] = env.Recipients[i]
		}
	}
	return m
}

// begin records the attempt, with a next send in case the process is killed during it.
func (j *job) begin() error {
	if j.begun {
		return nil
	}
	now := j.engine.now()
	e := spool.Event{Kind: spool.Try, At: now, N: j.n, Next: j.timing.next(now)}
	if err := j.claim.Begin(e); err != nil {
		j.beginErr = err
		return err
	}
	j.begun = true
	return nil
}
