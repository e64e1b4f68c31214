package flush

import (
	"context"

	"notices/spool"
)

// triesOfRefused is how often every server must refuse a message as a whole before it is
// returned, as long as it may be the account that they refuse.
const triesOfRefused = 3

// doubt is an attempt that was deferred because nobody knows yet whether the message or
// the account was refused.
type doubt struct {
	id   spool.ID
	n    int // the attempt
	took func() bool
}

func doubtful(o *spool.Outcome) bool {
	return o.Class == spool.Deferred && o.Scope == spool.MessageScope &&
		(o.Reason == spool.ReasonRefused || o.Reason == spool.ReasonSender)
}

// timesRefused counts the attempts in which every server refused the message as a whole.
func timesRefused(r *spool.Record) int {
	n := 0
	for i := range r.Events {
		e := &r.Events[i]
		if e.Kind == spool.Retry && e.Fresh {
			n = 0
		}
		for k := range e.Results {
			if a := &e.Results[k]; len(a.To) > 0 && doubtful(&a.Outcome) {
				n++
				break
			}
		}
	}
	return n
}

// refusalFinal: a further refusal of the whole message is the last word, also for a
// report that then goes out once more with a sender.
func (j *job) refusalFinal() bool {
	return j.mayResend() || j.rec.Attempts >= triesOfRefused-1 && timesRefused(j.rec) >= triesOfRefused-1
}

// doubted keeps in mind what is decided at the end of the run.
func (j *job) doubted(took func() bool) {
	j.engine.mu.Lock()
	defer j.engine.mu.Unlock()
	j.engine.doubts = append(j.engine.doubts, doubt{j.id(), j.n, took})
}

// settleDoubts returns what was refused by a server that took another message in this run:
// it serves the account, so it was the message.
func (e *engine) settleDoubts(ctx context.Context) {
	for _, d := range e.doubts {
		if e.stopped(ctx) {
			return
		}
		if !d.took() {
			continue
		}
		entry, err := spool.FindOne(e.work, e.store, d.id)
		if err != nil {
			continue // somebody was faster
		}
		if j := e.claim(entry); j != nil {
			j.err = j.refuse(d.n)
			j.end()
		}
	}
	e.doubts = nil
}

// refuse fails those whom attempt n left deferred though every server refused the message.
func (j *job) refuse(n int) error {
	last := len(j.rec.Events) - 1
	if j.rec.Held || last < 0 || j.rec.Events[last].Kind != spool.Result || j.rec.Events[last].N != n {
		return nil // something happened meanwhile
	}
	f := &folded{event: spool.Event{Kind: spool.Result, At: j.engine.now(), N: n, Grace: j.rec.Grace}}
	for _, i := range j.rec.Pending() {
		if o := j.rec.Recipients[i].Outcome; doubtful(&o) {
			o.Class = spool.Failed
			if o.Reason == spool.ReasonRefused {
				o.Reason = ""
			}
			f.answer(o, i)
		}
	}
	if len(f.event.Results) == 0 {
		return nil
	}
	if err := j.append(f.event, spool.Now); err != nil {
		return err
	}
	j.uncountDeferred()
	j.logResult(f.event)
	over, err := j.conclude()
	j.deferred = !over
	return err
}

// uncountDeferred takes the message out of the count of this run, to be counted anew.
func (j *job) uncountDeferred() {
	j.engine.mu.Lock()
	defer j.engine.mu.Unlock()
	j.engine.tally.Deferred--
}
