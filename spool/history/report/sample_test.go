package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/history"
)

// The clock of the samples: Monday, 30 November 2026, 07:00 in a zone of one hour east, and a
// week before it.
var (
	zone  = time.FixedZone("CET", 3600)
	until = time.Date(2026, 11, 30, 7, 0, 0, 0, zone)
	since = until.Add(-7 * 24 * time.Hour)
)

func site() Site {
	return Site{Name: "Springfield Public Library", Zone: zone, KeepHistory: 90 * 24 * time.Hour}
}

// row is a row that was queued an hour before it ended.
func row(at time.Time, to, ref string, outcome spool.Ending) *history.Row {
	r := &history.Row{ID: "A", Recipient: to, Ref: ref, Outcome: outcome, QueuedAt: history.Time{Time: at.Add(-time.Hour)}, EndedAt: history.Time{Time: at}}
	switch outcome {
	case spool.EndedDelivered:
		r.Status = "2.0.0"
	case spool.EndedReturned:
		r.Status, r.Reason = "5.1.1", "There is no mailbox with that name: the address is misspelled, or no longer in use."
	case spool.EndedBounced:
		r.Status, r.Reason = "5.2.2", "The mailbox is full."
	case spool.EndedFailed:
		r.Status, r.Reason = "4.4.7", "It was tried 24 times over 4 days, without success."
	case history.Waiting:
		r.EndedAt, r.NextSendAt = history.Time{}, history.Time{Time: at.Add(time.Hour)}
	}
	return r
}

// sample is an ordinary week of a library.
func sample() *Report {
	c := NewCollector(since, until, zone)
	domains := []string{"gmail.com", "gmail.com", "gmail.com", "example.net", "outlook.com", "example.org"}
	for day := range 7 {
		for n := range 12 + day*day%17 {
			c.Add(row(since.Add(time.Duration(day*24+n%9)*time.Hour), fmt.Sprintf("patron%d@%s", n, domains[n%len(domains)]), fmt.Sprint(20000+n), spool.EndedDelivered))
		}
	}
	at := func(days, hours int) time.Time { return since.Add(time.Duration(days*24+hours) * time.Hour) }
	c.Add(row(at(1, 2), "ann@example.net", "20041", spool.EndedReturned))
	c.Add(row(at(3, 2), "Ann@Example.net", "20041", spool.EndedReturned))
	c.Add(row(at(2, 5), "bob.lister@gmail.com", "20172", spool.EndedBounced))
	c.Add(row(at(5, 5), "cilla@gone.example", "", spool.EndedFailed))
	c.Add(row(at(5, 5), "dan@example.net", "", spool.EndedRemoved))
	c.Add(row(at(6, 20), "eve@example.net", "20077", history.Waiting))
	c.Add(row(at(6, 20), "fred@example.net", "20078", history.Waiting))
	r := c.Report()
	r.Servers = []Server{
		{Name: "1", Host: "mail.example.org", Troubles: 2, DownSeconds: 4800, reason: spool.ReasonConnect},
		{Name: "2", Host: "backup.example.org"},
	}
	return r
}

// hostile is a report of what could break a page: markup, controls, long words, many rows.
func hostile() *Report {
	c := NewCollector(since, until, zone)
	at := until.Add(-time.Hour)
	for _, text := range []string{
		`"<script>alert(1)</script>"@example.net`, `x" onmouseover="alert(1)`, "</title></style><img src=http://evil.example/a.png>",
		"\x1b[2J\u202egnp.exe@example.net", "{{.Site}}@example.net", "javascript:alert(1)", "Zoë 用户@例え.example", "\xff\xfe@example.net",
	} {
		r := row(at, text, text, spool.EndedReturned)
		r.Reason, r.Status = text+strings.Repeat(" "+text, 6), text
		c.Add(r)
	}
	long := row(at, strings.Repeat("a", 242)+"@example.net", strings.Repeat("9", 100), spool.EndedBounced)
	long.Reason = strings.Repeat("x", 500)
	c.Add(long)
	for n := range 10_000 {
		c.Add(row(at.Add(-time.Duration(n)*time.Second), fmt.Sprintf("patron%d@%s%d.example", n, strings.Repeat("long-", 10), n%300), fmt.Sprint(n), spool.EndedReturned))
	}
	r := c.Report()
	r.Servers = []Server{{Name: "1", Host: "<b>" + strings.Repeat("mail", 60), Troubles: 1, DownSeconds: 9 * 24 * 3600, lasts: true}}
	return r
}

func page(t *testing.T, r *Report, s Site) string {
	t.Helper()
	var b strings.Builder
	if err := r.View(s, Limits{Addresses: 1000, Domains: 100}).Page(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
