// Package summary is `notices report`: what became of the mail of a period, as text, as JSON, as
// a page of HTML, or as a mail to whoever looks after the notices. Package report has the sums
// and the HTML.
package summary

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history"
	"notices/spool/history/report"
	"notices/spool/intake"
	"notices/spool/service"
)

// Options are those of `notices report`.
type Options struct {
	JSON bool
	HTML string // a file; "-": standard output
	Mail string // an address, or DefaultAddress
	Site string // of a hosted service; empty: all mail
	// Since is when the period begins, SinceText how that was given.
	Since     time.Time
	SinceText string
}

// DefaultAddress is Options.Mail without an address. No address is a single space.
const DefaultAddress = " "

// Check refuses what the options parser cannot. `--mail ADDRESS` is taken for --mail=ADDRESS: the
// parser makes an argument of it, and report has no arguments.
func (o *Options) Check(args []string, given func(option string) bool, now time.Time) error {
	if len(args) == 1 {
		if o.Mail != DefaultAddress {
			return fmt.Errorf("report: unexpected argument %q; to send the report to an address, use --mail ADDRESS", args[0])
		}
		o.Mail = args[0]
	}
	forms := 0
	for _, option := range []string{"json", "html", "mail"} {
		if given(option) {
			forms++
		}
	}
	switch {
	case forms > 1:
		return errors.New("--json, --html and --mail cannot be combined; run report once for each")
	case given("html") && o.HTML == "":
		return errors.New("--html is empty: it is the file to write, or - for standard output")
	case given("mail") && strings.TrimSpace(o.Mail) == "" && o.Mail != DefaultAddress:
		return errors.New("--mail= is empty: give an address, or --mail alone")
	case given("site") && o.Site == "":
		return errors.New("--site is empty: it is a site's name, as in notices service-key list")
	case !o.Since.Before(now):
		return fmt.Errorf("--since %s is in the future; a report is about the past", o.SinceText)
	}
	if o.Mail != "" && o.Mail != DefaultAddress {
		if err := spool.CheckAddress(o.Mail); err != nil {
			return fmt.Errorf("--mail: %w", err)
		}
	}
	return nil
}

// Server is a server that mail goes out through.
type Server struct{ Name, Host string }

// Summary is what a report is made of.
type Summary struct {
	Program *app.Program
	Source  history.Source
	State   spool.State
	Servers []Server
	// FindSite finds the site of a hosted service that Options.Site means; else exit 66.
	FindSite func(ctx context.Context, id string) (*service.Site, error)

	Name    string // [site] name
	Address string // [site] address
	Admin   string // [site] admin
	// KeepHistory is [spool] keep_history.
	KeepHistory time.Duration
	// Accept queues a mail, and NoAddress is the error if it is not known where it goes.
	Accept    func(ctx context.Context, r intake.Request) (spool.ID, error)
	NoAddress func() error
}

// How many addresses and domains are shown. A mail must stay small: some readers show only the
// first 100 KiB.
var (
	textLimits = report.Limits{Addresses: 200, Domains: 20}
	pageLimits = report.Limits{Addresses: 2000, Domains: 100}
	mailLimits = report.Limits{Addresses: 50, Domains: 15}
)

// Run makes the report in the form that the options name.
func (s *Summary) Run(ctx context.Context, o Options) error {
	to := ""
	if o.Mail != "" { // before the work
		if to = s.recipient(o.Mail); to == "" {
			return s.NoAddress()
		}
	}
	now := s.Program.Now()
	q := spool.HistoryQuery{Since: o.Since.Truncate(time.Second)}
	name, err := s.subject(ctx, o.Site, &q)
	if err != nil {
		return err
	}
	r, err := s.collect(ctx, q, o.Since, now)
	if err != nil {
		return err
	}
	site := report.Site{Name: name, Of: q.Site, Zone: now.Location(), KeepHistory: s.KeepHistory}
	switch {
	case o.JSON:
		return term.PrintJSON(s.Program.Stdout, r)
	case o.HTML != "":
		var page bytes.Buffer
		if err := r.View(site, pageLimits).Page(&page); err != nil {
			return err
		}
		return s.writePage(o.HTML, page.Bytes())
	case o.Mail != "":
		return s.send(ctx, to, r.Subject(name, site.Zone), r.View(site, mailLimits))
	}
	page := term.NewPage(s.Program)
	if page.Width == 0 {
		page.Width = 80
	}
	write(page, r.View(site, textLimits))
	_, err = io.WriteString(s.Program.Stdout, page.Text())
	return err
}

// subject is whose mail the report is about: this machine's, or one site's of a hosted service, which
// it sets in the query.
func (s *Summary) subject(ctx context.Context, id string, q *spool.HistoryQuery) (string, error) {
	if id == "" {
		return s.Name, nil
	}
	site, err := s.FindSite(ctx, id)
	if err != nil {
		return "", err
	}
	q.Site, q.SiteSince = site.ID, site.Created
	return cmp.Or(site.Name, site.ID), nil
}

// collect counts. What could not be read is said, and passed over.
func (s *Summary) collect(ctx context.Context, q spool.HistoryQuery, since, now time.Time) (*report.Report, error) {
	c := report.NewCollector(since, now, now.Location())
	passedOver, err := history.Search(ctx, s.Source, q, func(row *history.Row) bool {
		c.Add(row)
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	for _, a := range passedOver {
		if !strings.HasPrefix(a.Why, a.Name) {
			a.Why = a.Name + ": " + a.Why
		}
		s.Program.Say("%s", a.Why)
	}
	r := c.Report()
	for _, server := range s.Servers {
		if err := r.AddServer(ctx, s.State, server.Name, server.Host); err != nil {
			s.Program.Say("when server %s did not work is not known: %s", server.Name, err)
		}
	}
	return r, nil
}
