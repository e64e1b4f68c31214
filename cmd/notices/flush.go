package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/cmd/notices/announce"
	"notices/cmd/notices/queue"
	"notices/cmd/notices/signin"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/route"
)

// flushing is one run: its options, of which the command line gives a part, and what it works
// with.
type flushing struct {
	flush.Options
	splay  time.Duration
	dryRun bool
	json   bool

	a       *cli
	cfg     *config.Config
	servers []route.Server
	bar     *term.Progress
}

// longestSplay is a day: more is a mistyped unit.
const longestSplay = 24 * time.Hour

func flushCommand(a *cli) *cobra.Command {
	r := &flushing{a: a}
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               "flush [--all] [--max N] [--splay DURATION] [--dry-run] [--json] [ID...]",
		Short:             "Attempt what is due",
	}
	var most string
	f := cmd.Flags()
	f.BoolVar(&r.All, "all", false, "attempt everything that is not held, due or not")
	f.StringVar(&most, "max", "", "attempt at most `N` messages")
	f.Var((*app.Duration)(&r.splay), "splay", "first wait a random part of `DURATION`")
	f.BoolVar(&r.dryRun, "dry-run", false, "say what would be attempted and send nothing")
	f.BoolVar(&r.json, "json", false, "print what was done as JSON")
	cmd.RunE = a.runE(func(ctx context.Context, args []string) error {
		for _, id := range args {
			r.IDs = append(r.IDs, spool.ID(id))
		}
		var err error
		r.Max, _ = strconv.Atoi(most)
		switch {
		case r.All && len(r.IDs) > 0:
			err = errors.New("--all cannot be combined with ids")
		case f.Changed("max") && r.Max < 1: // who means none hardly calls the command
			err = errors.New("--max must be a number, 1 or more; without it there is no limit")
		case r.splay > longestSplay:
			err = errors.New("--splay is too long: the maximum is a day, and some seconds are enough for machines whose cron starts at the same time")
		default:
			return r.run(ctx)
		}
		return app.UsageError("notices flush", err)
	})
	return cmd
}

// run makes the run. A first SIGINT or SIGTERM ends it cleanly: what is on the
// wire is finished or noted, the rest stays due. A second one kills.
func (r *flushing) run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	c := announce.New(r.a.Program, r.dryRun || len(r.IDs) > 0)
	var err error
	if r.cfg, r.servers, err = r.a.route(); err != nil {
		return c.Finish(ctx, withExitCode(withOwnerHint(err, systemFolders()...)))
	}
	if !r.dryRun && !r.wait(ctx) {
		return nil
	}
	if r.Store, err = r.a.OpenStore(r.cfg); err != nil {
		err = beside(r.a, r.cfg).Explain(err)
		return c.Finish(ctx, withExitCode(withOwnerHint(err, r.cfg.Spool.Dir)))
	}
	if r.dryRun { // a run moves what is in the folder beside the database first
		r.Store = beside(r.a, r.cfg).Over(r.Store)
	}
	c.Store, c.Beside, c.Servers = r.Store, beside(r.a, r.cfg), r.servers
	err = c.Finish(ctx, withExitCode(r.withStore(ctx)))
	return cmp.Or(err, r.Store.Close())
}

// route loads the config and makes the way that mail goes out of it. An error is what
// flush refuses.
func (a *cli) route() (*config.Config, []route.Server, error) {
	cfg, err := a.Load(config.Sending)
	if err != nil {
		return nil, nil, err
	}
	servers, err := a.servers(cfg)
	return cfg, servers, errors.Join(err, checkLimits(cfg))
}

// wait waits for a random part of --splay, so that a thousand machines whose cron fires in
// the same second do not connect in the same second. It returns false if the run is stopped meanwhile.
func (r *flushing) wait(ctx context.Context) bool {
	if r.splay <= 0 {
		return true
	}
	select {
	case <-time.After(time.Duration(r.a.random(int64(r.splay)))):
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *flushing) withStore(ctx context.Context) error {
	a, cfg := r.a, r.cfg
	r.bar = term.NewProgress(a.Program) // before the log, whose lines go where the bar is drawn
	defer r.bar.Clear()
	log := a.OpenLog(cfg)
	defer a.CloseLog(log)
	o := runOptions(a, cfg, r.Store, log)
	o.All, o.IDs, o.Max, o.Only = r.All, r.IDs, r.Max, r.Only
	r.Options = o
	if r.dryRun {
		return r.ended(ctx, r.plan(ctx))
	}
	if err := beside(a, cfg).Move(ctx, r.Store, log); err != nil {
		return r.ended(ctx, err)
	}
	signin.UseState(ctx, cfg, r.servers, r.Store.State(), r.insists())
	err := r.ended(ctx, r.send(ctx, log))
	signin.KeepAlive(ctx, r.servers, log)
	return err
}

// insists: a person wants it sent, and troubles of earlier runs do not count.
func (r *flushing) insists() bool { return r.All || len(r.IDs) > 0 }

// send runs the engine over the route.
func (r *flushing) send(ctx context.Context, log *maillog.Log) error {
	state, now := r.Store.State(), r.a.Now
	way := route.New(route.Options{
		Servers: r.servers, Limits: limits(r.cfg), State: state, Log: log, Now: now, IgnoreBreaker: r.insists(),
		KeepOutages: r.cfg.Spool.KeepHistory,
	})
	var since time.Time
	if r.insists() {
		since = r.a.Second()
	}
	r.bar.Why = waiting(ctx, state, r.servers, since, now)
	r.bar.Start()
	r.Deliverer, r.Progress = way, r.bar.Show
	tally, err := flush.Run(ctx, r.Options)
	r.bar.Clear()
	if !r.insists() && ctx.Err() == nil {
		way.Probe(ctx)
	}
	if e := way.Close(context.WithoutCancel(ctx)); e != nil {
		log.Trouble("what is remembered of the servers", e) // no mail depends on it
	}
	if r.json {
		err = cmp.Or(err, term.PrintJSON(r.a.Stdout, tally))
	} else if r.bar.On {
		r.a.Say("%d sent, %d deferred, %d returned, %d failed", tally.Sent, tally.Deferred, tally.Returned, tally.Failed)
		if len(announce.Paused(ctx, state, r.servers, since, now())) == len(r.servers) {
			r.a.Say("no server accepts mail now; queued mail will be sent automatically later")
		}
	}
	return err
}

// ended turns the end of a run into the error of the command. A stopped run is not an error:
// the rest is due and goes out with the next run.
func (r *flushing) ended(ctx context.Context, err error) error {
	var unknown *flush.UnknownError
	switch {
	case errors.Is(err, flush.ErrSpool):
	case errors.As(err, &unknown):
		for _, id := range unknown.IDs {
			r.a.Say("%s: no such message; to see all messages, run: notices list", id)
		}
		return &app.Failure{Code: app.ExitUnknown}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		if r.bar.On || r.a.Verbose {
			r.a.Say("stopped; the next flush sends the rest")
		}
		return nil
	}
	return err
}

// plan says what a run would attempt.
func (r *flushing) plan(ctx context.Context) error {
	entries, err := flush.Plan(ctx, r.Options)
	if err != nil && !errors.As(err, new(*flush.UnknownError)) {
		return err
	}
	if !r.json {
		q := &queue.Queue{Program: r.a.Program, Store: r.Store, Policy: r.Policy, Log: r.Log}
		if _, e := q.Print(ctx, entries, queue.ListOptions{}); e != nil {
			return e
		}
		return err
	}
	would := struct {
		spool.Tally            // all 0
		Would       []spool.ID `json:"would_attempt"`
	}{Would: []spool.ID{}}
	for _, e := range entries {
		would.Would = append(would.Would, e.ID)
	}
	if e := term.PrintJSON(r.a.Stdout, would); e != nil {
		return e
	}
	return err
}

// waiting returns what the progress line says of a flush that waits: that it was stopped,
// which servers are paused, and when nothing has moved for a while what that may be. Errors
// from before since do not count.
func waiting(ctx context.Context, state spool.State, servers []route.Server, since time.Time, now func() time.Time) func(time.Duration) string {
	return func(idle time.Duration) string {
		if ctx.Err() != nil {
			return "stopping: what is on its way is finished"
		}
		var notes []string
		if idle > 2*time.Second {
			// Which server is being asked is not known, but the limits that the run may wait for are.
			why := " for an answer"
			if i := slices.IndexFunc(servers, func(s route.Server) bool { return s.RatePerMinute > 0 }); i >= 0 {
				why = fmt.Sprintf(" (rate_per_minute = %d)", servers[i].RatePerMinute)
			}
			notes = append(notes, "waits "+term.Span(idle)+why)
		}
		for _, name := range announce.Paused(ctx, state, servers, since, now()) {
			notes = append(notes, fmt.Sprintf("server %s is down", name))
		}
		return strings.Join(notes, "; ")
	}
}
