package app

import (
	"context"

	"notices/config"
	"notices/spool"
	"notices/spool/intake"
)

// Queue queues what is on standard input as r says and prints the queue id. Without
// recipients in r they are those of the message's header. An error means that nothing was
// queued, or says that this is not known.
func (p *Program) Queue(ctx context.Context, r intake.Request) error {
	in := &input{Reader: p.Stdin}
	r.Body = in
	id, err := queue(ctx, p, in, r)
	if err != nil {
		return err
	}
	// The message is queued: nothing from here on may end in another code than 0.
	if err := p.PrintBare(string(id) + "\n"); err != nil {
		p.Say("queued as %s, but the id could not be printed: %s", id, err)
	}
	return nil
}

// queue queues r, whose Body reads in. It reads only a part of the config, so that a broken
// server does not lose mail. The end of the process closes the store.
func queue(ctx context.Context, p *Program, in *input, r intake.Request) (spool.ID, error) {
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
