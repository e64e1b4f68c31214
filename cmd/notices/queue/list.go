package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/schedule"
)

// ListOptions are those of notices list.
type ListOptions struct {
	JSON   bool
	States []string // none: all
	To     string
	Server string // AnyServerError, or a text
	Due    bool
	Older  app.Duration // 0: whatever its age
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
			return fmt.Errorf("list takes no argument %q; one message is shown by: notices show ID", args[0])
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
	if given("server-error") && o.Server == "" {
		return errors.New("--server-error= is empty: give a text, or --server-error alone")
	}
	return nil
}

// List prints what the options choose, in the order in which it goes out.
func (q *Queue) List(ctx context.Context, o ListOptions) error {
	now := q.Program.Now()
	entries, err := q.Entries(ctx, func(e spool.Entry) bool { return o.mayHave(e, q.Policy, now) })
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
	err = q.Read(ctx, entries, func(m Message) {
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
	case o.To != "" && !slices.ContainsFunc(r.Recipients, func(to spool.Recipient) bool { return matches(to.Address, o.To) }):
	case o.Server != "" && !o.serverError(r):
	case o.Due && (NextSend(r).IsZero() || !policy.Due(r.NextSendAt, now)):
	case o.Older > 0 && now.Sub(r.QueuedAt) <= time.Duration(o.Older):
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

// serverError reports whether the last reply was a server's own error and not about the
// message (SPEC section 5), or has the text in it.
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
