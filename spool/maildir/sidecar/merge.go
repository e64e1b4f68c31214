package sidecar

import (
	"errors"

	"notices/spool"
)

// ErrLong: the record is as long as can be read again.
var ErrLong = errors.New("the record of the message is too long; remove the message, or return it")

// DeferralRoom is how many octets an attempt may take for recipients who are deferred. Those
// come again in each attempt, where a delivery or a failure comes once.
func DeferralRoom(recipients int) int { return 256<<10 + 16*recipients }

// answerRoom is about what an answer takes without its text and recipients, in octets.
const answerRoom = 160

// MergeReplies joins the answers to those who are deferred where each has words of its own and
// there are very many: first those with the same code, then those of the same class.
func MergeReplies(e spool.Event, recipients int) spool.Event {
	for _, by := range []func(spool.Outcome) spool.Outcome{sameCode, sameClass} {
		if deferralSize(e.Results) <= DeferralRoom(recipients) {
			break
		}
		e.Results = mergeBy(e.Results, by)
	}
	return e
}

func isDeferral(a spool.Answer) bool {
	return len(a.To) > 0 && (a.Class == spool.Deferred || a.Class == spool.Uncertain)
}

func deferralSize(answers []spool.Answer) (octets int) {
	for _, a := range answers {
		if isDeferral(a) {
			octets += answerRoom + len(a.Reply.Host) + len(a.Reply.Text) + 6*len(a.To)
		}
	}
	return octets
}

func sameCode(o spool.Outcome) spool.Outcome {
	o.Reply.Text, o.Reply.At = "", spool.Reply{}.At
	return o
}

func sameClass(o spool.Outcome) spool.Outcome {
	return spool.Outcome{Class: o.Class, Scope: o.Scope, Reason: o.Reason}
}

// mergeBy makes one answer of all to deferred recipients that by makes alike.
func mergeBy(answers []spool.Answer, by func(spool.Outcome) spool.Outcome) []spool.Answer {
	var joined []spool.Answer
	at := map[spool.Outcome]int{}
	for _, a := range answers {
		if !isDeferral(a) {
			joined = append(joined, a)
			continue
		}
		o := by(a.Outcome)
		i, known := at[o]
		if !known {
			i = len(joined)
			at[o] = i
			joined = append(joined, spool.Answer{Outcome: o})
			joined[i].Reply.At = a.Reply.At
		}
		joined[i].To = append(joined[i].To, a.To...)
	}
	return joined
}

// TruncateReplies cuts the texts of the replies to so many octets.
func TruncateReplies(e spool.Event, limit int) spool.Event {
	cut := make([]spool.Answer, len(e.Results))
	for i, a := range e.Results {
		a.Reply.Text = a.Reply.Text[:min(limit, len(a.Reply.Text))]
		cut[i] = a
	}
	e.Results = cut
	return e
}
