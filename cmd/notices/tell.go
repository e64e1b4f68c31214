package main

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
	"notices/config"
	"notices/spool"
	"notices/spool/alert"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/route"
)

// teller gathers what a run of flush has to tell a person. Whoever looks on, at a
// terminal or with -v, is told of it in each run; cron's reader only of what is new, and
// of what is over. Package alert decides that.
type teller struct {
	a       *cli
	each    bool
	store   spool.Store // nil: the run did not come so far
	servers []route.Server

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

// Keys of alerts that more is known of than that they were met.
const (
	keyFlush       = "flush" // the run as a whole
	keyLog         = "log"
	keyFailed      = "failed"
	keyAside       = "aside"
	keyHeld        = "held"
	keyInterrupted = "interrupted"
	keyMessages    = "messages"
	keyServer      = "server " // + its name
)

// newTeller makes the program's notices go to a teller. each: in any case.
func (a *cli) newTeller(each bool) *teller {
	t := &teller{a: a, each: each || a.watched()}
	a.Tell = t.hear
	return t
}

// watched: somebody looks on, or wants to hear more.
func (a *cli) watched() bool {
	_, terminal := app.Terminal(a.Stderr)
	return terminal || a.Verbose
}

// hear takes a notice.
func (t *teller) hear(n maillog.Notice) {
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

// finish ends the run: it tells what there is to tell, the run's own error among it, and
// returns the error that is left to be said.
func (t *teller) finish(ctx context.Context, err error) error {
	t.a.Tell = nil
	ctx = context.WithoutCancel(ctx)
	complete := t.store != nil && !errors.As(err, new(*config.Error))
	said := t.addError(err)
	complete = complete && !said
	alerts := t.alerts(ctx)
	if t.each {
		for i := range alerts {
			t.a.Say("%s", alerts[i].Text)
		}
	} else {
		t.tellOnce(ctx, alerts, complete)
	}
	if err != nil && (said || t.heard(err)) {
		return &app.Failure{Code: exitCode(err)}
	}
	return err
}

// tellOnce tells cron's reader. complete: what was not met in the run is over.
func (t *teller) tellOnce(ctx context.Context, met []alert.Alert, complete bool) {
	now := t.a.Now()
	places := t.a.spares()
	if t.store != nil {
		places = slices.Insert(places, 0, t.store.State())
	}
	begun, ended := alert.Update(ctx, now, met, func(key string, e *alert.Entry) alert.Status {
		if !complete {
			return alert.Active
		}
		return t.state(ctx, key, e, now)
	}, places...)
	for i := range ended {
		t.a.Say("%s", endText(&ended[i], now))
	}
	for i := range begun {
		t.a.Say("%s", begunText(&begun[i]))
	}
}

// begunText is what is told at the beginning, or of more that happened since.
func begunText(a *alert.Alert) string {
	if a.Unsent == 0 {
		return a.Text
	}
	more := count(a.Unsent, "more message") + " moved to failed/ since that was told last; they are listed by: notices list --state failed"
	if a.Key == keyAside {
		more = count(a.Unsent, "more file") + " set aside since that was told last; to see where, run: notices status"
	}
	return strings.TrimPrefix(a.Text+"\n"+more, "\n")
}

// endText is the one sentence at the end.
func endText(e *alert.Resolution, now time.Time) string {
	text := e.OverText + ", after " + span(now.Sub(e.Since))
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
func (t *teller) state(ctx context.Context, key string, e *alert.Entry, now time.Time) alert.Status {
	switch key {
	case keyFlush, keyLog:
		return alert.Resolved
	case keyFailed:
		return overIf(t.nothingFailed(ctx))
	case keyAside:
		counter, ok := t.store.(asideCounter)
		if !ok {
			return alert.Dropped
		}
		n, _, err := counter.CountAside(ctx)
		return overIf(err == nil && n == 0)
	case keyMessages:
		stuck, err := spool.LoadState[spool.Stuck](ctx, t.store.State(), spool.StuckName)
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

func (t *teller) nothingFailed(ctx context.Context) bool {
	none := true
	err := t.store.ScanFailed(ctx, func(spool.Entry) bool {
		none = false
		return false
	})
	return err == nil && none
}

func (t *teller) serverState(ctx context.Context, name string) alert.Status {
	i := slices.IndexFunc(t.servers, func(s route.Server) bool { return s.Name == name })
	if i < 0 {
		return alert.Dropped
	}
	h, err := spool.LoadState[spool.Health](ctx, t.store.State(), spool.HealthName+name)
	switch {
	case err != nil:
		return alert.Active
	case !h.Of(t.servers[i].Host):
		return alert.Dropped
	}
	return overIf(h.Troubles == 0)
}

// addError adds what ended the run. What was heard already is not said twice, and that
// the run was told to stop is no trouble.
func (t *teller) addError(err error) bool {
	silent := (*app.Failure)(nil)
	if err == nil || errors.As(err, &silent) && silent.Err == nil || t.heard(err) {
		return false
	}
	text := app.Explain(err)
	t.met = slices.DeleteFunc(t.met, func(m *trouble) bool { return m.Cause != "" && strings.Contains(text, m.Cause) })
	kind := fmt.Sprint(exitCode(err))
	var errno unix.Errno
	if exitCode(err) == app.ExitConfig {
		kind += " " + hash(text)
	} else if errors.As(err, &errno) {
		kind += " " + errno.Error()
	}
	t.met = append(t.met, &trouble{Alert: alert.Alert{
		Key: keyFlush, Kind: kind, Text: text, Cause: err.Error(), OverText: "notices flush works again",
		Repeat: t.stopsIntake(err),
	}})
	return true
}

// stopsIntake reports whether sendmail, which queues cron's mail, meets the same as flush.
func (t *teller) stopsIntake(err error) bool {
	if !errors.As(err, new(*config.Error)) {
		return true // the spool's
	}
	_, err = t.a.ReadConfig(config.Intake)
	return err != nil
}

// heard reports whether all of err was heard as notices already.
func (t *teller) heard(err error) bool {
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		known := slices.ContainsFunc(t.texts, func(text string) bool { return text != "" && strings.HasSuffix(line, text) })
		if !known {
			return false
		}
	}
	return !errors.Is(err, flush.ErrSpool)
}
