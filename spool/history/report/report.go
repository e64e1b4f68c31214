// Package report sums up what became of a site's mail in a period: how many notices were sent,
// how many came back, by day and by domain, every address whose mail came back, and when
// servers did not work. It gives the sums as JSON, as a page of HTML, as the HTML of a mail, and
// as a View, from which the text is made.
//
// A report counts recipients: a notice to two patrons is two. It counts in the period in which
// it was known what became of them, and what waits now as waiting. The returns and warnings that
// this program writes are not counted; the mail that a report is sent by is. Memory grows with
// days, domains and addresses whose mail came back, not with the mail.
package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/history"
)

// Report is what became of a site's mail in a period. The JSON is that of notices-report(1).
type Report struct {
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until"` // to the end of this second
	Totals    Totals    `json:"totals"`
	Days      []Day     `json:"days"`      // all of the period, oldest first
	Domains   []Domain  `json:"domains"`   // most mail first
	Addresses []Address `json:"addresses"` // whose mail came back: latest first
	Servers   []Server  `json:"servers"`
}

// Totals counts recipients of messages. What was delivered and bounced later is only bounced.
type Totals struct {
	Queued    int `json:"queued"` // in the period, whatever became of it
	Delivered int `json:"delivered"`
	Returned  int `json:"returned"`
	Failed    int `json:"failed"`
	Removed   int `json:"removed"`
	Bounced   int `json:"bounced"`
	Waiting   int `json:"waiting"` // now
}

// Sent is how many were sent: all for which it is known whether they arrived.
func (t *Totals) Sent() int { return t.Delivered + t.CameBack() }

// CameBack is how many did not arrive: returned by us or by another server, or failed.
func (t *Totals) CameBack() int { return t.Returned + t.Failed + t.Bounced }

// Counts are what was sent of a day or to a domain.
type Counts struct {
	Delivered int `json:"delivered"`
	Returned  int `json:"returned"`
	Bounced   int `json:"bounced"`
	failed    int
}

func (c *Counts) add(outcome spool.Ending) {
	switch outcome {
	case spool.EndedDelivered:
		c.Delivered++
	case spool.EndedReturned:
		c.Returned++
	case spool.EndedBounced:
		c.Bounced++
	case spool.EndedFailed:
		c.failed++
	}
}

// CameBack is how many of them did not arrive.
func (c *Counts) CameBack() int { return c.Returned + c.Bounced + c.failed }

// Sent is how many there were.
func (c *Counts) Sent() int { return c.Delivered + c.CameBack() }

// Day is one day by the clock of this machine.
type Day struct {
	Day string `json:"day"` // 2026-11-23
	Counts
}

// Domain is the part of the recipients' addresses after the @, in lower case.
type Domain struct {
	Domain string `json:"domain"`
	Counts
}

// Address is an address whose mail came back. Outcome, status and reason are the latest.
type Address struct {
	Ref     string       `json:"ref"` // the latest that is not empty
	Address string       `json:"address"`
	Outcome spool.Ending `json:"outcome"` // returned, failed or bounced
	Status  string       `json:"status"`  // RFC 3463
	Reason  string       `json:"reason"`  // in plain words
	Count   int          `json:"count"`   // how many came back
	Last    time.Time    `json:"last"`
	// DeliveredLater: a notice that was queued later was delivered after Last. So the address works
	// again.
	DeliveredLater bool `json:"delivered_later"`
}

// Server is a server of ours, and when it did not work in the period.
type Server struct {
	Name        string `json:"name"`
	Host        string `json:"host"`
	Troubles    int    `json:"troubles"`
	DownSeconds int    `json:"down_seconds"` // of all troubles together

	lasts  bool         // it does not work now
	reason spool.Reason // of the last trouble
}

// Collector makes a report of rows, one by one.
type Collector struct {
	report    Report
	zone      *time.Location
	days      map[string]*Day
	domains   map[string]*Domain
	addresses map[string]*Address
	reasons   map[string]string // each is kept once
}

// NewCollector is for the period from since to until. zone is that of the days.
func NewCollector(since, until time.Time, zone *time.Location) *Collector {
	return &Collector{
		report: Report{Since: since.UTC().Truncate(time.Second), Until: until.UTC().Truncate(time.Second)},
		zone:   zone, days: map[string]*Day{}, domains: map[string]*Domain{}, addresses: map[string]*Address{}, reasons: map[string]string{},
	}
}

// Add counts a row.
func (c *Collector) Add(row *history.Row) {
	if row.Form != spool.Ordinary {
		return
	}
	t := &c.report.Totals
	if c.within(row.QueuedAt.Time) {
		t.Queued++
	}
	switch {
	case row.Outcome == history.Waiting:
		t.Waiting++
		return
	case !c.within(row.EndedAt.Time):
		return
	}
	switch row.Outcome {
	case spool.EndedDelivered:
		t.Delivered++
	case spool.EndedReturned:
		t.Returned++
	case spool.EndedFailed:
		t.Failed++
	case spool.EndedBounced:
		t.Bounced++
	default:
		t.Removed++
		return
	}
	c.day(row.EndedAt.In(c.zone).Format(time.DateOnly)).add(row.Outcome)
	c.domain(row.Recipient).add(row.Outcome)
	if row.Outcome != spool.EndedDelivered {
		c.cameBack(row)
	} else if a := c.addresses[strings.ToLower(row.Recipient)]; a != nil {
		a.DeliveredLater = a.DeliveredLater || row.EndedAt.After(a.Last)
	}
}

// within takes the last second whole: what just ended belongs to a report of now.
func (c *Collector) within(t time.Time) bool {
	return !t.Before(c.report.Since) && t.Before(c.report.Until.Add(time.Second))
}

func (c *Collector) day(name string) *Counts {
	d := c.days[name]
	if d == nil {
		d = &Day{Day: name}
		c.days[name] = d
	}
	return &d.Counts
}

func (c *Collector) domain(recipient string) *Counts {
	name := recipient[strings.LastIndexByte(recipient, '@')+1:]
	d := c.domains[name]
	if d == nil {
		name = strings.Clone(strings.ToLower(name)) // not the row's memory
		if d = c.domains[name]; d == nil {
			d = &Domain{Domain: name}
			c.domains[name] = d
		}
	}
	return &d.Counts
}

// cameBack notes an address. Rows come by when they were queued, not by when they ended.
func (c *Collector) cameBack(row *history.Row) {
	key := strings.ToLower(row.Recipient)
	a := c.addresses[key]
	if a == nil {
		a = &Address{}
		c.addresses[strings.Clone(key)] = a
	}
	a.Count++
	latest := !row.EndedAt.Before(a.Last)
	if row.Ref != "" && (latest || a.Ref == "") {
		a.Ref = strings.Clone(row.Ref)
	}
	if latest {
		a.Address, a.Outcome, a.Last = strings.Clone(row.Recipient), row.Outcome, row.EndedAt.UTC().Truncate(time.Second)
		a.Status, a.Reason, a.DeliveredLater = c.once(row.Status), c.once(row.Reason), false
	}
}

// once is one copy of a text that many rows have.
func (c *Collector) once(text string) string {
	kept, ok := c.reasons[text]
	if !ok {
		kept = strings.Clone(text)
		c.reasons[kept] = kept
	}
	return kept
}

// Report is the report of all rows that were added.
func (c *Collector) Report() *Report {
	r := &c.report
	r.Days = c.allDays()
	r.Domains, r.Addresses, r.Servers = []Domain{}, []Address{}, []Server{}
	for _, d := range c.domains {
		r.Domains = append(r.Domains, *d)
	}
	slices.SortFunc(r.Domains, func(a, b Domain) int {
		return cmp.Or(b.Sent()-a.Sent(), strings.Compare(a.Domain, b.Domain))
	})
	for _, key := range slices.Sorted(maps.Keys(c.addresses)) {
		r.Addresses = append(r.Addresses, *c.addresses[key])
	}
	slices.SortStableFunc(r.Addresses, func(a, b Address) int { return b.Last.Compare(a.Last) })
	return r
}

// maxDays bounds the days of a report to a hundred years.
const maxDays = 36_600

// allDays are the days of the period, those without mail too.
func (c *Collector) allDays() []Day {
	days := []Day{}
	if !c.report.Since.Before(c.report.Until) {
		return days
	}
	last := dayOf(c.report.Until.Add(-time.Second).In(c.zone))
	if end := dayOf(c.report.Until.In(c.zone)); c.days[end.Format(time.DateOnly)] != nil {
		last = end // it is midnight
	}
	first := dayOf(c.report.Since.In(c.zone))
	if earliest := last.AddDate(0, 0, 1-maxDays); first.Before(earliest) {
		first = earliest
	}
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		d := Day{Day: day.Format(time.DateOnly)}
		if counted := c.days[d.Day]; counted != nil {
			d = *counted
		}
		days = append(days, d)
	}
	return days
}

// dayOf is a day as noon of UTC, so that the next one is always 24 hours later.
func dayOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC)
}
