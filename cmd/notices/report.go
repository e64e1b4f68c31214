package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/past"
	"notices/cmd/notices/status"
	"notices/cmd/notices/summary"
	"notices/config"
	"notices/spool"
	"notices/spool/maillog"
)

func reportCommand(a *cli) *cobra.Command {
	var o summary.Options
	since := past.NewWhen(a.Now)
	_ = since.Set("7d") // which is a WHEN
	cmd := &cobra.Command{
		Use:   "report [--since WHEN] [--site SITE] [--json|--html FILE|--mail[=ADDRESS]]",
		Short: "Show how many notices were sent, how many came back, and why",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("report: unexpected argument %q", args[1])
			}
			return nil
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.Var(&since, "since", "report on the time from `WHEN` until now: a duration back, a date or a time")
	f.StringVar(&o.Site, "site", "", "only the mail of this `SITE` of a hosted service")
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.StringVar(&o.HTML, "html", "", "write a web page to `FILE`; -: standard output")
	f.StringVar(&o.Mail, "mail", "", "queue the report as a mail to `ADDRESS`; default: [site] admin, else address")
	f.Lookup("mail").NoOptDefVal = summary.DefaultAddress
	complete(cmd, "since", completeWhen)
	complete(cmd, "site", completeSiteNames(a))
	complete(cmd, "mail", cobra.NoFileCompletions)
	_ = cmd.MarkFlagFilename("html", "html") // fails only for a flag that there is not
	cmd.RunE = a.runE(func(ctx context.Context, args []string) error {
		o.Since, o.SinceText = since.Time, since.String()
		if err := o.Check(args, f.Changed, a.Now()); err != nil {
			return app.UsageError("notices report", err)
		}
		return a.report(ctx, o)
	})
	return cmd
}

// report needs of the config what intake needs, if the report is to be queued.
func (a *cli) report(ctx context.Context, o summary.Options) error {
	need := config.Queue
	if o.Mail != "" {
		need = config.Intake
	}
	cfg, err := a.Load(need)
	if err != nil {
		return withOwnerHint(err, systemFolders()...)
	}
	err = a.WithSpool(cfg, func(store spool.Store, log *maillog.Log) error {
		s := &summary.Summary{
			Program: a.Program, Source: beside(a, cfg).Over(store), State: store.State(), Servers: reportedServers(cfg), FindSite: findSite(a, store),
			Name: cfg.Site.Name, Address: cfg.Site.Address, Admin: cfg.Site.Admin, KeepHistory: cfg.Spool.KeepHistory,
			Accept: a.Intake(cfg, store, log).Accept,
			NoAddress: func() error {
				return cfg.Missing("[site] address", "the report goes there; set it, or say where to by --mail ADDRESS")
			},
		}
		return s.Run(ctx, o)
	})
	return withOwnerHint(err, cfg.Spool.Dir)
}

// reportedServers are the servers that mail goes out through.
func reportedServers(cfg *config.Config) []summary.Server {
	var list []summary.Server
	for _, s := range status.Servers(cfg) {
		isWay := s.Name == config.ViaGoogle || s.Name == config.ViaMicrosoft || s.Name == config.ViaService
		if s.Name == cfg.Delivery.Via || !isWay && cfg.Delivery.Via == config.ViaServers {
			list = append(list, summary.Server{Name: s.Name, Host: s.Host})
		}
	}
	return list
}
