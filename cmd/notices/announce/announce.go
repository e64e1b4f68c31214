// Package announce reports the problems that a flush met, with servers, with
// messages, with the spool or with the run itself, and says what a person can do. On a terminal each run
// reports them all. Cron's mail reports only what is new and what is over, which package alert
// decides.
package announce

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/alert"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/route"
)

// Collector gathers the problems that a run of flush meets.
type Collector struct {
	Store   spool.Store  // nil: the run did not come so far
	Beside  AsideCounter // the folder beside a database; nil: the store is a folder
	Servers []route.Server

	p        *app.Program
	each     bool       // say all of it in each run
	mu       sync.Mutex // guards what follows
	problems []*problem // in the order in which they were met
	causes   []string   // of all notices
}

// problem is an alert that may grow.
type problem struct {
	alert.Alert
	more    int            // how many of its kind there are, after the first
	outcome *spool.Outcome // of a server
}

// maxShown is how many problems of a kind are named one by one.
const maxShown = 5

// KeyFlush is the key of the alert that a run as a whole failed.
const KeyFlush = "flush"

// Keys of alerts whose end can be found out.
const (
	keyLog         = "log"
	keyFailed      = "failed"
	keyAside       = "aside"
	keyHeld        = "held"
	keyInterrupted = "interrupted"
	keyMessages    = "messages"
	keyHistory     = "history"
	keyServer      = "server " // + its name
)

// New makes the program's notices go to a Collector. each: say all of them in this run.
func New(p *app.Program, each bool) *Collector {
	_, terminal := app.Terminal(p.Stderr)
	c := &Collector{p: p, each: each || terminal || p.Verbose}
	p.Notify = c.add
	return c
}

// add takes a notice.
func (c *Collector) add(n maillog.Notice) {
	a := alert.Alert{Key: keyOf(&n), Text: n.String(), Cause: n.Why}
	a.Kind, a.OverText = a.Key, "this is over: "+a.Text
	switch a.Key {
	case keyFailed:
		a.OverText, a.Cause = "failed/ is empty again", ""
	case keyAside:
		a.OverText, a.Cause = "aside/ is empty again", ""
	case keyLog:
		a.OverText = "the log can be written again"
	case keyHistory:
		a.OverText = "the history can be written again"
	case keyMessages:
		a.OverText = "no message is in trouble any more"
		if n.Event == "stuck" { // another message is another kind
			a.Kind += " " + hash(a.Text)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.causes = append(c.causes, n.Why)
	if i := slices.IndexFunc(c.problems, func(m *problem) bool { return m.Key == a.Key }); i >= 0 {
		m := c.problems[i]
		if m.more++; m.more < maxShown && m.outcome == nil {
			m.Text += "\n" + a.Text
		}
		return
	}
	m := &problem{Alert: a}
	if n.Event == "paused" {
		o := n.Outcome
		m.outcome = &o
		m.Kind, m.OverText = kindOf(o.Reason), withHost(n.What, o.Reply.Host)+" works again"
	}
	c.problems = append(c.problems, m)
}

func keyOf(n *maillog.Notice) string {
	const maxKey = 60 // keeps names that users make up from filling what is kept
	switch n.Event {
	case "paused":
		return keyServer + n.What
	case "gave-up":
		return keyFailed
	case keyAside, keyHeld, keyInterrupted, keyLog:
		return n.Event
	}
	switch {
	case n.ID != "":
		return keyMessages
	case n.What == flush.HistoryTrouble:
		return keyHistory
	case strings.HasPrefix(n.What+"/", "drop/"):
		return "trouble: drop"
	}
	return "trouble: " + n.What[:min(len(n.What), maxKey)]
}

// Finish ends the run: it says the problems, the run's own error among them, and returns the
// error that still has to be said.
func (c *Collector) Finish(ctx context.Context, err error) error {
	c.p.Notify = nil
	ctx = context.WithoutCancel(ctx)
	added := c.addError(err)
	alerts := c.alerts(ctx)
	if c.each {
		for i := range alerts {
			c.p.Say("%s", alerts[i].Text)
		}
	} else {
		complete := c.Store != nil && !added && !errors.As(err, new(*config.Error))
		c.sayNew(ctx, alerts, complete)
	}
	if err != nil && (added || c.isKnown(err)) {
		return &app.Failure{Code: app.ExitCode(err)}
	}
	return err
}

// addError adds the error that ended the run. An error that a notice had already is not said
// twice, and a stopped run is not a problem.
func (c *Collector) addError(err error) bool {
	failure := (*app.Failure)(nil)
	if err == nil || errors.As(err, &failure) && failure.Err == nil || c.isKnown(err) {
		return false
	}
	text := app.Explain(err)
	away := errors.Is(err, spool.ErrUnreachable)
	c.problems = slices.DeleteFunc(c.problems, func(m *problem) bool {
		return m.Cause != "" && strings.Contains(text, m.Cause) || away && strings.Contains(m.Cause, spool.ErrUnreachable.Error())
	})
	kind := fmt.Sprint(app.ExitCode(err))
	var errno unix.Errno
	if app.ExitCode(err) == app.ExitConfig {
		kind += " " + hash(text)
	} else if errors.As(err, &errno) {
		kind += " " + errno.Error()
	}
	stopsIntake := true // sendmail, which queues cron's mail, meets the same: an error of the spool
	if errors.As(err, new(*config.Error)) {
		_, e := c.p.ReadConfig(config.Intake)
		stopsIntake = e != nil
	}
	c.problems = append(c.problems, &problem{Alert: alert.Alert{
		Key: KeyFlush, Kind: kind, Text: text, Cause: err.Error(), OverText: "notices flush works again", Repeat: stopsIntake,
	}})
	return true
}

// isKnown reports whether notices had all of err already.
func (c *Collector) isKnown(err error) bool {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !slices.ContainsFunc(c.causes, func(cause string) bool { return cause != "" && strings.HasSuffix(line, cause) }) {
			return false
		}
	}
	return !errors.Is(err, flush.ErrSpool)
}

// sayNew says what is new or over. complete: the run would have met all problems that last.
func (c *Collector) sayNew(ctx context.Context, met []alert.Alert, complete bool) {
	now := c.p.Now()
	places := Spares(c.p)
	if c.Store != nil {
		places = slices.Insert(places, 0, c.Store.State())
	}
	begun, ended := alert.Update(ctx, now, met, func(key string, e *alert.Entry) alert.Status {
		if !complete {
			return alert.Active
		}
		return c.status(ctx, key, e, now)
	}, places...)
	say(c.p, begun, ended, now)
}

// status is the status of a problem that this run did not meet. If its end cannot be found
// out, it is over when no run has met it for longer than a deferred message waits by default.
// An event is not said twice in a day.
func (c *Collector) status(ctx context.Context, key string, e *alert.Entry, now time.Time) alert.Status {
	const (
		overAfter = 2 * time.Hour
		dropAfter = 24 * time.Hour
	)
	over := false
	switch name, isServer := strings.CutPrefix(key, keyServer); {
	case isServer:
		i := c.find(name)
		if i < 0 {
			return alert.Dropped
		}
		h, err := spool.LoadState[spool.Health](ctx, c.Store.State(), spool.HealthName+name)
		if err == nil && !h.Of(c.Servers[i].Host) {
			return alert.Dropped
		}
		over = err == nil && h.Troubles == 0
	case key == KeyFlush, key == keyLog:
		over = true
	case key == keyFailed:
		found := false
		err := c.Store.ScanFailed(ctx, func(spool.Entry) bool { found = true; return false })
		over = err == nil && !found
	case key == keyAside:
		n, known, err := c.countAside(ctx)
		if !known {
			return alert.Dropped
		}
		over = err == nil && n == 0
	case key == keyHistory:
		over = c.Store.AddHistory(ctx) == nil
	case key == KeyMailbox: // read-bounces knows; it may be run no more
		if now.Sub(e.Seen) >= mailboxDropAfter {
			return alert.Dropped
		}
	case key == keyHeld, key == keyInterrupted:
		if now.Sub(e.Seen) >= dropAfter {
			return alert.Dropped
		}
	default:
		over = now.Sub(e.Seen) >= overAfter
		if key == keyMessages {
			stuck, err := spool.LoadState[spool.Stuck](ctx, c.Store.State(), spool.StuckName)
			over = over && err == nil && len(stuck.Messages) == 0
		}
	}
	if over {
		return alert.Resolved
	}
	return alert.Active
}

// find is the index of the server of that name, or -1.
func (c *Collector) find(name string) int {
	return slices.IndexFunc(c.Servers, func(s route.Server) bool { return s.Name == name })
}

func hash(text string) string {
	h := fnv.New64a()
	h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}

// Spares are where alerts are kept when the spool cannot be written or is not known: the
// first of the folders that takes a file. TMPDIR may name a folder of a session that has
// ended, and /tmp may be on the same full disk.
func Spares(p *app.Program) []spool.State {
	path, _ := config.Find(p.Config, p.Getenv)
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	name := fmt.Sprintf("notices-%d-%s.alerts", os.Geteuid(), hash(path))
	var list []spool.State
	add := func(dir, name string) {
		if filepath.IsAbs(dir) {
			list = append(list, alert.FileState{Path: filepath.Join(dir, name)})
		}
	}
	for _, dir := range []string{p.Getenv("TMPDIR"), "/tmp", "/var/tmp", p.Getenv("XDG_STATE_HOME"), p.Getenv("XDG_RUNTIME_DIR"), "/run"} {
		add(dir, name)
	}
	add(p.Getenv("HOME"), "."+name)
	return list
}
