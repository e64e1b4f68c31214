package importer

import (
	"fmt"
	"slices"
	"strings"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
)

// tally is what an import did, as import --json prints it.
type tally struct {
	Messages int        `json:"messages"`      // found
	Queued   int        `json:"queued"`        // by this run
	Before   int        `json:"queued_before"` // by an earlier one
	Refused  int        `json:"refused"`
	Marked   int        `json:"marked"` // skipped as draft or deleted
	Stopped  bool       `json:"stopped"`
	DryRun   bool       `json:"dry_run,omitempty"` // Queued is what would have been
	IDs      []spool.ID `json:"ids"`
	Errors   []refusal  `json:"errors"`
	Would    []preview  `json:"would_queue,omitempty"` // by a dry run
	Spools   *counts    `json:"spools,omitempty"`      // if one was named
}

// counts are those of messages that were moved from another spool.
type counts struct {
	Moved       int `json:"moved"`
	Held        int `json:"held"`         // of Moved
	Failed      int `json:"failed"`       // of Moved
	MovedBefore int `json:"moved_before"` // by an earlier run
	Skipped     int `json:"skipped"`      // stay in their spool
	History     int `json:"history"`      // entries
}

// refusal is a message that was refused, or a path that could not be read.
type refusal struct {
	Path    string `json:"path"`
	Message int    `json:"message,omitempty"` // its number in the mbox, from 1
	Line    int    `json:"line,omitempty"`    // that it begins in
	Error   string `json:"error"`

	code int
}

func (e refusal) String() string {
	if e.Message == 0 {
		return e.Path + ": " + e.Error
	}
	return fmt.Sprintf("%s, message %d (line %d): %s", e.Path, e.Message, e.Line, e.Error)
}

// preview is a message that an import would queue.
type preview struct {
	Path       string   `json:"path"`
	Message    int      `json:"message,omitempty"`
	Line       int      `json:"line,omitempty"`
	Sender     string   `json:"sender"`
	Recipients []string `json:"recipients"`
	Size       int64    `json:"size"`
}

// results is what came of a run so far.
type results struct {
	tally      tally
	json       bool
	said       []string  // of each spool that was moved
	onlySpools bool      // no other path was named
	stdoutGone bool      // standard output is gone, and that was said
	shown      []refusal // what was refused, to be named at the end
	refusals   int       // how many those are, with more than are named
	worst      int       // exit code
}

// wouldQueue names a message that would be queued.
func (r *results) wouldQueue(p *app.Program, where refusal, env *spool.Envelope) {
	r.tally.Queued++
	if r.json {
		r.tally.Would = append(r.tally.Would, preview{where.Path, where.Message, where.Line, env.Sender, env.Recipients, env.Size})
		return
	}
	const shown = 5
	to := strings.Join(env.Recipients[:min(shown, len(env.Recipients))], ", ")
	if more := len(env.Recipients) - shown; more > 0 {
		to += fmt.Sprintf(" and %s more", printable.Number(more))
	}
	where.Error = fmt.Sprintf("%s octets to %s", printable.Number(int(env.Size)), to)
	r.print(p, where.String()+"\n")
}

// print prints a result. The import goes on when the reader of the pipe is gone.
func (r *results) print(p *app.Program, text string) {
	if err := p.PrintBare(text); err != nil && !r.stdoutGone {
		r.stdoutGone = true
		p.Say("what was done could not be printed: %s; the import went on", err)
	}
}

// queued notes ids, or prints them in pieces that a pipe takes whole.
func (r *results) queued(p *app.Program, ids []spool.ID) {
	r.tally.Queued += len(ids)
	r.printIDs(p, ids)
}

func (r *results) printIDs(p *app.Program, ids []spool.ID) {
	if r.json {
		r.tally.IDs = append(r.tally.IDs, ids...)
		return
	}
	for some := range slices.Chunk(ids, 200) {
		var b strings.Builder
		for _, id := range some {
			b.WriteString(string(id) + "\n")
		}
		r.print(p, b.String())
	}
}

// mostNamed is how many refusals are named one by one: more than a person reads.
const mostNamed = 1000

// refuse notes what was not queued.
func (r *results) refuse(e refusal) {
	// The exit code is that of the worst error.
	order := []int{app.ExitOK, app.ExitUnknown, app.ExitTryLater, app.ExitBadMessage, app.ExitPermission, app.ExitCannotMake, app.ExitConfig, app.ExitIO}
	if max(slices.Index(order, e.code), 1) > slices.Index(order, r.worst) {
		r.worst = e.code
	}
	if r.json {
		r.tally.Errors = append(r.tally.Errors, e)
	}
	if r.refusals++; r.refusals <= mostNamed {
		r.shown = append(r.shown, e)
	}
}

// report says how far the run came. What was refused is named now, at the end, where it is
// not lost among the ids.
func (r *results) report(p *app.Program, again bool) error {
	for _, e := range r.shown {
		p.Say("%s", e)
	}
	if more := r.refusals - len(r.shown); more > 0 {
		p.Say("and %s more; --json names them all", printable.Number(more))
	}
	for _, text := range r.said {
		p.Say("%s", text)
	}
	if !r.onlySpools {
		p.Say("%s", r.text(again))
	}
	if !r.json {
		return nil
	}
	r.tally.IDs = append([]spool.ID{}, r.tally.IDs...) // not null
	r.tally.Errors = append([]refusal{}, r.tally.Errors...)
	return term.PrintJSON(p.Stdout, &r.tally)
}

// text is `queued 9,998 of 10,000 messages; 2 were refused, as named above`.
func (r *results) text(again bool) string {
	t := &r.tally
	var b strings.Builder
	if t.Stopped {
		b.WriteString("stopped; ")
	}
	queued := "queued "
	if t.DryRun {
		queued = "a dry run, nothing was queued; it would queue "
	}
	switch {
	case t.Messages == 0:
		b.WriteString("no message was found")
	case t.Queued == t.Messages:
		b.WriteString(queued + printable.Count(t.Queued, "message"))
	default:
		fmt.Fprintf(&b, "%s%s of %s", queued, printable.Number(t.Queued), printable.Count(t.Messages, "message"))
	}
	before := "queued by an earlier import (--again queues such messages once more)"
	if again {
		before = "queued before it was interrupted"
	}
	for _, part := range []struct {
		n    int
		text string
	}{{t.Before, before}, {t.Refused, "refused, as named above"}, {t.Marked, "marked as draft or deleted in the Maildir"}} {
		switch part.n {
		case 0:
		case 1:
			b.WriteString("; 1 was " + part.text)
		default:
			b.WriteString("; " + printable.Number(part.n) + " were " + part.text)
		}
	}
	switch {
	case t.DryRun:
	case again && (t.Stopped || r.worst != app.ExitOK):
		b.WriteString("; run the same command with --again --continue for the rest")
	case t.Stopped:
		b.WriteString("; run the same command again, and it goes on from there")
	}
	return b.String()
}
