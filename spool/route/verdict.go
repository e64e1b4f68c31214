package route

import (
	"notices/spool"
	"notices/spool/smtpclient"
)

// fate is what an answer means for its recipient in this attempt.
type fate int

const (
	settled fate = iota // the last word for now
	again               // the next transaction on the same server
	passed              // the next server
)

// fateOf reads SPEC section 5's table from the side of one recipient.
func fateOf(o spool.Outcome) fate {
	switch {
	case o.Class == spool.Delivered, o.Class == spool.Uncertain:
		return settled
	case o.Reason == spool.ReasonTooMany:
		return again
	case o.Scope == spool.ServerScope, o.Reason == spool.ReasonLost, o.Reason == spool.ReasonSendAs, refusal(o):
		return passed
	case o.Scope == spool.MessageScope && o.Class == spool.Deferred:
		return passed
	}
	return settled
}

// refusal: the server said no to this message for good, but another may take it.
func refusal(o spool.Outcome) bool { return o.Reason == spool.ReasonCannot || doubtful(o) }

// doubtful: a refusal of the message as a whole, or of its sender, in words that may as
// well mean the account.
func doubtful(o spool.Outcome) bool {
	return o.Class == spool.Failed && o.Scope == spool.MessageScope && o.Reply.Code != 0 &&
		(o.Reason == "" || o.Reason == spool.ReasonSender || o.Reason == spool.ReasonOneOf)
}

// landing is what a transaction says of the server.
type landing int

const (
	landedWell      landing = iota
	landedRefused           // the message was refused as a whole
	landedNowhere           // stale: nothing was attempted
	landedUncertain         // no answer to the final dot
	landedLost              // lost before the final dot
	landedBadly             // the server's own trouble
)

// verdict is the sum of one transaction's answers.
type verdict struct {
	landing landing
	// pass is the most telling reason to go on to the next server, if any.
	pass *spool.Outcome
	// taken is how many recipients were decided on.
	taken int
	// delivered: the server took the message for somebody.
	delivered bool
	// more: the rest belongs in another transaction.
	more bool
}

// judge reads the answers without acting on them.
func judge(res *smtpclient.Result) verdict {
	if res.Stale {
		return verdict{landing: landedNowhere}
	}
	var v verdict
	for i := range res.Outcomes {
		o := &res.Outcomes[i]
		switch fateOf(*o) {
		case settled:
			v.taken++
			v.delivered = v.delivered || o.Class == spool.Delivered
			if o.Class == spool.Uncertain {
				v.landing = max(v.landing, landedUncertain)
			}
		case again:
			v.more = true
		case passed:
			if v.pass == nil || telling(*o) > telling(*v.pass) {
				v.pass = o
			}
			v.landing = max(v.landing, landingOf(*o))
		}
	}
	return v
}

func landingOf(o spool.Outcome) landing {
	switch {
	case o.Reason == spool.ReasonLost:
		return landedLost
	case o.Scope == spool.ServerScope:
		return landedBadly
	case doubtful(o):
		return landedRefused
	}
	return landedWell
}

// note writes what was decided into the job. Recipients whom the server refused
// as too many stay open, but not when it decided on nobody: then they would be
// refused for ever, so they are deferred.
func (j *job) note(chunk []int, res *smtpclient.Result, v verdict) {
	stuck := v.more && v.taken == 0 && v.pass == nil
	left := make([]int, 0, len(j.open)-v.taken)
	for k, i := range chunk {
		f := fateOf(res.Outcomes[k])
		if f == settled || stuck {
			j.out[i] = res.Outcomes[k]
			j.answered = true
			j.spend(i)
			continue
		}
		left = append(left, i)
	}
	j.open = append(left, j.open[len(chunk):]...)
}
