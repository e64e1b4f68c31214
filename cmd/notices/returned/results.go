package returned

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history"
	"notices/spool/printable"
	"notices/spool/returns"
)

// results is what came of a run so far.
type results struct {
	counts    returns.Counts
	rows      []history.Row // that became bounced
	refused   []refusal
	worst     int // exit code
	anomalies []string
	json      bool
	dryRun    bool
	quiet     func() bool
}

// refusal is a path that could not be read.
type refusal struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

func newResults(o Options) results { return results{json: o.JSON, dryRun: o.DryRun} }

// refuse notes a path that could not be read. The exit code is that of the worst.
func (r *results) refuse(path, why string, code int) {
	order := []int{app.ExitOK, app.ExitUnknown, app.ExitBadMessage, app.ExitIO}
	if max(slices.Index(order, code), 1) > slices.Index(order, r.worst) {
		r.worst = code
	}
	r.refused = append(r.refused, refusal{path, why})
}

// anomaly says once that a part of the history is damaged.
func (r *results) anomaly(p *app.Program, a spool.Anomaly) {
	text := a.Name + ": " + a.Why
	if !slices.Contains(r.anomalies, text) {
		r.anomalies = append(r.anomalies, text)
		p.Say("%s", text)
	}
}

// note keeps what became bounced, and says with -v what a message is.
func (r *results) note(p *app.Program, label string, result *returns.Result) {
	for i := range result.Entries {
		r.rows = append(r.rows, history.FromEntry(&result.Entries[i]))
	}
	if p.Verbose {
		p.Say("%s: %s", label, describe(result))
	}
}

// describe is one line on one message.
func describe(result *returns.Result) string {
	switch result.Verdict {
	case returns.Other:
		if kind := result.Return.Kind; kind != returns.NotReturn {
			return "not a return (" + string(kind) + ")"
		}
		return string(result.Verdict)
	case returns.Delay:
		return "a notice that a message is delayed"
	}
	var about []string
	for i := range result.Entries {
		row := history.FromEntry(&result.Entries[i])
		about = append(about, strings.Join(strings.Fields(row.Recipient+" "+row.Status), " ")+": "+row.Reason)
	}
	for i := range result.Return.Recipients {
		if len(result.Entries) > 0 {
			break
		}
		to := &result.Return.Recipients[i]
		about = append(about, strings.Join(strings.Fields(cmp.Or(to.Original, to.Final)+" "+to.Status), " ")+": "+printable.Short(to.Text, 200))
	}
	word := map[returns.Verdict]string{returns.Bounced: "new return", returns.Known: "return, known already", returns.NotOurs: "return of other mail"}[result.Verdict]
	return word + " of " + strings.Join(about, "; ")
}

// output is what read-bounces --json prints.
type output struct {
	Read       int           `json:"read"`
	Returns    int           `json:"returns"` // of our own mail
	New        int           `json:"new"`     // of them
	NotReturns int           `json:"not_returns"`
	Delays     int           `json:"delays"`
	NotOurs    int           `json:"not_ours"` // returns of other mail
	DryRun     bool          `json:"dry_run,omitempty"`
	Bounced    []history.Row `json:"bounced"` // what became bounced, as history --json has it
	Errors     []refusal     `json:"errors"`
}

// print says what came of the run.
func (r *results) print(p *app.Program) error {
	for _, e := range r.refused {
		p.Say("%s: %s", e.Path, e.Error)
	}
	c := &r.counts
	if r.json {
		return term.PrintJSON(p.Stdout, &output{
			Read: c.Read, Returns: c.Bounced + c.Known, New: c.Bounced, NotReturns: c.NotReturns, Delays: c.Delays, NotOurs: c.NotOurs,
			DryRun: r.dryRun, Bounced: append([]history.Row{}, r.rows...), Errors: append([]refusal{}, r.refused...),
		})
	}
	if r.quiet != nil && r.quiet() {
		return nil
	}
	return p.PrintBare(r.text() + "\n")
}

// text is `37 mails read: 5 returns of our messages (4 new), 30 not returns, 2 returns of other mail`.
func (r *results) text() string {
	c := &r.counts
	parts := []string{fmt.Sprintf("%s of our messages (%s new)", term.Count(c.Bounced+c.Known, "return"), term.Grouped(c.Bounced))}
	if c.Delays > 0 {
		parts = append(parts, term.Count(c.Delays, "notice")+" of a delay")
	}
	parts = append(parts, term.Grouped(c.NotReturns)+" not returns", term.Count(c.NotOurs, "return")+" of other mail")
	text := term.Count(c.Read, "mail") + " read: " + strings.Join(parts, ", ")
	if r.dryRun {
		text += "; a dry run, nothing was recorded"
	}
	return text
}
