package app

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/pflag"

	"notices/config"
	"notices/spool"
	"notices/spool/intake"
)

// Enqueue is `notices enqueue`: its options, and the run.
type Enqueue struct {
	Sender  Optional // not given: [site] address; "" or "<>": the null sender
	Ref     string
	Expires Duration // 0: give_up decides

	given func(option string) bool
}

// Options adds the command's options.
func (e *Enqueue) Options(f *pflag.FlagSet) {
	f.VarP(&e.Sender, "sender", "f", "the envelope `SENDER`; default: [site] address; <> is the null sender")
	f.StringVar(&e.Ref, "ref", "", "a `TEXT` of your own, e.g. a patron's number; it comes back in returns and lists")
	f.Var(&e.Expires, "expires", "give up after this `DURATION` instead of [retry] give_up")
	e.given = f.Changed
}

// Run queues what is on standard input, for the recipients given or for those of
// its header. Of the config it reads what it needs, so that a broken server does not
// lose mail. An error means that nothing was queued, or says that this is not known.
func (e *Enqueue) Run(ctx context.Context, p *Program, recipients []string) error {
	if e.given("expires") && e.Expires <= 0 {
		return UsageError("notices enqueue", errors.New("--expires takes a time that leaves room for an attempt, such as 4h"))
	}
	return p.Queue(ctx, intake.Request{
		Sender:     e.Sender.Value,
		Recipients: recipients,
		Ref:        e.Ref,
		Expires:    time.Duration(e.Expires),
	})
}

// Queue queues what is on standard input as r says and prints the queue id.
func (p *Program) Queue(ctx context.Context, r intake.Request) error {
	in := &input{Reader: p.Stdin}
	r.Body = in
	id, err := p.queue(ctx, in, r)
	if err != nil {
		return err
	}
	// The message is queued: nothing from here on may end in another code than 0.
	if err := p.PrintBare(string(id) + "\n"); err != nil {
		p.Say("queued as %s, but the id could not be printed: %s", id, err)
	}
	return nil
}

// queue queues r, whose Body reads in. Of the config it reads what it needs; the store
// is left to the end of the process.
func (p *Program) queue(ctx context.Context, in *input, r intake.Request) (spool.ID, error) {
	cfg, err := p.Load(config.Intake)
	if err != nil {
		return "", err
	}
	store, log, err := p.OpenIntake(cfg)
	if err != nil {
		return "", err
	}
	if _, ok := Terminal(p.Stdin); ok {
		p.Say("type or paste the message: its header, an empty line, its text; end with Ctrl-D on a line of its own")
	}
	id, err := p.Intake(cfg, store, log).Accept(ctx, r)
	return id, in.explain(err)
}
