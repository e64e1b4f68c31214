package route

import (
	"slices"
	"time"

	"notices/spool"
	"notices/spool/recode"
)

// job is one message under way over the servers.
type job struct {
	m    *spool.Message
	open []int // recipients nobody has decided on yet
	// later are those that need SMTPUTF8 beside others that do not. They have transactions
	// of their own: a server without it still takes the others, and so does every server
	// that the message passes through after ours.
	later []int
	out   []spool.Outcome
	sum   spool.Delivery // so far
	// asked is the server that last heard of the message; nil: it is no attempt yet.
	asked    *server
	counted  time.Time // when the next transaction was counted, see rate
	gate     *gate     // it met a server's trouble and is on its way to the next one; else nil
	answered bool      // some server decided on somebody
	// tripped: it was the first to meet a server's trouble, which a real try has to be.
	tripped bool
	alone   bool    // each recipient has a transaction of its own, see apart
	doubter *server // the last one that refused it in words that may mean the account

	tickets  []ticket  // for the limits that its recipients are under
	ticketOf []int     // for each recipient 1 + the index of its ticket, or 0; nil: none has one
	until    time.Time // the last of the limits that put somebody off

	// skipped holds why each server asked in vain did not take it. Each counts for all
	// who are open now: a server that is skipped leaves all of its rest to the next.
	skipped []spool.Outcome
}

func newJob(m *spool.Message) *job {
	j := &job{m: m, open: make([]int, 0, len(m.Recipients)), out: make([]spool.Outcome, len(m.Recipients))}
	for i, address := range m.Recipients {
		if recode.NeedsUTF8(address) {
			j.later = append(j.later, i)
		} else {
			j.open = append(j.open, i)
		}
	}
	if len(j.open) == 0 || recode.NeedsUTF8(m.Sender) { // then all are alike
		j.open, j.later = everybody(len(m.Recipients)), nil
	}
	return j
}

func everybody(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// enter puts the message into the failover gate.
func (j *job) enter(g *gate) {
	if j.gate == nil {
		j.gate = g
		g.enter()
	}
}

// leaveGate ends that: the message has a connection, or there is no server left.
func (j *job) leaveGate() {
	if j.gate != nil {
		j.gate.leave()
		j.gate = nil
	}
}

// begin records the attempt, once, before the first server hears of the message.
func (j *job) begin(s *server) error {
	if j.asked == nil && j.m.Begin != nil {
		if err := j.m.Begin(); err != nil {
			return err
		}
	}
	j.asked = s
	return nil
}

// chunk is the recipients of the next transaction: at most size, 0 meaning all.
func (j *job) chunk(size int) []int {
	if j.alone {
		size = 1
	}
	if size > 0 && len(j.open) > size {
		return j.open[:size]
	}
	return j.open
}

// addresses of a chunk, without a copy in the usual case that it is all of them.
func (j *job) addresses(chunk []int) []string {
	if len(chunk) == len(j.m.Recipients) {
		return j.m.Recipients
	}
	to := make([]string, len(chunk))
	for k, i := range chunk {
		to[k] = j.m.Recipients[i]
	}
	return to
}

// dsn is what the sender asked to be told of a chunk.
func (j *job) dsn(chunk []int) *spool.DSNParams {
	if len(chunk) == len(j.m.Recipients) {
		return j.m.DSN
	}
	return j.m.DSN.Subset(chunk)
}

// postpone defers everybody who is still open for a reason of our own.
func (j *job) postpone(why spool.Reply) {
	o := spool.Outcome{Class: spool.Deferred, Scope: spool.MessageScope, Reply: why}
	for _, i := range j.open {
		j.out[i] = o
	}
	j.open = nil
}

// delivery sums up once nobody is left to ask. Whoever is still open was taken by
// none of the servers and hears the most severe reason. It is final only when every
// server there is said no for good, and when it is known that this was about the message:
// a provider that shuts an account must not return a morning's 600 notices.
func (j *job) delivery(servers int) spool.Delivery {
	d := &j.sum
	d.Outcomes = j.out
	if len(j.open) == 0 {
		d.Passed = append(d.Passed, j.skipped...)
		return *d
	}
	best := 0
	for i, o := range j.skipped {
		if severity(o) >= severity(j.skipped[best]) {
			best = i
		}
	}
	o := j.skipped[best]
	o.Class = spool.Deferred
	switch {
	case !j.refusedBy(servers):
	case j.believed():
		o.Class = spool.Failed
	default:
		d.Doubted = j.doubter.breaker.proven
		if o.Reason != spool.ReasonSender {
			o.Reason = spool.ReasonRefused
		}
	}
	for _, i := range j.open {
		j.out[i] = o
	}
	// What the recipients show need not stand in the history twice.
	d.Passed = append(append(d.Passed, j.skipped[:best]...), j.skipped[best+1:]...)
	return *d
}

// refusedBy reports whether every one of the servers refused it for good.
func (j *job) refusedBy(servers int) bool {
	refusals := 0
	for _, o := range j.skipped {
		if o.Class == spool.Failed && refusal(o) {
			refusals++
		}
	}
	return refusals >= servers
}

// believed: what the servers refused is returned. It is not the account that they mean.
func (j *job) believed() bool {
	return j.doubter == nil || j.m.RefusalFinal || j.doubter.breaker.proven()
}

// apart reports whether the recipients are to be asked for once more, each alone, before the
// message is returned to all of them: the words were about one, and one full mailbox must
// not return the others.
func (j *job) apart(servers int) bool {
	oneOf := func(o spool.Outcome) bool { return o.Reason == spool.ReasonOneOf }
	if j.alone || len(j.open) < 2 || !slices.ContainsFunc(j.skipped, oneOf) || !j.refusedBy(servers) || !j.believed() {
		return false
	}
	j.sum.Passed = append(j.sum.Passed, j.skipped...)
	j.alone, j.skipped, j.doubter = true, nil, nil
	return true
}

// unasked: every server that it came to was found down by another message meanwhile. That
// is no attempt of its own.
func (j *job) unasked() bool {
	if j.answered || j.tripped || len(j.open)+len(j.later) < len(j.m.Recipients) {
		return false
	}
	return !slices.ContainsFunc(j.skipped, func(o spool.Outcome) bool { return o.Scope != spool.ServerScope })
}

// severity ranks the reasons of servers that were skipped: what a person must mend, then
// a server's word on this message, then its own trouble.
func severity(o spool.Outcome) int {
	switch {
	case o.NeedsPerson():
		return 5
	case o.Reason == spool.ReasonSender:
		return 4
	case o.Reason == spool.ReasonCannot, doubtful(o):
		return 3
	case o.Reason == spool.ReasonLost:
		return 1
	case o.Scope == spool.MessageScope:
		return 2
	}
	return 0
}
