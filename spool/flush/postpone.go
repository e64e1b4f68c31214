package flush

import (
	"maps"
	"slices"
	"sync"
	"time"

	"notices/spool"
)

// outages are the groups of servers that take no mail in this run.
type outages struct {
	mu  sync.Mutex
	all map[string]*outage
}

// of returns the outage of a group; nil: none is known.
func (l *outages) of(group string) *outage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[group]
}

// add notes an outage. It returns the one that was noted first.
func (l *outages) add(group string, o *outage) *outage {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first := l.all[group]; first != nil {
		return first
	}
	if l.all == nil {
		l.all = map[string]*outage{}
	}
	l.all[group] = o
	return o
}

// count adds a message that was postponed.
func (l *outages) count(o *outage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.postponed++
}

// list returns the outages in the order of their groups.
func (l *outages) list() []*outage {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []*outage
	for _, group := range slices.Sorted(maps.Keys(l.all)) {
		list = append(list, l.all[group])
	}
	return list
}

// outage is why no server of a group takes mail in this run.
type outage struct {
	postponed   int           // messages
	last        spool.Outcome // what paused the last server
	waitsPerson bool
}

func newOutage(d spool.Delivery) *outage {
	o := &outage{waitsPerson: needsPerson(d)}
	if len(d.Outcomes) > 0 {
		o.last = d.Outcomes[0]
	}
	return o
}

func (o *outage) text() string {
	if s := o.last.Reply.String(); s != "" {
		return s
	}
	return "every server is paused"
}

// postpone gives a due message a new next send without dialling for it: ten
// thousand messages do not wait for ten thousand time-outs. It is no attempt; but
// what is out of time is returned with the one that was tried for real.
func (j *job) postpone(o *outage) error {
	switch {
	case j.due():
	case j.begun: // another message found the servers down before it was its turn
		return j.untried(o.text())
	default:
		return nil // asked for before its time
	}
	now := j.engine.now()
	over, grace := j.timeOver(now, o.waitsPerson)
	if over {
		return j.giveUp(now, func(spool.Recipient) spool.Outcome { return expired(o.outcome(now)) })
	}
	j.engine.down.count(o)
	return j.append(spool.Event{Kind: spool.Postpone, At: now, N: j.untriedN(), Next: j.next(now), Note: o.text(), Grace: grace}, spool.Lazy)
}

// limit leaves a message that a limit put off as it is. But --expires counts.
func (j *job) limit(d spool.Delivery) error {
	now := j.engine.now()
	o := spool.Outcome{Class: spool.Deferred, Reply: spool.Reply{Text: "a limit is used up"}}
	if len(d.Outcomes) > 0 {
		o = d.Outcomes[0]
	}
	j.engine.spend(d, o.Reply.Text)
	if over, _ := j.timeOver(now, true); over {
		return j.giveUp(now, func(spool.Recipient) spool.Outcome { return expired(tidy(o, now)) })
	}
	if j.due() { // else it was asked for before its time
		j.engine.putOff(o.Reply.Text)
	}
	return nil
}

// untried takes back the next send that an attempt began with, because it came to
// nobody.
func (j *job) untried(why string) error {
	return j.append(spool.Event{Kind: spool.Postpone, At: j.engine.now(), N: j.untriedN(), Next: j.scheduled, Note: why}, spool.Lazy)
}

// untriedN is the number of the attempt that began and came to nobody, or 0.
func (j *job) untriedN() int {
	if j.begun {
		return j.n
	}
	return 0
}

// outcome is the outage as an outcome of a message that was not tried.
func (o *outage) outcome(now time.Time) spool.Outcome {
	last := tidy(o.last, now)
	if last.Reply.String() == "" {
		last.Reply.Text = o.text()
	}
	return last
}

// giveUp ends a message without an attempt: all that is pending fails.
func (j *job) giveUp(now time.Time, outcome func(spool.Recipient) spool.Outcome) error {
	f := &folded{event: spool.Event{Kind: spool.Result, At: now, N: nextAttempt(j.rec)}}
	for i := range j.rec.Recipients {
		if j.rec.Recipients[i].State == spool.RecipientPending {
			f.answer(outcome(j.rec.Recipients[i]), i)
		}
	}
	if len(f.event.Results) > 0 {
		if err := j.append(f.event, spool.Now); err != nil {
			return err
		}
		j.logResult(f.event)
	}
	_, err := j.conclude()
	return err
}
