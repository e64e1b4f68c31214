package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
)

func enqueueCommand(a *cli) *cobra.Command {
	var e app.Enqueue
	cmd := &cobra.Command{
		Use:   "enqueue [-f SENDER] [--ref TEXT] [--expires DURATION] [RECIPIENT...] < message",
		Short: "Queue one message from standard input and print its queue id",
		RunE: a.does(func(ctx context.Context, args []string) error {
			return e.Run(ctx, a.Program, args)
		}),
	}
	e.Options(cmd.Flags())
	return cmd
}
