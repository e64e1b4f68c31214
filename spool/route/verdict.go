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
	skipped             // the next server
)

// fateOf reads SPEC section 5's table from the side of one recipient.
func fateOf(o spool.Outcome) fate {
	switch {
	case o.Class == spool.Delivered, o.Class == spool.Uncertain:
		return settled
	case o.Reason == spool.ReasonTooMany:
		return again
	case o.Scope == spool.ServerScope, o.Reason == spool.ReasonLost, o.Reason == spool.ReasonSendAs, refusal(o):
		return skipped
	case o.Scope == spool.MessageScope && o.Class == spool.Deferred:
		return skipped
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

// result is what a transaction says of the server.
type result int

const (
	resultGood      result = iota
	resultRefused          // the message was refused as a whole
	resultStale            // nothing was attempted
	resultUncertain        // no answer to the final dot
	resultLost             // lost before the final dot
	resultTrouble          // the server's own
)

// verdict is the sum of one transaction's answers.
type verdict struct {
	result result
	// skip is the most severe reason to go on to the next server, if any.
	skip *spool.Outcome
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
		return verdict{result: resultStale}
	}
	var v verdict
	for i := range res.Outcomes {
		o := &res.Outcomes[i]
		switch fateOf(*o) {
		case settled:
			v.taken++
			v.delivered = v.delivered || o.Class == spool.Delivered
			if o.Class == spool.Uncertain {
				v.result = max(v.result, resultUncertain)
			}
		case again:
			v.more = true
		case skipped:
			if v.skip == nil || severity(*o) > severity(*v.skip) {
				v.skip = o
			}
			v.result = max(v.result, resultOf(*o))
		}
	}
	return v
}

func resultOf(o spool.Outcome) result {
	switch {
	case o.Reason == spool.ReasonLost:
		return resultLost
	case o.Scope == spool.ServerScope:
		return resultTrouble
	case doubtful(o):
		return resultRefused
	}
	return resultGood
}

// note writes what was decided into the job. Recipients whom the server refused
// as too many stay open, but not when it decided on nobody: then they would be
// refused for ever, so they are deferred.
func (j *job) note(chunk []int, res *smtpclient.Result, v verdict) {
	stuck := v.more && v.taken == 0 && v.skip == nil
	left := make([]int, 0, len(j.open)-v.taken)
	for k, i := range chunk {
		f := fateOf(res.Outcomes[k])
		if f == settled || stuck {
			j.out[i] = res.Outcomes[k]
			j.answered = true
			j.useTicket(i)
			continue
		}
		left = append(left, i)
	}
	j.open = append(left, j.open[len(chunk):]...)
}
