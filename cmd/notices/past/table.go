package past

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history"
	"notices/spool/printable"
)

// table prints rows as they come. On a terminal a recipient has a line that fits the width, and
// below it the reference, the reason, and the server's words, which may be cut off; elsewhere
// it is one line, and nothing is cut off.
type table struct {
	program *app.Program
	now     time.Time
	width   int // 0: no terminal
	paint   term.Painter
	n       int
	out     *term.Stream
}

func newTable(p *app.Program) *table {
	return &table{program: p, now: p.Now(), width: term.Width(p.Stdout), paint: term.NewPainter(p.Stdout, p.Getenv), out: term.NewStream(p.Stdout)}
}

func (t *table) failed() bool { return t.out.Failed() }

// end says on a terminal how many there were: for a person who scrolls back.
func (t *table) end() error {
	err := t.out.Flush()
	if t.width > 0 && t.n > 0 && err == nil {
		t.program.Say("%s", printable.Count(t.n, "recipient"))
	}
	return err
}

// line is a row, or the title, in columns.
type line struct{ queued, ended, outcome, id, tries, to, ref, why string }

func (t *table) add(row *history.Row) {
	if t.n == 0 {
		title := line{"QUEUED", "ENDED", "OUTCOME", "ID", "TRIES", "RECIPIENT", "REF", "REASON AND REPLY"}
		t.out.Print(t.paint.Paint(term.Bold, t.layOut(title)) + "\n")
	}
	t.n++
	t.out.Print(t.shade(t.layOut(lineOf(row)), row.Outcome) + "\n")
	if t.width > 0 {
		for _, more := range t.more(row) {
			t.out.Print(term.Cut("    "+more, t.width) + "\n")
		}
	}
}

func lineOf(row *history.Row) line {
	l := line{queued: term.Clock(row.QueuedAt.Time), ended: term.Clock(row.EndedAt.Time), outcome: string(row.Outcome), id: string(row.ID),
		tries: printable.Number(row.Attempts), to: printable.Text(row.Recipient), ref: cmp.Or(printable.Text(row.Ref), "-"), why: row.Reason}
	reply := printable.Text(row.Reply)
	if row.Outcome == spool.EndedBounced && reply != "" { // of another server than ours
		reply = returner(row) + ": " + reply
	}
	switch {
	case l.why == "":
		l.why = reply
	case reply != "":
		l.why += " (" + reply + ")"
	}
	l.why = strings.Join(nonEmpty(l.why, acceptance(row)), "; ")
	if row.Form != spool.Ordinary {
		l.why = strings.Join(nonEmpty(ownReport(row), l.why), ": ")
	}
	return l
}

// ownReport says what a message is that notices itself wrote, so that nobody takes it for the
// notice that it is about. Its id is that of the notice with a suffix.
func ownReport(row *history.Row) string {
	id := spool.ID(strings.TrimSuffix(string(row.ID), ".p")) // sent once more
	if _, _, ok := id.Original(); ok {
		return "return to the sender"
	}
	return "report by notices"
}

// returner is who returned what bounced.
func returner(row *history.Row) string { return cmp.Or(printable.Text(row.Host), "another server") }

// acceptance is when a server of ours took what another one returned later, and what it said.
func acceptance(row *history.Row) string {
	a := &row.Accepted
	if *a == (spool.Reply{}) {
		return ""
	}
	text := "accepted"
	if !a.At.IsZero() {
		text += " " + term.Clock(a.At)
	}
	if a.Server != "" {
		text += " by server " + printable.Text(a.Server)
	}
	return text + ": " + printable.Text(a.String())
}

// roomy is the width of a terminal with room for both times.
const roomy = 100

// outcomes is the width of the longest outcome.
const outcomes = 9

// layOut puts a line into columns. On a terminal the recipient has what the others leave.
func (t *table) layOut(l line) string {
	text := term.Cells(l.queued, 16)
	if t.width == 0 || t.width >= roomy {
		text += term.Cells(l.ended, 16)
	}
	ids := 16
	if t.width == 0 {
		ids = 18 // of a return
	}
	text += term.Cells(l.outcome, outcomes, l.id, ids)
	switch {
	case t.width > 0:
		return term.Cut(text+term.CutMiddle(l.to, max(t.width-term.Columns(text), 12)), t.width)
	case l.why == "" && l.ref == "-":
		return text + term.Cells(l.tries, 5) + l.to
	}
	return strings.TrimRight(text+term.Cells(l.tries, 5, l.to, 24, l.ref, 12)+l.why, " ")
}

// shade colours the outcome in a line.
func (t *table) shade(text string, o spool.Ending) string {
	from := 18
	if t.width == 0 || t.width >= roomy {
		from += 18
	}
	if from+len(o) > len(text) {
		return text
	}
	return text[:from] + t.paint.Paint(colourOf(o), text[from:from+len(o)]) + text[from+len(o):]
}

func colourOf(o spool.Ending) term.Colour {
	switch o {
	case spool.EndedReturned, spool.EndedFailed, spool.EndedBounced:
		return term.Red
	case history.Waiting, spool.EndedRemoved:
		return term.Yellow
	}
	return ""
}

// more are the lines below a row on a terminal.
func (t *table) more(row *history.Row) []string {
	var parts []string
	if row.Form != spool.Ordinary {
		parts = append(parts, ownReport(row))
	}
	if row.Ref != "" {
		parts = append(parts, "ref "+printable.Text(row.Ref))
	}
	switch next := row.NextSendAt; {
	case !row.EndedAt.IsZero() && t.width < roomy:
		parts = append(parts, "ended "+term.Clock(row.EndedAt.Time))
	case !next.IsZero() && next.After(t.now):
		parts = append(parts, "next send in "+term.Span(next.Sub(t.now)))
	case !next.IsZero():
		parts = append(parts, "next send with the next flush")
	}
	reply := printable.Text(row.Reply)
	switch {
	case reply == "":
	case row.Outcome == spool.EndedBounced: // a server of ours had taken it
		reply = returner(row) + ": " + reply
	case row.Server != "":
		reply = "server " + printable.Text(row.Server) + ": " + reply
	}
	if row.Reason == "" {
		return nonEmpty(strings.Join(nonEmpty(append(parts, reply)...), "; "))
	}
	return nonEmpty(append(term.Wrap(strings.Join(append(parts, row.Reason), "; "), t.width-4), reply, acceptance(row))...)
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}
