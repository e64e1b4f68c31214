package main

import (
	"context"

	"github.com/spf13/cobra"

	"notices/cmd/notices/hosting"
	"notices/cmd/notices/metrics"
	"notices/config"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maillog"
)

func serveCommand(a *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Take in the mail of sites and send it, as a service",
		Args:  noArgs,
		RunE: a.runE(func(ctx context.Context, _ []string) error {
			h := &hosting.Host{Program: a.Program, Route: a.route, Servers: a.servers, Limits: limits}
			h.Status = func(ctx context.Context, page *metrics.Page) error { return statusPage(ctx, a, page) }
			h.Run = func(cfg *config.Config, store spool.Store, log *maillog.Log) flush.Options {
				return runOptions(a, cfg, store, log)
			}
			return withOwnerHint(h.Serve(ctx), systemFolders()...)
		}),
	}
}
