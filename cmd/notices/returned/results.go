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
	named     []string // the paths of the command line
	dryRun    bool
	quiet     func() bool
}

// refusal is a path that could not be read.
type refusal struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

func newResults(o Options) results { return results{json: o.JSON, named: o.Paths, dryRun: o.DryRun} }

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
			return "not a bounce (" + string(kind) + ")"
		}
		return "not a bounce"
	case returns.Delay:
		return "a notice that a message is delayed"
	}
	var about []string
	for i := range result.Entries {
		row := history.FromEntry(&result.Entries[i])
		status := ""
		if row.Status != "" {
			status = " (" + row.Status + ")"
		}
		about = append(about, row.Recipient+" bounced"+status+": "+row.Reason)
	}
	if len(about) > 0 {
		return strings.Join(about, "; ")
	}
	for i := range result.Return.Recipients {
		to := &result.Return.Recipients[i]
		about = append(about, cmp.Or(to.Original, to.Final))
	}
	addresses := strings.Join(slices.DeleteFunc(about, func(a string) bool { return a == "" }), ", ")
	return cmp.Or(addresses, "an address that it does not name") + ": " + map[returns.Verdict]string{
		returns.Known:   "this bounce is already recorded",
		returns.InQueue: "a bounce of a message that is still in the queue for another recipient; it counts when it is read again after that",
		returns.NotOurs: "a bounce of mail that was not sent from here",
	}[result.Verdict]
}

// output is what read-bounces --json prints.
type output struct {
	Read       int           `json:"read"`
	Returns    int           `json:"returns"` // of our own mail
	New        int           `json:"new"`     // of them
	NotReturns int           `json:"not_returns"`
	Delays     int           `json:"delays"`
	NotOurs    int           `json:"not_ours"` // bounces of other mail
	InQueue    int           `json:"in_queue"` // bounces of messages that still wait for another recipient
	DryRun     bool          `json:"dry_run,omitempty"`
	Bounced    []history.Row `json:"bounced"` // what became bounced, as history --json has it
	Errors     []refusal     `json:"errors"`
}

// print says what came of the run.
func (r *results) print(p *app.Program) error {
	for _, e := range r.refused {
		if len(r.named) > 0 { // the mailbox's error is said by itself
			p.Say("%s: %s", e.Path, e.Error)
		}
	}
	c := &r.counts
	if r.json {
		return term.PrintJSON(p.Stdout, &output{
			Read: c.Read, Returns: c.Bounced + c.Known, New: c.Bounced, NotReturns: c.NotReturns, Delays: c.Delays, NotOurs: c.NotOurs, InQueue: c.InQueue,
			DryRun: r.dryRun, Bounced: append([]history.Row{}, r.rows...), Errors: append([]refusal{}, r.refused...),
		})
	}
	if r.quiet != nil && r.quiet() {
		return nil
	}
	return p.PrintBare(r.text() + "\n")
}

// text is `37 messages read: 5 bounces of ours (4 new), 30 other messages, 2 bounces of mail that is not ours`.
func (r *results) text() string {
	c := &r.counts
	parts := []string{fmt.Sprintf("%s of ours (%s new)", printable.Count(c.Bounced+c.Known, "bounce"), printable.Number(c.Bounced))}
	if c.InQueue > 0 {
		parts = append(parts, printable.Count(c.InQueue, "bounce")+" of a message that is still in the queue (read it again later)")
	}
	if c.Delays > 0 {
		parts = append(parts, printable.Count(c.Delays, "notice")+" of a delay")
	}
	parts = append(parts, printable.Count(c.NotReturns, "other message"), printable.Count(c.NotOurs, "bounce")+" of mail that is not ours")
	text := printable.Count(c.Read, "message") + " read: " + strings.Join(parts, ", ")
	if r.dryRun {
		text += "; a dry run, nothing was recorded"
	}
	return text
}
