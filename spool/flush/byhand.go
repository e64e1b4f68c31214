package flush

import (
	"context"

	"notices/spool"
)

// Return gives a message up by hand: everybody still pending counts as failed, and
// the sender gets it back; without a sender it goes to failed/. The claim, of a
// message that is queued, deferred or held, is over then, except on an error. It
// returns the ids of the reports stored, which the next run sends.
func Return(ctx context.Context, o Options, c spool.Claim) ([]spool.ID, error) {
	j := &job{engine: newEngine(ctx, o), claim: c, rec: c.Record(), body: watchedBody{Body: c.Body()}}
	now := j.engine.now()
	err := j.giveUp(now, func(r spool.Recipient) spool.Outcome {
		text := "returned by hand"
		if last := r.Outcome.Reply.String(); last != "" {
			text += "; the last answer was: " + last
		}
		return spool.Outcome{Class: spool.Failed, Scope: spool.MessageScope, Reason: spool.ReasonReturned, Reply: spool.Reply{Text: text, At: now}}
	})
	var ids []spool.ID
	for _, entry := range j.engine.takeMade() {
		ids = append(ids, entry.ID)
	}
	return ids, err
}
