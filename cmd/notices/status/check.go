package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/announce"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

// Levels of status --check, as monitoring programs take them for exit codes (the
// Monitoring Plugins guidelines, https://www.monitoring-plugins.org/doc/guidelines.html).
const (
	OK       = 0
	Warning  = 1
	Critical = 2
)

// noMail begins what keeps all mail from being sent.
const noMail = "no mail goes out: "

// verdict is what status --check finds: the worst level, and the reasons for it. Remarks are
// worth knowing, but nobody has to be woken for them.
type verdict struct {
	Level   int      `json:"level"`   // 0, 1 or 2, its exit code
	Reasons []string `json:"reasons"` // why it is not 0
	Remarks []string `json:"remarks"` // what else is worth knowing

	s              *snapshot
	warn, critical time.Duration
}

func (c *verdict) note(level int, format string, args ...any) {
	c.Level = max(c.Level, level)
	c.Reasons = append(c.Reasons, fmt.Sprintf(format, args...))
}

func (c *verdict) remark(format string, args ...any) {
	c.Remarks = append(c.Remarks, fmt.Sprintf(format, args...))
}

// age notes what is older than a limit.
func (c *verdict) age(age time.Duration, format string, args ...any) {
	switch {
	case age > c.critical:
		c.note(Critical, format, args...)
	case age > c.warn:
		c.note(Warning, format, args...)
	}
}

// down notes that servers take no mail, which becomes critical when it lasts.
func (c *verdict) down(since time.Time, text string) {
	text += c.s.lasting(since)
	if !since.IsZero() && c.s.now.Sub(since) > c.warn {
		c.note(Critical, "%s", text)
	} else {
		c.remark("%s", text)
	}
}

// check is status --check, notices-status(1). It looks at the oldest message that is due or
// waits for a server, the last flush, what failed, sign-ins that wait for a person, whether any
// server takes mail, and whether flush accepts the config. It also warns if no flush ever ran, because then nobody has set
// up cron, and if a server refuses the login, because a person has to fix that. A server
// that is only paused is a remark: with a backup server mail goes out.
func (s *snapshot) check(o Options) *verdict {
	c := &verdict{Reasons: []string{}, Remarks: []string{}, s: s, warn: time.Duration(o.Warn), critical: time.Duration(o.Critical)}
	c.setUp()
	if age := s.dueFor(); s.sends.due > 0 {
		text := fmt.Sprintf("%s due, the oldest for %s%s", printable.CountIs(s.sends.due, "message"), term.Span(age), s.usedUp())
		if !s.ratesKeepAll() {
			c.age(age, "%s", text)
		} else if age > c.warn { // the site wants it so
			c.note(Warning, "%s", text)
		}
	}
	c.waiting()
	c.lastFlush(o.isService() && o.Config.Serve.Deliver)
	c.hosts()
	c.buffer()
	c.bounces()
	c.failed()
	if n := len(s.inTrouble); n > 0 {
		c.note(Warning, "%s in trouble; %s: %s", printable.CountIs(n+s.stuck.More, "message"), s.inTrouble[0], s.stuck.Messages[s.inTrouble[0]])
	} else if n := len(s.unreadable); n > 0 {
		c.note(Warning, "%s cannot be read; the next flush sets aside what is damaged", printable.Count(n, "message"))
	}
	if s.HistoryError != nil {
		c.note(Warning, "the history cannot be read or written: %s", *s.HistoryError)
	}
	if s.aside > 0 {
		c.note(Warning, "%s in %s that a flush did not understand: check each, queue mail again with notices import FILE, then remove it", printable.CountIs(s.aside, "file"), s.asideDir)
	}
	return c
}

// setUp finds what stops all mail: the config, the sign-ins, the servers.
func (c *verdict) setUp() {
	s := c.s
	if s.ConfigError != nil {
		first, rest, more := strings.Cut(*s.ConfigError, "\n")
		if more {
			first += fmt.Sprintf(" (and %d more)", 1+strings.Count(rest, "\n"))
		}
		what := noMail + "notices flush refuses the configuration"
		if s.runs() {
			what = "notices flush refuses the configuration; mail goes out by the settings from before, and the next start of notices serve will not send"
		}
		c.note(Critical, "%s; to see all that is wrong, run: notices check; it is: %s", what, first)
	}
	for _, in := range s.signIns() {
		if in.NeedsPerson {
			c.note(Critical, "%s", *in.Error)
		}
	}
	since, recent, all := s.noServer()
	if all && recent && !s.atLimit() {
		c.down(since, noMail+"no server accepts any")
	}
	if !all {
		for _, b := range s.sendersDown() {
			servers := "server " + b.servers[0] + " does not accept it"
			if len(b.servers) > 1 {
				servers = "servers " + term.Listed(b.servers) + " do not accept it"
			}
			c.down(b.since, fmt.Sprintf("no mail from %s goes out: %s", term.Listed(b.senders), servers))
		}
	}
	c.sendersWithoutServer()
	for i := range s.Servers {
		v := &s.Servers[i]
		c.server(v)
		if free := v.used.DayFree; !free.IsZero() && s.sends.due > 0 {
			c.remark("rate_per_day of server %s is used up; its next message goes out %s", v.Name, s.ago(free))
		}
	}
}

// sendersWithoutServer remarks on mail that no server takes because of its sender.
func (c *verdict) sendersWithoutServer() {
	const shown = 3
	for i, sender := range slices.Sorted(maps.Keys(c.s.withoutServer)) {
		if i == shown {
			c.remark("no server accepts mail from %d more senders", len(c.s.withoutServer)-i)
			break
		}
		verb := "have"
		if c.s.withoutServer[sender] == 1 {
			verb = "has"
		}
		c.remark("%s %s no way out: %s", printable.Count(c.s.withoutServer[sender], "message"), verb, route.NoServerText(sender))
	}
}

func (c *verdict) server(v *server) {
	switch h := &v.health; {
	case !v.failing:
	case h.Last.NeedsPerson() && c.s.signInSays(h.Last.Reply.Text):
	case h.Last.Reason == spool.ReasonAccount, h.Last.Reason == spool.ReasonIdentity:
		c.note(Warning, "%s is not accepting mail until somebody fixes the account: %s", v.called(), h.Last.Reply)
	case h.Last.NeedsPerson():
		c.note(Warning, "%s refuses the login: %s", v.called(), h.Last.Reply)
	case v.outdated:
		c.remark("%s did not accept mail when it was last tried, %s; to test it now, run: notices test-server %s", v.called(), c.s.ago(h.Last.Reply.At), v.Name)
	case v.atLimit():
		c.remark("the service's sending limit for this site is reached%s; mail goes on by itself: %s", c.s.lasting(h.Began()), h.Last.Reply)
	default:
		c.remark("%s is not accepting mail%s: %s", v.called(), c.s.lasting(h.Began()), h.Last.Reply)
	}
}

// called is the server in a sentence.
func (v *server) called() string { return smtpclient.Called(v.Name) }

// signInSays reports whether a server's error is that of a sign-in, which is a reason already.
func (s *snapshot) signInSays(text string) bool {
	return slices.ContainsFunc(s.signIns(), func(in *SignIn) bool { return in.NeedsPerson && strings.Contains(text, *in.Error) })
}

// mailboxAge is how old the last reading of the mailbox may be: a cron line that runs once a
// day may miss one.
const mailboxAge = 49 * time.Hour

// bounces checks that the mailbox of [bounces] is read. No mail is lost when it is not.
func (c *verdict) bounces() {
	b := c.s.Bounces
	switch {
	case c.s.bouncesError != "":
		c.note(Warning, "notices read-bounces refuses the configuration: %s", c.s.bouncesError)
	case !c.s.mailbox:
	case b == nil:
		c.note(Warning, "the mailbox of [bounces] has never been read; cron should run: notices read-bounces")
	case b.Error != nil:
		c.note(Warning, "the mailbox of [bounces] could not be read %s: %s; to see what helps, run: notices read-bounces -n -v", c.s.ago(*b.At), *b.Error)
	case c.s.since(b.At) > mailboxAge:
		c.note(Warning, "the mailbox of [bounces] was last read %s; cron should run: notices read-bounces", c.s.ago(*b.At))
	}
}

// lastFlush checks whether cron still runs, and whether its runs work.
func (c *verdict) lastFlush(serves bool) {
	s := c.s
	switch {
	case s.unwritable:
		c.note(Critical, noMail+"the spool cannot be written: %s", *s.FlushError)
		return // and the time of the last run cannot have been written
	case s.FlushError != nil && s.ConfigError == nil:
		what := "the last notices flush failed: %s"
		if !s.runs() {
			what = noMail + what
		}
		c.remark(what, *s.FlushError)
	}
	if s.LastFlush == nil && serves {
		c.note(Warning, "no mail was sent here yet; notices serve begins within seconds of its start; to start it, run: systemctl enable --now notices-serve")
		return
	}
	if s.LastFlush == nil {
		c.note(Warning, "notices flush has never run here; cron or a timer should run it every minute")
		return
	}
	age := s.now.Sub(*s.LastFlush.At)
	if age < -c.warn {
		c.note(Warning, "the last flush ran at %s, which is in the future: the clock was set back, and no flush has ended since", term.Clock(*s.LastFlush.At))
		return
	}
	c.age(age, "the last flush ran %s ago; cron or a timer should run it every minute", term.Span(age))
}

// usedUp names the first server whose rate is used up, if there is one.
func (s *snapshot) usedUp() string {
	for i := range s.Servers {
		if s.Servers[i].rateUsedUp() {
			return " (a rate of server " + s.Servers[i].Name + " is used up)"
		}
	}
	return ""
}

func (v *server) rateUsedUp() bool { return !v.used.DayFree.IsZero() || !v.used.MinuteFree.IsZero() }

// ratesKeepAll reports whether each server that takes mail has a rate that is used up.
func (s *snapshot) ratesKeepAll() bool {
	found := false
	for i := range s.Servers {
		v := &s.Servers[i]
		if v.unused || v.failing {
			continue
		}
		if !v.rateUsedUp() {
			return false
		}
		found = true
	}
	return found
}

// sendersGroup is mail of some senders that no server is left for.
type sendersGroup struct {
	senders, servers []string
	since            time.Time // zero: not known
}

// sendersDown are the senders whose servers are all failing, those with the same servers
// together.
func (s *snapshot) sendersDown() []sendersGroup {
	var list []sendersGroup
	add := func(sender string, takes func(*route.Server) bool) {
		g := s.serversDown(takes)
		i := slices.IndexFunc(list, func(o sendersGroup) bool { return slices.Equal(o.servers, g.servers) })
		switch {
		case len(g.servers) == 0:
		case i < 0:
			g.senders = []string{sender}
			list = append(list, g)
		case !slices.Contains(list[i].senders, sender):
			list[i].senders = append(list[i].senders, sender)
		}
	}
	for i := range s.Servers {
		for _, sender := range s.Servers[i].Senders {
			add(sender, func(t *route.Server) bool { return t.ListsSender(sender) })
		}
	}
	add(announce.OtherSenders, func(t *route.Server) bool { return len(t.Senders) == 0 })
	return list
}

// serversDown gathers the servers that take some mail, if all of them are failing.
func (s *snapshot) serversDown(takes func(*route.Server) bool) (g sendersGroup) {
	for i := range s.Servers {
		v := &s.Servers[i]
		if v.unused || !takes(&v.rates) {
			continue
		}
		if !v.failing || v.outdated {
			return sendersGroup{}
		}
		g.servers = append(g.servers, v.Name)
		if began := v.health.Began(); began.After(g.since) {
			g.since = began
		}
	}
	return g
}

// forRecipients is about mail that only its recipients' servers delay.
func (s *snapshot) forRecipients() string {
	if s.WaitingForRecipient == 1 {
		return "1 message waits for its recipients, whose server does not take it yet"
	}
	return fmt.Sprintf("%d messages wait for their recipients, whose servers do not take them yet", s.WaitingForRecipient)
}

// text is the verdict in one line.
func (c *verdict) text() string {
	parts, s := c.Reasons, c.s
	if c.Level == OK {
		text := fmt.Sprintf("%s due, the last flush ran %s ago", printable.CountIs(s.sends.due, "message"), term.Span(s.since(s.LastFlush.At)))
		if s.goesOut() && len(s.withoutServer) == 0 && len(s.sendersDown()) == 0 {
			text = "mail goes out, " + text
		}
		if s.WaitingForRecipient > 0 {
			text += ", " + s.forRecipients()
		}
		if s.limited > 0 {
			text += ", " + s.forLimit()
		}
		parts = []string{text}
	}
	return strings.Join(append(parts, c.Remarks...), "; ")
}

// performance is what monitoring programs draw: 'label'=value[unit];warn;critical;min.
func (c *verdict) performance() string {
	s, down := c.s, 0
	for i := range s.Servers {
		if s.Servers[i].failing {
			down++
		}
	}
	age := func(label string, age time.Duration) string {
		return fmt.Sprintf("%s=%ds;%d;%d;0", label, int64(age.Seconds()), int64(c.warn.Seconds()), int64(c.critical.Seconds()))
	}
	fields := []string{
		fmt.Sprintf("due=%d;;;0", s.sends.due),
		age("oldest_due", s.dueFor()),
		fmt.Sprintf("waiting=%d;;;0", s.Queued+s.Deferred),
		fmt.Sprintf("waiting_for_server=%d;;;0", s.WaitingForServer),
		age("oldest_waiting_for_server", s.waitingFor()),
		fmt.Sprintf("held=%d;;;0", s.Held),
		fmt.Sprintf("failed=%d;0;;0", s.Failed-s.failedOfSites),
		fmt.Sprintf("aside=%d;0;;0", s.aside),
		fmt.Sprintf("servers_down=%d;;;0;%d", down, len(s.Servers)),
	}
	if s.LastFlush != nil {
		fields = append(fields, age("last_flush", s.since(s.LastFlush.At)))
	}
	return strings.Join(fields, " ")
}

// printCheck prints the verdict in one line; the exit code is the level.
func printCheck(p *app.Program, c *verdict) error {
	word := [...]string{"OK", "WARNING", "CRITICAL"}[c.Level]
	if err := p.PrintBare(word + " - " + PlainText(c.text()) + " | " + c.performance() + "\n"); err != nil {
		return err
	}
	if c.Level == OK {
		return nil
	}
	return &app.Failure{Code: c.Level}
}

// PlainText is fit for a line in which | ends the text.
func PlainText(s string) string { return strings.ReplaceAll(printable.Text(s), "|", "/") }
