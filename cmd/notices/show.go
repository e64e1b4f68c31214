package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"notices/cmd/notices/queue"
	"notices/config"
)

func showCommand(a *cli) *cobra.Command {
	var o queue.ShowOptions
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               "show ID [--json]",
		Short:             "Show one message: its recipients, its headers and what has happened to it",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("show takes the id of one message, not %d; notices list shows the ids", len(args))
			}
			return nil
		},
		RunE: a.does(func(ctx context.Context, args []string) error {
			o.ID = args[0]
			return a.withQueue(config.Queue, func(q *queue.Queue) error { return q.Show(ctx, o) })
		}),
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}
