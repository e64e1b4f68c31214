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
	senders bool
	now     time.Time
	width   int // 0: no terminal
	ids     int // width of the column of ids
	paint   term.Painter
	n       int
	out     *bufio.Writer
	err     error
}

func newListing(p *app.Program, o ListOptions, entries []spool.Entry) *listing {
	l := &listing{program: p, json: o.JSON, senders: o.Senders, now: p.Now(), width: term.Width(p.Stdout), ids: len("ID"),
		paint: term.NewPainter(p.Stdout, p.Getenv), out: bufio.NewWriter(p.Stdout)}
	for _, e := range entries {
		l.ids = max(l.ids, len(e.ID))
	}
	return l
}

func (l *listing) add(m messageJSON) {
	if l.json {
		l.addJSON(m)
	} else {
		if l.n == 0 {
			l.print(l.paint.Paint(term.Bold, l.line(l.title())) + "\n")
		}
		l.print(l.shade(l.line(l.row(m)), m.State) + "\n")
		if more := l.second(m); more != "" {
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
	if !l.json && l.width > 0 && l.err == nil {
		l.program.Say("%s", term.Count(l.n, "message"))
	}
	return l.err
}

// shade colours the state in a line.
func (l *listing) shade(line string, s spool.MessageState) string {
	from := l.ids + 2
	to := from + len(s)
	if to > len(line) {
		return line
	}
	return line[:from] + l.paint.Paint(stateColour(s), line[from:to]) + line[to:]
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

// row is a message, or the title, in columns.
type row struct {
	id, state, queued, next, tries, from, to, more, ref, last string
}

func (l *listing) title() row {
	r := row{id: "ID", state: "STATE", queued: "QUEUED", next: "NEXT SEND", tries: "TRIES", from: "SENDER", to: "RECIPIENT", ref: "REF", last: "LAST ERROR"}
	if l.width > 0 {
		r.queued, r.next = "AGE", "NEXT"
	}
	return r
}

func (l *listing) row(m messageJSON) row {
	r := row{id: string(m.ID), state: string(m.State), queued: "-", next: "-", tries: fmt.Sprint(m.Attempts), from: sender(m),
		ref: cmp.Or(printable.Text(m.Ref), "-"), last: printable.Text(m.LastError)}
	r.to, r.more = others(m.Recipients)
	if at := m.QueuedAt; at != nil {
		if r.queued = term.Clock(*at); l.width > 0 {
			r.queued = brief(l.now.Sub(*at))
		}
	}
	switch at := m.NextSendAt; {
	case at == nil:
	case l.width == 0:
		r.next = term.Clock(*at)
	case !at.After(l.now):
		r.next = "now"
	default:
		r.next = brief(at.Sub(l.now))
	}
	return r
}

// roomy is the width of a terminal with room for the number of attempts.
const roomy = 100

// line lays a row out. On a terminal the recipient has what the other columns leave.
func (l *listing) line(r row) string {
	times := 6
	if l.width == 0 {
		times = 16
	}
	line := cells(r.id, l.ids, r.state, 8, r.queued, times, r.next, times)
	if l.width == 0 || l.width >= roomy {
		line += cells(r.tries, 5)
	}
	if l.width > 0 {
		room := max(l.width-term.Columns(line), 12)
		return term.Cut(line+term.CutMiddle(r.to, room-len(r.more))+r.more, l.width)
	}
	if l.senders {
		line += cells(r.from, 24)
	}
	switch to := r.to + r.more; {
	case r.last != "":
		return line + cells(to, 24, r.ref, 12) + r.last
	case r.ref != "-":
		return line + cells(to, 24) + r.ref
	default:
		return line + to
	}
}

// cells puts texts into columns; each text is followed by its column's width.
func cells(list ...any) string {
	var b strings.Builder
	for i := 0; i < len(list); i += 2 {
		b.WriteString(term.Pad(list[i].(string), list[i+1].(int)) + "  ")
	}
	return b.String()
}

// second is a message's second line on a terminal; empty if there is nothing to add.
func (l *listing) second(m messageJSON) string {
	if l.width == 0 {
		return ""
	}
	var parts []string
	if l.senders {
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
	return term.Cut("    "+strings.Join(parts, "; "), l.width)
}

func sender(m messageJSON) string { return cmp.Or(printable.Text(m.Sender), "<>") }

// brief is term.Span in at most six columns.
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
