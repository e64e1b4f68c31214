package queue

import (
	"context"

	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maillog"
)

// Hold keeps messages back until a release.
func (q *Queue) Hold(ctx context.Context, s Selection) error {
	return q.each(ctx, s, action{
		done: "held",
		all:  func(e spool.Entry) bool { return e.State == spool.StateQueued },
		act: func(_ context.Context, c spool.Claim) error {
			switch r := c.Record(); {
			case r.GivenUp:
				return nothing(r.Envelope.ID, "has failed and is not sent any more; notices retry queues it afresh")
			case r.Held:
				return nothing(r.Envelope.ID, "is held already")
			}
			env, now := &c.Record().Envelope, q.Program.Second()
			err := c.Append(spool.Event{Kind: spool.Hold, At: now, Next: flush.HoldUntil(q.Policy, c.Record(), now)}, spool.Soon)
			if err == nil {
				q.Log.Held(env.ID, maillog.ByHand)
			}
			return err
		},
	})
}

// actionCommand is a command that takes ids or --all.
// Release ends a hold; the message is due.
func (q *Queue) Release(ctx context.Context, s Selection) error {
	return q.each(ctx, s, action{
		done: "released",
		all:  func(e spool.Entry) bool { return e.State == spool.StateHeld },
		act: func(_ context.Context, c spool.Claim) error {
			r := c.Record()
			if !r.Held {
				return nothing(r.Envelope.ID, "is not held")
			}
			now := q.Program.Second()
			err := c.Append(spool.Event{Kind: spool.Release, At: now, Next: now}, spool.Soon)
			if err == nil {
				q.Log.Released(r.Envelope.ID)
			}
			return err
		},
	})
}

// Retry makes messages due and sends nothing: the next flush does.
func (q *Queue) Retry(ctx context.Context, s Selection) error {
	return q.each(ctx, s, action{
		done: "due now",
		all:  func(e spool.Entry) bool { return e.State != spool.StateHeld },
		act: func(_ context.Context, c spool.Claim) error {
			r, now := c.Record(), q.Program.Second()
			var err error
			switch {
			case r.GivenUp:
				err = c.Revive(spool.Event{Kind: spool.Retry, At: now, Next: now, Fresh: true})
			case r.Held:
				return nothing(r.Envelope.ID, "is held; let it go by: notices release %s", r.Envelope.ID)
			default:
				err = c.Append(spool.Event{Kind: spool.Retry, At: now, Next: now}, spool.Soon)
			}
			if err == nil {
				q.Log.Retried(r.Envelope.ID)
			}
			return err
		},
	})
}

// Remove takes messages out of the spool for good. It never bounces, and has no
// --all: what it takes is gone.
func (q *Queue) Remove(ctx context.Context, s Selection) error {
	return q.each(ctx, s, action{
		done: "removed",
		act: func(_ context.Context, c spool.Claim) error {
			id := c.Record().Envelope.ID
			err := c.Remove(spool.Soon) // each syncs at its end, for all
			if err == nil {
				q.Log.Removed(id, maillog.ByHand)
			}
			return err
		},
	})
}

// Return returns messages as a flush would whose time for them is over. The next
// flush sends the returns. What has no sender goes to failed/.
func (q *Queue) Return(ctx context.Context, s Selection) error {
	o := flush.Options{Store: q.Store, Policy: q.Policy, Site: q.Site, Log: q.Log, Now: q.Program.Now, Random: q.Random}
	return q.each(ctx, s, action{
		done: "returned",
		act: func(ctx context.Context, c spool.Claim) error {
			if r := c.Record(); r.GivenUp {
				return nothing(r.Envelope.ID, "has failed already: there was nobody to return it to; notices remove deletes it")
			}
			_, err := flush.Return(ctx, o, c)
			return err
		},
	})
}
