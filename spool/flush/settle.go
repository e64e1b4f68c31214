package flush

import (
	"context"
	"time"

	"notices/spool"
)

// maxUncertain: a message whose answers to the final dot were lost so often in a
// row is held.
const maxUncertain = 3

// settle turns what an attempt brought into events, and does what they ask for.
func (j *job) settle(ctx context.Context, d spool.Delivery) error {
	now := j.engine.now()
	j.sent = j.allDelivered(d.Outcomes) // what is told below counts before it
	if j.sent && !j.rec.Unreturned() && !relayed(d.Outcomes) {
		j.logDelivered(d.Outcomes)
		if j.claim.Remove(spool.Soon) == nil {
			return nil
		}
		if err := j.append(j.fold(ctx, now, d).event, spool.Now); err != nil {
			return err
		}
		return j.leave()
	}
	f := j.fold(ctx, now, d)
	if f.off != nil {
		j.engine.putOff(f.off.Reply.Text)
	}
	if f.off != nil && len(f.event.Results) == 0 {
		return j.untried(f.off.Reply.Text)
	}
	if err := j.append(f.event, f.durability(j.rec.Uncertain)); err != nil {
		return err
	}
	j.logResult(f.event)
	over, err := j.conclude()
	if over || err != nil {
		return err
	}
	if f.left {
		j.deferred = true
		if d.Doubted != nil && !j.own {
			j.doubted(d.Doubted)
		}
		return j.warn(now)
	}
	return nil
}

func (j *job) allDelivered(outcomes []spool.Outcome) bool {
	for i := range outcomes {
		if outcomes[i].Class != spool.Delivered {
			return false
		}
	}
	return true
}

// relayed reports whether the sender may have to be told how far a recipient's message was seen.
func relayed(outcomes []spool.Outcome) bool {
	for i := range outcomes {
		if outcomes[i].Reason == spool.ReasonRelayed {
			return true
		}
	}
	return false
}

// folded is a Result in the making.
type folded struct {
	event       spool.Event
	seen        map[spool.Outcome]int // index of the answer
	over, grace bool                  // what timeOver said

	delivered, failed, uncertain bool
	relayed                      bool           // somebody, and the sender may have to be told
	left                         bool           // somebody is still to be served
	off                          *spool.Outcome // a limit put somebody off, and is not counted
}

// fold makes one Result of the outcomes: equal ones are one answer, and what is not
// delivered and out of time has failed.
func (j *job) fold(ctx context.Context, now time.Time, d spool.Delivery) *folded {
	f := &folded{event: spool.Event{Kind: spool.Result, At: now, N: j.n}}
	for _, o := range d.Passed {
		f.event.Results = append(f.event.Results, spool.Answer{Outcome: tidy(o, now)})
	}
	// An attempt that was cut short is no last attempt.
	if ctx.Err() == nil {
		f.over, f.grace = j.timeOver(now, needsPerson(d))
	}
	for k := range d.Outcomes {
		if o := &d.Outcomes[k]; o.Reason == spool.ReasonRate {
			f.off = o
			continue
		}
		f.add(tidy(d.Outcomes[k], now), j.to[k])
	}
	switch {
	case f.left && f.uncertain:
		f.event.Next = j.long(now)
	case f.left:
		f.event.Next = j.next(now)
	case f.off != nil:
		f.event.Next = j.scheduled // those who were put off stay due
	}
	// Grace stays until an attempt decides: the next one is the last.
	f.event.Grace = f.left && (f.grace || j.rec.Grace) || f.off != nil && j.rec.Grace
	return f
}

// long is the next send after an uncertain attempt.
func (j *job) long(now time.Time) time.Time {
	next, deadline := j.engine.Policy.NextLong(now, j.engine.Random), j.engine.Policy.Deadline(j.age())
	if now.Before(deadline) && deadline.Before(next) {
		return deadline
	}
	return next
}

func (f *folded) add(o spool.Outcome, recipient int) {
	switch o.Class {
	case spool.Delivered:
		f.delivered, f.relayed = true, f.relayed || o.Reason == spool.ReasonRelayed
	case spool.Failed:
		f.failed = true
	default:
		f.uncertain = f.uncertain || o.Class == spool.Uncertain
		if !f.over {
			f.left = true
			break
		}
		if o.Class == spool.Uncertain {
			f.answer(o) // kept: the return says that it may have arrived
		}
		f.failed = true
		o = expired(o)
	}
	f.answer(o, recipient)
}

// answer adds recipients to the answer with that outcome. Replies that differ only
// in their second are one.
func (f *folded) answer(o spool.Outcome, recipients ...int) {
	key := o
	key.Reply.At = time.Time{}
	if i, ok := f.seen[key]; ok {
		a := &f.event.Results[i]
		a.To = append(a.To, recipients...)
		return
	}
	if f.seen == nil {
		f.seen = map[spool.Outcome]int{}
	}
	f.seen[key] = len(f.event.Results)
	f.event.Results = append(f.event.Results, spool.Answer{Outcome: o, To: recipients})
}

// durability is decided by what losing the result would cost. What a report will be
// about must not be lost once the report is stored. uncertain: so many in a row before.
func (f *folded) durability(uncertain int) spool.Durability {
	switch {
	case f.failed, f.relayed, f.uncertain && uncertain+1 >= maxUncertain:
		return spool.Now
	case f.delivered, f.uncertain:
		return spool.Soon
	}
	return spool.Lazy
}

// tidy makes an outcome fit for the record: unknown means deferred.
func tidy(o spool.Outcome, now time.Time) spool.Outcome {
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

// expired is the outcome of a recipient whose time is over; the last reply stays.
func expired(o spool.Outcome) spool.Outcome {
	o.Class, o.Reason = spool.Failed, spool.ReasonExpired
	return o
}

// needsPerson: the account of any server that was to take the message waits for a
// person to mend it.
func needsPerson(d spool.Delivery) bool {
	for _, list := range [][]spool.Outcome{d.Outcomes, d.Passed} {
		for i := range list {
			if list[i].Class != spool.Delivered && list[i].NeedsPerson() {
				return true
			}
		}
	}
	return false
}

// conclude does what the record asks for, be it after an attempt or because a run
// died before it could: tells the sender, ends the message, holds it. over: there
// is nothing to attempt.
func (j *job) conclude() (over bool, err error) {
	for n := j.rec.UnreturnedIn(); n != 0 && j.canTell(n); n = j.rec.UnreturnedIn() {
		if err := j.tell(n); err != nil {
			return false, err
		}
	}
	for n := j.rec.UntoldIn(); n != 0; n = j.rec.UntoldIn() {
		if err := j.tellRelayed(n); err != nil {
			return false, err
		}
	}
	if !j.pending() {
		return true, j.leave()
	}
	if j.rec.Uncertain >= maxUncertain && !j.rec.Held {
		return true, j.hold()
	}
	return false, nil
}

func (j *job) pending() bool {
	for i := range j.rec.Recipients {
		if j.rec.Recipients[i].State == spool.RecipientPending {
			return true
		}
	}
	return false
}

// leave takes a message out of the queue. All its recipients are settled, and who
// was to be told is told; where there was nobody to tell, a person finds it in
// failed/.
func (j *job) leave() error {
	if !j.rec.Unreturned() {
		if err := j.claim.Remove(spool.Soon); err != nil {
			return j.cannotLeave(err)
		}
		return nil
	}
	why := "undeliverable, and there is no sender to return it to"
	switch {
	case j.rec.Envelope.Form != spool.Ordinary:
		why = "a report that cannot be delivered"
	case j.rec.Envelope.ReturnAddress() != "":
		why = "undeliverable, and its sender does not want it returned"
	}
	if err := j.tellAdmin(); err != nil {
		return err
	}
	if err := j.claim.Fail(spool.Event{Kind: spool.GiveUp, At: j.engine.now(), Note: why}); err != nil {
		return j.cannotLeave(err)
	}
	j.failed = true
	j.engine.Log.GaveUp(j.id(), why)
	return nil
}

// logDelivered makes a line of one recipient without taking anything apart: almost
// every message has just one.
func (j *job) logDelivered(outcomes []spool.Outcome) {
	if len(outcomes) == 1 {
		j.engine.Log.Outcome(j.id(), j.n, j.rec.Recipients[j.to[0]].Address, outcomes[0], time.Time{})
		return
	}
	f := &folded{}
	for k, o := range outcomes {
		f.answer(o, j.to[k])
	}
	j.logResult(spool.Event{N: j.n, Results: f.event.Results})
}

// logResult writes the answers of a result.
func (j *job) logResult(e spool.Event) {
	for _, a := range e.Results {
		next := e.Next
		if a.Class == spool.Delivered || a.Class == spool.Failed {
			next = time.Time{}
		}
		if len(a.To) > 0 {
			j.engine.Log.Answer(&j.rec.Envelope, e.N, a, next)
		}
	}
}
