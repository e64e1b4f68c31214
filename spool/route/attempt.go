package route

import (
	"context"
	"slices"
	"time"

	"notices/spool"
	"notices/spool/rate"
	"notices/spool/recode"
	"notices/spool/smtpclient"
)

// attempt is one message on its way over the servers.
type attempt struct {
	m    *spool.Message
	open []int // recipients that no server has decided on yet
	// needUTF8 are those that need SMTPUTF8 beside others that do not. They have transactions
	// of their own: a server without it still takes the others, and so does every server
	// that the message passes through after ours.
	needUTF8 []int
	outcomes []spool.Outcome
	summary  spool.Delivery // so far
	// lastServer is the one that last heard of the message; nil: no attempt was made yet.
	lastServer *server
	countedAt  time.Time // when the next transaction was counted, see server.rate
	gate       *gate     // not nil: it met a server's trouble and is on its way to the next one
	decided    bool      // some server decided on a recipient
	// tripped: it was the first to meet a server's trouble, and that counts as an attempt.
	tripped       bool
	separately    bool    // each recipient has a transaction of its own, see separate
	ambiguousFrom *server // the last one that refused it in words that may mean the account

	limits *rate.Reservations // for the limits that its recipients are under
	until  time.Time          // when the last of the limits ends that put recipients off

	// skipped holds why each server that was asked did not take it. Each reason is that of all open
	// recipients: a server that is skipped leaves all of its rest to the next.
	skipped []spool.Outcome
}

func newAttempt(m *spool.Message) *attempt {
	a := &attempt{m: m, open: make([]int, 0, len(m.Recipients)), outcomes: make([]spool.Outcome, len(m.Recipients))}
	alike := recode.NeedsUTF8(m.Sender)
	for i, address := range m.Recipients {
		if !alike && recode.NeedsUTF8(address) {
			a.needUTF8 = append(a.needUTF8, i)
		} else {
			a.open = append(a.open, i)
		}
	}
	if len(a.open) == 0 {
		a.open, a.needUTF8 = a.needUTF8, nil
	}
	return a
}

// leaveGate takes the message out of the failover gate: it has a connection, or no server is left.
func (a *attempt) leaveGate() {
	if a.gate != nil {
		a.gate.leave()
		a.gate = nil
	}
}

// chunk is the recipients of the next transaction: at most size, 0 meaning all.
func (a *attempt) chunk(size int) []int {
	if a.separately {
		size = 1
	}
	if size > 0 && len(a.open) > size {
		return a.open[:size]
	}
	return a.open
}

// transaction is the message for a chunk of its recipients, which is mostly all of them.
func (a *attempt) transaction(chunk []int) *smtpclient.Transaction {
	m := a.m
	t := &smtpclient.Transaction{
		Sender: m.Sender, Recipients: m.Recipients,
		Body: m.Body, Size: m.Size, EightBit: m.EightBit, UTF8: m.UTF8, DSN: m.DSN, EnvelopeID: string(m.ID),
	}
	if len(chunk) < len(m.Recipients) {
		t.DSN = m.DSN.Subset(chunk)
		t.Recipients = make([]string, len(chunk))
		for k, i := range chunk {
			t.Recipients[k] = m.Recipients[i]
		}
	}
	return t
}

// note keeps what was decided. Recipients that the server refused as too many stay open, unless it
// decided on none: then they would be refused for ever, so they are deferred.
func (a *attempt) note(chunk []int, res *smtpclient.Result, v verdict) {
	stuck := v.more && v.decided == 0 && v.skip == nil
	left := make([]int, 0, len(a.open)-v.decided)
	for k, i := range chunk {
		if dispositionOf(res.Outcomes[k]) != final && !stuck {
			left = append(left, i)
			continue
		}
		a.outcomes[i] = res.Outcomes[k]
		a.decided = true
		a.limits.Use(i)
	}
	a.open = append(left, a.open[len(chunk):]...)
}

// reserve counts the next transaction under the limits that open recipients are under.
func (a *attempt) reserve(ctx context.Context, renew bool) error {
	return a.limits.Reserve(ctx, a.open, renew, a.putOff)
}

// putOff leaves recipients for another run: it is no attempt for them.
func (a *attempt) putOff(used *rate.Exhausted, recipients []int) {
	if used.Until.After(a.until) {
		a.until = used.Until
	}
	for _, i := range recipients {
		a.outcomes[i] = used.Outcome()
	}
	a.open = slices.DeleteFunc(slices.Clone(a.open), func(i int) bool { return a.outcomes[i].Reason == spool.ReasonRate })
}

// delivery sums up once no server is left to ask. No server took the recipients that are still open;
// their outcome is the most severe reason. It is final only when every server said no for good, and
// when it is known that this was about the message: a provider that shuts an account must not return
// a morning's 600 notices.
func (a *attempt) delivery(servers int) spool.Delivery {
	d := &a.summary
	d.Outcomes = a.outcomes
	if len(a.open) == 0 {
		d.Skipped = append(d.Skipped, a.skipped...)
		return *d
	}
	worst := 0
	for i, o := range a.skipped {
		if severity(o) >= severity(a.skipped[worst]) {
			worst = i
		}
	}
	o := a.skipped[worst]
	o.Class = spool.Deferred
	switch {
	case !a.refusedBy(servers):
	case a.refusalStands():
		o.Class = spool.Failed
	default:
		d.ServesAccount = a.ambiguousFrom.breaker.servesAccount
		if o.Reason != spool.ReasonSender {
			o.Reason = spool.ReasonRefused
		}
	}
	for _, i := range a.open {
		a.outcomes[i] = o
	}
	// The reason that the recipients have need not be in the history twice.
	d.Skipped = append(append(d.Skipped, a.skipped[:worst]...), a.skipped[worst+1:]...)
	return *d
}

// refusedBy reports whether every one of the servers refused it for good.
func (a *attempt) refusedBy(servers int) bool {
	refusals := 0
	for _, o := range a.skipped {
		if o.Class == spool.Failed && refusal(o) {
			refusals++
		}
	}
	return refusals >= servers
}

// refusalStands reports whether what the servers refused is returned: they do not mean the account.
func (a *attempt) refusalStands() bool {
	return a.ambiguousFrom == nil || a.m.RefusalFinal || a.ambiguousFrom.breaker.servesAccount()
}

// separate reports whether each recipient has to be tried again alone before all of them get a
// return: the server's words were about one of them, and one full mailbox must not return the others.
func (a *attempt) separate(servers int) bool {
	oneOf := func(o spool.Outcome) bool { return o.Reason == spool.ReasonOneOf }
	if a.separately || len(a.open) < 2 || !slices.ContainsFunc(a.skipped, oneOf) || !a.refusedBy(servers) || !a.refusalStands() {
		return false
	}
	a.summary.Skipped = append(a.summary.Skipped, a.skipped...)
	a.separately, a.skipped, a.ambiguousFrom = true, nil, nil
	return true
}

// untried reports whether another message found each of the servers down in the meantime. Then this
// message has made no attempt.
func (a *attempt) untried() bool {
	if a.decided || a.tripped || len(a.open)+len(a.needUTF8) < len(a.m.Recipients) {
		return false
	}
	return !slices.ContainsFunc(a.skipped, func(o spool.Outcome) bool { return o.Scope != spool.ServerScope })
}
