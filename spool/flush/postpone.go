package flush

import (
	"cmp"
	"time"

	"notices/spool"
)

// outage is why no server of a group takes mail in this run.
type outage struct {
	postponed   int           // messages
	last        spool.Outcome // what paused the last server
	needsPerson bool
}

func newOutage(d spool.Delivery) *outage {
	o := &outage{needsPerson: needsPerson(d)}
	if len(d.Outcomes) > 0 {
		o.last = d.Outcomes[0]
	}
	return o
}

func (o *outage) text() string { return cmp.Or(o.last.Reply.String(), "every server is paused") }

// postpone gives a due message a new next send without dialling for it, so that ten thousand
// messages do not wait for ten thousand time-outs. This is not an attempt. But a message that
// is out of time is returned together with the one that was really tried.
func (j *job) postpone(o *outage) error {
	switch {
	case j.timing.due():
	case j.begun: // it began, and meanwhile another message found that the servers are down
		return j.appendPostpone(j.timing.scheduled, o.text(), false)
	default:
		return nil // asked for before its time
	}
	now := j.engine.now()
	over, grace := j.timing.over(now, o.needsPerson)
	if over {
		last := normalize(o.last, now)
		if last.Reply.String() == "" {
			last.Reply.Text = o.text()
		}
		return j.giveUp(now, func(spool.Recipient) spool.Outcome { return expired(last) })
	}
	j.engine.results.change(func(*results) { o.postponed++ })
	return j.appendPostpone(j.timing.next(now), o.text(), grace)
}

// appendPostpone records a new next send, and that an attempt that began reached no server.
func (j *job) appendPostpone(next time.Time, why string, grace bool) error {
	e := spool.Event{Kind: spool.Postpone, At: j.engine.now(), Next: next, Note: why, Grace: grace}
	if j.begun {
		e.N = j.n
	}
	return j.append(e, spool.Lazy)
}

// limit leaves a message that a limit put off as it is. But --expires counts.
func (j *job) limit(d spool.Delivery) error {
	now := j.engine.now()
	o := spool.Outcome{Class: spool.Deferred, Reply: spool.Reply{Text: "a limit is used up"}}
	if len(d.Outcomes) > 0 {
		o = d.Outcomes[0]
	}
	if d.QuotaExhausted {
		j.engine.exhausted.Store(&exhausted{o.Reply.Text, d.Until})
	}
	if over, _ := j.timing.over(now, true); over {
		return j.giveUp(now, func(spool.Recipient) spool.Outcome { return expired(normalize(o, now)) })
	}
	if j.timing.due() { // else it was asked for before its time
		j.engine.results.countLimited(o.Reply.Text)
	}
	return nil
}
