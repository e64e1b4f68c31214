// Package probe is `notices test-server`: it sends a small message through one server now,
// past the queue, and prints every step in plain words and, when one fails, what to try. It
// stores the result for `notices status`.
//
// Package smtpreply decides what a refusal means, as it does for all mail, so that a test
// ends as the mail does.
package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/smtpclient"
)

// Options of a test.
type Options struct {
	To, From string           // addresses, for the envelope and the header
	Site     string           // the site's name, for the message
	State    spool.State      // where the result is kept
	Now      func() time.Time // nil: time.Now
	Print    func(line string)
	// KeepOutages is how long it is known when a server was down; 0: not at all.
	KeepOutages time.Duration
}

// Error is why the server did not take the test message: exit 69. Any other error of Run is
// not the server's: it is about an address, or the state.
type Error struct {
	Server  string
	Outcome spool.Outcome
	Err     error // the cause, if it is more than the reply; may be nil
}

func (e *Error) Error() string { return smtpclient.Called(e.Server) + ": " + e.Outcome.Reply.String() }

func (e *Error) Unwrap() error { return e.Err }

// test is a running test.
type test struct {
	Options
	server    smtpclient.Server
	probePort portProbe
	// connected: a connection was made, whatever happened to it.
	connected bool
	// safe is the address that a service says it sends mail from. It is empty if the server is not
	// a service, or does not say so.
	safe string
}

// Run tests s. It prints each step at once and stores the result, good or bad.
func Run(ctx context.Context, s smtpclient.Server, o Options) error {
	return run(ctx, s, o, smtpclient.ProbePort)
}

func run(ctx context.Context, s smtpclient.Server, o Options, answers portProbe) error {
	for _, address := range []string{o.From, o.To} {
		if err := spool.CheckAddress(address); err != nil {
			return fmt.Errorf("no test message can be sent: %w", err)
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Print == nil {
		o.Print = func(string) {}
	}
	t := &test{Options: o, server: s, probePort: answers}
	t.server.Observe = t.step
	t.Print(fmt.Sprintf("%s: %s, port %d", t.called(), s.Host, s.Port))
	outcome, err := t.send(ctx)
	if ctx.Err() != nil && outcome.Class != spool.Delivered {
		return ctx.Err() // interrupted: that says nothing of the server
	}
	if outcome.Class == spool.Delivered {
		t.Print(fmt.Sprintf("%s works. The test message is on its way to %s.", t.called(), o.To))
		if advice := t.safeList(); advice != "" {
			t.Print(advice)
		}
		return t.save(ctx, outcome)
	}
	e := &Error{Server: s.Name, Outcome: outcome, Err: err}
	t.advise(ctx, e)
	return errors.Join(e, t.save(ctx, outcome))
}

// called is the server at the beginning of a sentence.
func (t *test) called() string {
	name := smtpclient.Called(t.server.Name)
	return strings.ToUpper(name[:1]) + name[1:]
}

// send opens a new connection and sends the message; if an address of the server does not
// work, through the next one. The error is the cause of an outcome that is not a reply.
func (t *test) send(ctx context.Context) (spool.Outcome, error) {
	t.server.Addresses = new(smtpclient.Addresses)
	for {
		o, elsewhere, err := t.sendOnce(ctx)
		if !elsewhere || ctx.Err() != nil {
			return o, err
		}
	}
}

func (t *test) sendOnce(ctx context.Context) (o spool.Outcome, elsewhere bool, err error) {
	c, err := smtpclient.Open(ctx, &t.server)
	if err != nil {
		var e *smtpclient.Error
		if errors.As(err, &e) {
			return e.Outcome, false, e.Err
		}
		return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reply: spool.Reply{Text: err.Error()}}, false, err
	}
	m := t.message()
	r := c.Send(ctx, m)
	o = r.Outcomes[0]
	verdict := "not accepted: "
	if o.Class == spool.Delivered {
		verdict = "accepted: "
	}
	t.say("message", verdict+o.Reply.String())
	c.Quit()
	return o, r.OtherAddress, nil
}

// save stores the result durably.
func (t *test) save(ctx context.Context, o spool.Outcome) error {
	r := spool.TestResult{At: t.Now().UTC().Truncate(time.Second), OK: o.Class == spool.Delivered, Detail: o.Reply.String(), Host: t.server.Host, Port: t.server.Port, Login: t.server.Login}
	err := spool.UpdateState(context.WithoutCancel(ctx), t.State, spool.TestName+t.server.Name, true,
		func(old *spool.TestResult) error { *old = r; return nil })
	if err == nil && r.OK {
		err = t.endPause(ctx)
	}
	if err != nil {
		return fmt.Errorf("the result of the test was not saved: %w", err)
	}
	return nil
}

// endPause lets flush use the server again at once: it works.
func (t *test) endPause(ctx context.Context) error {
	name := spool.HealthName + t.server.Name
	h, err := spool.LoadState[spool.Health](ctx, t.State, name)
	if err == nil && h.DownUntil.IsZero() && h.Troubles == 0 {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if err := spool.EndOutage(ctx, t.State, t.server.Name, t.Now(), t.KeepOutages); err != nil {
		return err
	}
	return spool.UpdateState(ctx, t.State, name, false, func(h *spool.Health) error {
		h.DownUntil, h.Troubles, h.Secret = time.Time{}, 0, ""
		return nil
	})
}
