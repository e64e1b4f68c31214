package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"notices/spool"
)

// histogram counts next sends by how far away they are.
type histogram struct {
	now  time.Time
	due  int
	bins []bin
}

type bin struct {
	name  string
	until time.Duration
	n     int
}

// newHistogram has bins that the default delays fall into: minutes while a message
// is young, an hour or so after that.
func newHistogram(now time.Time) histogram {
	return histogram{now: now, bins: []bin{
		{name: "within 5 min", until: 5 * time.Minute},
		{name: "5 to 15 min", until: 15 * time.Minute},
		{name: "15 to 60 min", until: time.Hour},
		{name: "1 to 2 hours", until: 2 * time.Hour},
		{name: "later", until: 1<<63 - 1},
	}}
}

func (h *histogram) add(next time.Time) {
	for i := range h.bins {
		if next.Sub(h.now) <= h.bins[i].until {
			h.bins[i].n++
			return
		}
	}
}

// barWidth leaves room for name and number in 80 columns.
const barWidth = 50

// lines draws the bars; a bin with anything in it shows at least one mark.
func (h *histogram) lines() []string {
	bins := append([]bin{{name: "due now", n: h.due}}, h.bins...)
	most := 0
	for _, b := range bins {
		most = max(most, b.n)
	}
	var lines []string
	for _, b := range bins {
		bar := ""
		if most > 0 {
			bar = strings.Repeat("#", (b.n*barWidth+most-1)/most)
		}
		lines = append(lines, strings.TrimRight(fmt.Sprintf("  %-12s %7d  %s", b.name, b.n, bar), " "))
	}
	return lines
}

// statusText prints a status for a person, as wide as the terminal, else in 80
// columns.
type statusText struct {
	a     *app
	now   time.Time
	p     painter
	out   strings.Builder
	width int
}

func (a *app) printStatus(s *statusJSON, now time.Time) error {
	t := &statusText{a: a, now: now, p: a.painter(), width: cmp.Or(width(a.stdout), 80)}
	t.queue(s)
	for i := range s.Servers {
		t.server(&s.Servers[i], &s.health[i])
	}
	t.account("Google", s.Google)
	t.account("Microsoft", s.Microsoft)
	t.lastFlush(s.LastFlush)
	_, err := a.stdout.Write([]byte(t.out.String()))
	return err
}

func (t *statusText) title(text string) {
	fmt.Fprintln(&t.out, t.p.paint(bold, text))
}

// row prints a name and what is to be said of it, on as many lines as it takes.
func (t *statusText) row(name string, c colour, format string, args ...any) {
	const names = 20
	for _, line := range wrap(printable(fmt.Sprintf(format, args...)), t.width-names-2) {
		fmt.Fprintf(&t.out, "  %s%s\n", pad(name, names), t.p.paint(c, line))
		name = ""
	}
}

// wrap breaks text at spaces into lines of so many columns. A longer word stays
// whole.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

func (t *statusText) queue(s *statusJSON) {
	t.title("Queue")
	t.row("Messages", "", "%d queued, %d deferred, %d held, %d failed", s.Queued, s.Deferred, s.Held, s.Failed)
	t.row("Size", "", "%s", octets(s.Bytes))
	if s.OldestQueuedAt != nil {
		t.row("Oldest", "", "%s (%s)", clock(*s.OldestQueuedAt), ago(*s.OldestQueuedAt, t.now))
	}
	if s.NextSendAt == nil {
		return
	}
	t.row("Next send", "", "%s (%s)", clock(*s.NextSendAt), ago(*s.NextSendAt, t.now))
	t.title("Next sends")
	for _, line := range s.sends.lines() {
		fmt.Fprintln(&t.out, line)
	}
}

func (t *statusText) server(s *serverJSON, h *spool.Health) {
	t.title(printable(fmt.Sprintf("Server %s: %s:%d", s.Name, s.Host, s.Port)))
	if s.LastTestedOn == nil {
		t.row("Last Tested On", "", "never; test it by: notices test-server %s", s.Name)
	} else {
		c := green
		if *s.LastTestResult != "ok" {
			c = red
		}
		t.row("Last Tested On", "", "%s (%s)", clock(*s.LastTestedOn), ago(*s.LastTestedOn, t.now))
		t.row("Last Test Results", c, "%s: %s", *s.LastTestResult, *s.LastTestDetail)
	}
	switch {
	case s.DownUntil != nil:
		t.row("Health", red, "down, left alone until %s (%s): %s", clock(*s.DownUntil), ago(*s.DownUntil, t.now), h.Last.Reply.String())
	case h.Troubles > 0:
		t.row("Health", yellow, "last trouble: %s", h.Last.Reply.String())
	default:
		t.row("Health", "", "well")
	}
	if h.Notice != "" {
		t.row("Notice", yellow, "%s (%s)", h.Notice, ago(h.NoticeAt, t.now))
	}
}

func (t *statusText) account(title string, s *accountJSON) {
	if s == nil {
		return
	}
	t.title(title + " account")
	if s.Account != "" {
		t.row("Account", "", "%s", s.Account)
	}
	switch {
	case s.Error == nil:
		t.row("Sign-in", green, "good")
	case s.needsPerson:
		t.row("Sign-in", red, "%s", *s.Error)
	default:
		t.row("Sign-in", yellow, "%s", *s.Error)
	}
}

func (t *statusText) lastFlush(f *flushJSON) {
	t.title("Last flush")
	if f == nil {
		t.row("Run", "", "never; cron or a timer should run: notices flush")
		return
	}
	t.row("Run", "", "%s (%s)", clock(*f.At), ago(*f.At, t.now))
	t.row("Did", "", "%d sent, %d deferred, %d returned, %d failed", f.Sent, f.Deferred, f.Returned, f.Failed)
}
