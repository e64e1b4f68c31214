// Package status collects what is known of the spool, the servers, the sign-ins and the last
// flush, and shows it: to a person, to a monitoring program (--check), to Prometheus, as JSON.
package status

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/announce"
	"notices/cmd/notices/queue"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/alert"
	"notices/spool/oauth"
	"notices/spool/route"
	"notices/spool/schedule"
	"notices/spool/smtpclient"
)

// Options are those of notices status, and where it looks.
type Options struct {
	JSON           bool
	Prometheus     bool
	Check          bool
	Warn, Critical app.Duration // ages, for Check and what a person is told of
	// SignIn is how the sign-in of an account is; nil: there are no accounts.
	SignIn func(name string, state spool.State) (*SignIn, error)
	// Config is the configuration; nil in a test that needs none.
	Config *config.Config
	// Limits are the [[limit]]s of the config.
	Limits []route.Limit
	// Refused is what flush refuses of the config; nil: nothing.
	Refused error
	// Spares are where flush keeps what it told when it cannot keep it in the spool.
	Spares []spool.State
}

// WarnAge and CriticalAge are the ages from which on status warns, SPEC section 3.
const (
	WarnAge     = 15 * time.Minute
	CriticalAge = 2 * time.Hour
)

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
	Google         *SignIn      `json:"google"`    // null: no account
	Microsoft      *SignIn      `json:"microsoft"` // null: no account
	LastFlush      *flushJSON   `json:"last_flush"`

	// Of the messages that are deferred: whom they wait for, and since when the first one
	// waits for a server.
	WaitingForServer      int        `json:"waiting_for_server"`
	WaitingForRecipient   int        `json:"waiting_for_recipient"`
	WaitingForServerSince *time.Time `json:"waiting_for_server_since"`
	ConfigError           *string    `json:"config_error"` // what flush refuses; null: nothing
	FlushError            *string    `json:"flush_error"`  // why the last flush failed; null: it did not
	Check                 *checkJSON `json:"check"`        // what --check says

	handedIn   int    // in drop/, not taken over yet
	aside      int    // what flushes set aside
	fromDrop   int    // what other users put into drop/, there too
	asideDir   string // where that is
	sends      histogram
	health     []spool.Health    // of Servers
	rates      []route.RateUsage // of Servers
	unreadable []error           // messages that cannot be counted
	stuck      spool.Stuck       // what flushes met
	troubled   []bool            // of Servers: their last word is trouble
	stale      []bool            // of Servers: and that is long ago
	waits      []spool.Waiting   // while they are gathered
	inTrouble  []spool.ID        // messages of it that are still there
	takers     []route.Server    // those that mail goes through, for their Senders
	unnamed    map[string]int    // messages by a sender that no server takes mail from
	limitsUsed []route.Usage
	limitWaits route.Waits  // for what [[limit]]s put off
	limited    int          // messages that wait for one
	limitedBy  *route.Usage // which lets the next one go first
	unwritable bool         // flush cannot write to the spool: FlushError says why
}

type serverJSON struct {
	Name           string     `json:"name"`
	Host           string     `json:"host"`
	Port           int        `json:"port"`
	LastTestedOn   *time.Time `json:"last_tested_on"`
	LastTestResult *string    `json:"last_test_result"` // "ok", "error"; null: never tested
	LastTestDetail *string    `json:"last_test_detail"`
	DownUntil      *time.Time `json:"down_until"`
	DownSince      *time.Time `json:"down_since"`        // since when its last word is trouble; null: it is not
	Senders        []string   `json:"senders,omitempty"` // the only ones that it takes mail from

	spare             bool // mail does not go through it
	perMinute, perDay int  // its rates; 0: no limit
}

// checkJSON is the verdict of --check.
type checkJSON struct {
	Level   int      `json:"level"`   // 0, 1 or 2, its exit code
	Reasons []string `json:"reasons"` // why it is not 0
	Remarks []string `json:"remarks"` // what else is worth knowing
}

type flushJSON struct {
	At *time.Time `json:"at"`
	spool.Tally
}

// Run collects everything, then prints it.
func Run(ctx context.Context, q *queue.Queue, servers []config.Server, o Options) error {
	now := q.Program.Now()
	s := &statusJSON{Servers: []serverJSON{}, sends: newHistogram(now)}
	state := spool.Lenient(q.Store.State(), func(name string, err error) {
		q.Program.Say("%s; it counts as not there. What writes state/%s next makes it anew; it may be removed", err, name)
	})
	if err := s.collect(ctx, q, state, servers, o, now); err != nil {
		return err
	}
	s.aside, s.fromDrop, s.asideDir = countAside(ctx, q, o.Config)
	if len(s.inTrouble) == 0 && len(s.unreadable) > 0 {
		q.Program.Say("%s cannot be read (%s); the next flush sets aside what is damaged", term.Count(len(s.unreadable), "message"), s.unreadable[0])
	}
	for i, id := range s.inTrouble {
		if i == shownInTrouble {
			q.Program.Say("and %s in trouble", term.CountIs(len(s.inTrouble)+s.stuck.More-i, "more message"))
			break
		}
		q.Program.Say("%s: %s", id, s.stuck.Messages[id])
	}
	switch {
	case o.Check:
		return printCheck(q.Program, s, now, o)
	case o.JSON:
		c := s.check(now, o)
		s.Check = &checkJSON{c.level, append([]string{}, c.reasons...), append([]string{}, c.remarks...)}
		return term.PrintJSON(q.Program.Stdout, s)
	case o.Prometheus:
		return printMetrics(q.Program.Stdout, s, o, now)
	}
	return printStatus(q.Program, s, o, now)
}

// shownInTrouble is how many messages in trouble are shown: mostly all have the same.
const shownInTrouble = 5

// meet notes whether a listed message is one that a flush had trouble with.
func (s *statusJSON) meet(id spool.ID) {
	if _, ok := s.stuck.Messages[id]; ok {
		s.inTrouble = append(s.inTrouble, id)
	}
}

func (s *statusJSON) collect(ctx context.Context, q *queue.Queue, state spool.State, servers []config.Server, o Options, now time.Time) (err error) {
	if s.stuck, err = spool.LoadState[spool.Stuck](ctx, state, spool.StuckName); err != nil {
		return err
	}
	for i := range servers {
		if o.Config == nil || inUse(o.Config, servers[i].Name) {
			s.takers = append(s.takers, route.Server{Server: smtpclient.Server{Name: servers[i].Name}, Senders: servers[i].Senders})
		}
	}
	if err = s.loadLimits(ctx, state, o, now); err != nil {
		return err
	}
	if o.Check {
		err = s.skim(ctx, q, now)
	} else if err = s.messages(ctx, q, now); err == nil {
		err = s.failedBytes(ctx, q.Store)
	}
	if err != nil {
		return err
	}
	tests, err := testResults(ctx, state, tested(servers))
	if err != nil {
		return err
	}
	for i := range servers {
		if err := s.server(ctx, state, &servers[i], tests[i], now); err != nil {
			return err
		}
		s.Servers[i].spare = o.Config != nil && !inUse(o.Config, servers[i].Name)
	}
	s.countWaits(now)
	if err := s.lookAccounts(state, o); err != nil {
		return err
	}
	if o.Refused != nil {
		text := o.Refused.Error()
		s.ConfigError = &text
	}
	s.findFlushError(ctx, q.Store, o.Spares)
	last, err := spool.LoadState[spool.LastFlush](ctx, state, spool.LastFlushName)
	if err == nil && !last.At.IsZero() {
		s.LastFlush = &flushJSON{term.Stamp(last.At), last.Tally}
	}
	return err
}

// findFlushError says why flush cannot work: the spool cannot be written, which it can note
// nowhere in it, so that the same is tried here; or what its last run met.
func (s *statusJSON) findFlushError(ctx context.Context, store spool.Store, told []spool.State) {
	if err := store.Writable(ctx); err != nil && ctx.Err() == nil {
		text := app.Explain(err)
		s.FlushError, s.unwritable = &text, true
	} else if e := alert.Load(ctx, append([]spool.State{store.State()}, told...)...)[announce.KeyFlush]; e != nil && e.Open() {
		s.FlushError = &e.Cause
	}
}

// messages counts what is in the spool. Whether a message was tried yet only its
// record knows, so each is looked at, but for failed ones.
func (s *statusJSON) messages(ctx context.Context, q *queue.Queue, now time.Time) error {
	entries, err := q.Entries(ctx, func(e spool.Entry) bool {
		s.meet(e.ID)
		if e.State == spool.StateFailed {
			s.Failed++
		}
		return e.State != spool.StateFailed
	})
	if err != nil {
		return err
	}
	return q.Read(ctx, entries, func(r queue.Message) {
		if r.Err != nil {
			s.unreadable = append(s.unreadable, r.Err)
			return
		}
		s.Bytes += r.Stored
		s.message(r.Record, q.Policy, now)
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

// skim is messages for a check, which runs every minute: by the listing, and by so many
// records as tell whom messages wait for. What was not tried yet is not told from what
// was.
func (s *statusJSON) skim(ctx context.Context, q *queue.Queue, now time.Time) error {
	var due []spool.Entry
	waiting, err := q.Entries(ctx, func(e spool.Entry) bool {
		s.meet(e.ID)
		switch {
		case e.State == spool.StateFailed:
			s.Failed++
		case e.State == spool.StateHeld:
			s.Held++
		default:
			s.Queued++
			if q.Policy.Due(e.Next, now) {
				due = append(due, e)
			}
			return true
		}
		return false
	})
	if err == nil {
		err = q.Read(ctx, sample(waiting, most), func(r queue.Message) {
			if r.Err == nil {
				s.wait(r.Record)
			}
		})
	}
	if err != nil {
		return err
	}
	return s.findOldestDue(ctx, q, due, now)
}

// noteUnreadable notes a message that cannot be read; one that has left meanwhile does not count.
func (s *statusJSON) noteUnreadable(err error) {
	if !errors.Is(err, spool.ErrGone) {
		s.unreadable = append(s.unreadable, err)
	}
}

// most records are read for a check.
const most = 10_000

// sample keeps n of the messages, in their order: the older half of what is kept are the
// oldest, the other half is spread over the rest. What waits longest is among the oldest;
// but these may all wait for their recipients.
func sample(list []spool.Entry, n int) []spool.Entry {
	if len(list) <= n {
		return list
	}
	slices.SortFunc(list, func(a, b spool.Entry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	kept := list[: n/2 : n/2]
	rest := list[n/2:]
	for i := range n - n/2 {
		kept = append(kept, rest[i*len(rest)/(n-n/2)])
	}
	return kept
}

// wait notes what a message waits for.
func (s *statusJSON) wait(r *spool.Record) {
	unnamed := s.countUnnamed(&r.Envelope)
	if w, ok := r.Waiting(); ok {
		w.Own = w.Own || unnamed // what other mail meets says nothing of it
		s.waits = append(s.waits, w)
	} else if r.State() == spool.StateDeferred {
		s.WaitingForRecipient++
	}
}

// countWaits sums up what waits for a server. Where all servers work, and one took a message
// since, or was found up again, only its next send is to come; but not if a server put off this very message. An
// attempt under way counts when it has taken longer than any does.
func (s *statusJSON) countWaits(now time.Time) {
	var took time.Time
	for i := range s.Servers {
		if s.Servers[i].spare {
			continue
		}
		if s.troubled[i] {
			took = time.Time{}
			break
		}
		for _, at := range []time.Time{s.health[i].TookAt, s.health[i].UpAt} {
			if at.After(took) {
				took = at
			}
		}
	}
	for _, w := range s.waits {
		if !w.Own && took.After(w.Last) || w.Trying && now.Sub(w.Since) <= WarnAge {
			continue
		}
		s.WaitingForServer++
		if s.WaitingForServerSince == nil || w.Since.Before(*s.WaitingForServerSince) {
			s.WaitingForServerSince = term.Stamp(w.Since)
		}
	}
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
		s.OldestQueuedAt = term.Stamp(r.QueuedAt)
	}
	s.wait(r)
	next, _ := s.dueAt(r, now)
	if next.IsZero() {
		return
	}
	if policy.Due(next, now) {
		s.sends.due++
	} else {
		s.sends.add(next)
	}
	if s.NextSendAt == nil || next.Before(*s.NextSendAt) {
		s.NextSendAt = term.Stamp(next)
	}
}

// accounts are those that are configured.
func (s *statusJSON) accounts() []*SignIn {
	return slices.DeleteFunc([]*SignIn{s.Google, s.Microsoft}, func(a *SignIn) bool { return a == nil })
}

// lookAccounts looks how the sign-ins are.
func (s *statusJSON) lookAccounts(state spool.State, o Options) (err error) {
	if o.SignIn == nil {
		return nil
	}
	if s.Google, err = o.SignIn(config.AuthGoogle, state); err == nil {
		s.Microsoft, err = o.SignIn(config.AuthMicrosoft, state)
	}
	return err
}

// SignIn is how a sign-in is.
type SignIn struct {
	Account   string     `json:"account"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"` // of the access token, which is renewed by itself
	Error     *string    `json:"error"`      // and what to run; null: all is well

	NeedsPerson bool `json:"-"` // the error is for a person to mend; else it passes
}

// DescribeSignIn is what a sign-in is shown as.
func DescribeSignIn(found *oauth.Account, err error) (*SignIn, error) {
	if found == nil || err != nil {
		return nil, err
	}
	j := &SignIn{Account: found.Account, Scopes: found.Scopes, ExpiresAt: term.Stamp(found.ExpiresAt)}
	if found.Error != nil {
		text := found.Error.Error()
		j.Error, j.NeedsPerson = &text, found.Error.NeedsPerson()
	}
	return j, nil
}

// countAside is how many messages and files were set aside, those of other users apart, and
// where they lie.
func countAside(ctx context.Context, q *queue.Queue, cfg *config.Config) (n, fromDrop int, dir string) {
	dir = "aside/"
	if cfg != nil {
		dir = filepath.Join(cfg.Spool.Dir, "aside") + "/"
	}
	n, fromDrop, _, err := announce.CountAside(ctx, q.Store)
	if err != nil { // it is nothing that mail depends on
		q.Program.Say("what lies in %s cannot be counted: %s", dir, err)
	}
	return n, fromDrop, dir
}
