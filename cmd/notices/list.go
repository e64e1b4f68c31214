package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/schedule"
)

type listOptions struct {
	JSON   bool
	States []string // none: all
	To     string
	Server string // anyTrouble, or a text
	Due    bool
	Older  app.Duration // 0: whatever its age
	// Senders shows who the mail is from, as mailq does.
	Senders bool
}

func (a *cli) listCommand() *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list [--json] [--state STATES] [--to ADDRESS] [--server-error[=TEXT]] [--due] [--older DURATION]",
		Short: "List the messages in the spool",
		Args:  cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print JSON")
	f.StringSliceVar(&o.States, "state", nil, "only these `STATES`: queued, deferred, held, failed; more than one with commas")
	f.StringVar(&o.To, "to", "", "only to this `ADDRESS`, this domain, or a recipient with this text")
	f.StringVar(&o.Server, "server-error", "", "only what waits for a server's trouble; with =`TEXT`, what has it in its last error")
	f.Lookup("server-error").NoOptDefVal = anyTrouble
	f.BoolVar(&o.Due, "due", false, "only what is due")
	f.Var(&o.Older, "older", "only what was queued longer than `DURATION` ago")
	_ = cmd.RegisterFlagCompletionFunc("state", completeStates) // fails only for a flag that there is not
	cmd.RunE = a.does(func(ctx context.Context, args []string) error {
		if err := o.accept(args, f.Changed); err != nil {
			return app.UsageError("notices list", err)
		}
		return a.withQueue(func(q *queue) error { return a.list(ctx, q, o) })
	})
	return cmd
}

// anyTrouble is --server-error without a text. A space keeps it from being one.
const anyTrouble = " "

// accept checks what the options parser cannot. `--server-error TEXT` is taken for
// --server-error=TEXT: the parser makes an argument of it, and list has none. An option
// with nothing in it, as of a variable that a script forgot to set, chooses nothing that
// anybody meant.
func (o *listOptions) accept(args []string, given func(option string) bool) error {
	if len(args) == 1 {
		if o.Server != anyTrouble {
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

// list prints what the options choose, in the order in which it goes out.
func (a *cli) list(ctx context.Context, q *queue, o listOptions) error {
	now := a.Now()
	entries, err := q.entries(ctx, func(e spool.Entry) bool { return o.mayHave(e, q.policy, now) })
	if err != nil {
		return err
	}
	slices.SortFunc(entries, byNext)
	_, err = a.print(ctx, q, entries, o)
	return err
}

// print reads some messages at a time and keeps none, however many there are. octets is
// what all of them take in the spool, but those that cannot be read.
func (a *cli) print(ctx context.Context, q *queue, entries []spool.Entry, o listOptions) (octets int64, err error) {
	now := a.Now()
	out := a.newListing(o, entries, now)
	err = q.read(ctx, entries, func(r looked) {
		octets += r.stored
		switch {
		case r.err != nil:
			a.Say("%s", app.Explain(r.err)) // a store's error names the message
		case o.chooses(r.Record, q.policy, now):
			out.add(describe(r.Record, q.policy))
		}
	})
	if err != nil {
		return 0, err
	}
	return octets, out.end()
}

// mayHave sorts out by the listing alone what the options cannot choose.
func (o *listOptions) mayHave(e spool.Entry, policy schedule.Policy, now time.Time) bool {
	if o.Due && (e.State != spool.StateQueued || !policy.Due(e.Next, now)) {
		return false
	}
	return len(o.States) == 0 || slices.Contains(o.States, string(e.State)) ||
		e.State == spool.StateQueued && slices.Contains(o.States, string(spool.StateDeferred))
}

func (o *listOptions) chooses(r *spool.Record, policy schedule.Policy, now time.Time) bool {
	switch {
	case len(o.States) > 0 && !slices.Contains(o.States, string(r.State())):
	case o.To != "" && !slices.ContainsFunc(r.Recipients, func(to spool.Recipient) bool { return matches(to.Address, o.To) }):
	case o.Server != "" && !o.troubled(r):
	case o.Due && (nextSend(r).IsZero() || !policy.Due(r.NextSendAt, now)):
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
