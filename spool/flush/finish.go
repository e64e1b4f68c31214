package flush

import (
	"context"
	"slices"
	"time"

	"notices/spool"
)

// maxUncertain is how many answers to the final dot in a row may be lost until the message
// is held.
const maxUncertain = 3

// finish records what an attempt brought, and does what follows from it.
func (j *job) finish(ctx context.Context, d spool.Delivery) error {
	now := j.engine.now()
	// A return below takes precedence when the message is counted.
	j.sent = !slices.ContainsFunc(d.Outcomes, func(o spool.Outcome) bool { return o.Class != spool.Delivered })
	relayed := slices.ContainsFunc(d.Outcomes, func(o spool.Outcome) bool { return o.Reason == spool.ReasonRelayed })
	if j.sent && !relayed && !j.rec.Unreturned() {
		all := j.deliveredToAll(now, d.Outcomes)
		all.log(j)
		if j.claim.Remove(all.event, spool.Soon) == nil {
			return nil
		}
		// First record the result. Then dequeue removes the message again, and reports the error.
		if err := j.append(j.merge(ctx, now, d).event, spool.Now); err != nil {
			return err
		}
		return j.dequeue()
	}
	r := j.merge(ctx, now, d)
	if r.limited != nil {
		j.engine.results.countLimited(r.limited.Reply.Text)
	}
	if r.limited != nil && len(r.event.Results) == 0 {
		return j.appendPostpone(j.timing.scheduled, r.limited.Reply.Text, false)
	}
	if err := j.append(r.event, r.durability(j.rec.Uncertain)); err != nil {
		return err
	}
	r.log(j)
	over, err := j.followUp()
	if over || err != nil {
		return err
	}
	if r.pending {
		j.deferred = true
		if d.ServesAccount != nil && !j.madeByRun {
			j.engine.results.change(func(r *results) { r.refusals = append(r.refusals, refusal{j.id(), j.n, d.ServesAccount}) })
		}
		return reporter{j}.warn(now)
	}
	return nil
}

// result is a Result event in the making.
type result struct {
	event       spool.Event
	answers     map[spool.Outcome]int // index in event.Results
	over, grace bool                  // from timing.over

	delivered, failed, uncertain bool
	relayed                      bool           // delivered to somebody, and a report may be due
	pending                      bool           // somebody is still to be served
	limited                      *spool.Outcome // a limit put somebody off, which is not recorded
}

// merge makes one Result of the outcomes. Equal outcomes become one answer. A recipient that
// is not delivered and out of time has failed.
func (j *job) merge(ctx context.Context, now time.Time, d spool.Delivery) *result {
	r := &result{event: spool.Event{Kind: spool.Result, At: now, N: j.n}}
	for _, o := range d.Skipped {
		r.event.Results = append(r.event.Results, spool.Answer{Outcome: normalize(o, now)})
	}
	// An attempt that was cut short is not a last attempt.
	if ctx.Err() == nil {
		r.over, r.grace = j.timing.over(now, needsPerson(d))
	}
	for k := range d.Outcomes {
		if o := &d.Outcomes[k]; o.Reason == spool.ReasonRate {
			r.limited = o
			continue
		}
		r.add(normalize(d.Outcomes[k], now), j.to[k])
	}
	switch {
	case r.pending && r.uncertain:
		r.event.Next = j.timing.nextLong(now)
	case r.pending:
		r.event.Next = j.timing.next(now)
	case r.limited != nil:
		r.event.Next = j.timing.scheduled // those who were put off stay due
	}
	// Grace stays until an attempt decides: the next one is the last.
	r.event.Grace = r.pending && (r.grace || j.rec.Grace) || r.limited != nil && j.rec.Grace
	return r
}

func (r *result) add(o spool.Outcome, recipient int) {
	switch o.Class {
	case spool.Delivered:
		r.delivered, r.relayed = true, r.relayed || o.Reason == spool.ReasonRelayed
	case spool.Failed:
		r.failed = true
	default:
		r.uncertain = r.uncertain || o.Class == spool.Uncertain
		if !r.over {
			r.pending = true
			break
		}
		if o.Class == spool.Uncertain {
			r.answer(o) // kept for the return, which says that it may have arrived
		}
		r.failed = true
		o = expired(o)
	}
	r.answer(o, recipient)
}

// answer adds recipients to the answer with that outcome. Replies that differ only in their
// time are the same.
func (r *result) answer(o spool.Outcome, recipients ...int) {
	key := o
	key.Reply.At = time.Time{}
	if i, ok := r.answers[key]; ok {
		a := &r.event.Results[i]
		a.To = append(a.To, recipients...)
		return
	}
	if r.answers == nil {
		r.answers = map[spool.Outcome]int{}
	}
	r.answers[key] = len(r.event.Results)
	r.event.Results = append(r.event.Results, spool.Answer{Outcome: o, To: recipients})
}

// durability depends on what losing the result would cost. The subject of a report must not
// be lost once the report is stored. uncertain: how many in a row before this one.
func (r *result) durability(uncertain int) spool.Durability {
	switch {
	case r.failed, r.relayed, r.uncertain && uncertain+1 >= maxUncertain:
		return spool.Now
	case r.delivered, r.uncertain:
		return spool.Soon
	}
	return spool.Lazy
}

// normalize makes an outcome fit for the record. An unknown class means deferred.
func normalize(o spool.Outcome, now time.Time) spool.Outcome {
	switch o.Class {
	case spool.Delivered, spool.Failed, spool.Uncertain:
	default:
		o.Class = spool.Deferred
	}
	if o.Reply.At.IsZero() {
		o.Reply.At = now
	}
	o.Reply.At = o.Reply.At.UTC().Truncate(time.Second)
	return o
}

// expired is the outcome of a recipient whose time is over. The last reply stays.
func expired(o spool.Outcome) spool.Outcome {
	o.Class, o.Reason = spool.Failed, spool.ReasonExpired
	return o
}

// needsPerson reports whether the account of any server that was to take the message waits
// for a person to repair it.
func needsPerson(d spool.Delivery) bool {
	needs := func(o spool.Outcome) bool { return o.Class != spool.Delivered && o.NeedsPerson() }
	return slices.ContainsFunc(d.Outcomes, needs) || slices.ContainsFunc(d.Skipped, needs)
}

// followUp does what the record asks for, after an attempt or because a run was killed
// before it could: it sends reports, and removes or holds the message. over: there is
// nothing to attempt.
func (j *job) followUp() (over bool, err error) {
	reports := reporter{j}
	for n := j.rec.UnreturnedIn(); n != 0 && reports.canReturn(n); n = j.rec.UnreturnedIn() {
		if err := reports.sendReturn(n); err != nil {
			return false, err
		}
	}
	for n := j.rec.UnreportedIn(); n != 0; n = j.rec.UnreportedIn() {
		if err := reports.sendRelayReport(n); err != nil {
			return false, err
		}
	}
	if !pending(j.rec) {
		return true, j.dequeue()
	}
	if j.rec.Uncertain >= maxUncertain && !j.rec.Held {
		return true, j.hold()
	}
	return false, nil
}

func pending(r *spool.Record) bool {
	return slices.ContainsFunc(r.Recipients, func(r spool.Recipient) bool { return r.State == spool.RecipientPending })
}

// dequeue takes a message out of the queue. No recipient is pending, and all reports are
// stored. If nobody could get a return, the message goes to failed/, where a person finds it.
func (j *job) dequeue() error {
	if !j.rec.Unreturned() {
		return j.engine.stuck.removalError(j.id(), j.claim.Remove(spool.Event{}, spool.Soon))
	}
	why := "undeliverable, and it has no sender to return it to"
	switch {
	case j.rec.Envelope.Form != spool.Ordinary:
		why = "a report that cannot be delivered"
	case j.rec.Envelope.ReturnAddress() != "":
		why = "undeliverable, and its sender does not want it returned"
	}
	err := reporter{j}.notifyAdmin()
	if err != nil {
		return err
	}
	if err := j.claim.Fail(spool.Event{Kind: spool.GiveUp, At: j.engine.now(), Note: why}); err != nil {
		return j.engine.stuck.removalError(j.id(), err)
	}
	j.failed = true
	j.engine.Log.GaveUp(j.id(), why)
	return nil
}

// deliveredToAll is the result of an attempt by which everybody got the message. It takes a
// short cut for a single recipient, because almost every message has just one.
func (j *job) deliveredToAll(now time.Time, outcomes []spool.Outcome) *result {
	r := &result{event: spool.Event{Kind: spool.Result, At: now, N: j.n}}
	if len(outcomes) == 1 {
		r.event.Results = []spool.Answer{{Outcome: normalize(outcomes[0], now), To: j.to}}
		return r
	}
	for k, o := range outcomes {
		r.answer(normalize(o, now), j.to[k])
	}
	return r
}

// log logs the answers.
func (r *result) log(j *job) {
	for _, a := range r.event.Results {
		next := r.event.Next
		if a.Class == spool.Delivered || a.Class == spool.Failed {
			next = time.Time{}
		}
		if len(a.To) > 0 {
			j.engine.Log.Answer(&j.rec.Envelope, r.event.N, a, next)
		}
	}
}
