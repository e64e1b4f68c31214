package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/queue"
	"notices/config"
)

// byHand are the commands that change messages: what each does is a method of queue.Queue.
func byHand(a *cli) []*cobra.Command {
	return []*cobra.Command{
		actionCommand(a, "retry", "Make messages due now; failed ones are queued afresh", true, (*queue.Queue).Retry),
		actionCommand(a, "hold", "Keep messages from being sent until they are released", true, (*queue.Queue).Hold),
		actionCommand(a, "release", "Let held messages go: they are due at once", true, (*queue.Queue).Release),
		actionCommand(a, "remove", "Remove messages; nobody is told", false, (*queue.Queue).Remove),
		actionCommand(a, "return", "Give messages up now and return them to their senders", false, (*queue.Queue).Return),
	}
}

// actionCommand is a command that takes ids, and --all if all is set.
func actionCommand(a *cli, name, short string, all bool, work func(*queue.Queue, context.Context, queue.Selection) error) *cobra.Command {
	var s queue.Selection
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               name + " ID...",
		Short:             short,
		RunE: a.runE(func(ctx context.Context, args []string) error {
			s.IDs = args
			if err := s.Check(); err != nil {
				return app.UsageError("notices "+name, err)
			}
			need := config.Queue
			if name == "return" { // what it returns is handed in
				need = config.Intake
			}
			return withChanges(ctx, a, need, func(q *queue.Queue) error { return work(q, ctx, s) })
		}),
	}
	if all {
		cmd.Use += " | --all"
		cmd.Flags().BoolVar(&s.All, "all", false, "all messages that it makes sense for")
	}
	return cmd
}
