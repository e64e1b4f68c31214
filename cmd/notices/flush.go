package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
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

type flushOptions struct {
	All    bool
	Max    int
	Splay  time.Duration
	DryRun bool
	JSON   bool
	IDs    []string
	Only   func(*spool.Record) bool // as in flush.Options
}

func flushCommand(a *cli) *cobra.Command {
	var o flushOptions
	cmd := &cobra.Command{
		ValidArgsFunction: a.completeIDs,
		Use:               "flush [--all] [--max N] [--splay DURATION] [--dry-run] [--json] [ID...]",
		Short:             "Attempt what is due",
		RunE: a.does(func(ctx context.Context, args []string) error {
			o.IDs = args
			if err := o.check(); err != nil {
				return app.UsageError("notices flush", err)
			}
			return a.flush(ctx, o)
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&o.All, "all", false, "attempt everything that is not held, due or not")
	f.Var((*some)(&o.Max), "max", "attempt at most `N` messages")
	f.Var((*app.Duration)(&o.Splay), "splay", "first wait a random part of `DURATION`")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would be attempted and send nothing")
	f.BoolVar(&o.JSON, "json", false, "print what was done as JSON")
	return cmd
}

// some is an option that is a number of things. 0 is refused: who means all leaves it
// out, and who means none hardly calls the command.
type some int

func (n *some) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < 1 {
		return errors.New("it is a number from 1 on; without it there is no limit")
	}
	*n = some(v)
	return nil
}

func (n *some) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.Itoa(int(*n))
}

func (n *some) Type() string { return "number" }

// longestSplay: whoever asks for more has mistyped the unit.
const longestSplay = 24 * time.Hour

func (o *flushOptions) check() error {
	if o.All && len(o.IDs) > 0 {
		return errors.New("--all and ids exclude each other")
	}
	if o.Splay > longestSplay {
		return errors.New("--splay is too long: it is a day at most, and some seconds do for machines whose cron starts at the same time")
	}
	return nil
}

// flush makes one run. A first SIGINT or SIGTERM ends it cleanly: what is on the
// wire is finished or noted, the rest stays due. A second one kills.
func (a *cli) flush(ctx context.Context, o flushOptions) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	t := announce.New(a.Program, o.DryRun || len(o.IDs) > 0)
	cfg, servers, err := a.route()
	if err != nil {
		return t.Finish(ctx, coded(asOwner(err, filepath.Dir(config.SystemFile), config.SystemSpool)))
	}
	if !o.DryRun && !a.splay(ctx, o.Splay) {
		return nil
	}
	store, err := a.OpenStore(cfg)
	if err != nil {
		return t.Finish(ctx, coded(asOwner(err, cfg.Spool.Dir)))
	}
	t.Store, t.Servers = store, servers
	err = t.Finish(ctx, coded(a.flushStore(ctx, cfg, store, servers, o)))
	if e := store.Close(); err == nil {
		err = e
	}
	return err
}

// route loads the config and makes the way that mail goes out of it. An error is what
// flush refuses.
func (a *cli) route() (*config.Config, []route.Server, error) {
	cfg, err := a.Load(config.Everything)
	if err != nil {
		return nil, nil, err
	}
	servers, err := a.servers(cfg)
	return cfg, servers, errors.Join(err, checkLimits(cfg))
}

func (a *cli) flushStore(ctx context.Context, cfg *config.Config, store spool.Store, servers []route.Server, o flushOptions) error {
	bar := term.NewProgress(a.Program) // before the log, whose lines go where the bar is drawn
	defer bar.Clear()
	log := a.OpenLog(cfg)
	defer a.CloseLog(log)
	options := a.flushOptions(cfg, store, log, o)
	if o.DryRun {
		return a.plan(ctx, &queue.Queue{Program: a.Program, Store: store, Policy: options.Policy, Log: log}, options, o.JSON)
	}
	signin.UseState(ctx, cfg, servers, store.State(), o.All || len(o.IDs) > 0)
	err := a.send(ctx, options, servers, limits(cfg), bar, o.JSON)
	signin.KeepAlive(ctx, servers, log)
	return err
}

func (a *cli) flushOptions(cfg *config.Config, store spool.Store, log *maillog.Log, o flushOptions) flush.Options {
	options := flush.Options{
		Store:      store,
		Policy:     policy(cfg),
		Site:       a.returns(cfg),
		Log:        log,
		Now:        a.Now,
		Random:     a.random,
		All:        o.All,
		Max:        o.Max,
		Only:       o.Only,
		WarnAfter:  cfg.Retry.WarnAfter,
		KeepFailed: cfg.Spool.KeepFailed,
		HandIn:     a.handIn(cfg, store, log),
	}
	for _, id := range o.IDs {
		options.IDs = append(options.IDs, spool.ID(id))
	}
	return options
}

// splay waits, so that a thousand machines whose cron fires in the same second do
// not connect in the same second. false: told to stop meanwhile.
func (a *cli) splay(ctx context.Context, upTo time.Duration) bool {
	if upTo <= 0 {
		return true
	}
	select {
	case <-time.After(time.Duration(a.random(int64(upTo)))):
		return true
	case <-ctx.Done():
		return false
	}
}

// send runs the engine over the route.
func (a *cli) send(ctx context.Context, o flush.Options, servers []route.Server, limits []route.Limit, bar *term.Progress, asJSON bool) error {
	insist := o.All || len(o.IDs) > 0
	route := route.New(route.Options{
		Servers:       servers,
		Limits:        limits,
		State:         o.Store.State(),
		Log:           o.Log,
		Now:           a.Now,
		IgnoreBreaker: insist,
	})
	var since time.Time // when it insists, troubles of earlier runs do not count
	if insist {
		since = a.Second()
	}
	bar.Why = waiting(ctx, o.Store.State(), servers, since, a.Now)
	bar.Start()
	o.Deliverer, o.Progress = route, bar.Show
	tally, err := flush.Run(ctx, o)
	bar.Clear()
	if !insist && ctx.Err() == nil {
		route.Probe(ctx)
	}
	if e := route.Close(context.WithoutCancel(ctx)); e != nil {
		o.Log.Trouble("what is remembered of the servers", e) // no mail depends on it
	}
	if asJSON {
		if e := term.PrintJSON(a.Stdout, tally); err == nil {
			err = e
		}
	} else if bar.On {
		a.Say("%d sent, %d deferred, %d returned, %d failed", tally.Sent, tally.Deferred, tally.Returned, tally.Failed)
		if len(announce.Paused(ctx, o.Store.State(), servers, since, a.Now())) == len(servers) {
			a.Say("no server takes mail now; it waits, and goes out later by itself")
		}
	}
	return a.ended(ctx, err)
}

// ended turns the end of a run into the error of the command. That it was told to
// stop is none: what is left is due, and goes out with the next run.
func (a *cli) ended(ctx context.Context, err error) error {
	var unknown *flush.UnknownError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, flush.ErrSpool):
		return err
	case errors.As(err, &unknown):
		for _, id := range unknown.IDs {
			a.Say("%s: no such message; notices list shows those there are", id)
		}
		return &app.Failure{Code: app.ExitUnknown}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		if a.Watched() {
			a.Say("stopped; what is left goes out with the next flush")
		}
		return nil
	}
	return err
}

// planJSON is what flush --dry-run --json prints: the counts of a flush, all 0, and
// what would have been attempted.
type planJSON struct {
	spool.Tally
	Would []spool.ID `json:"would_attempt"`
}

// plan says what a run would attempt.
func (a *cli) plan(ctx context.Context, q *queue.Queue, o flush.Options, asJSON bool) error {
	entries, err := flush.Plan(ctx, o)
	if e := (*flush.UnknownError)(nil); err != nil && !errors.As(err, &e) {
		return err
	}
	if asJSON {
		would := planJSON{Would: []spool.ID{}}
		for _, e := range entries {
			would.Would = append(would.Would, e.ID)
		}
		if e := term.PrintJSON(a.Stdout, would); e != nil {
			return e
		}
		return a.ended(ctx, err)
	}
	if _, e := q.Print(ctx, entries, queue.ListOptions{}); e != nil {
		return e
	}
	return a.ended(ctx, err)
}

// waiting tells what a flush waits for: that it was told to stop, servers that are left
// alone, and when nothing has moved for a while what that may be. Troubles from before
// since do not count.
func waiting(ctx context.Context, state spool.State, servers []route.Server, since time.Time, now func() time.Time) func(time.Duration) string {
	return func(idle time.Duration) string {
		if ctx.Err() != nil {
			return "stopping: what is on its way is finished"
		}
		var notes []string
		if idle > 2*time.Second {
			notes = append(notes, slow(servers, idle))
		}
		for _, name := range announce.Paused(ctx, state, servers, since, now()) {
			notes = append(notes, fmt.Sprintf("server %s is down", name))
		}
		return strings.Join(notes, "; ")
	}
}

// slow is why nothing moves. Which server is asked is not known here; a limit that it
// may wait for is.
func slow(servers []route.Server, idle time.Duration) string {
	for i := range servers {
		if n := servers[i].RatePerMinute; n > 0 {
			return fmt.Sprintf("waits %s (rate_per_minute = %d)", term.Span(idle), n)
		}
	}
	return fmt.Sprintf("waits %s for an answer", term.Span(idle))
}
