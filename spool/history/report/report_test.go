package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/history"
	"notices/spool/maildirtest"
)

func TestCount(t *testing.T) {
	in := since.Add(time.Hour)
	old := row(in, "ann@example.net", "", spool.EndedDelivered)
	old.QueuedAt.Time = since.Add(-time.Hour)
	ownReturn := row(in, "desk@example.org", "", spool.EndedDelivered)
	ownReturn.Form = spool.Report
	for _, c := range []struct {
		name string
		row  *history.Row
		want Totals
	}{
		{"delivered", row(in.Add(time.Hour), "a@example.net", "", spool.EndedDelivered), Totals{Queued: 1, Delivered: 1}},
		{"returned", row(in.Add(time.Hour), "a@example.net", "", spool.EndedReturned), Totals{Queued: 1, Returned: 1}},
		{"failed", row(in.Add(time.Hour), "a@example.net", "", spool.EndedFailed), Totals{Queued: 1, Failed: 1}},
		{"removed", row(in.Add(time.Hour), "a@example.net", "", spool.EndedRemoved), Totals{Queued: 1, Removed: 1}},
		{"bounced", row(in.Add(time.Hour), "a@example.net", "", spool.EndedBounced), Totals{Queued: 1, Bounced: 1}},
		{"waiting", row(in.Add(time.Hour), "a@example.net", "", history.Waiting), Totals{Queued: 1, Waiting: 1}},
		{"queued before", old, Totals{Delivered: 1}},
		{"waits for longer", row(since, "a@example.net", "", history.Waiting), Totals{Waiting: 1}},
		{"a return of ours", ownReturn, Totals{}},
		{"ended before", row(since.Add(-time.Second), "a@example.net", "", spool.EndedDelivered), Totals{}},
		{"at the beginning", row(since, "a@example.net", "", spool.EndedDelivered), Totals{Delivered: 1}},
		{"at the end", row(until, "a@example.net", "", spool.EndedDelivered), Totals{Queued: 1, Delivered: 1}},
		{"after the end", row(until.Add(time.Second), "a@example.net", "", spool.EndedDelivered), Totals{Queued: 1}},
	} {
		col := NewCollector(since, until, zone)
		col.Add(c.row)
		r := col.Report()
		if r.Totals != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, r.Totals, c.want)
		}
		if n := r.Totals.CameBack(); n != len(r.Addresses) {
			t.Errorf("%s: %d came back, from %d addresses", c.name, n, len(r.Addresses))
		}
	}
}

// TestDeliveredLater: an address is marked if a later notice was delivered, until mail comes back
// once more. One that was accepted before the last return does not count.
func TestDeliveredLater(t *testing.T) {
	at := func(hours int) time.Time { return since.Add(time.Duration(hours) * time.Hour) }
	c := NewCollector(since, until, zone)
	check := func(step string, want bool) {
		t.Helper()
		if a := c.Report().Addresses; len(a) != 1 || a[0].DeliveredLater != want {
			t.Errorf("%s: %+v", step, a)
		}
	}
	c.Add(row(at(1), "ann@example.net", "", spool.EndedDelivered))
	c.Add(row(at(9), "ann@example.net", "", spool.EndedBounced))
	c.Add(row(at(5), "ann@example.net", "", spool.EndedDelivered))
	check("accepted before", false)
	c.Add(row(at(20), "Ann@example.net", "", spool.EndedDelivered))
	check("delivered later", true)
	c.Add(row(at(8), "ann@example.net", "", spool.EndedDelivered)) // queued last, and not deferred as the one before
	check("and another one before", true)
	if v := c.Report().View(site(), Limits{Addresses: 1}); !strings.HasSuffix(v.Addresses[0].Times, "; a later notice was delivered") {
		t.Errorf("%+v", v.Addresses)
	}
	c.Add(row(at(30), "ann@example.net", "", spool.EndedReturned))
	check("returned again", false)
}

// TestCommands: what a report says to run is about its period, whenever somebody reads it, and
// runs as the user whose history it is.
func TestCommands(t *testing.T) {
	v := sample().View(site(), Limits{})
	if v.CSV != "sudo -u notices notices history --outcome returned,bounced,failed --since 2026-11-23T07:00 --until 2026-11-30T07:01 --csv" ||
		v.JSON != "sudo -u notices notices report --since 2026-11-23T07:00 --json" {
		t.Errorf("%s\n%s", v.CSV, v.JSON)
	}
}

// TestAddresses: an address is there once, whatever its case, with what came last and the
// latest reference that there is.
func TestAddresses(t *testing.T) {
	at := func(hours int) time.Time { return since.Add(time.Duration(hours) * time.Hour) }
	c := NewCollector(since, until, zone)
	c.Add(row(at(30), "Ann@Example.net", "", spool.EndedBounced)) // it was queued first, and ended last
	c.Add(row(at(5), "ann@example.net", "20041", spool.EndedReturned))
	c.Add(row(at(3), "ann@example.net", "19999", spool.EndedReturned))
	c.Add(row(at(40), "ann@example.net", "20041", spool.EndedDelivered))
	c.Add(row(at(31), "bob@example.net", "20042", spool.EndedFailed))
	want := []Address{
		{Ref: "20042", Address: "bob@example.net", Outcome: spool.EndedFailed, Status: "4.4.7",
			Reason: "It was tried 24 times over 4 days, without success.", Count: 1, Last: at(31).UTC()},
		{Ref: "20041", Address: "Ann@Example.net", Outcome: spool.EndedBounced, Status: "5.2.2", Reason: "The mailbox is full.", Count: 3, Last: at(30).UTC(), DeliveredLater: true},
	}
	if got := c.Report().Addresses; !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestDays: all days of the period are there by the local clock, also over a change of it.
func TestDays(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	day := func(d, hour int) time.Time { return time.Date(2026, 10, d, hour, 0, 0, 0, berlin) }
	for _, c := range []struct {
		since, until time.Time
		want         string
	}{
		{day(24, 7), day(27, 7), "2026-10-24 2026-10-25 2026-10-26 2026-10-27"}, // the 25th has 25 hours
		{day(24, 0), day(27, 0), "2026-10-24 2026-10-25 2026-10-26"},
		{day(24, 23), day(25, 1), "2026-10-24 2026-10-25"},
		{day(24, 7), day(24, 8), "2026-10-24"},
		{day(24, 7), day(24, 7), ""},
		{day(24, 7), day(23, 7), ""},
	} {
		var got []string
		for _, d := range NewCollector(c.since, c.until, berlin).Report().Days {
			got = append(got, d.Day)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s to %s: %s", c.since, c.until, got)
		}
	}
	c := NewCollector(day(24, 0), day(26, 0), berlin)
	c.Add(row(day(24, 0).Add(23*time.Hour+30*time.Minute), "a@example.net", "", spool.EndedDelivered)) // in UTC it is the 24th, too
	c.Add(row(day(25, 0), "a@example.net", "", spool.EndedDelivered))                                  // in UTC it is the 24th
	c.Add(row(day(26, 0), "a@example.net", "", spool.EndedReturned))                                   // midnight, the last second
	r := c.Report()
	if len(r.Days) != 3 || r.Days[0].Delivered != 1 || r.Days[1].Delivered != 1 || r.Days[2].Returned != 1 {
		t.Errorf("%+v", r.Days)
	}
	if n := len(NewCollector(time.Time{}, until, zone).Report().Days); n != maxDays {
		t.Errorf("since the year 1: %d days", n)
	}
}

// TestSums: whatever the rows, the sums agree with each other, and no list has anything twice.
func TestSums(t *testing.T) {
	outcomes := []spool.Ending{spool.EndedDelivered, spool.EndedReturned, spool.EndedFailed, spool.EndedRemoved, spool.EndedBounced, history.Waiting}
	rapid.Check(t, func(t *rapid.T) {
		c := NewCollector(since, until, zone)
		counts := map[spool.Ending]int{}
		for range rapid.IntRange(0, 60).Draw(t, "rows") {
			at := since.Add(time.Duration(rapid.IntRange(0, 7*24*3600).Draw(t, "at")) * time.Second)
			to := rapid.SampledFrom([]string{"a", "b", "A", "c d"}).Draw(t, "local") + "@" + rapid.SampledFrom([]string{"x.example", "X.example", "y.example"}).Draw(t, "domain")
			outcome := rapid.SampledFrom(outcomes).Draw(t, "outcome")
			r := row(at, to, rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "ref"), outcome)
			if rapid.IntRange(0, 9).Draw(t, "form") == 0 {
				r.Form = spool.PlainReport
			} else {
				counts[outcome]++
			}
			c.Add(r)
		}
		r := c.Report()
		want := Totals{r.Totals.Queued, counts[spool.EndedDelivered], counts[spool.EndedReturned], counts[spool.EndedFailed],
			counts[spool.EndedRemoved], counts[spool.EndedBounced], counts[history.Waiting]}
		if r.Totals != want {
			t.Fatalf("totals %+v, want %+v", r.Totals, want)
		}
		var days, domains Counts
		seen := map[string]bool{}
		for _, d := range r.Days {
			days = plus(days, d.Counts)
			seen[d.Day] = true
		}
		for _, d := range r.Domains {
			domains = plus(domains, d.Counts)
			seen[d.Domain] = true
		}
		came := 0
		for _, a := range r.Addresses {
			came += a.Count
			seen[strings.ToLower(a.Address)] = true
		}
		sum := Counts{want.Delivered, want.Returned, want.Bounced, want.Failed}
		if days != sum || domains != sum || came != r.Totals.CameBack() {
			t.Fatalf("days %+v, domains %+v, addresses %d, totals %+v", days, domains, came, r.Totals)
		}
		if len(seen) != len(r.Days)+len(r.Domains)+len(r.Addresses) {
			t.Fatal("something is listed twice")
		}
		v := r.View(site(), Limits{1, 1})
		if shown := len(v.Addresses) + v.MoreAddresses; shown != len(r.Addresses) {
			t.Fatalf("%d addresses of %d are told", shown, len(r.Addresses))
		}
	})
}

func plus(a, b Counts) Counts {
	return Counts{a.Delivered + b.Delivered, a.Returned + b.Returned, a.Bounced + b.Bounced, a.failed + b.failed}
}

// TestJSON: the keys are those of the manual, and no list is null.
func TestJSON(t *testing.T) {
	raw, err := json.Marshal(NewCollector(since, since.Add(time.Hour), zone).Report())
	want := `{"since":"2026-11-23T06:00:00Z","until":"2026-11-23T07:00:00Z",` +
		`"totals":{"queued":0,"delivered":0,"returned":0,"failed":0,"removed":0,"bounced":0,"waiting":0},` +
		`"days":[{"day":"2026-11-23","delivered":0,"returned":0,"bounced":0}],"domains":[],"addresses":[],"servers":[]}`
	if err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
	r := sample()
	r.Days, r.Domains, r.Addresses, r.Servers = r.Days[:1], r.Domains[:1], r.Addresses[:1], r.Servers[:1]
	raw, err = json.Marshal(r)
	want = `{"since":"2026-11-23T06:00:00Z","until":"2026-11-30T06:00:00Z",` +
		`"totals":{"queued":129,"delivered":124,"returned":2,"failed":1,"removed":1,"bounced":1,"waiting":2},` +
		`"days":[{"day":"2026-11-23","delivered":12,"returned":0,"bounced":0}],` +
		`"domains":[{"domain":"gmail.com","delivered":68,"returned":0,"bounced":1}],` +
		`"addresses":[{"ref":"","address":"cilla@gone.example","outcome":"failed","status":"4.4.7",` +
		`"reason":"It was tried 24 times over 4 days, without success.","count":1,"last":"2026-11-28T11:00:00Z","delivered_later":false}],` +
		`"servers":[{"name":"1","host":"mail.example.org","troubles":2,"down_seconds":4800}]}`
	if err != nil || string(raw) != want {
		t.Errorf("got  %s, %v\nwant %s", raw, err, want)
	}
}

// TestServers: what a server did not work in the period is summed up, for each host that had
// its name.
func TestServers(t *testing.T) {
	state, ctx := maildirtest.State(), t.Context()
	trouble := func(began, ended time.Duration, host string, reason spool.Reason) {
		t.Helper()
		err := spool.UpdateState(ctx, state, spool.HealthName+"1", false, func(h *spool.Health) error {
			*h = spool.Health{Troubles: 1, Since: since.Add(began), Last: spool.Outcome{Reason: reason, Reply: spool.Reply{Host: host}}}
			return nil
		})
		if err == nil && ended > 0 {
			err = spool.EndOutage(ctx, state, "1", since.Add(ended), 90*24*time.Hour)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	trouble(-2*time.Hour, time.Hour, "old.example.org", spool.ReasonAuth)
	trouble(2*time.Hour, 3*time.Hour, "mail.example.org", spool.ReasonConnect)
	trouble(5*time.Hour, 5*time.Hour+90*time.Second, "MAIL.example.org", spool.ReasonTLS)
	trouble(7*24*time.Hour-10*time.Minute, 0, "mail.example.org", spool.ReasonConnect) // it lasts
	r := NewCollector(since, until, zone).Report()
	for _, s := range [][2]string{{"1", "mail.example.org"}, {"2", "backup.example.org"}} {
		if err := r.AddServer(ctx, state, s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	want := []Server{
		{Name: "1", Host: "mail.example.org", Troubles: 3, DownSeconds: 3600 + 90 + 600, lasts: true, reason: spool.ReasonConnect},
		{Name: "1", Host: "old.example.org", Troubles: 1, DownSeconds: 3600, reason: spool.ReasonAuth},
		{Name: "2", Host: "backup.example.org"},
	}
	if !slices.Equal(r.Servers, want) {
		t.Errorf("got  %+v\nwant %+v", r.Servers, want)
	}
	rows := r.View(site(), Limits{}).Servers
	for i, text := range []string{
		"failed 3 times, for 1 hour 11 minutes in all, and does not work now: it could not be reached. To see why, run: notices test-server 1",
		"did not work for 1 hour: it refused the login.",
		"had no trouble.",
	} {
		if rows[i].Text != text {
			t.Errorf("%s: %s", rows[i].Name, rows[i].Text)
		}
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		totals           Totals
		summary, subject string
	}{
		{Totals{}, "No notices were sent.", "0 notices sent"},
		{Totals{Waiting: 1}, "No notices were sent. 1 notice still waits to be sent.", "0 notices sent"},
		{Totals{Delivered: 1}, "1 notice was sent, and it did not come back.", "1 notice sent"},
		{Totals{Bounced: 1}, "1 notice was sent, 1 came back.", "1 notice sent, 1 came back"},
		{Totals{Delivered: 12_345}, "12,345 notices were sent, and no notice came back.", "12,345 notices sent"},
		{Totals{Delivered: 129, Returned: 1, Failed: 1, Removed: 9, Waiting: 1000}, "131 notices were sent, 2 came back. 1,000 still wait to be sent.", "131 notices sent, 2 came back"},
	} {
		r := &Report{Since: since, Until: until, Totals: c.totals}
		if got := r.Summary(); got != c.summary {
			t.Errorf("%+v: %s", c.totals, got)
		}
		if got, want := r.Subject("Springfield", zone), "Springfield: "+c.subject+" (23 to 30 November)"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := (&Report{Since: since, Until: until}).Subject("", zone); got != "0 notices sent (23 to 30 November)" {
		t.Error(got)
	}
}

func TestPeriod(t *testing.T) {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, zone) }
	for _, c := range []struct {
		since, until time.Time
		year         bool
		want         string
	}{
		{day(2026, 11, 23), day(2026, 11, 30), false, "23 to 29 November"},
		{day(2026, 11, 23), day(2026, 11, 30), true, "23 to 29 November 2026"},
		{day(2026, 11, 28), day(2026, 12, 5), true, "28 November to 4 December 2026"},
		{day(2026, 12, 28), day(2027, 1, 5), false, "28 December 2026 to 4 January 2027"},
		{day(2026, 11, 23), day(2026, 11, 24), false, "23 November"},
	} {
		if got := period(c.since, c.until, zone, c.year); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than a minute", 59 * time.Second: "less than a minute", 61 * time.Second: "1 minute", 2*time.Hour + time.Minute: "2 hours 1 minute",
		24 * time.Hour: "1 day", 50 * time.Hour: "2 days 2 hours", 1000 * 24 * time.Hour: "1,000 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// TestChart: a bar for each day, week or month, and all bars together have all that was sent.
func TestChart(t *testing.T) {
	for _, c := range []struct {
		days, lead  int // lead: days at the beginning without mail
		unit        string
		bars        int
		first, long string
	}{
		{7, 0, "day", 8, "Mon 23 Nov", "Monday, 23 November 2026"},
		{35, 10, "day", 36, "Mon 26 Oct", "Monday, 26 October 2026"},
		{36, 0, "week", 7, "19 Oct", "week of Monday, 19 October 2026"},
		{90, 80, "day", 11, "Fri 20 Nov", "Friday, 20 November 2026"},
		{400, 0, "month", 14, "Oct 2025", "October 2025"},
		{36_000, 36_000 - 365*6, "month", 60, "Dec 2021", "December 2021"},
	} {
		from := until.Add(-time.Duration(c.days) * 24 * time.Hour)
		col := NewCollector(from, until, zone)
		for n := c.lead; n <= c.days; n++ {
			at := from.Add(time.Duration(n) * 24 * time.Hour)
			col.Add(row(at, "a@example.net", "", spool.EndedDelivered))
			col.Add(row(at, "a@example.net", "", spool.EndedReturned))
		}
		v := col.Report().View(site(), Limits{1, 1})
		sum := 0
		for _, b := range v.Chart {
			sum += b.Sent()
			if b.Share() > 1000 {
				t.Errorf("%d days: %s is %d thousandths", c.days, b.Label, b.Share())
			}
		}
		first := &v.Chart[0]
		if v.ChartUnit != c.unit || len(v.Chart) != c.bars || first.Label != c.first || first.Long != c.long {
			t.Errorf("%d days: %d bars by %s from %q, %q", c.days, len(v.Chart), v.ChartUnit, first.Label, first.Long)
		}
		if v.ChartMore == "" && sum != (c.days-c.lead+1)*2 {
			t.Errorf("%d days: the bars have %d", c.days, sum)
		}
	}
}

// TestManyRows: what is kept does not grow with the mail.
func TestManyRows(t *testing.T) {
	c := NewCollector(since, until, zone)
	r := row(since.Add(time.Hour), "", "", spool.EndedDelivered)
	add := func(from, to int) {
		for n := from; n < to; n++ {
			r.Recipient = fmt.Sprintf("patron%d@domain%d.example", n, n%100)
			r.Outcome = spool.EndedDelivered
			if n%1000 == 0 {
				r.Outcome, r.Recipient = spool.EndedReturned, fmt.Sprintf("patron%d@domain0.example", n%20_000)
			}
			c.Add(r)
		}
	}
	add(0, 20_000)
	kept := func() int { return len(c.addresses) + len(c.domains) + len(c.days) + len(c.reasons) }
	before := kept()
	add(20_000, 200_000)
	if kept() != before || c.Report().Totals.Sent() != 200_000 {
		t.Errorf("%d things are kept, then %d", before, kept())
	}
}
