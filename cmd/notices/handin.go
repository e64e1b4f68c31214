package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"notices/config"
	"notices/spool"
	"notices/spool/drop"
	"notices/spool/flush"
	"notices/spool/intake"
	"notices/spool/maillog"
)

// handIn takes over what other users of the machine handed in. It goes through intake
// once more, under the rules of this config: theirs may have been another one.
func (a *cli) handIn(cfg *config.Config, store spool.Store, log *maillog.Log) flush.HandIn {
	if a.Store != nil {
		return nil
	}
	in := a.Intake(cfg, store, log)
	in.MaxSize = drop.MaxSize(cfg.Spool.MaxMessageSize)
	t := &drop.Collector{
		Dir: cfg.Spool.Dir, Store: store, MaxSize: in.MaxSize, Log: log, Now: a.Now,
		Accept: func(ctx context.Context, e spool.Envelope, body io.Reader) (spool.Draft, *spool.Envelope, error) {
			r := intake.RequestOf(e, body)
			r.ReturnBad = true
			d, env, err := in.Draft(ctx, r)
			if errors.As(err, new(*intake.Error)) {
				err = fmt.Errorf("%w: %w", drop.ErrRefused, err)
			}
			return d, env, err
		},
	}
	return t.Collect
}
