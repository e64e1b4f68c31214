package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/internal/submit"
	"notices/config"
	"notices/spool"
	"notices/spool/delivery"
	"notices/spool/schedule"
)

type statusOptions struct {
	JSON           bool
	Prometheus     bool
	Check          bool
	Warn, Critical submit.Duration // ages, for Check and what a person is told of
	// Look is how the sign-in of an account is; nil: there are no accounts.
	Look func(name string, state spool.State) (*accountJSON, error)
	// Config is where [[limit]]s are; nil: there are none.
	Config *config.Config
}

// The ages from which on status warns, SPEC section 3.
const (
	warnAge     = 15 * time.Minute
	criticalAge = 2 * time.Hour
)

func (a *app) statusCommand() *cobra.Command {
	o := statusOptions{Warn: submit.Duration(warnAge), Critical: submit.Duration(criticalAge)}
	cmd := &cobra.Command{
		Use:   "status [--json|--prometheus|--check [--warn DURATION] [--critical DURATION]]",
		Short: "Show what is in the spool, when it goes out, and how the servers are",
		Args:  cobra.NoArgs,
	}
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.BoolVar(&o.Prometheus, "prometheus", false, "print metrics for Prometheus' node exporter")
	f.BoolVar(&o.Check, "check", false, "for monitoring: one line, and exit 0, 1 or 2")
	f.Var(&o.Warn, "warn", "with --check: exit 1 when the oldest due message or the last flush is older than this `DURATION`")
	f.Var(&o.Critical, "critical", "with --check: exit 2 when it is older than this `DURATION`")
	cmd.MarkFlagsMutuallyExclusive("json", "prometheus", "check")
	cmd.RunE = a.does(func(ctx context.Context, _ []string) error {
		if !o.Check && (f.Changed("warn") || f.Changed("critical")) {
			return submit.UsageError("notices status", errors.New("--warn and --critical go with --check"))
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
func (a *app) configuredStatus(ctx context.Context, o statusOptions) error {
	cfg, err := a.Load(config.Intake)
	if err != nil {
		return err
	}
	for _, problem := range cfg.Problems {
		a.Say("%s", problem)
	}
	o.Config = cfg
	o.Look = func(name string, state spool.State) (*accountJSON, error) { return lookAccount(ctx, cfg, name, state) }
	return a.withQueue(func(q *queue) error { return a.status(ctx, q, statusServers(cfg), o) })
}

// statusJSON is SPEC section 3, exactly.
type statusJSON struct {
	Queued         int          `json:"queued"`
	Deferred       int          `json:"deferred"`
	Held           int          `json:"held"`
	Failed         int          `json:"failed"`
	Bytes          int64        `json:"bytes"`
	OldestQueuedAt *time.Time   `json:"oldest_queued_at"`
	NextSendAt     *time.Time   `json:"next_send_at"`
	Servers        []serverJSON `json:"servers"`
	Google         *accountJSON `json:"google"`    // null: no account
	Microsoft      *accountJSON `json:"microsoft"` // null: no account
	LastFlush      *flushJSON   `json:"last_flush"`

	handedIn   int    // in drop/, not taken over yet
	aside      int    // what flushes set aside
	asideDir   string // where that is
	sends      histogram
	health     []spool.Health       // of Servers
	rates      []delivery.RateUsage // of Servers
	unreadable []error              // messages that cannot be counted
	stuck      spool.Stuck          // what flushes met
	inTrouble  []spool.ID           // messages of it that are still there
}

type serverJSON struct {
	Name           string     `json:"name"`
	Host           string     `json:"host"`
	Port           int        `json:"port"`
	LastTestedOn   *time.Time `json:"last_tested_on"`
	LastTestResult *string    `json:"last_test_result"` // "ok", "error"; null: never tested
	LastTestDetail *string    `json:"last_test_detail"`
	DownUntil      *time.Time `json:"down_until"`

	perMinute, perDay int // its rates; 0: no limit
}

type flushJSON struct {
	At *time.Time `json:"at"`
	spool.Tally
}

// status collects everything, then prints it.
func (a *app) status(ctx context.Context, q *queue, servers []config.Server, o statusOptions) error {
	now := a.Now()
	s := &statusJSON{Servers: []serverJSON{}, sends: newHistogram(now)}
	state := spool.Lenient(q.store.State(), a.torn)
	if err := s.collect(ctx, q, state, servers, o, now); err != nil {
		return err
	}
	s.aside, s.asideDir = a.countAside(ctx, q.store, o.Config)
	if len(s.inTrouble) == 0 && len(s.unreadable) > 0 {
		a.Say("%s cannot be read (%s); the next flush sets aside what is damaged", count(len(s.unreadable), "message"), s.unreadable[0])
	}
	for i, id := range s.inTrouble {
		if i == shownInTrouble {
			a.Say("and %s in trouble", isAre(len(s.inTrouble)+s.stuck.More-i, "more message"))
			break
		}
		a.Say("%s: %s", id, s.stuck.Messages[id])
	}
	switch {
	case o.Check:
		return a.printCheck(s, now, o)
	case o.JSON:
		return a.printJSON(s)
	case o.Prometheus:
		return a.printMetrics(ctx, s, state, o, now)
	}
	return a.printStatus(ctx, s, state, o, now)
}

// shownInTrouble is how many messages in trouble are shown: mostly all have the same.
const shownInTrouble = 5

// meet notes whether a listed message is one that a flush had trouble with.
func (s *statusJSON) meet(id spool.ID) {
	if _, ok := s.stuck.Messages[id]; ok {
		s.inTrouble = append(s.inTrouble, id)
	}
}

// torn tells of a small value beside the messages that cannot be read. It is nothing that
// mail depends on, and no reason to show nothing of the rest.
func (a *app) torn(name string, err error) {
	a.Say("%s; it counts as not there. What writes state/%s next makes it anew; it may be removed", err, name)
}

func (s *statusJSON) collect(ctx context.Context, q *queue, state spool.State, servers []config.Server, o statusOptions, now time.Time) (err error) {
	if s.stuck, err = spool.LoadState[spool.Stuck](ctx, state, spool.StuckName); err != nil {
		return err
	}
	if o.Check {
		err = s.skim(ctx, q, now)
	} else if err = s.messages(ctx, q, now); err == nil {
		err = s.failedBytes(ctx, q.store)
	}
	if err != nil {
		return err
	}
	for i := range servers {
		if err := s.server(ctx, state, &servers[i], now); err != nil {
			return err
		}
	}
	if err := s.lookAccounts(state, o); err != nil {
		return err
	}
	last, err := spool.LoadState[spool.LastFlush](ctx, state, spool.LastFlushName)
	if err == nil && !last.At.IsZero() {
		s.LastFlush = &flushJSON{stamp(last.At), last.Tally}
	}
	return err
}

// messages counts what is in the spool. Whether a message was tried yet only its
// record knows, so each is looked at, but for failed ones.
func (s *statusJSON) messages(ctx context.Context, q *queue, now time.Time) error {
	entries, err := q.entries(ctx, func(e spool.Entry) bool {
		s.meet(e.ID)
		if e.State == spool.StateFailed {
			s.Failed++
		}
		return e.State != spool.StateFailed
	})
	if err != nil {
		return err
	}
	return q.read(ctx, entries, func(r looked) {
		if r.err != nil {
			s.unreadable = append(s.unreadable, r.err)
			return
		}
		s.Bytes += r.stored
		s.message(r.Record, q.policy, now)
	})
}

// failedBytes adds what the messages take that were not looked at: failed ones, and such
// as cannot be read.
func (s *statusJSON) failedBytes(ctx context.Context, store spool.Store) error {
	if len(s.unreadable) > 0 {
		all, err := store.Usage(ctx)
		s.Bytes = all
		return err
	}
	if s.Failed == 0 {
		return nil
	}
	failed, err := store.UsageFailed(ctx)
	s.Bytes += failed
	return err
}

// skim is messages for a check, which runs every minute: by the listing alone. What was
// not tried yet is not told from what was.
func (s *statusJSON) skim(ctx context.Context, q *queue, now time.Time) error {
	var due []spool.Entry
	_, err := q.entries(ctx, func(e spool.Entry) bool {
		s.meet(e.ID)
		switch {
		case e.State == spool.StateFailed:
			s.Failed++
		case e.State == spool.StateHeld:
			s.Held++
		default:
			s.Queued++
			if q.policy.Due(e.Next, now) {
				due = append(due, e)
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	s.sends.due = len(due)
	for len(due) > 0 {
		oldest := slices.MinFunc(due, byNext)
		r := q.look(ctx, oldest)
		if r.err == nil && !nextSend(r.Record).IsZero() && q.policy.Due(r.NextSendAt, now) {
			s.NextSendAt = stamp(r.NextSendAt)
			return nil
		}
		// It is being attempted, and due in the listing alone; or it left.
		s.sends.due--
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if r.err != nil && !errors.Is(r.err, spool.ErrGone) {
			s.unreadable = append(s.unreadable, r.err)
		}
		due = slices.DeleteFunc(due, func(e spool.Entry) bool { return e.ID == oldest.ID })
	}
	return nil
}

func (s *statusJSON) message(r *spool.Record, policy schedule.Policy, now time.Time) {
	switch r.State() {
	case spool.StateQueued:
		s.Queued++
	case spool.StateDeferred:
		s.Deferred++
	case spool.StateHeld:
		s.Held++
	}
	if s.OldestQueuedAt == nil || r.QueuedAt.Before(*s.OldestQueuedAt) {
		s.OldestQueuedAt = stamp(r.QueuedAt)
	}
	next := nextSend(r)
	if next.IsZero() {
		return
	}
	if policy.Due(next, now) {
		s.sends.due++
	} else {
		s.sends.add(next)
	}
	if s.NextSendAt == nil || next.Before(*s.NextSendAt) {
		s.NextSendAt = stamp(next)
	}
}

// accounts are those that are configured.
func (s *statusJSON) accounts() []*accountJSON {
	return slices.DeleteFunc([]*accountJSON{s.Google, s.Microsoft}, func(a *accountJSON) bool { return a == nil })
}

// lookAccounts looks how the sign-ins are.
func (s *statusJSON) lookAccounts(state spool.State, o statusOptions) (err error) {
	if o.Look == nil {
		return nil
	}
	if s.Google, err = o.Look(config.AuthGoogle, state); err == nil {
		s.Microsoft, err = o.Look(config.AuthMicrosoft, state)
	}
	return err
}
