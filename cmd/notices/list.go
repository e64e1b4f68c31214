package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"notices/spool"
	"notices/spool/schedule"
)

type listOptions struct {
	JSON   bool
	State  string
	To     string
	Server string // "any": any trouble of a server
	Due    bool
	Older  time.Duration
}

func (a *app) listCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list [--json] [--state STATE] [--to ADDRESS] [--server-error[=TEXT]] [--due] [--older DURATION]",
		Short: "List the messages in the spool",
		Args:  cobra.MaximumNArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			if err := o.accept(args); err != nil {
				return usageError("notices list", err)
			}
			return a.withQueue(func(q *queue) error { return a.list(ctx, q, o) })
		}),
	}
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.StringVar(&o.State, "state", "", "only these `STATES`: queued, deferred, held, failed; more than one with commas")
	f.StringVar(&o.To, "to", "", "only to this `ADDRESS`, this domain, or a recipient with this text")
	f.StringVar(&o.Server, "server-error", "", "only what waits for a server's trouble; with =`TEXT`, what has it in its last error")
	f.Lookup("server-error").NoOptDefVal = anyTrouble
	f.BoolVar(&o.Due, "due", false, "only what is due")
	f.Var((*duration)(&o.Older), "older", "only what was queued longer than `DURATION` ago")
	return cmd
}

// anyTrouble is --server-error without a text. A space keeps it from being one.
const anyTrouble = " "

// accept checks what the options parser cannot. `--server-error TEXT` is taken for
// --server-error=TEXT: the parser makes an argument of it, and list has none.
func (o *listOptions) accept(args []string) error {
	if len(args) == 1 {
		if o.Server != anyTrouble {
			return fmt.Errorf("list takes no argument %q; one message is shown by: notices show ID", args[0])
		}
		o.Server = args[0]
	}
	for state := range strings.SplitSeq(o.State, ",") {
		switch spool.MessageState(state) {
		case "", spool.StateQueued, spool.StateDeferred, spool.StateHeld, spool.StateFailed:
		default:
			return fmt.Errorf("--state %q: it is queued, deferred, held or failed", state)
		}
	}
	return nil
}

// list prints what the options choose, oldest first.
func (a *app) list(ctx context.Context, q *queue, o listOptions) error {
	entries, err := q.entries(ctx, o.mayHave)
	if err != nil {
		return err
	}
	return a.print(ctx, q, entries, o)
}

// print reads one message at a time and keeps none, however many there are.
func (a *app) print(ctx context.Context, q *queue, entries []spool.Entry, o listOptions) error {
	out := a.newListing(o.JSON, entries)
	for _, e := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r, err := q.look(ctx, e)
		if errors.Is(err, spool.ErrGone) {
			continue // it left while we looked
		}
		if err != nil {
			a.say("%s", explain(err)) // a store's error names the message
			continue
		}
		if o.chooses(r, q.policy, a.now()) {
			out.add(describe(r, q.policy))
		}
	}
	return out.end()
}

// mayHave sorts out by the listing alone what the options cannot choose.
func (o *listOptions) mayHave(e spool.Entry) bool {
	if o.State == "" {
		return true
	}
	for state := range strings.SplitSeq(o.State, ",") {
		if state == string(e.State) || state == string(spool.StateDeferred) && e.State == spool.StateQueued {
			return true
		}
	}
	return false
}

func (o *listOptions) chooses(r *spool.Record, policy schedule.Policy, now time.Time) bool {
	state := string(r.State())
	switch {
	case o.State != "" && !slices.Contains(strings.Split(o.State, ","), state):
	case o.To != "" && !slices.ContainsFunc(r.Recipients, func(to spool.Recipient) bool { return matches(to.Address, o.To) }):
	case o.Server != "" && !o.troubled(r):
	case o.Due && (nextSend(r).IsZero() || !policy.Due(r.NextSendAt, now)):
	case o.Older > 0 && now.Sub(r.QueuedAt) <= o.Older:
	default:
		return true
	}
	return false
}

// matches reports whether an address is, is at, or has in it what was asked for.
func matches(address, want string) bool {
	address, want = strings.ToLower(address), strings.ToLower(want)
	switch at := strings.IndexByte(want, '@'); {
	case at > 0:
		return address == want
	case at == 0:
		return strings.HasSuffix(address, want)
	}
	return strings.Contains(address, want)
}

// troubled reports whether the last that was heard is a server's own trouble and
// no word about the message (SPEC section 5), or has the text in it.
func (o *listOptions) troubled(r *spool.Record) bool {
	if o.Server != anyTrouble {
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

// listing prints messages as they come: a JSON array, or a table whose columns
// are known beforehand.
type listing struct {
	a     *app
	json  bool
	ids   int // width of the column of ids
	width int
	paint painter
	n     int
	out   *bufio.Writer
	err   error
}

func (a *app) newListing(asJSON bool, entries []spool.Entry) *listing {
	l := &listing{a: a, json: asJSON, width: width(a.stdout), paint: a.painter(), ids: len("ID"), out: bufio.NewWriter(a.stdout)}
	for _, e := range entries {
		l.ids = max(l.ids, len(e.ID))
	}
	return l
}

func (l *listing) add(m messageJSON) {
	if l.json {
		l.addJSON(m)
	} else {
		l.addRow(m)
	}
	l.n++
}

func (l *listing) addJSON(m messageJSON) {
	b, err := marshal(m)
	if err != nil && l.err == nil {
		l.err = err
	}
	opening := ",\n"
	if l.n == 0 {
		opening = "[\n"
	}
	l.print(opening + string(b))
}

func (l *listing) addRow(m messageJSON) {
	if l.n == 0 {
		l.print(l.paint.paint(bold, l.row("ID", "STATE", "QUEUED", "NEXT SEND", "TRIES", "RECIPIENT", "LAST ERROR")) + "\n")
	}
	queued, next := "-", "-"
	if m.QueuedAt != nil {
		queued = clock(*m.QueuedAt)
	}
	if m.NextSendAt != nil {
		next = clock(*m.NextSendAt)
	}
	row := l.row(string(m.ID), string(m.State), queued, next, fmt.Sprint(m.Attempts), others(m.Recipients), m.LastError)
	l.print(l.paint.paint(stateColour(m.State), row) + "\n")
}

func (l *listing) row(id, state, queued, next, tries, recipient, last string) string {
	row := pad(id, l.ids) + "  " + pad(state, 8) + "  " + pad(queued, 16) + "  " + pad(next, 16) + "  " +
		pad(tries, 5) + "  " + pad(printable(recipient), 24)
	if last != "" {
		row += "  " + printable(last)
	}
	return cut(strings.TrimRight(row, " "), l.width)
}

// others names the first recipient that still counts, and how many more there are.
func others(to []recipientJSON) string {
	if len(to) == 0 {
		return "-"
	}
	first := slices.IndexFunc(to, func(r recipientJSON) bool { return r.State != spool.RecipientDelivered })
	name := to[max(first, 0)].Address
	if len(to) > 1 {
		name += fmt.Sprintf(" +%d", len(to)-1)
	}
	return name
}

func stateColour(s spool.MessageState) colour {
	switch s {
	case spool.StateFailed:
		return red
	case spool.StateDeferred, spool.StateHeld:
		return yellow
	}
	return ""
}

func (l *listing) print(s string) {
	if l.err == nil {
		_, l.err = l.out.WriteString(s)
	}
}

func (l *listing) end() error {
	switch {
	case l.json && l.n == 0:
		l.print("[]\n")
	case l.json:
		l.print("\n]\n")
	case l.n == 0 && l.width > 0:
		l.a.say("no message")
	}
	if err := l.out.Flush(); l.err == nil {
		l.err = err
	}
	return l.err
}
