package flush

import (
	"context"
	"time"

	"notices/spool"
)

// Return gives a message up by hand: every pending recipient counts as failed. The sender
// gets the message back; without a sender it goes to failed/. Afterwards the claim, of a
// message that is queued, deferred or held, is over, except on an error. It returns the ids
// of the reports stored, which the next run sends.
func Return(ctx context.Context, o Options, c spool.Claim) ([]spool.ID, error) {
	j := newJob(newEngine(ctx, o), c)
	now := j.engine.now()
	err := j.giveUp(now, func(r spool.Recipient) spool.Outcome {
		text := "given up by hand"
		if last := r.Outcome.Reply.String(); last != "" {
			text += "; the last answer was: " + last
		}
		return spool.Outcome{Class: spool.Failed, Scope: spool.MessageScope, Reason: spool.ReasonReturned, Reply: spool.Reply{Text: text, At: now}}
	})
	var ids []spool.ID
	reports := j.engine.results.takeReports()
	for i := range reports.n {
		ids = append(ids, reports.at(i).ID)
	}
	return ids, err
}

// giveUp ends a message without an attempt: every pending recipient fails.
func (j *job) giveUp(now time.Time, outcome func(spool.Recipient) spool.Outcome) error {
	r := &result{event: spool.Event{Kind: spool.Result, At: now, N: nextAttempt(j.rec)}}
	for _, i := range j.rec.Pending() {
		r.answer(outcome(j.rec.Recipients[i]), i)
	}
	if len(r.event.Results) > 0 {
		if err := j.append(r.event, spool.Now); err != nil {
			return err
		}
		r.log(j)
	}
	_, err := j.followUp()
	return err
}
