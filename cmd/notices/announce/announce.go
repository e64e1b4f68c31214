// Package announce tells a person what a flush met: problems of its servers, of messages,
// of the spool and of the run itself, in words that say what to do. Who looks on hears it in
// each run; the reader of cron's mail hears what is new and what is over, which package alert
// decides.
package announce

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/alert"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/route"
)

// Collector gathers what a run of flush has to tell a person. Whoever looks on, at a
// terminal or with -v, is told of it in each run; cron's reader only of what is new, and
// of what is over. Package alert decides that.
type Collector struct {
	p       *app.Program
	each    bool
	Store   spool.Store // nil: the run did not come so far
	Servers []route.Server

	mu    sync.Mutex // guards what follows
	met   []*trouble // in the order in which they were met
	texts []string   // of all notices, told or not
}

// trouble is an alert in the making.
type trouble struct {
	alert.Alert
	n       int            // how many of its kind there are, after the first
	outcome *spool.Outcome // of a server
}

// shown is how many of a kind are told one by one.
const shown = 5

// add takes one more of the kind.
func (m *trouble) add(text string) {
	if m.n++; m.n < shown && m.outcome == nil {
		m.Text += "\n" + text
	}
}

// KeyFlush is the key of the alert that a run as a whole failed.
const KeyFlush = "flush"

// Keys of alerts that more is known of than that they were met.
const (
	keyLog         = "log"
	keyFailed      = "failed"
	keyAside       = "aside"
	keyHeld        = "held"
	keyInterrupted = "interrupted"
	keyMessages    = "messages"
	keyServer      = "server " // + its name
)

// New makes the program's notices go to a Collector. each: in any case.
func New(p *app.Program, each bool) *Collector {
	_, terminal := app.Terminal(p.Stderr)
	t := &Collector{p: p, each: each || terminal || p.Verbose}
	p.Tell = t.hear
	return t
}

// hear takes a notice.
func (t *Collector) hear(n maillog.Notice) {
	a := alert.Alert{Key: keyOf(&n), Text: n.String(), Cause: n.Why}
	a.Kind, a.OverText = a.Key, "this is over: "+a.Text
	switch a.Key {
	case keyFailed:
		a.OverText, a.Cause = "failed/ is empty again", ""
	case keyAside:
		a.OverText, a.Cause = "aside/ is empty again", ""
	case keyLog:
		a.OverText = "the log can be written again"
	case keyMessages:
		a.OverText = "no message is in trouble any more"
		if n.Event == "stuck" { // another message is another trouble
			a.Kind += " " + hash(a.Text)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.texts = append(t.texts, n.Why)
	if i := slices.IndexFunc(t.met, func(m *trouble) bool { return m.Key == a.Key }); i >= 0 {
		t.met[i].add(a.Text)
		return
	}
	m := &trouble{Alert: a}
	if n.Event == "paused" {
		o := n.Outcome
		m.outcome = &o
		m.Kind = kindOf(o.Reason)
		m.OverText = fmt.Sprintf("server %s takes mail again", named(n.What, o.Reply.Host))
	}
	t.met = append(t.met, m)
}

// maxKey keeps names that users make up from filling what is kept.
const maxKey = 60

func keyOf(n *maillog.Notice) string {
	switch n.Event {
	case "paused":
		return keyServer + n.What
	case "gave-up":
		return keyFailed
	case keyAside, keyHeld, keyInterrupted, keyLog:
		return n.Event
	}
	key := n.What
	switch {
	case n.ID != "":
		return keyMessages
	case key == "drop" || strings.HasPrefix(key, "drop/"):
		key = "drop"
	case len(key) > maxKey:
		key = key[:maxKey]
	}
	return "trouble: " + key
}

// named is `1 (mail.example.org)`.
func named(server, host string) string {
	if host == "" || host == server {
		return server
	}
	return server + " (" + host + ")"
}

// Finish ends the run: it tells what there is to tell, the run's own error among it, and
// returns the error that is left to be said.
func (t *Collector) Finish(ctx context.Context, err error) error {
	t.p.Tell = nil
	ctx = context.WithoutCancel(ctx)
	complete := t.Store != nil && !errors.As(err, new(*config.Error))
	said := t.addError(err)
	complete = complete && !said
	alerts := t.alerts(ctx)
	if t.each {
		for i := range alerts {
			t.p.Say("%s", alerts[i].Text)
		}
	} else {
		t.tellOnce(ctx, alerts, complete)
	}
	if err != nil && (said || t.heard(err)) {
		return &app.Failure{Code: app.ExitCode(err)}
	}
	return err
}

// tellOnce tells cron's reader. complete: what was not met in the run is over.
func (t *Collector) tellOnce(ctx context.Context, met []alert.Alert, complete bool) {
	now := t.p.Now()
	places := Spares(t.p)
	if t.Store != nil {
		places = slices.Insert(places, 0, t.Store.State())
	}
	begun, ended := alert.Update(ctx, now, met, func(key string, e *alert.Entry) alert.Status {
		if !complete {
			return alert.Active
		}
		return t.state(ctx, key, e, now)
	}, places...)
	for i := range ended {
		t.p.Say("%s", endText(&ended[i], now))
	}
	for i := range begun {
		t.p.Say("%s", begunText(&begun[i]))
	}
}

// begunText is what is told at the beginning, or of more that happened since.
func begunText(a *alert.Alert) string {
	if a.Unsent == 0 {
		return a.Text
	}
	more := term.Count(a.Unsent, "more message") + " moved to failed/ since that was told last; they are listed by: notices list --state failed"
	if a.Key == keyAside {
		more = term.Count(a.Unsent, "more file") + " set aside since that was told last; to see where, run: notices status"
	}
	return strings.TrimPrefix(a.Text+"\n"+more, "\n")
}

// endText is the one sentence at the end.
func endText(e *alert.Resolution, now time.Time) string {
	text := e.OverText + ", after " + term.Span(now.Sub(e.Since))
	if e.Cause != "" && !strings.Contains(e.OverText, e.Cause) {
		text += "; it was: " + e.Cause
	}
	return text
}

func hash(text string) string {
	h := fnv.New64a()
	h.Write([]byte(text))
	return fmt.Sprintf("%016x", h.Sum64())
}

// How long it must not have been met until trouble of which no more is known is over:
// longer than a deferred message takes to come round again by default; and how long an
// event that a person is told of is not told again.
const (
	overAfter = 2 * time.Hour
	goneAfter = 24 * time.Hour
)

// state is how it is with trouble that this run did not meet.
func (t *Collector) state(ctx context.Context, key string, e *alert.Entry, now time.Time) alert.Status {
	switch key {
	case KeyFlush, keyLog:
		return alert.Resolved
	case keyFailed:
		return overIf(t.nothingFailed(ctx))
	case keyAside:
		n, _, known, err := CountAside(ctx, t.Store)
		if !known {
			return alert.Dropped
		}
		return overIf(err == nil && n == 0)
	case keyMessages:
		stuck, err := spool.LoadState[spool.Stuck](ctx, t.Store.State(), spool.StuckName)
		if err != nil || len(stuck.Messages) > 0 {
			return alert.Active
		}
	case keyHeld, keyInterrupted:
		if now.Sub(e.Seen) >= goneAfter {
			return alert.Dropped
		}
		return alert.Active
	}
	if name, ok := strings.CutPrefix(key, keyServer); ok {
		return t.serverState(ctx, name)
	}
	return overIf(now.Sub(e.Seen) >= overAfter)
}

func overIf(yes bool) alert.Status {
	if yes {
		return alert.Resolved
	}
	return alert.Active
}

func (t *Collector) nothingFailed(ctx context.Context) bool {
	none := true
	err := t.Store.ScanFailed(ctx, func(spool.Entry) bool {
		none = false
		return false
	})
	return err == nil && none
}

func (t *Collector) serverState(ctx context.Context, name string) alert.Status {
	i := slices.IndexFunc(t.Servers, func(s route.Server) bool { return s.Name == name })
	if i < 0 {
		return alert.Dropped
	}
	h, err := spool.LoadState[spool.Health](ctx, t.Store.State(), spool.HealthName+name)
	switch {
	case err != nil:
		return alert.Active
	case !h.Of(t.Servers[i].Host):
		return alert.Dropped
	}
	return overIf(h.Troubles == 0)
}

// addError adds what ended the run. What was heard already is not said twice, and that
// the run was told to stop is no trouble.
func (t *Collector) addError(err error) bool {
	silent := (*app.Failure)(nil)
	if err == nil || errors.As(err, &silent) && silent.Err == nil || t.heard(err) {
		return false
	}
	text := app.Explain(err)
	t.met = slices.DeleteFunc(t.met, func(m *trouble) bool { return m.Cause != "" && strings.Contains(text, m.Cause) })
	kind := fmt.Sprint(app.ExitCode(err))
	var errno unix.Errno
	if app.ExitCode(err) == app.ExitConfig {
		kind += " " + hash(text)
	} else if errors.As(err, &errno) {
		kind += " " + errno.Error()
	}
	t.met = append(t.met, &trouble{Alert: alert.Alert{
		Key: KeyFlush, Kind: kind, Text: text, Cause: err.Error(), OverText: "notices flush works again",
		Repeat: t.stopsIntake(err),
	}})
	return true
}

// stopsIntake reports whether sendmail, which queues cron's mail, meets the same as flush.
func (t *Collector) stopsIntake(err error) bool {
	if !errors.As(err, new(*config.Error)) {
		return true // the spool's
	}
	_, err = t.p.ReadConfig(config.Intake)
	return err != nil
}

// heard reports whether all of err was heard as notices already.
func (t *Collector) heard(err error) bool {
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		known := slices.ContainsFunc(t.texts, func(text string) bool { return text != "" && strings.HasSuffix(line, text) })
		if !known {
			return false
		}
	}
	return !errors.Is(err, flush.ErrSpool)
}
