package flush

import (
	"context"
	"errors"
	"fmt"
	"time"

	"notices/spool"
	"notices/spool/schedule"
)

// job is one claimed message.
type job struct {
	engine *engine
	claim  spool.Claim
	rec    *spool.Record
	body   watchedBody
	own    bool // a report that this run made

	scheduled time.Time // when it was to be sent
	began     time.Time
	n         int   // the attempt's number
	to        []int // the recipients served, as indices
	begun     bool
	beginErr  error

	// What to count; the first that is true counts.
	failed, returned, deferred, sent bool
	err                              error
}

// claim takes a message, or returns nil if it is not to be had: somebody else
// works on it, or was faster.
func (e *engine) claim(entry spool.Entry) *job {
	if e.stuck.waiting[entry.ID] {
		return nil
	}
	c, err := e.store.Claim(e.work, entry)
	switch {
	case err == nil:
		e.claimed(entry.ID)
		return &job{engine: e, claim: c, rec: c.Record(), body: watchedBody{Body: c.Body()}}
	case errors.Is(err, spool.ErrBusy), errors.Is(err, spool.ErrGone):
	case errors.Is(err, spool.ErrDamaged):
		e.Log.Aside(spool.Anomaly{Name: string(entry.ID), Moved: "aside/", Why: err.Error()})
	case errors.Is(err, spool.ErrUnusable):
		e.stick(entry.ID, err)
	default:
		e.report(entry.ID, err)
	}
	return nil
}

// end lets the message go and counts it.
func (j *job) end() {
	if err := j.claim.Release(); err != nil && j.err == nil {
		j.err = err
	}
	if j.err != nil {
		j.engine.report(j.id(), j.err)
	}
	j.engine.mu.Lock()
	defer j.engine.mu.Unlock()
	switch {
	case j.failed:
		j.engine.tally.Failed++
	case j.own:
	case j.returned:
		j.engine.tally.Returned++
	case j.deferred:
		j.engine.tally.Deferred++
	case j.sent:
		j.engine.tally.Sent++
	}
}

func (j *job) id() spool.ID { return j.rec.Envelope.ID }

// append writes an event; without that the run cannot go on. What a server took is written
// elsewhere if it must be.
func (j *job) append(e spool.Event, d spool.Durability) error {
	err := j.claim.Append(e, d)
	if err != nil && delivers(e) {
		err = errors.Join(err, j.keepApart(e))
	}
	return unwritable(err)
}

func unwritable(err error) error {
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrSpool, err)
	}
	return err
}

// serve makes one attempt of a message.
func (e *engine) serve(ctx context.Context, entry spool.Entry) {
	if e.passOver(entry) {
		return
	}
	if j := e.claim(entry); j != nil {
		j.err = j.run(ctx)
		j.end()
	}
}

// serveOwn is serve for a report that this run made.
func (e *engine) serveOwn(ctx context.Context, entry spool.Entry) {
	if e.passOver(entry) {
		return
	}
	if j := e.claim(entry); j != nil {
		j.own = true
		j.err = j.run(ctx)
		j.end()
	}
}

func (j *job) run(ctx context.Context) error {
	j.logInterrupted()
	if over, err := j.conclude(); over || err != nil {
		return err
	}
	j.began, j.scheduled = j.engine.now(), j.rec.NextSendAt
	// The listing was a hint; a person or another flush may have changed the message.
	wanted := j.engine.All || len(j.engine.IDs) > 0 || j.due() || j.killedOnce()
	if j.rec.Held || !wanted {
		return nil
	}
	if o := j.engine.down.of(j.group()); o != nil {
		return j.postpone(o)
	}
	return j.attempt(ctx)
}

func (j *job) due() bool { return j.engine.Policy.Due(j.scheduled, j.began) }

// killedOnce reports whether a run died in the message's last attempt, and in that
// alone: it is free again at once (SPEC section 4 rule 4). After a second death in a
// row the next send that the attempt began with counts, so that a message that kills
// the program does not do so in every run.
func (j *job) killedOnce() bool {
	n := len(j.rec.Events)
	died := func(i int) bool { return i >= 0 && j.rec.Events[i].Kind == spool.Try }
	return died(n-1) && !died(n-2)
}

// logInterrupted tells of an attempt that a killed run left without a result.
func (j *job) logInterrupted() {
	if n := len(j.rec.Events); n > 0 && j.rec.Events[n-1].Kind == spool.Try {
		j.engine.Log.Interrupted(j.id(), j.rec.Attempts, j.rec.Events[n-1].At)
	}
}

func (j *job) attempt(ctx context.Context) error {
	j.n = nextAttempt(j.rec)
	d, err := j.engine.Deliverer.Deliver(ctx, j.message())
	if j.body.failed != nil {
		j.engine.stick(j.id(), fmt.Errorf("it cannot be read, and is returned when its time is over: %w", j.body.failed))
	}
	if j.beginErr != nil {
		return unwritable(j.beginErr)
	}
	if err != nil {
		// The attempt stands as interrupted unless the route knows its outcome.
		j.engine.cut.Store(true)
		if ctx.Err() == nil {
			j.engine.stop(fmt.Errorf("delivery: %w", err))
		}
		if len(d.Outcomes) != len(j.to) {
			return nil
		}
		return j.settle(ctx, d)
	}
	var o *outage
	if d.Wait == spool.NoServer {
		o = j.engine.down.add(j.group(), newOutage(d))
	}
	switch {
	case d.Wait == spool.Limited && !j.begun:
		return j.limit(d)
	case d.Wait == spool.Stopped:
		return j.stayDue()
	case d.Wait == spool.NoServer:
		return j.postpone(o)
	case len(d.Outcomes) != len(j.to):
		return fmt.Errorf("the route returned %d outcomes for %d recipients", len(d.Outcomes), len(j.to))
	}
	return j.settle(ctx, d)
}

// group names the servers that the message may go to.
func (j *job) group() string {
	env := &j.rec.Envelope
	if j.isReport() {
		return j.engine.Deliverer.Group("", env.Recipients)
	}
	return j.engine.Deliverer.Group(env.Sender, env.Recipients)
}

// isReport: it is about another message, in whichever form.
func (j *job) isReport() bool {
	form := j.rec.Envelope.Form
	return form == spool.Report || form == spool.PlainReport
}

// stayDue takes back the next send that the attempt began with: the run was ended
// before anybody answered.
func (j *job) stayDue() error {
	j.engine.cut.Store(true)
	if !j.begun {
		return nil
	}
	return j.untried("the flush was stopped before it was sent")
}

// nextAttempt numbers attempts and the ends that come without one (a return by
// hand), so that each return has an id of its own.
func nextAttempt(r *spool.Record) int { return max(r.Attempts, r.ReturnedIn) + 1 }

// message is what the route gets to see. As a rule all recipients are pending, and
// nothing is copied.
func (j *job) message() *spool.Message {
	env := &j.rec.Envelope
	m := &spool.Message{
		ID: env.ID, Sender: env.Sender, Recipients: env.Recipients, Body: &j.body, Size: env.Size,
		EightBit: env.EightBit, UTF8: env.UTF8, Report: j.isReport(), RefusalFinal: j.refusalFinal(), Begin: j.begin,
	}
	if !env.DSNParams.Empty() {
		m.DSN = &env.DSNParams
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

// begin writes the attempt down, with a next send in case nobody lives to tell how
// it ended.
func (j *job) begin() error {
	if j.begun {
		return nil
	}
	now := j.engine.now()
	e := spool.Event{Kind: spool.Try, At: now, N: j.n, Next: j.next(now)}
	if err := j.claim.Begin(e); err != nil {
		j.beginErr = err
		return err
	}
	j.begun = true
	return nil
}

func (j *job) age() schedule.Age { return AgeOf(j.engine.Policy, j.rec, j.engine.now()) }

// AgeOf is what a message's schedule depends on at now. Where a clock that was wrong when
// the message was queued makes it younger than it can be, or older than this program (spool.ClockUnset), --expires
// is moved along.
func AgeOf(p schedule.Policy, r *spool.Record, now time.Time) schedule.Age {
	a := schedule.Age{QueuedAt: p.EffectiveQueueTime(r.QueuedAt, r.SeenAt, now), ExpiresAt: r.Envelope.ExpiresAt}
	unset := spool.ClockUnset(r.QueuedAt) && !spool.ClockUnset(now)
	if unset {
		if a.QueuedAt = r.SeenAt; a.QueuedAt.IsZero() || now.Before(a.QueuedAt) {
			a.QueuedAt = now
		}
	}
	if ahead := r.QueuedAt.Sub(a.QueuedAt); (unset || ahead > 0) && !a.ExpiresAt.IsZero() && r.QueuedAt.Equal(r.Envelope.QueuedAt) {
		a.ExpiresAt = a.ExpiresAt.Add(-ahead)
	}
	return a
}

// next is the next send time. It is not past the deadline, unless now is.
func (j *job) next(now time.Time) time.Time {
	if now.Before(j.engine.Policy.Deadline(j.age())) {
		return j.engine.Policy.Next(j.age(), now, j.engine.Random)
	}
	return j.engine.Policy.NextPastDeadline(j.age(), now, j.engine.Random)
}

// timeOver decides whether a message that was not delivered by now is given up, or
// owed a further try because the machine was off (SPEC section 6). waits: its
// account waits for a person.
func (j *job) timeOver(now time.Time, waits bool) (over, grace bool) {
	switch {
	case now.Before(j.engine.Policy.Deadline(j.age())):
		return false, false
	case !j.rec.Envelope.ExpiresAt.IsZero():
		return true, false // --expires always counts
	case waits:
		return false, false
	case !j.rec.Grace && j.began.Sub(j.scheduled) > j.engine.Policy.Longest():
		return false, true
	}
	return true, false
}
