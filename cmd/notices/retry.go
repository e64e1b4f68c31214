package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/spool"
)

func (a *cli) retryCommand() *cobra.Command {
	return a.actionCommand("retry", "Make messages due now; failed ones are queued afresh", (*cli).retry)
}

// retry makes messages due and sends nothing: the next flush does.
func (a *cli) retry(ctx context.Context, q *queue, s selection) error {
	return a.each(ctx, q, s, action{
		done: "due now",
		all:  func(e spool.Entry) bool { return e.State != spool.StateHeld },
		act: func(_ context.Context, c spool.Claim) error {
			r, now := c.Record(), a.second()
			var err error
			switch {
			case r.GivenUp:
				err = c.Revive(spool.Event{Kind: spool.Retry, At: now, Next: now, Fresh: true})
			case r.Held:
				return nothing(r.Envelope.ID, "is held; let it go by: notices release %s", r.Envelope.ID)
			default:
				err = c.Append(spool.Event{Kind: spool.Retry, At: now, Next: now}, spool.Soon)
			}
			if err == nil {
				q.log.Retried(r.Envelope.ID)
			}
			return err
		},
	})
}
