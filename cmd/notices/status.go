package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/announce"
	"notices/cmd/notices/metrics"
	"notices/cmd/notices/queue"
	"notices/cmd/notices/signin"
	"notices/cmd/notices/status"
	"notices/config"
	"notices/spool"
	"notices/spool/buffer"
)

func statusCommand(a *cli) *cobra.Command {
	o := status.Options{Warn: app.Duration(status.WarnAge), Critical: app.Duration(status.CriticalAge)}
	cmd := &cobra.Command{
		Use:   "status [--json|--prometheus|--check [--warn DURATION] [--critical DURATION]]",
		Short: "Show what is in the spool, when it will be sent, and the state of the servers",
		Args:  noArgs,
	}
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.BoolVar(&o.Prometheus, "prometheus", false, "print metrics for Prometheus' node exporter")
	f.BoolVar(&o.Check, "check", false, "for monitoring: one line, and exit 0, 1 or 2")
	f.Var(&o.Warn, "warn", "with --check: exit 1 when the oldest due message or the last flush is older than this `DURATION`")
	f.Var(&o.Critical, "critical", "with --check: exit 2 when it is older than this `DURATION`")
	cmd.RunE = a.runE(func(ctx context.Context, _ []string) error {
		if o.JSON && o.Prometheus || o.Check && (o.JSON || o.Prometheus) {
			return app.UsageError("notices status", errors.New("--json, --prometheus and --check cannot be combined"))
		}
		if !o.Check && (f.Changed("warn") || f.Changed("critical")) {
			return app.UsageError("notices status", errors.New("--warn and --critical need --check"))
		}
		err := siteStatus(ctx, a, o)
		if o.Check {
			return checkFailed(a, err)
		}
		return err
	})
	return cmd
}

// siteStatus is the status of the site. A wrong setting does not hide the queue: it is
// said beside it.
func siteStatus(ctx context.Context, a *cli, o status.Options) error {
	cfg, err := a.Load(config.Queue)
	if err != nil {
		return withOwnerHint(err, systemFolders()...)
	}
	for _, problem := range cfg.Problems {
		a.Say("%s", problem)
	}
	o.Config, o.Servers = cfg, status.Servers(cfg)
	_, _, o.Refused = a.route()
	o.BouncesRefused = bouncesRefused(ctx, a, cfg)
	if cfg.Spool.Buffer {
		if w, err := beside(a, cfg).Count(ctx); err == nil { // else view says why
			o.Buffered = &w
		}
	}
	o.BufferTrouble = beside(a, cfg).Trouble(ctx)
	o.Spares = announce.Spares(a.Program)
	o.Limits = limits(cfg)
	o.SignIn = func(name string, state spool.State) (*status.SignIn, error) {
		return status.DescribeSignIn(signin.Status(ctx, cfg, name, state))
	}
	err = a.withQueue(config.Queue, func(q *queue.Queue) error {
		if v, ok := q.Store.(*buffer.View); ok {
			w, err := v.Count(ctx, cfg.Spool.Dir)
			if err != nil {
				return err
			}
			o.Buffered = &w
		}
		return status.Run(ctx, q, o)
	})
	if errors.Is(err, spool.ErrUnreachable) && !o.Check && !o.JSON && !o.Prometheus {
		err = cmp.Or(status.PrintBuffered(a.Program, o), err)
	}
	return err
}

// statusPage writes the metrics of the site to a page of notices serve. What status says on standard
// error is left out: serve logs it, or a person sees it in notices status.
func statusPage(ctx context.Context, a *cli, page *metrics.Page) error {
	program := *a.Program
	program.Stdout, program.Stderr, program.Verbose = page, io.Discard, false
	return siteStatus(ctx, &cli{Program: &program, random: a.random},
		status.Options{Prometheus: true, Warn: app.Duration(status.WarnAge), Critical: app.Duration(status.CriticalAge)})
}

// checkFailed gives monitoring programs, which read standard output alone, the word of an
// error too. The exit code stays: they take any above 2 for unknown. But what keeps flush
// from running, too, is critical: a config that it refuses or does not find, a spool that
// nobody could open. Only what this user may not look at is unknown.
func checkFailed(a *cli, err error) error {
	if failure := (*app.Failure)(nil); err == nil || errors.As(err, &failure) && failure.Err == nil {
		return err // it is said already
	}
	word, failure := "UNKNOWN - ", &app.Failure{Code: status.Critical, Err: err}
	switch app.ExitCode(withExitCode(err)) {
	case app.ExitConfig:
		word = "CRITICAL - no mail goes out: notices flush refuses the configuration: "
	case app.ExitCannotMake, app.ExitIO, app.ExitTryLater:
		word = "CRITICAL - no mail goes out: notices flush cannot use the spool: "
	default:
		failure.Code = app.ExitCode(withExitCode(err))
	}
	if e := a.PrintBare(word + status.PlainText(strings.ReplaceAll(err.Error(), "\n", "; ")) + "\n"); e != nil {
		return e
	}
	return failure
}
