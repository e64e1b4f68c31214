package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/printable"
)

// Site is what a report for a person knows beside the sums.
type Site struct {
	Name string         // of the site; may be empty
	Of   string         // the site of a hosted service that the report is limited to; empty: all mail
	Zone *time.Location // of all times
	// KeepHistory is [spool] keep_history; 0: nothing is kept.
	KeepHistory time.Duration
}

// Limits are how many of the longest lists are shown. JSON has all.
type Limits struct{ Addresses, Domains int }

// View is a report in words, for the text, the page and the mail. All that came from outside
// is printable.
type View struct {
	Site      string
	Title     string // "Notices, 23 to 29 November 2026"
	Span      string // with the times of day
	Summary   string
	Notes     []string // what to know before reading on, if anything
	Facts     []Fact
	Chart     []Bar
	ChartUnit string // "day", "week" or "month"
	ChartMore string // why not all bars are there; or empty

	Addresses     []AddressRow
	MoreAddresses int
	Domains       []DomainRow
	MoreDomains   int
	Servers       []ServerRow

	CSV, JSON string // the commands that show all addresses, and all of the report
	Counted   string // how it was counted
}

// Fact is a number with its name and what it means.
type Fact struct {
	Name    string
	Count   int
	Meaning string
}

// Number is the count for a person.
func (f Fact) Number() string { return Grouped(f.Count) }

// Good reports whether it counts mail that was delivered.
func (f Fact) Good() bool { return f.Name == "Delivered" }

// Bad reports whether it counts mail that came back.
func (f Fact) Bad() bool { return f.Name == "Returned" || f.Name == "Bounced" || f.Name == "Failed" }

// Bar is what was sent on a day, or in a week or month. Delivered and CameBack are parts of a
// thousand of the tallest bar.
type Bar struct {
	Label, Long string // "Mon 23 Nov", "Monday, 23 November 2026"
	Counts
	DeliveredShare, CameBackShare int
}

// Share is how long the bar is.
func (b Bar) Share() int { return b.DeliveredShare + b.CameBackShare }

// ChartHead is the head of the column of labels.
func (v *View) ChartHead() string {
	if v.ChartUnit == "week" {
		return "Week from"
	}
	return strings.ToUpper(v.ChartUnit[:1]) + v.ChartUnit[1:]
}

// AddressRow is an address whose mail came back.
type AddressRow struct {
	Ref, Address, Reason, Status string
	Times                        string // "3 times, last on 24 November"
}

// DomainRow is a domain of recipients.
type DomainRow struct {
	Name string
	Counts
}

// ServerRow is a server, and when it did not work.
type ServerRow struct {
	Name string // "Server 1 (mail.example.org)"
	Text string // "had no trouble."
}

// View makes a report readable.
func (r *Report) View(site Site, limits Limits) *View {
	zone := site.Zone
	const layout = "2006-01-02T15:04" // what --since takes: a duration would count from when somebody reads it
	since, until := r.Since.In(zone).Format(layout), r.Until.Add(time.Minute).In(zone).Format(layout)
	only := ""
	if site.Of != "" {
		only = " --site " + printable.ShellQuote(site.Of)
	}
	v := &View{
		Site:    printable.Line(site.Name),
		Title:   "Notices, " + period(r.Since, r.Until, zone, true),
		Span:    "From " + moment(r.Since, zone) + " to " + moment(r.Until, zone) + " (" + r.Until.In(zone).Format("-0700") + ").",
		Summary: r.Summary(),
		Facts:   r.facts(),
		CSV:     "sudo -u notices notices history" + only + " --outcome returned,bounced,failed --since " + since + " --until " + until + " --csv",
		JSON:    "sudo -u notices notices report" + only + " --since " + since + " --json",
		Counted: "Each recipient is counted separately, on the day the outcome became known (this machine's clock). " +
			"Returns and warnings that notices itself writes are not counted.",
	}
	v.notes(r, site)
	if r.Totals.Sent() > 0 {
		v.chart(r)
	}
	v.addresses(r, zone, limits.Addresses)
	v.domains(r, limits.Domains)
	for i := range r.Servers {
		v.Servers = append(v.Servers, r.Servers[i].row())
	}
	return v
}

// notes say what the sums cannot have.
func (v *View) notes(r *Report, site Site) {
	switch earliest := r.Until.Add(-site.KeepHistory); {
	case site.KeepHistory <= 0:
		if r.Totals.Sent() > 0 {
			v.Notes = append(v.Notes, "keep_history in [spool] is \"0\": no history is kept, and the next flush drops what this report is made of. "+
				"To get more reports, set it to \"90d\".")
			break
		}
		v.Summary, v.Facts = "No figures: keep_history is \"0\", so no history is kept.", nil
		v.Notes = append(v.Notes, "To get reports, set keep_history in [spool] to \"90d\".")
	case r.Since.Before(earliest.Add(-24 * time.Hour)):
		v.Notes = append(v.Notes, "Nothing is known of mail before "+earliest.In(site.Zone).Format("2 January 2006")+
			", because it is kept only as long as keep_history in [spool] says.")
	}
}

func (r *Report) facts() []Fact {
	t := &r.Totals
	list := []Fact{
		{"Delivered", t.Delivered, "A mail server accepted it for the recipient."},
		{"Returned", t.Returned, "It could not be delivered. Its sender was told."},
		{"Bounced", t.Bounced, "A server accepted it, and another sent it back later."},
		{"Failed", t.Failed, "It could not be delivered, and nobody was told."},
		{"Removed", t.Removed, "A person removed it before it was sent."},
		{"Waiting", t.Waiting, "It is in the queue, and will be sent or tried again."},
	}
	return slices.DeleteFunc(list, func(f Fact) bool { return f.Count == 0 && (f.Name != "Delivered" || t.Sent() == 0) })
}

// addresses puts the rows of the view.
func (v *View) addresses(r *Report, zone *time.Location, most int) {
	shown := r.Addresses[:min(most, len(r.Addresses))]
	v.MoreAddresses = len(r.Addresses) - len(shown)
	layout := "2 January"
	if r.Since.In(zone).Year() != r.Until.In(zone).Year() {
		layout += " 2006"
	}
	for i := range shown {
		a := &shown[i]
		row := AddressRow{
			Ref: printable.Line(a.Ref), Address: printable.Line(a.Address), Status: printable.Line(a.Status),
			Reason: printable.Short(cmp.Or(printable.Line(a.Reason), "The mail server did not say why."), 500),
			Times:  "on " + a.Last.In(zone).Format(layout),
		}
		if a.Count > 1 {
			row.Times = printable.Count(a.Count, "time") + ", last " + row.Times
		}
		if a.Outcome == spool.EndedFailed {
			row.Reason += " Nobody was told."
		}
		if a.DeliveredLater {
			row.Times += "; a later notice was delivered"
		}
		v.Addresses = append(v.Addresses, row)
	}
}

func (v *View) domains(r *Report, most int) {
	shown := r.Domains[:min(most, len(r.Domains))]
	v.MoreDomains = len(r.Domains) - len(shown)
	for i := range shown {
		d := &shown[i]
		v.Domains = append(v.Domains, DomainRow{printable.Line(d.Domain), d.Counts})
	}
}

// share is n of most in thousandths; what is not 0 shows.
func share(n, most int) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(n*1000/most, 5)
}

func (s *Server) row() ServerRow {
	row := ServerRow{Name: "Server " + printable.Line(s.Name)}
	switch s.Name {
	case "google":
		row.Name = "Google"
	case "microsoft":
		row.Name = "Microsoft"
	case "service":
		row.Name = "The service"
	}
	if s.Host != "" {
		row.Name += " (" + printable.Line(s.Host) + ")"
	}
	if s.Troubles == 0 {
		row.Text = "had no trouble."
		return row
	}
	down := span(time.Duration(s.DownSeconds) * time.Second)
	switch {
	case s.Troubles == 1 && s.lasts:
		row.Text = "has not worked for " + down + ": " + trouble(s.reason) + ". To see why, run: notices test-server " + printable.Line(s.Name)
	case s.Troubles == 1:
		row.Text = "did not work for " + down + ": " + trouble(s.reason) + "."
	case s.lasts:
		row.Text = "failed " + printable.Count(s.Troubles, "time") + ", for " + down + " in all, and does not work now: " + trouble(s.reason) +
			". To see why, run: notices test-server " + printable.Line(s.Name)
	default:
		row.Text = "failed " + printable.Count(s.Troubles, "time") + ", for " + down + " in all. The last time, " + trouble(s.reason) + "."
	}
	return row
}
