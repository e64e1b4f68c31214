package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/announce"
	"notices/cmd/notices/queue"
	"notices/cmd/notices/signin"
	"notices/cmd/notices/status"
	"notices/config"
	"notices/spool"
)

func statusCommand(a *cli) *cobra.Command {
	o := status.Options{Warn: app.Duration(status.WarnAge), Critical: app.Duration(status.CriticalAge)}
	cmd := &cobra.Command{
		Use:   "status [--json|--prometheus|--check [--warn DURATION] [--critical DURATION]]",
		Short: "Show what is in the spool, when it goes out, and how the servers are",
		Args:  noArgs,
	}
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.BoolVar(&o.Prometheus, "prometheus", false, "print metrics for Prometheus' node exporter")
	f.BoolVar(&o.Check, "check", false, "for monitoring: one line, and exit 0, 1 or 2")
	f.Var(&o.Warn, "warn", "with --check: exit 1 when the oldest due message or the last flush is older than this `DURATION`")
	f.Var(&o.Critical, "critical", "with --check: exit 2 when it is older than this `DURATION`")
	cmd.RunE = a.does(func(ctx context.Context, _ []string) error {
		if o.JSON && o.Prometheus || o.Check && (o.JSON || o.Prometheus) {
			return app.UsageError("notices status", errors.New("--json, --prometheus and --check exclude each other"))
		}
		if !o.Check && (f.Changed("warn") || f.Changed("critical")) {
			return app.UsageError("notices status", errors.New("--warn and --critical go with --check"))
		}
		err := a.configuredStatus(ctx, o)
		if o.Check {
			return a.unknown(err)
		}
		return err
	})
	return cmd
}

// configuredStatus is status of the site. A wrong setting does not hide the queue: it is
// said beside it.
func (a *cli) configuredStatus(ctx context.Context, o status.Options) error {
	cfg, err := a.Load(config.Queue)
	if err != nil {
		return asOwner(err, filepath.Dir(config.SystemFile), config.SystemSpool)
	}
	for _, problem := range cfg.Problems {
		a.Say("%s", problem)
	}
	o.Config, o.Servers = cfg, status.Servers(cfg)
	_, _, o.Refused = a.route()
	o.Spares = announce.Spares(a.Program)
	o.Limits = limits(cfg)
	o.SignIn = func(name string, state spool.State) (*status.SignIn, error) {
		return status.DescribeSignIn(signin.Look(ctx, cfg, name, state))
	}
	return a.withQueue(config.Queue, func(q *queue.Queue) error { return status.Run(ctx, q, o) })
}

// unknown gives monitoring programs, which read standard output alone, the word of an
// error too. The exit code stays: they take any above 2 for unknown. But what keeps flush
// from running, too, is critical: a config that it refuses or does not find, a spool that
// nobody could open. Only what this user may not look at is unknown.
func (a *cli) unknown(err error) error {
	var said *app.Failure
	if err == nil || errors.As(err, &said) && said.Err == nil {
		return err
	}
	word := "UNKNOWN - "
	code := exitCode(err)
	switch code {
	case app.ExitConfig:
		word = "CRITICAL - no mail goes out: notices flush refuses the configuration: "
	case app.ExitCannotMake, app.ExitIO, app.ExitTryLater:
		word = "CRITICAL - no mail goes out: notices flush cannot use the spool: "
	default:
		code = 0
	}
	if e := a.PrintBare(word + status.PlainText(strings.ReplaceAll(err.Error(), "\n", "; ")) + "\n"); e != nil {
		return e
	}
	if code != 0 {
		return &app.Failure{Code: status.Critical, Err: err}
	}
	return err
}
