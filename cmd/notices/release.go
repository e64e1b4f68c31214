package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/spool"
)

func (a *cli) releaseCommand() *cobra.Command {
	return a.actionCommand("release", "Let held messages go: they are due at once", (*cli).release)
}

// release ends a hold; the message is due.
func (a *cli) release(ctx context.Context, q *queue, s selection) error {
	return a.each(ctx, q, s, action{
		done: "released",
		all:  func(e spool.Entry) bool { return e.State == spool.StateHeld },
		act: func(_ context.Context, c spool.Claim) error {
			r := c.Record()
			if !r.Held {
				return nothing(r.Envelope.ID, "is not held")
			}
			now := a.second()
			err := c.Append(spool.Event{Kind: spool.Release, At: now, Next: now}, spool.Soon)
			if err == nil {
				q.log.Released(r.Envelope.ID)
			}
			return err
		},
	})
}
