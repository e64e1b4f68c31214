package flush

import (
	"context"
	"fmt"
)

// HandIn takes over what other users handed in, before the spool is listed. Until end
// is called nobody else takes anything over; due says that something of the listing is
// going to be attempted. An error, of either, means that nothing may be. Package drop
// has the reasons.
type HandIn func(ctx context.Context) (end func(due bool) error, err error)

// takeAndFind finds what is to be done, in what was handed in too.
func (e *engine) takeAndFind(ctx context.Context) (*found, error) {
	if e.HandIn == nil {
		return e.find(ctx)
	}
	end, err := e.HandIn(ctx)
	if err != nil {
		return nil, notTaken(ctx, err)
	}
	found, err := e.find(ctx)
	if e := end(err == nil && found.any()); err == nil && e != nil {
		err = notTaken(ctx, e)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

func notTaken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w, nothing was sent: what was handed in cannot be taken over: %w", ErrSpool, err)
}
