package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
)

// Levels of status --check, as monitoring programs take them for exit codes (the
// Monitoring Plugins guidelines, https://www.monitoring-plugins.org/doc/guidelines.html).
const (
	OK       = 0
	Warning  = 1
	Critical = 2
)

// checked gathers what status --check finds: the worst level, and why. Remarks are
// worth a person's knowing and no reason to wake one.
type checked struct {
	level   int
	reasons []string
	remarks []string
}

func (c *checked) note(level int, format string, args ...any) {
	c.level = max(c.level, level)
	c.reasons = append(c.reasons, fmt.Sprintf(format, args...))
}

// age notes what is older than a limit.
func (c *checked) age(age time.Duration, o Options, format string, args ...any) {
	switch {
	case age > time.Duration(o.Critical):
		c.note(Critical, format, args...)
	case age > time.Duration(o.Warn):
		c.note(Warning, format, args...)
	}
}

// check is SPEC section 3: the oldest message that is due or waits for a server, the last
// flush, what failed, sign-ins that wait for a person, no server that takes mail, a config
// that flush refuses. Beyond it: that no flush ever ran is a flush too old, for then nobody
// has set up cron; and a server that refuses the login has failed, for it too waits for a
// person. A server that is only left alone for a while is not: with a backup mail goes out.
func (s *statusJSON) check(now time.Time, o Options) *checked {
	c := &checked{}
	s.checkSetUp(c, now, o)
	if age := s.dueFor(now); s.sends.due > 0 && s.ratesKeepAll() {
		if age > time.Duration(o.Warn) { // it is as the site wants it
			c.note(Warning, "%s due, the oldest for %s%s", term.CountIs(s.sends.due, "message"), term.Span(age), s.usedUp())
		}
	} else if s.sends.due > 0 {
		c.age(age, o, "%s due, the oldest for %s%s", term.CountIs(s.sends.due, "message"), term.Span(age), s.usedUp())
	}
	s.checkWaiting(c, now, o)
	s.checkLastFlush(c, now, o)
	if s.Failed > 0 {
		c.note(Warning, "%s failed and could not be returned: notices list --state failed", term.Count(s.Failed, "message"))
	}
	if n := len(s.inTrouble); n > 0 {
		c.note(Warning, "%s in trouble; %s: %s", term.CountIs(n+s.stuck.More, "message"), s.inTrouble[0], s.stuck.Messages[s.inTrouble[0]])
	} else if n := len(s.unreadable); n > 0 {
		c.note(Warning, "%s cannot be read; the next flush sets aside what is damaged", term.Count(n, "message"))
	}
	if s.aside > 0 {
		c.note(Warning, "%s in %s that a flush did not understand: look at each, put mail back with notices import FILE, then remove it", term.CountIs(s.aside, "file"), s.asideDir)
	}
	return c
}

// checkSetUp looks for what keeps all mail here: the config, the sign-ins, the servers.
func (s *statusJSON) checkSetUp(c *checked, now time.Time, o Options) {
	if s.ConfigError != nil {
		first, rest, more := strings.Cut(*s.ConfigError, "\n")
		if more {
			first += fmt.Sprintf(" (and %d more)", 1+strings.Count(rest, "\n"))
		}
		c.note(Critical, "no mail goes out: notices flush refuses the configuration; to see all that is wrong, run: notices check; it is: %s", first)
	}
	for _, account := range s.accounts() {
		if account.NeedsPerson {
			c.note(Critical, "%s", *account.Error)
		}
	}
	if since, fresh, yes := s.noServer(); yes && fresh {
		c.down(since, now, o, "no mail goes out: no server takes any")
	}
	s.checkSenders(c, now, o)
	for i := range s.Servers {
		s.checkServer(c, i, now)
		if free := s.rates[i].DayFree; !free.IsZero() && s.sends.due > 0 {
			c.remarks = append(c.remarks, fmt.Sprintf("rate_per_day of server %s is used up; its next message goes out %s", s.Servers[i].Name, term.Ago(free, now)))
		}
	}
}

// lasting is how long something has been so, if that is known.
func lasting(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	return ", for " + term.Span(max(now.Sub(since), 0))
}

// checkWaiting looks at what servers put off.
func (s *statusJSON) checkWaiting(c *checked, now time.Time, o Options) {
	if s.WaitingForServerSince == nil {
		return
	}
	age := s.waitingFor(now)
	verb := "wait"
	if s.WaitingForServer == 1 {
		verb = "waits"
	}
	text := fmt.Sprintf("%s %s for a server, the oldest for %s", term.Count(s.WaitingForServer, "message"), verb, term.Span(age))
	before := c.level
	if c.age(age, o, "%s", text); c.level == before && age <= min(time.Duration(o.Warn), time.Duration(o.Critical)) {
		c.remarks = append(c.remarks, text)
	}
}

// checkLastFlush looks whether cron still runs, and whether its runs work.
func (s *statusJSON) checkLastFlush(c *checked, now time.Time, o Options) {
	switch {
	case s.unwritable:
		c.note(Critical, "no mail goes out: the spool cannot be written: %s", *s.FlushError)
		return // how long ago a run was noted there means nothing
	case s.FlushError != nil && s.ConfigError == nil:
		c.remarks = append(c.remarks, "no mail goes out: the last notices flush failed: "+*s.FlushError)
	}
	if s.LastFlush == nil {
		c.note(Warning, "notices flush has never run here; cron or a timer should run it every minute")
		return
	}
	age := now.Sub(*s.LastFlush.At)
	if age < -time.Duration(o.Warn) {
		c.note(Warning, "the last flush ran at %s, which is to come: the clock was set back, and no flush has ended since", term.Clock(*s.LastFlush.At))
		return
	}
	c.age(age, o, "the last flush ran %s ago; cron or a timer should run it every minute", term.Span(age))
}

// usedUp says that a rate keeps mail here, if one does.
func (s *statusJSON) usedUp() string {
	for i := range s.rates {
		if u := &s.rates[i]; !u.DayFree.IsZero() || !u.MinuteFree.IsZero() {
			return " (a rate of server " + s.Servers[i].Name + " is used up)"
		}
	}
	return ""
}

func (s *statusJSON) checkServer(c *checked, i int, now time.Time) {
	h := &s.health[i]
	switch name := s.Servers[i].Name; {
	case !s.troubled[i]:
	case h.Last.NeedsPerson() && s.told(h):
	case h.Last.Reason == spool.ReasonAccount, h.Last.Reason == spool.ReasonIdentity:
		c.note(Warning, "server %s takes no mail until somebody mends the account: %s", name, h.Last.Reply)
	case h.Last.NeedsPerson():
		c.note(Warning, "server %s refuses the login: %s", name, h.Last.Reply)
	case s.stale[i]:
		c.remarks = append(c.remarks, fmt.Sprintf("server %s took no mail when it was last tried, %s; to see how it is now, run: notices test-server %s", name, term.Ago(h.Last.Reply.At, now), name))
	default:
		c.remarks = append(c.remarks, fmt.Sprintf("server %s takes no mail%s: %s", name, lasting(h.Began(), now), h.Last.Reply))
	}
}

// told: the trouble is that of an account, of which the same is said already.
func (s *statusJSON) told(h *spool.Health) bool {
	return slices.ContainsFunc(s.accounts(), func(a *SignIn) bool {
		return a.NeedsPerson && strings.Contains(h.Last.Reply.Text, *a.Error)
	})
}

// dueFor is how long the oldest due message has been due; 0: nothing is, or it is due
// only because a clock jumped.
func (s *statusJSON) dueFor(now time.Time) time.Duration {
	if s.sends.due == 0 || s.NextSendAt == nil {
		return 0
	}
	return max(now.Sub(*s.NextSendAt), 0)
}

// waitingFor is how long the first message has been waiting for a server; 0: none does.
func (s *statusJSON) waitingFor(now time.Time) time.Duration {
	if s.WaitingForServerSince == nil {
		return 0
	}
	return max(now.Sub(*s.WaitingForServerSince), 0)
}

// text says all of it in one line.
func (c *checked) text(s *statusJSON, now time.Time) string {
	parts := c.reasons
	if c.level == OK {
		text := fmt.Sprintf("%s due, the last flush ran %s ago", term.CountIs(s.sends.due, "message"), term.Span(max(now.Sub(*s.LastFlush.At), 0)))
		if s.goesOut() && !s.partly() {
			text = "mail goes out, " + text
		}
		if s.WaitingForRecipient > 0 {
			text += ", " + s.forRecipients()
		}
		if s.limited > 0 {
			text += ", " + s.forLimit(now)
		}
		parts = []string{text}
	}
	return strings.Join(append(parts, c.remarks...), "; ")
}

// goesOut: nothing is known that keeps all mail here.
func (s *statusJSON) goesOut() bool {
	usable, known := false, false
	for i := range s.Servers {
		used := !s.Servers[i].spare
		known = known || used
		usable = usable || used && !s.troubled[i] && s.rates[i].DayFree.IsZero()
	}
	return (usable || !known) && s.ConfigError == nil && s.FlushError == nil
}

// sendingOK: it goes out, or what is known of the servers is too old to say that it does not.
func (s *statusJSON) sendingOK() bool {
	_, fresh, yes := s.noServer()
	return s.goesOut() || yes && !fresh && s.ConfigError == nil && s.FlushError == nil
}

// forRecipients tells of mail that nobody here can do anything about.
func (s *statusJSON) forRecipients() string {
	if s.WaitingForRecipient == 1 {
		return "1 message waits for its recipients, whose server does not take it yet"
	}
	return fmt.Sprintf("%d messages wait for their recipients, whose servers do not take them yet", s.WaitingForRecipient)
}

// performance is what monitoring programs draw: 'label'=value[unit];warn;critical;min.
func (s *statusJSON) performance(now time.Time, o Options) string {
	warn, critical := int64(time.Duration(o.Warn).Seconds()), int64(time.Duration(o.Critical).Seconds())
	down := 0
	for i := range s.Servers {
		if s.troubled[i] {
			down++
		}
	}
	fields := []string{
		fmt.Sprintf("due=%d;;;0", s.sends.due),
		fmt.Sprintf("oldest_due=%ds;%d;%d;0", int64(s.dueFor(now).Seconds()), warn, critical),
		fmt.Sprintf("waiting=%d;;;0", s.Queued+s.Deferred),
		fmt.Sprintf("waiting_for_server=%d;;;0", s.WaitingForServer),
		fmt.Sprintf("oldest_waiting_for_server=%ds;%d;%d;0", int64(s.waitingFor(now).Seconds()), warn, critical),
		fmt.Sprintf("held=%d;;;0", s.Held),
		fmt.Sprintf("failed=%d;0;;0", s.Failed),
		fmt.Sprintf("aside=%d;0;;0", s.aside),
		fmt.Sprintf("servers_down=%d;;;0;%d", down, len(s.Servers)),
	}
	if s.LastFlush != nil {
		fields = append(fields, fmt.Sprintf("last_flush=%ds;%d;%d;0", max(int64(now.Sub(*s.LastFlush.At).Seconds()), 0), warn, critical))
	}
	return strings.Join(fields, " ")
}

// printCheck says it in one line; the exit code is the level.
func printCheck(p *app.Program, s *statusJSON, now time.Time, o Options) error {
	c := s.check(now, o)
	word := [...]string{"OK", "WARNING", "CRITICAL"}[c.level]
	if err := p.PrintBare(word + " - " + PlainText(c.text(s, now)) + " | " + s.performance(now, o) + "\n"); err != nil {
		return err
	}
	if c.level == OK {
		return nil
	}
	return &app.Failure{Code: c.level}
}

// PlainText is fit for a line in which | ends the text.
func PlainText(s string) string { return strings.ReplaceAll(printable.Text(s), "|", "/") }
