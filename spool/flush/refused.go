package flush

import (
	"context"
	"slices"

	"notices/spool"
)

// maxRefused is how often every server must refuse a message as a whole before it is
// returned, as long as they may be refusing the account.
const maxRefused = 3

// refusal is an attempt that was deferred because it is not known yet whether the message or
// the account was refused.
type refusal struct {
	id            spool.ID
	n             int         // the attempt
	servesAccount func() bool // Delivery.ServesAccount
}

// isAmbiguous reports whether an outcome is such a refusal.
func isAmbiguous(o *spool.Outcome) bool {
	return o.Class == spool.Deferred && o.Scope == spool.MessageScope &&
		(o.Reason == spool.ReasonRefused || o.Reason == spool.ReasonSender)
}

// refusedBefore reports whether every server refused the message as a whole so often that one
// more refusal is final.
func refusedBefore(r *spool.Record) bool {
	n := 0
	for i := range r.Events {
		e := &r.Events[i]
		if e.Kind == spool.Retry && e.Fresh {
			n = 0
		}
		if slices.ContainsFunc(e.Results, func(a spool.Answer) bool { return len(a.To) > 0 && isAmbiguous(&a.Outcome) }) {
			n++
		}
	}
	return n >= maxRefused-1
}

// resolveRefusals returns each refused message whose server took another message in this
// run: it serves the account, so it refused the message.
func (e *engine) resolveRefusals(ctx context.Context) {
	for _, r := range e.results.refusals {
		if e.stopped(ctx) {
			return
		}
		if !r.servesAccount() {
			continue
		}
		if entry, err := spool.FindOne(e.work, e.Store, r.id); err == nil { // else it has left the queue meanwhile
			e.withClaim(entry, func(j *job) error { return j.refuse(r.n) })
		}
	}
}

// refuse fails the recipients that attempt n deferred because every server refused the message.
func (j *job) refuse(n int) error {
	last := len(j.rec.Events) - 1
	if j.rec.Held || last < 0 || j.rec.Events[last].Kind != spool.Result || j.rec.Events[last].N != n {
		return nil // something happened meanwhile
	}
	r := &result{event: spool.Event{Kind: spool.Result, At: j.engine.now(), N: n, Grace: j.rec.Grace}}
	for _, i := range j.rec.Pending() {
		if o := j.rec.Recipients[i].Outcome; isAmbiguous(&o) {
			o.Class = spool.Failed
			if o.Reason == spool.ReasonRefused {
				o.Reason = ""
			}
			r.answer(o, i)
		}
	}
	if len(r.event.Results) == 0 {
		return nil
	}
	if err := j.append(r.event, spool.Now); err != nil {
		return err
	}
	j.engine.results.change(func(r *results) { r.tally.Deferred-- }) // it is counted anew
	r.log(j)
	over, err := j.followUp()
	j.deferred = !over
	return err
}
