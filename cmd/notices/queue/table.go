package queue

import (
	"bufio"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
)

// listing prints messages as they come: a JSON array, or a table whose columns are
// known beforehand. On a terminal a row is one line of it, with the times as lengths, and
// a second line has the reference and the last error; elsewhere times stand in full and
// nothing is cut off.
type listing struct {
	program *app.Program
	json    bool
	table   *table
	paint   term.Painter
	n       int
	out     *bufio.Writer
	err     error
}

func newListing(program *app.Program, o ListOptions, entries []spool.Entry, now time.Time) *listing {
	t := &table{now: now, width: term.Width(program.Stdout), ids: len("ID"), senders: o.Senders}
	for _, e := range entries {
		t.ids = max(t.ids, len(e.ID))
	}
	return &listing{program: program, json: o.JSON, table: t, paint: term.NewPainter(program.Stdout, program.Getenv), out: bufio.NewWriter(program.Stdout)}
}

func (l *listing) add(m messageJSON) {
	if l.json {
		l.addJSON(m)
	} else {
		if l.n == 0 {
			l.print(l.paint.Paint(term.Bold, l.table.title()) + "\n")
		}
		l.print(l.shade(l.table.message(m), m.State) + "\n")
		if more := l.table.second(m); more != "" {
			l.print(more + "\n")
		}
	}
	l.n++
}

func (l *listing) addJSON(m messageJSON) {
	b, err := term.JSON(m)
	if err != nil && l.err == nil {
		l.err = err
	}
	opening := ",\n"
	if l.n == 0 {
		opening = "[\n"
	}
	l.print(opening + string(b))
}

func (l *listing) print(s string) {
	if l.err == nil {
		_, l.err = l.out.WriteString(s)
	}
}

// end says on a terminal how many there were: for a person who scrolls back.
func (l *listing) end() error {
	switch {
	case l.json && l.n == 0:
		l.print("[]\n")
	case l.json:
		l.print("\n]\n")
	}
	if err := l.out.Flush(); l.err == nil {
		l.err = err
	}
	if !l.json && l.table.width > 0 && l.err == nil {
		l.program.Say("%s", term.Count(l.n, "message"))
	}
	return l.err
}

// shade colours the state in a row.
func (l *listing) shade(row string, s spool.MessageState) string {
	from := l.table.ids + 2
	to := from + len(s)
	if to > len(row) {
		return row
	}
	return row[:from] + l.paint.Paint(stateColour(s), row[from:to]) + row[to:]
}

func stateColour(s spool.MessageState) term.Colour {
	switch s {
	case spool.StateFailed:
		return term.Red
	case spool.StateDeferred, spool.StateHeld:
		return term.Yellow
	}
	return ""
}

// table lays messages out in columns.
type table struct {
	now     time.Time
	width   int // 0: no terminal
	ids     int // width of the column of ids
	senders bool
}

// roomy is the width of a terminal that has room for the number of attempts.
const roomy = 100

func (t *table) title() string {
	if t.width == 0 {
		return t.plain("ID", "STATE", "QUEUED", "NEXT SEND", "TRIES", "SENDER", "RECIPIENT", "REF", "LAST ERROR")
	}
	return t.narrow("ID", "STATE", "AGE", "NEXT", "TRIES", func(width int) string { return term.Cut("RECIPIENT", width) })
}

func (t *table) message(m messageJSON) string {
	tries := fmt.Sprint(m.Attempts)
	to, more := others(m.Recipients)
	if t.width == 0 {
		queued, next := "-", "-"
		if m.QueuedAt != nil {
			queued = term.Clock(*m.QueuedAt)
		}
		if m.NextSendAt != nil {
			next = term.Clock(*m.NextSendAt)
		}
		ref := cmp.Or(printable.Text(m.Ref), "-")
		return t.plain(string(m.ID), string(m.State), queued, next, tries, sender(m), to+more, ref, printable.Text(m.LastError))
	}
	age := "-"
	if m.QueuedAt != nil {
		age = brief(t.now.Sub(*m.QueuedAt))
	}
	name := func(width int) string { return term.CutMiddle(to, width-len(more)) + more }
	return t.narrow(string(m.ID), string(m.State), age, t.next(m.NextSendAt), tries, name)
}

// second is a message's second line on a terminal; empty: there is nothing to tell.
func (t *table) second(m messageJSON) string {
	if t.width == 0 {
		return ""
	}
	var parts []string
	if t.senders {
		parts = append(parts, "from "+sender(m))
	}
	if m.Ref != "" {
		parts = append(parts, "ref "+printable.Text(m.Ref))
	}
	if m.LastError != "" {
		parts = append(parts, printable.Text(m.LastError))
	}
	if len(parts) == 0 {
		return ""
	}
	return term.Cut("    "+strings.Join(parts, "; "), t.width)
}

func sender(m messageJSON) string {
	return cmp.Or(printable.Text(m.Sender), "<>")
}

// next is when a message is sent, as a length of time.
func (t *table) next(at *time.Time) string {
	switch {
	case at == nil:
		return "-"
	case !at.After(t.now):
		return "now"
	}
	return brief(at.Sub(t.now))
}

// brief is span in at most six columns.
func brief(d time.Duration) string {
	d = d.Abs()
	switch {
	case d >= 10*24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= 10*time.Hour && d < 24*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return term.Span(d)
}

func (t *table) plain(id, state, queued, next, tries, from, recipient, ref, last string) string {
	row := term.Pad(id, t.ids) + "  " + term.Pad(state, 8) + "  " + term.Pad(queued, 16) + "  " + term.Pad(next, 16) + "  " + term.Pad(tries, 5) + "  "
	if t.senders {
		row += term.Pad(from, 24) + "  "
	}
	switch {
	case last != "":
		return row + term.Pad(recipient, 24) + "  " + term.Pad(ref, 12) + "  " + last
	case ref != "-":
		return row + term.Pad(recipient, 24) + "  " + ref
	}
	return row + recipient
}

// narrow fills a line of the terminal: the recipient has what the other columns leave.
func (t *table) narrow(id, state, age, next, tries string, recipient func(width int) string) string {
	row := term.Pad(id, t.ids) + "  " + term.Pad(state, 8) + "  " + term.Pad(age, 6) + "  " + term.Pad(next, 6) + "  "
	if t.width >= roomy {
		row += term.Pad(tries, 5) + "  "
	}
	return term.Cut(row+recipient(max(t.width-term.Columns(row), 12)), t.width)
}

// others names the first recipient that still counts, and how many more there are.
func others(to []recipientJSON) (name, more string) {
	if len(to) == 0 {
		return "-", ""
	}
	first := slices.IndexFunc(to, func(r recipientJSON) bool { return r.State != spool.RecipientDelivered })
	if len(to) > 1 {
		more = fmt.Sprintf(" +%d", len(to)-1)
	}
	return printable.Text(to[max(first, 0)].Address), more
}
