package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maillog"
)

func (a *cli) holdCommand() *cobra.Command {
	return a.actionCommand("hold", "Keep messages from being sent until they are released", (*cli).hold)
}

// hold keeps messages back until a release.
func (a *cli) hold(ctx context.Context, q *queue, s selection) error {
	return a.each(ctx, q, s, action{
		done: "held",
		all:  func(e spool.Entry) bool { return e.State == spool.StateQueued },
		act: func(_ context.Context, c spool.Claim) error {
			switch r := c.Record(); {
			case r.GivenUp:
				return nothing(r.Envelope.ID, "has failed and is not sent any more; notices retry queues it afresh")
			case r.Held:
				return nothing(r.Envelope.ID, "is held already")
			}
			env, now := &c.Record().Envelope, a.second()
			err := c.Append(spool.Event{Kind: spool.Hold, At: now, Next: flush.HoldUntil(q.policy, c.Record(), now)}, spool.Soon)
			if err == nil {
				q.log.Held(env.ID, maillog.ByHand)
			}
			return err
		},
	})
}

// actionCommand is a command that takes ids or --all.
func (a *cli) actionCommand(name, short string, work func(*cli, context.Context, *queue, selection) error) *cobra.Command {
	var s selection
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               name + " ID... | --all",
		Short:             short,
		RunE: a.does(func(ctx context.Context, args []string) error {
			s.IDs = args
			if err := s.check(); err != nil {
				return app.UsageError("notices "+name, err)
			}
			return a.withQueue(func(q *queue) error { return work(a, ctx, q, s) })
		}),
	}
	cmd.Flags().BoolVar(&s.All, "all", false, "all messages that it makes sense for")
	return cmd
}
