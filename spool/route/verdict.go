package route

import (
	"notices/spool"
	"notices/spool/smtpclient"
)

// disposition is what an answer means for its recipient in this attempt.
type disposition int

const (
	final           disposition = iota // the last word for now
	nextTransaction                    // on the same server
	nextServer
)

// dispositionOf decides which answers to one recipient lead to the next server (notices-flush(1),
// When a send fails).
func dispositionOf(o spool.Outcome) disposition {
	switch {
	case o.Class == spool.Delivered, o.Class == spool.Uncertain:
		return final
	case o.Reason == spool.ReasonTooMany:
		return nextTransaction
	case o.Scope == spool.ServerScope, o.Reason == spool.ReasonLost, o.Reason == spool.ReasonSendAs, refusal(o),
		o.Scope == spool.MessageScope && o.Class == spool.Deferred:
		return nextServer
	}
	return final
}

// refusal recognises that the server refuses this message for good, while another may take it.
func refusal(o spool.Outcome) bool { return o.Reason == spool.ReasonCannot || ambiguousRefusal(o) }

// ambiguousRefusal recognises a refusal of the message as a whole, or of its sender, in words that
// may also mean the account.
func ambiguousRefusal(o spool.Outcome) bool {
	return o.Class == spool.Failed && o.Scope == spool.MessageScope && o.Reply.Code != 0 &&
		(o.Reason == "" || o.Reason == spool.ReasonSender || o.Reason == spool.ReasonOneOf)
}

// severity ranks the reasons of servers that were skipped: what a person must change, then
// what a server said of this message, then its own trouble.
func severity(o spool.Outcome) int {
	switch {
	case o.NeedsPerson():
		return 5
	case o.Reason == spool.ReasonSender:
		return 4
	case refusal(o):
		return 3
	case o.Reason == spool.ReasonLost:
		return 1
	case o.Scope == spool.MessageScope:
		return 2
	}
	return 0
}

// result is what a transaction says of the server, the least severe first.
type result int

const (
	resultGood      result = iota
	resultRefused          // the message was refused as a whole
	resultStale            // nothing was attempted
	resultUncertain        // no answer to the final dot
	resultLost             // lost before the final dot
	resultTrouble          // the server's own
)

func resultOf(o spool.Outcome) result {
	switch {
	case o.Class == spool.Uncertain:
		return resultUncertain
	case dispositionOf(o) != nextServer:
		return resultGood
	case o.Reason == spool.ReasonLost:
		return resultLost
	case o.Scope == spool.ServerScope:
		return resultTrouble
	case ambiguousRefusal(o):
		return resultRefused
	}
	return resultGood
}

// verdict is the sum of one transaction's answers.
type verdict struct {
	result result
	// skip is the most severe reason to go on to the next server, if any.
	skip *spool.Outcome
	// decided is how many recipients were decided on.
	decided int
	// delivered: the server took the message for a recipient.
	delivered bool
	// more: the rest belongs in another transaction.
	more bool
}

// judge reads the answers without acting on them. With retry, the transaction is to be done over
// another connection if this one had ended, or if this address of the server does not work.
func (s *server) judge(res *smtpclient.Result, retry bool) verdict {
	// A connection that carried enough ends, so each retry has one less to meet.
	retry = retry || len(res.Outcomes) > 0 && res.Outcomes[0].Reason == spool.ReasonSession
	if retry && (res.Stale || res.OtherAddress) {
		return verdict{result: resultStale}
	}
	var v verdict
	for i := range res.Outcomes {
		o := &res.Outcomes[i]
		v.result = max(v.result, resultOf(*o))
		switch dispositionOf(*o) {
		case final:
			v.decided++
			v.delivered = v.delivered || o.Class == spool.Delivered
		case nextTransaction:
			v.more = true
		case nextServer:
			if v.skip == nil || severity(*o) > severity(*v.skip) {
				v.skip = o
			}
		}
	}
	if res.Stale {
		v.result = resultTrouble
		if v.skip == nil {
			o := s.localOutcome(spool.ReasonShutdown, "connection ended before the message was asked for")
			v.skip = &o
		}
	}
	return v
}
