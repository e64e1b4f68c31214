package queue

import (
	"context"

	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maillog"
)

// Hold keeps messages back until a release.
func (q *Queue) Hold(ctx context.Context, s Selection) error {
	return q.forEach(ctx, s, action{
		done:  "held",
		inAll: func(e spool.Entry) bool { return e.State == spool.StateQueued },
		log:   func(id spool.ID) { q.Log.Held(id, maillog.ByHand) },
		apply: func(_ context.Context, c spool.Claim) error {
			r, now := c.Record(), q.Program.Second()
			switch {
			case r.GivenUp:
				return refuse(r.Envelope.ID, "has failed and is no longer sent; notices retry queues it again")
			case r.Held:
				return refuse(r.Envelope.ID, "is held already")
			}
			return c.Append(spool.Event{Kind: spool.Hold, At: now, Next: flush.HoldUntil(q.Policy, r, now)}, spool.Soon)
		},
	})
}

// Release ends a hold; the message is due.
func (q *Queue) Release(ctx context.Context, s Selection) error {
	return q.forEach(ctx, s, action{
		done:  "released",
		inAll: func(e spool.Entry) bool { return e.State == spool.StateHeld },
		log:   q.Log.Released,
		apply: func(_ context.Context, c spool.Claim) error {
			r, now := c.Record(), q.Program.Second()
			if !r.Held {
				return refuse(r.Envelope.ID, "is not held")
			}
			return c.Append(spool.Event{Kind: spool.Release, At: now, Next: now}, spool.Soon)
		},
	})
}

// Retry makes messages due and sends nothing: the next flush does.
func (q *Queue) Retry(ctx context.Context, s Selection) error {
	return q.forEach(ctx, s, action{
		done:  "due now",
		inAll: func(e spool.Entry) bool { return e.State != spool.StateHeld },
		log:   q.Log.Retried,
		apply: func(_ context.Context, c spool.Claim) error {
			r, now := c.Record(), q.Program.Second()
			switch {
			case r.GivenUp:
				return c.Revive(spool.Event{Kind: spool.Retry, At: now, Next: now, Fresh: true})
			case r.Held:
				return refuse(r.Envelope.ID, "is held; to release it, run: notices release %s", r.Envelope.ID)
			}
			return c.Append(spool.Event{Kind: spool.Retry, At: now, Next: now}, spool.Soon)
		},
	})
}

// Remove takes messages out of the spool for good. It never bounces, and has no
// --all: what it takes is gone.
func (q *Queue) Remove(ctx context.Context, s Selection) error {
	return q.forEach(ctx, s, action{
		done:  "removed",
		log:   func(id spool.ID) { q.Log.Removed(id, maillog.ByHand) },
		apply: func(_ context.Context, c spool.Claim) error { return c.Remove(spool.Event{}, spool.Soon) }, // each syncs at its end, for all
	})
}

// Return gives messages up and returns them, as a flush does when they expire. The next
// flush sends the returns. A message without a sender goes to failed/.
func (q *Queue) Return(ctx context.Context, s Selection) error {
	o := flush.Options{Store: q.Store, Policy: q.Policy, Site: q.Site, Log: q.Log, Now: q.Program.Now, Random: q.Random}
	return q.forEach(ctx, s, action{
		done: "returned",
		apply: func(ctx context.Context, c spool.Claim) error {
			if r := c.Record(); r.GivenUp {
				return refuse(r.Envelope.ID, "has failed already: there was nobody to return it to; notices remove deletes it")
			}
			_, err := flush.Return(ctx, o, c)
			return err
		},
	})
}
