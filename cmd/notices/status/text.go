package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool/printable"
)

// statusText prints a status for a person, as wide as the terminal, else in 80
// columns: first whether all is well, then the details.
type statusText struct {
	*term.Page
	s *snapshot
}

func printStatus(p *app.Program, s *snapshot, c *verdict) error {
	t := &statusText{term.NewPage(p), s}
	t.Width = cmp.Or(t.Width, 80)
	t.write(c)
	_, err := io.WriteString(p.Stdout, t.Text())
	return err
}

func (t *statusText) write(c *verdict) {
	t.verdict(c)
	t.queue()
	for i := range t.s.Servers {
		t.server(&t.s.Servers[i])
	}
	t.signIn("Google", t.s.Google)
	t.signIn("Microsoft", t.s.Microsoft)
	t.limits()
	t.lastFlush()
	t.hosts()
	t.sites()
	t.bounces()
}

// bounces shows the last reading of the mailbox of [bounces].
func (t *statusText) bounces() {
	b := t.s.Bounces
	if b == nil && !t.s.mailbox && t.s.bouncesError == "" {
		return
	}
	t.Title(term.Bold, "Mailbox for bounces")
	switch {
	case t.s.bouncesError != "":
		t.row("Read", term.Red, "notices read-bounces refuses the configuration: %s", t.s.bouncesError)
		return
	case b == nil:
		t.row("Read", "", "never; cron or a timer should run: notices read-bounces")
		return
	case b.Error != nil:
		t.row("Read", term.Red, "failed %s: %s; to see what helps, run: notices read-bounces -n -v", t.when(*b.At), *b.Error)
		return
	}
	t.row("Read", "", "%s", t.when(*b.At))
	t.row("Result", "", "%s read, %s of ours", printable.Count(b.Read, "message"), printable.Count(b.Bounced, "new bounce"))
}

// row prints a name and a text, which stays in its column even if a path in it is longer
// than a line.
func (t *statusText) row(name string, c term.Colour, format string, args ...any) {
	const names = 20
	for _, line := range term.Wrap(printable.Text(fmt.Sprintf(format, args...)), t.Width-names-2) {
		t.Line("  " + term.Pad(name, names) + t.Paint(c, line))
		name = ""
	}
}

// verdict says what a person should know first.
func (t *statusText) verdict(c *verdict) {
	s := t.s
	shade, cut := term.Yellow, ""
	switch {
	case c.Level == Critical:
		shade = term.Red
		t.Title(term.Red, "Needs a person")
	case !s.sendingOK() && !s.atLimit():
		t.Title(term.Yellow, "No mail goes out now")
		cut = noMail
	case c.Level == Warning:
		t.Title(term.Yellow, "Needs attention")
	case !s.sendingOK():
		t.Title(term.Yellow, "The sending limit is reached")
	case len(c.Remarks) > 0:
		t.Title(term.Yellow, "Not all is well")
	case s.WaitingForRecipient > 0 || s.limited > 0 || s.resumes > 0:
		t.Title(term.Green, "Mail goes out")
	default:
		t.Title(term.Green, "All is well")
	}
	for _, reason := range append(c.Reasons, c.Remarks...) {
		t.Row("  - ", shade, "%s", strings.TrimPrefix(reason, cut))
	}
	if s.WaitingForRecipient > 0 {
		t.Row("  - ", "", "%s", s.forRecipients())
	}
	if s.limited > 0 {
		t.Row("  - ", "", "%s", s.forLimit())
	}
	if s.resumes > 0 {
		t.Row("  - ", "", "%s", forNextSend(s))
	}
	t.Line("")
}

func (t *statusText) queue() {
	s := t.s
	t.Title(term.Bold, "Queue")
	t.row("Messages", "", "%d queued, %d deferred, %d held, %d failed", s.Queued, s.Deferred, s.Held, s.Failed)
	if s.handedIn > 0 {
		t.row("Handed in", "", "%s by other users, taken over at the next flush", printable.Count(s.handedIn, "message"))
	}
	if s.fromDrop > 0 {
		t.row("From drop/", "", "%s in %sdrop-*, of other users, could not be sent", printable.Count(s.fromDrop, "file"), s.asideDir)
	}
	if s.aside > 0 {
		t.row("Set aside", term.Yellow, "%s in %s", printable.Count(s.aside, "file"), s.asideDir)
	}
	t.buffer()
	t.row("Size", "", "%s", term.Octets(s.Bytes))
	if s.Held > 0 {
		t.row("Held", term.Yellow, "until released; see: notices list --state held")
	}
	if s.OldestQueuedAt != nil {
		t.row("Oldest", "", "%s", t.when(*s.OldestQueuedAt))
	}
	if s.NextSendAt == nil {
		return
	}
	if s.sends.due > 0 {
		t.row("Next send", "", "now: %s due, the oldest for %s", printable.CountIs(s.sends.due, "message"), term.Span(s.dueFor()))
	} else {
		t.row("Next send", "", "%s", t.when(*s.NextSendAt))
	}
	t.Title(term.Bold, "Next sends")
	for _, line := range s.sends.lines(t.Width) {
		t.Line(line)
	}
}

// when is a time, and how far away it is.
func (t *statusText) when(at time.Time) string {
	return term.Clock(at) + " (" + t.s.ago(at) + ")"
}

func (t *statusText) server(v *server) {
	h := &v.health
	t.Title(term.Bold, fmt.Sprintf("%s: %s:%d", strings.ToUpper(v.called()[:1])+v.called()[1:], v.Host, v.Port))
	if len(v.Senders) > 0 {
		t.row("Senders", "", "%s", strings.Join(v.Senders, ", "))
	}
	if v.LastTestedOn == nil {
		t.row("Last Tested On", "", "never; to test it, run: notices test-server %s", v.Name)
	} else {
		c := term.Green
		if *v.LastTestResult != "ok" {
			c = term.Red
		}
		t.row("Last Tested On", "", "%s", t.when(*v.LastTestedOn))
		t.row("Last Test Results", c, "%s: %s", *v.LastTestResult, *v.LastTestDetail)
	}
	switch {
	case v.DownUntil != nil && v.atLimit():
		t.row("Health", term.Yellow, "sending limit reached, goes on by itself; tried again %s: %s", t.when(*v.DownUntil), h.Last.Reply)
	case v.DownUntil != nil:
		t.row("Health", term.Red, "down, paused until %s: %s", t.when(*v.DownUntil), h.Last.Reply)
	case v.DownSince != nil:
		t.row("Health", term.Red, "down since %s, tried again with the next message: %s", t.when(*v.DownSince), h.Last.Reply)
	case h.Troubles > 0:
		t.row("Health", term.Yellow, "last trouble%s: %s", t.since(h.Last.Reply.At), h.Last.Reply)
	default:
		t.row("Health", "", "no trouble known")
	}
	if h.Notice != "" {
		t.row("Notice", term.Yellow, "%s (%s)", h.Notice, t.s.ago(h.NoticeAt))
	}
	switch u := &v.used; {
	case !u.DayFree.IsZero():
		t.row("Rate", term.Yellow, "rate_per_day of %d is used up; the next goes out %s", v.rates.RatePerDay, t.s.ago(u.DayFree))
	case !u.MinuteFree.IsZero():
		t.row("Rate", term.Yellow, "rate_per_minute of %d is used up; the next goes out %s", v.rates.RatePerMinute, t.s.ago(u.MinuteFree))
	}
}

func (t *statusText) since(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " " + t.s.ago(at)
}

func (t *statusText) signIn(title string, s *SignIn) {
	if s == nil {
		return
	}
	t.Title(term.Bold, title+" account")
	if s.Account != "" {
		t.row("Account", "", "%s", s.Account)
	}
	switch {
	case s.Error == nil:
		t.row("Sign-in", term.Green, "good")
	case s.NeedsPerson:
		t.row("Sign-in", term.Red, "does not work; see above")
	default:
		t.row("Sign-in", term.Yellow, "%s", *s.Error)
	}
}

// limits shows how far each limit is used up, and how many messages wait for it.
func (t *statusText) limits() {
	if len(t.s.limitsUsed) > 0 {
		t.Title(term.Bold, "Limits")
	}
	for i := range t.s.limitsUsed {
		u := &t.s.limitsUsed[i]
		text := fmt.Sprintf("%s: %d of %d sent in %s", u.Name(), u.Used, u.Messages, u.Window())
		if u.Waiting > 0 {
			text += fmt.Sprintf("; %s waited at the last flush, %s", printable.Count(u.Waiting, "message"), t.s.ago(u.At))
		}
		if !u.Free.IsZero() {
			text += "; the next goes out " + t.s.ago(u.Free)
		}
		t.Row("  ", "", "%s", text)
	}
}

func (t *statusText) lastFlush() {
	f := t.s.LastFlush
	t.Title(term.Bold, "Last flush")
	switch {
	case f == nil && t.s.unwritable:
		t.row("Run", "", "not recorded; the spool cannot be written")
		return
	case f == nil:
		t.row("Run", "", "never; cron or a timer should run: notices flush")
		return
	}
	t.row("Run", "", "%s", t.when(*f.At))
	t.row("Result", "", "%d sent, %d deferred, %d returned, %d failed", f.Sent, f.Deferred, f.Returned, f.Failed)
}
