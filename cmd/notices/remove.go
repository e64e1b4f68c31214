package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/maillog"
)

func (a *cli) removeCommand() *cobra.Command {
	return &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               "remove ID...",
		Short:             "Remove messages; nobody is told",
		RunE: a.does(func(ctx context.Context, args []string) error {
			s := selection{IDs: args}
			if err := s.check(); err != nil {
				return app.UsageError("notices remove", err)
			}
			return a.withQueue(func(q *queue) error { return a.remove(ctx, q, s) })
		}),
	}
}

// remove takes messages out of the spool for good. It never bounces, and has no
// --all: what it takes is gone.
func (a *cli) remove(ctx context.Context, q *queue, s selection) error {
	return a.each(ctx, q, s, action{
		done: "removed",
		act: func(_ context.Context, c spool.Claim) error {
			id := c.Record().Envelope.ID
			err := c.Remove(spool.Soon) // each syncs at its end, for all
			if err == nil {
				q.log.Removed(id, maillog.ByHand)
			}
			return err
		},
	})
}
