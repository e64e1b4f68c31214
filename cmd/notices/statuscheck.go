package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/submit"
	"notices/spool"
)

// Levels of status --check, as monitoring programs take them for exit codes (the
// Monitoring Plugins guidelines, https://www.monitoring-plugins.org/doc/guidelines.html).
const (
	checkOK       = 0
	checkWarning  = 1
	checkCritical = 2
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
func (c *checked) age(age time.Duration, o statusOptions, format string, args ...any) {
	switch {
	case age > time.Duration(o.Critical):
		c.note(checkCritical, format, args...)
	case age > time.Duration(o.Warn):
		c.note(checkWarning, format, args...)
	}
}

// check is SPEC section 3: the oldest due message, the last flush, what failed, and
// sign-ins that wait for a person. Beyond it: that no flush ever ran is a flush too old,
// for then nobody has set up cron; and a server that refuses the login has failed,
// for it too waits for a person. A server that is only left alone for a while is not: with
// a backup mail goes out, and without one the backlog shows.
func (s *statusJSON) check(now time.Time, o statusOptions) *checked {
	c := &checked{}
	for _, account := range s.accounts() {
		if account.needsPerson {
			c.note(checkCritical, "%s", *account.Error)
		}
	}
	if age := s.dueFor(now); s.sends.due > 0 {
		c.age(age, o, "%s due, the oldest for %s", isAre(s.sends.due, "message"), span(age))
	}
	if s.LastFlush == nil {
		c.note(checkWarning, "notices flush has never run here; cron or a timer should run it every minute")
	} else {
		age := now.Sub(*s.LastFlush.At)
		c.age(age, o, "the last flush ran %s ago; cron or a timer should run it every minute", span(age))
	}
	if s.Failed > 0 {
		c.note(checkWarning, "%s failed and could not be returned: notices list --state failed", count(s.Failed, "message"))
	}
	if n := len(s.inTrouble); n > 0 {
		c.note(checkWarning, "%s in trouble; %s: %s", isAre(n+s.stuck.More, "message"), s.inTrouble[0], s.stuck.Messages[s.inTrouble[0]])
	} else if n := len(s.unreadable); n > 0 {
		c.note(checkWarning, "%s cannot be read; the next flush sets aside what is damaged", count(n, "message"))
	}
	if s.aside > 0 {
		c.note(checkWarning, "%s in %s that a flush did not understand: look at each, put mail back with notices import FILE, then remove it", isAre(s.aside, "file"), s.asideDir)
	}
	for i := range s.Servers {
		s.checkServer(c, i)
	}
	return c
}

func (s *statusJSON) checkServer(c *checked, i int) {
	h := &s.health[i]
	switch name := s.Servers[i].Name; {
	case h.Troubles == 0:
	case h.Last.NeedsPerson() && s.told(h):
	case h.Last.NeedsPerson():
		c.note(checkWarning, "server %s refuses the login: %s", name, h.Last.Reply)
	case s.Servers[i].DownUntil != nil:
		c.remarks = append(c.remarks, fmt.Sprintf("server %s is left alone after trouble: %s", name, h.Last.Reply))
	}
}

// told: the trouble is that of an account, of which the same is said already.
func (s *statusJSON) told(h *spool.Health) bool {
	return slices.ContainsFunc(s.accounts(), func(a *accountJSON) bool {
		return a.needsPerson && strings.Contains(h.Last.Reply.Text, *a.Error)
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

// text says all of it in one line.
func (c *checked) text(s *statusJSON, now time.Time) string {
	parts := c.reasons
	if c.level == checkOK {
		parts = []string{fmt.Sprintf("mail goes out, %s, the last flush ran %s ago", isAre(s.sends.due, "message")+" due", span(now.Sub(*s.LastFlush.At)))}
	}
	return strings.Join(append(parts, c.remarks...), "; ")
}

// isAre is `1 message is` or `2 messages are`.
func isAre(n int, one string) string {
	if n == 1 {
		return "1 " + one + " is"
	}
	return count(n, one) + " are"
}

// performance is what monitoring programs draw: 'label'=value[unit];warn;critical;min.
func (s *statusJSON) performance(now time.Time, o statusOptions) string {
	warn, critical := int64(time.Duration(o.Warn).Seconds()), int64(time.Duration(o.Critical).Seconds())
	down := 0
	for i := range s.Servers {
		if s.Servers[i].DownUntil != nil {
			down++
		}
	}
	fields := []string{
		fmt.Sprintf("due=%d;;;0", s.sends.due),
		fmt.Sprintf("oldest_due=%ds;%d;%d;0", int64(s.dueFor(now).Seconds()), warn, critical),
		fmt.Sprintf("waiting=%d;;;0", s.Queued+s.Deferred),
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
func (a *app) printCheck(s *statusJSON, now time.Time, o statusOptions) error {
	c := s.check(now, o)
	word := [...]string{"OK", "WARNING", "CRITICAL"}[c.level]
	if err := a.PrintBare(word + " - " + plainText(c.text(s, now)) + " | " + s.performance(now, o) + "\n"); err != nil {
		return err
	}
	if c.level == checkOK {
		return nil
	}
	return &submit.Failure{Code: c.level}
}

// plainText is fit for a line in which | ends the text.
func plainText(s string) string { return strings.ReplaceAll(submit.Printable(s), "|", "/") }

// unknown gives monitoring programs, which read standard output alone, the word of an
// error too. The exit code stays: they take any above 2 for unknown.
func (a *app) unknown(err error) error {
	var said *submit.Failure
	if err == nil || errors.As(err, &said) && said.Err == nil {
		return err
	}
	if e := a.PrintBare("UNKNOWN - " + plainText(strings.ReplaceAll(err.Error(), "\n", "; ")) + "\n"); e != nil {
		return e
	}
	return err
}
