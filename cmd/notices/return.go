package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/flush"
)

func (a *cli) returnCommand() *cobra.Command {
	return &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               "return ID...",
		Short:             "Give messages up now and return them to their senders",
		RunE: a.does(func(ctx context.Context, args []string) error {
			s := selection{IDs: args}
			if err := s.check(); err != nil {
				return app.UsageError("notices return", err)
			}
			return a.withQueueFor(config.Intake, func(q *queue) error { return a.giveUp(ctx, q, s) })
		}),
	}
}

// giveUp returns messages as a flush would whose time for them is over. The next
// flush sends the returns. What has no sender goes to failed/.
func (a *cli) giveUp(ctx context.Context, q *queue, s selection) error {
	o := flush.Options{Store: q.store, Policy: q.policy, Site: q.site, Log: q.log, Now: a.Now, Random: a.random}
	return a.each(ctx, q, s, action{
		done: "returned",
		act: func(ctx context.Context, c spool.Claim) error {
			if r := c.Record(); r.GivenUp {
				return nothing(r.Envelope.ID, "has failed already: there was nobody to return it to; notices remove deletes it")
			}
			_, err := flush.Return(ctx, o, c)
			return err
		},
	})
}
