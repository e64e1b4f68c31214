package past

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history"
)

// HistoryOptions are those of `notices history`. Several filters must all match.
type HistoryOptions struct {
	IDs      []string
	To       string
	Sender   string
	Ref      string
	Server   string
	Site     string
	Outcomes []string
	Since    When
	Until    When
	JSON     bool
	CSV      bool
}

// Check refuses values that cannot be. given says whether an option was given: an empty value
// must not mean everything.
func (o *HistoryOptions) Check(given func(option string) bool) error {
	for _, text := range []struct{ option, value, is string }{
		{"to", o.To, "an address, @ and a domain, or a part of an address"},
		{"sender", o.Sender, "an address, @ and a domain, a part of an address, or <> for the null sender"},
		{"ref", o.Ref, "what enqueue was given as --ref"},
		{"server", o.Server, "a server's name, as in status, or its host"},
		{"site", o.Site, "a site's name, as in notices service-key list"},
	} {
		if given(text.option) && text.value == "" {
			return fmt.Errorf("--%s is empty: it is %s", text.option, text.is)
		}
	}
	if given("outcome") && len(o.Outcomes) == 0 {
		return errors.New("--outcome is empty: " + allowedOutcomes())
	}
	for _, word := range o.Outcomes {
		if !slices.Contains(history.Outcomes(), spool.Ending(word)) {
			return fmt.Errorf("--outcome %q: %s", word, cmp.Or(meantOutcome(word), allowedOutcomes()))
		}
	}
	if o.JSON && o.CSV {
		return errors.New("--json cannot be combined with --csv")
	}
	return checkRange(o.Since, o.Until)
}

// meantOutcome asks about the outcome that has the word in it, or that the word has: "return", "Returned".
func meantOutcome(word string) string {
	low := strings.ToLower(word)
	for _, o := range OutcomeWords() {
		if len(low) > 2 && strings.HasPrefix(o, low) || strings.HasPrefix(low, o) {
			return "did you mean " + o + "?"
		}
	}
	return ""
}

func allowedOutcomes() string {
	return "it is " + strings.Join(OutcomeWords(), ", ") + ", or several of them with commas"
}

// OutcomeWords are the words that --outcome takes.
func OutcomeWords() []string {
	var words []string
	for _, o := range history.Outcomes() {
		words = append(words, string(o))
	}
	return words
}

func (p *Past) query(ctx context.Context, o *HistoryOptions) (spool.HistoryQuery, error) {
	q := spool.HistoryQuery{Recipient: o.To, Sender: o.Sender, Ref: o.Ref, Server: o.Server, Since: o.Since.Time, Until: o.Until.Time}
	if o.Site != "" {
		site, err := p.FindSite(ctx, o.Site)
		if err != nil {
			return q, err
		}
		q.Site, q.SiteSince = site.ID, site.Created
	}
	for _, id := range o.IDs {
		q.IDs = append(q.IDs, spool.ID(id))
	}
	for _, word := range o.Outcomes {
		q.Endings = append(q.Endings, spool.Ending(word))
	}
	return q, nil
}

// printer prints rows as they come.
type printer interface {
	add(*history.Row)
	failed() bool // nothing more can be printed
	end() error
}

// History prints the rows that the options choose. An id that is unknown is exit 66, after the
// others are printed.
func (p *Past) History(ctx context.Context, o HistoryOptions) error {
	query, err := p.query(ctx, &o)
	if err != nil {
		return err
	}
	out := p.printer(o)
	seen := map[spool.ID]bool{}
	found := 0
	anomalies, err := history.Search(ctx, p.Source, query, func(row *history.Row) bool {
		out.add(row)
		found++
		if len(o.IDs) > 0 {
			seen[row.ID] = true
		}
		return !out.failed() && ctx.Err() == nil
	})
	if err != nil {
		return err
	}
	if err := out.end(); err != nil {
		return err
	}
	for _, a := range anomalies {
		p.Program.Say("%s", withName(a))
	}
	unknown, err := p.unknown(ctx, o.IDs, seen)
	if err != nil {
		return err
	}
	return p.conclude(found, unknown, len(anomalies) > 0)
}

// withName is what was passed over. An error of a message names it already.
func withName(a spool.Anomaly) string {
	if strings.HasPrefix(a.Why, a.Name) {
		return a.Why
	}
	return a.Name + ": " + a.Why
}

// unknown are the ids of which nothing is known. One that a filter left out is known.
func (p *Past) unknown(ctx context.Context, ids []string, seen map[spool.ID]bool) ([]spool.ID, error) {
	var rest []spool.ID
	for _, id := range ids {
		if !seen[spool.ID(id)] && !slices.Contains(rest, spool.ID(id)) {
			rest = append(rest, spool.ID(id))
		}
	}
	if len(rest) == 0 {
		return nil, nil
	}
	_, err := history.Search(ctx, p.Source, spool.HistoryQuery{IDs: rest}, func(row *history.Row) bool {
		seen[row.ID] = true
		return ctx.Err() == nil
	})
	return slices.DeleteFunc(rest, func(id spool.ID) bool { return seen[id] }), err
}

// conclude says what was not found. partly: something could not be read, which was said.
func (p *Past) conclude(found int, unknown []spool.ID, partly bool) error {
	for _, id := range unknown {
		advice := "; to find it by its recipient, run: notices history --to ADDRESS"
		if !p.Kept {
			advice = "" // which is said below
		}
		p.Program.Say("%s: no such message, neither in the queue nor in the history%s", id, advice)
	}
	switch {
	case found == 0 && !p.Kept:
		p.Program.Say(`nothing is kept of messages that left the queue: keep_history = "0" in %s; to keep it from now on, set [spool] keep_history = "90d" there`, p.ConfigFile)
	case found == 0 && partly:
		p.Program.Say("no message matches in what can be read; what was passed over, as said above, may have it")
	case found == 0 && len(unknown) == 0 && term.Width(p.Program.Stdout) > 0:
		p.Program.Say("no message matches; notices history without options shows all that is known")
	}
	if len(unknown) > 0 {
		return &app.Failure{Code: app.ExitUnknown}
	}
	return nil
}

func (p *Past) printer(o HistoryOptions) printer {
	switch {
	case o.JSON:
		return &jsonRows{term.NewStream(p.Program.Stdout)}
	case o.CSV:
		return &csvRows{history.NewCSV(p.Program.Stdout)}
	}
	return newTable(p.Program)
}

type jsonRows struct{ out *term.Stream }

func (j *jsonRows) add(row *history.Row) { j.out.Add(row) }
func (j *jsonRows) failed() bool         { return j.out.Failed() }
func (j *jsonRows) end() error           { return j.out.EndArray() }

type csvRows struct{ out *history.CSV }

func (c *csvRows) add(row *history.Row) { c.out.Add(row) }
func (c *csvRows) failed() bool         { return c.out.Failed() }
func (c *csvRows) end() error           { return c.out.Flush() }
