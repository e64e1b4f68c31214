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
	"notices/spool/drop"
	"notices/spool/rate"
	"notices/spool/records"
	"notices/spool/route"
)

// collector fills a snapshot.
type collector struct {
	s      *snapshot
	q      *queue.Queue
	o      Options
	state  spool.State
	route  []route.Server // those that mail goes through, for their Senders
	waits  []wait
	limits rate.Waits
	hosted hostedSites // of a service
	bySite map[string]waiting
}

func collect(ctx context.Context, q *queue.Queue, o Options) (*snapshot, error) {
	now := q.Program.Now()
	c := &collector{
		s: &snapshot{now: now, Servers: []server{}, sends: histogram{now: now}, asideDir: "aside/"},
		q: q, o: o,
		// Mail does not depend on these small values: if one cannot be read, the rest is shown.
		state: spool.Lenient(q.Store.State(), func(name string, err error) {
			if !errors.Is(err, spool.ErrUnreachable) { // then nothing can be read, which is said once
				q.Program.Say("%s; it is ignored, and may be removed. state/%s is written again when it is needed", err, name)
			}
		}),
	}
	for i := range o.Servers {
		if c.uses(o.Servers[i].Name) {
			c.route = append(c.route, rates(&o.Servers[i]))
		}
	}
	var err error
	if c.hosted, err = loadSites(ctx, &o, c.state, now); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{c.loadLimits, c.messages, c.servers, c.signIns, c.flush, c.hosts, c.bounces, c.sites} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if err := CheckHistory(q.Store); err != nil {
		text := err.Error()
		c.s.HistoryError = &text
	}
	c.countWaits()
	c.buffer()
	c.files(ctx)
	return c.s, nil
}

// CheckHistory is what keeps a store from reading or writing its history, with what to do about
// it; nil: nothing that shows without writing. Only a folder can have a history that fails apart
// from its mail.
func CheckHistory(s spool.Store) error {
	if folder, ok := s.(interface{ CheckHistory() error }); ok {
		return folder.CheckHistory()
	}
	return nil
}

// uses reports whether mail goes out through the server of that name.
func (c *collector) uses(name string) bool {
	cfg := c.o.Config
	if cfg == nil {
		return true
	}
	if via := cfg.Delivery.Via; via != "" && via != config.ViaServers {
		return name == via
	}
	return slices.ContainsFunc(cfg.Servers, func(s config.Server) bool { return s.Name == name })
}

// loadLimits finds how far the [[limit]]s are used up.
func (c *collector) loadLimits(ctx context.Context) (err error) {
	if len(c.o.Limits) > 0 {
		c.s.limitsUsed, err = rate.Usages(ctx, c.state, c.o.Limits, c.s.now)
		c.limits = rate.WaitsFor(c.s.limitsUsed)
	}
	return err
}

// messages counts what is in the spool. Only its record says whether a message was tried,
// so all records are read, except those of failed messages. A check runs every minute: it
// goes by the listing, and reads a sample of the records to find what messages wait for.
func (c *collector) messages(ctx context.Context) (err error) {
	if c.s.stuck, err = spool.LoadState[spool.Stuck](ctx, c.state, spool.StuckName); err != nil {
		return err
	}
	var due, failed []spool.Entry
	entries, err := records.List(ctx, c.q.Store, func(e spool.Entry) bool {
		if _, ok := c.s.stuck.Messages[e.ID]; ok {
			c.s.inTrouble = append(c.s.inTrouble, e.ID)
		}
		switch {
		case e.State == spool.StateFailed:
			c.s.Failed++
			failed = append(failed, e)
			return false
		case !c.o.Check:
			return true
		case e.State == spool.StateHeld:
			c.s.Held++
			return false
		}
		c.s.Queued++
		if c.q.Policy.Due(e.Next, c.s.now) {
			due = append(due, e)
		}
		return true
	})
	if err != nil {
		return err
	}
	if err := c.countFailedOfSites(ctx, failed); err != nil {
		return err
	}
	if c.o.Check {
		err := records.Read(ctx, c.q.Store, sample(entries, mostRecords), func(m records.Message) {
			if m.Err == nil {
				c.addWait(m.Record)
			}
		})
		if err == nil {
			err = c.findOldestDue(ctx, due)
		}
		return err
	}
	err = records.Read(ctx, c.q.Store, entries, func(m records.Message) {
		if m.Err != nil {
			c.s.unreadable = append(c.s.unreadable, m.Err)
			return
		}
		c.s.Bytes += m.Stored
		c.count(m.Record)
	})
	if err == nil {
		err = c.unreadBytes(ctx)
	}
	return err
}

// unreadBytes adds the size of the messages whose records were not read: failed ones, and
// damaged ones.
func (c *collector) unreadBytes(ctx context.Context) (err error) {
	switch {
	case len(c.s.unreadable) > 0:
		c.s.Bytes, err = c.q.Store.Usage(ctx)
	case c.s.Failed > 0:
		var failed int64
		failed, err = c.q.Store.UsageFailed(ctx)
		c.s.Bytes += failed
	}
	return err
}

// mostRecords is how many records a check reads.
const mostRecords = 10_000

// sample picks n of the messages, by age: half of them are the oldest, the other half is
// spread over the rest. What waits longest is among the oldest, but all of these may wait for
// their recipients.
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

// count counts a message by its record.
func (c *collector) count(r *spool.Record) {
	switch r.State() {
	case spool.StateQueued:
		c.s.Queued++
	case spool.StateDeferred:
		c.s.Deferred++
	case spool.StateHeld:
		c.s.Held++
	}
	earliest(&c.s.OldestQueuedAt, r.QueuedAt)
	c.addWait(r)
	c.countSite(r)
	next, _ := c.dueAt(r)
	if next.IsZero() {
		return
	}
	if c.q.Policy.Due(next, c.s.now) {
		c.s.sends.due++
	} else {
		c.s.sends.add(next)
	}
	earliest(&c.s.NextSendAt, next)
}

func earliest(least **time.Time, at time.Time) {
	if *least == nil || at.Before(**least) {
		*least = term.Stamp(at)
	}
}

// dueAt is when a message goes out next; zero if it does not. limited: a [[limit]] that is
// used up delays it.
func (c *collector) dueAt(r *spool.Record) (next time.Time, limited bool) {
	next = records.NextSend(r)
	if next.IsZero() {
		return next, false
	}
	var to []string
	for _, i := range r.Pending() {
		to = append(to, r.Recipients[i].Address)
	}
	at, limit := c.limits.Until(to)
	if limit == nil || !at.After(next) {
		return next, false
	}
	if at.After(c.s.now) {
		c.s.limited++
		if c.s.limitedBy == nil || at.Before(c.s.limitedBy.Free) {
			c.s.limitedBy = limit
		}
	}
	return at, true
}

// findOldestDue finds the message that has been due for longest. Some messages that the
// listing shows as due are being attempted, have left, or wait for a limit.
func (c *collector) findOldestDue(ctx context.Context, due []spool.Entry) error {
	c.s.sends.due = len(due)
	slices.SortFunc(due, queue.ByNextSend)
	for i := range min(len(due), mostRecords) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m := records.Peek(ctx, c.q.Store, due[i])
		if m.Err != nil {
			c.s.sends.due--
			if !errors.Is(m.Err, spool.ErrGone) { // it left meanwhile
				c.s.unreadable = append(c.s.unreadable, m.Err)
			}
			continue
		}
		next, limited := c.dueAt(m.Record)
		if next.IsZero() || !c.q.Policy.Due(next, c.s.now) {
			c.s.sends.due--
			continue
		}
		earliest(&c.s.NextSendAt, next)
		if !limited {
			return nil // the others are due later
		}
	}
	return nil
}

// signIns finds how the sign-ins are.
func (c *collector) signIns(context.Context) (err error) {
	if c.o.SignIn == nil {
		return nil
	}
	if c.s.Google, err = c.o.SignIn(config.AuthGoogle, c.state); err == nil {
		c.s.Microsoft, err = c.o.SignIn(config.AuthMicrosoft, c.state)
	}
	return err
}

// flush finds how the last flush went, and why flush cannot work: it refuses the config, its
// last run failed, or the spool cannot be written. That last error flush cannot write down,
// so it is tried here. A run of serve that worked since counts as a flush that works.
func (c *collector) flush(ctx context.Context) error {
	if c.o.Refused != nil {
		text := c.o.Refused.Error()
		c.s.ConfigError = &text
	}
	last, err := spool.LoadState[spool.LastFlush](ctx, c.state, spool.LastFlushName)
	places := append([]spool.State{c.q.Store.State()}, c.o.Spares...)
	if err := c.q.Store.Writable(ctx); err != nil && ctx.Err() == nil {
		text := app.Explain(err)
		c.s.FlushError, c.s.unwritable = &text, true
	} else if e := alert.Load(ctx, places...)[announce.KeyFlush]; e != nil && e.Open() && !last.ServedAt.After(e.Latest()) {
		c.s.FlushError = &e.Cause
	}
	if err == nil && !last.At.IsZero() {
		c.s.LastFlush = &lastFlush{term.Stamp(last.At), last.Tally}
	}
	c.s.serving = last.Serving && c.s.now.Sub(last.ServedAt).Abs() <= servingAge
	return err
}

// bounces finds how the last reading of the mailbox of [bounces] went.
func (c *collector) bounces(ctx context.Context) error {
	last, err := spool.LoadState[spool.BouncesRead](ctx, c.state, spool.BouncesReadName)
	if err == nil && !last.At.IsZero() {
		c.s.Bounces = &bounces{At: term.Stamp(last.At), Read: last.Read, Bounced: last.Bounced}
		if last.Error != "" {
			c.s.Bounces.Error = &last.Error
		}
	}
	if c.o.BouncesRefused != nil {
		c.s.bouncesError, _, _ = strings.Cut(c.o.BouncesRefused.Error(), "\n")
	}
	c.s.mailbox = c.o.Config != nil && c.o.Config.Bounces.Imap != ""
	return err
}

// files counts what flushes set aside, and what other users handed in.
func (c *collector) files(ctx context.Context) {
	if cfg := c.o.Config; cfg != nil {
		c.s.asideDir = filepath.Join(cfg.Spool.Dir, "aside") + "/"
		if !c.o.Check {
			c.s.handedIn, _ = drop.Waiting(cfg.Spool.Dir) // a user who may not list drop/ does not see it
		}
	}
	var err error
	if c.s.aside, c.s.fromDrop, _, err = announce.CountAside(ctx, c.q.Store); err != nil && !errors.Is(err, spool.ErrUnreachable) { // mail does not depend on it
		c.q.Program.Say("the files in %s cannot be counted: %s", c.s.asideDir, err)
	}
}
