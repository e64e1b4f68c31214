package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/queue"
	"notices/spool"
)

func listCommand(a *cli) *cobra.Command {
	var o queue.ListOptions
	cmd := &cobra.Command{
		Use:   "list [--json] [--state STATES] [--to ADDRESS] [--site SITE] [--server-error[=TEXT]] [--due] [--older DURATION]",
		Short: "List the messages in the spool",
		Args:  cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.StringSliceVar(&o.States, "state", nil, "only these `STATES`: queued, deferred, held, failed; more than one with commas")
	f.StringVar(&o.To, "to", "", "only to this `ADDRESS`, this domain, or a recipient with this text")
	f.StringVar(&o.Site, "site", "", "only of this `SITE` of a hosted service")
	f.StringVar(&o.Server, "server-error", "", "only what waits because of a server's error; with a `TEXT`, only what has it in its last error")
	f.Lookup("server-error").NoOptDefVal = queue.AnyServerError
	f.BoolVar(&o.Due, "due", false, "only what is due")
	f.Var(&o.Older, "older", "only what was queued longer than `DURATION` ago")
	complete(cmd, "site", completeSiteNames(a))
	complete(cmd, "state", completeWords(spool.StateQueued, spool.StateDeferred, spool.StateHeld, spool.StateFailed))
	cmd.RunE = a.runE(func(ctx context.Context, args []string) error {
		if err := o.Check(args, f.Changed); err != nil {
			return app.UsageError("notices list", err)
		}
		return withMessages(a, func(q *queue.Queue) error {
			if o.Site != "" {
				site, err := findSite(a, q.Store)(ctx, o.Site)
				if err != nil {
					return err
				}
				o.Site, o.SiteSince = site.ID, site.Created
			}
			return q.List(ctx, o)
		})
	})
	return cmd
}

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
		RunE: a.runE(func(ctx context.Context, args []string) error {
			o.ID = args[0]
			return withMessages(a, func(q *queue.Queue) error { return q.Show(ctx, o) })
		}),
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON")
	return cmd
}
