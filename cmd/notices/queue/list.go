package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/printable"
	"notices/spool/records"
	"notices/spool/schedule"
)

// ListOptions are the options of notices list.
type ListOptions struct {
	JSON   bool
	States []string // none: all
	To     string
	Site   string // of a hosted service, in lower case
	// SiteSince leaves out what was handed in by Site earlier, with its returns: then another customer
	// had that name.
	SiteSince time.Time
	Server    string // AnyServerError, or a text
	Due       bool
	Older     app.Duration // 0: whatever its age
	// Senders shows who the mail is from, as mailq does.
	Senders bool
}

// AnyServerError is ListOptions.Server without a text. No text is a single space.
const AnyServerError = " "

// Check refuses what the options parser cannot. `--server-error TEXT` is taken for
// --server-error=TEXT: the parser makes an argument of it, and list has no arguments. An
// empty option is refused: it may come from a variable that a script forgot to set.
func (o *ListOptions) Check(args []string, given func(option string) bool) error {
	if len(args) == 1 {
		if o.Server != AnyServerError {
			return fmt.Errorf("list: unexpected argument %q; to see one message, run: notices show ID", args[0])
		}
		o.Server = args[0]
	}
	const allowed = "it is queued, deferred, held or failed, or several of them with commas"
	if given("state") && len(o.States) == 0 {
		return errors.New("--state is empty: " + allowed)
	}
	for _, state := range o.States {
		switch spool.MessageState(state) {
		case spool.StateQueued, spool.StateDeferred, spool.StateHeld, spool.StateFailed:
		default:
			return fmt.Errorf("--state %q: %s", state, allowed)
		}
	}
	if given("to") && o.To == "" {
		return errors.New("--to is empty: it is an address, @ and a domain, or a part of an address")
	}
	if given("site") && o.Site == "" {
		return errors.New("--site is empty: it is a site's name, as in notices service-key list")
	}
	if given("server-error") && o.Server == "" {
		return errors.New("--server-error= is empty: give a text, or --server-error alone")
	}
	return nil
}

// List prints what the options choose, in the order in which it goes out.
func (q *Queue) List(ctx context.Context, o ListOptions) error {
	now := q.Program.Now()
	entries, err := records.ListAll(ctx, q.Store, func(e spool.Entry) bool { return o.mayHave(e, q.Policy, now) })
	if err != nil {
		return err
	}
	slices.SortFunc(entries, ByNextSend)
	_, err = q.Print(ctx, entries, o)
	return err
}

// Print prints messages, which it reads a few at a time. octets is what all of them take in
// the spool, except those that cannot be read.
func (q *Queue) Print(ctx context.Context, entries []spool.Entry, o ListOptions) (octets int64, err error) {
	now := q.Program.Now()
	out := newListing(q.Program, o, entries)
	err = records.Read(ctx, q.Store, entries, func(m records.Message) {
		octets += m.Stored
		switch {
		case m.Err != nil:
			q.Program.Say("%s", app.Explain(m.Err)) // a store's error names the message
		case o.chooses(m.Record, q.Policy, now):
			out.add(describe(m.Record, q.Policy))
		}
	})
	if err != nil {
		return 0, err
	}
	return octets, out.end()
}

// mayHave reports by the listing alone whether the options can choose a message.
func (o *ListOptions) mayHave(e spool.Entry, policy schedule.Policy, now time.Time) bool {
	if o.Due && (e.State != spool.StateQueued || !policy.Due(e.Next, now)) {
		return false
	}
	return len(o.States) == 0 || slices.Contains(o.States, string(e.State)) ||
		e.State == spool.StateQueued && slices.Contains(o.States, string(spool.StateDeferred))
}

func (o *ListOptions) chooses(r *spool.Record, policy schedule.Policy, now time.Time) bool {
	switch {
	case len(o.States) > 0 && !slices.Contains(o.States, string(r.State())):
	case o.To != "" && !slices.ContainsFunc(r.Recipients, func(to spool.Recipient) bool { return spool.MatchesAddress(to.Address, o.To) }):
	case o.Site != "" && (r.Envelope.Site != o.Site || r.Envelope.ID.HandedIn(r.Envelope.QueuedAt).Before(o.SiteSince)):
	case o.Server != "" && !o.serverError(r):
	case o.Due && (records.NextSend(r).IsZero() || !policy.Due(r.NextSendAt, now)):
	case o.Older > 0 && now.Sub(r.QueuedAt) <= time.Duration(o.Older):
	default:
		return true
	}
	return false
}

// serverError reports whether the last reply was a server's own error and not about the
// message, or has the text in it.
func (o *ListOptions) serverError(r *spool.Record) bool {
	if o.Server != AnyServerError {
		return strings.Contains(strings.ToLower(r.LastError), strings.ToLower(o.Server))
	}
	for _, e := range slices.Backward(r.Events) {
		switch e.Kind {
		case spool.Postpone:
			return true
		case spool.Result:
			return slices.ContainsFunc(e.Results, func(a spool.Answer) bool {
				return a.To != nil && a.Scope == spool.ServerScope && a.Class != spool.Delivered
			})
		}
	}
	return false
}

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
	out     *term.Stream
}

func newListing(p *app.Program, o ListOptions, entries []spool.Entry) *listing {
	l := &listing{program: p, json: o.JSON, senders: o.Senders, now: p.Now(), width: term.Width(p.Stdout), ids: len("ID"),
		paint: term.NewPainter(p.Stdout, p.Getenv), out: term.NewStream(p.Stdout)}
	for _, e := range entries {
		l.ids = max(l.ids, len(e.ID))
	}
	return l
}

func (l *listing) add(m messageJSON) {
	if l.json {
		l.out.Add(m)
	} else {
		if l.n == 0 {
			l.out.Print(l.paint.Paint(term.Bold, l.line(l.title())) + "\n")
		}
		l.out.Print(l.shade(l.line(l.row(m)), m.State) + "\n")
		if more := l.second(m); more != "" {
			l.out.Print(more + "\n")
		}
	}
	l.n++
}

// end says on a terminal how many there were: for a person who scrolls back.
func (l *listing) end() error {
	if l.json {
		return l.out.EndArray()
	}
	err := l.out.Flush()
	if l.width > 0 && err == nil {
		l.program.Say("%s", printable.Count(l.n, "message"))
	}
	return err
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
	line := term.Cells(r.id, l.ids, r.state, 8, r.queued, times, r.next, times)
	if l.width == 0 || l.width >= roomy {
		line += term.Cells(r.tries, 5)
	}
	if l.width > 0 {
		room := max(l.width-term.Columns(line), 12)
		return term.Cut(line+term.CutMiddle(r.to, room-len(r.more))+r.more, l.width)
	}
	if l.senders {
		line += term.Cells(r.from, 24)
	}
	switch to := r.to + r.more; {
	case r.last != "":
		return line + term.Cells(to, 24, r.ref, 12) + r.last
	case r.ref != "-":
		return line + term.Cells(to, 24) + r.ref
	default:
		return line + to
	}
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

// others names the first recipient that still counts, and how many more of them there are: those
// that wait; if nobody does, those that were not delivered to.
func others(to []recipientJSON) (name, more string) {
	open := only(to, func(s spool.RecipientState) bool { return s == spool.RecipientPending })
	if len(open) == 0 {
		open = only(to, func(s spool.RecipientState) bool { return s != spool.RecipientDelivered })
	}
	if len(open) == 0 {
		open = to
	}
	switch len(open) {
	case 0:
		return "-", ""
	case 1:
	default:
		more = fmt.Sprintf(" +%d", len(open)-1)
	}
	return printable.Text(open[0].Address), more
}

func only(to []recipientJSON, choose func(spool.RecipientState) bool) (list []recipientJSON) {
	for _, r := range to {
		if choose(r.State) {
			list = append(list, r)
		}
	}
	return list
}
