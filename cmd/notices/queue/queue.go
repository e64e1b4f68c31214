// Package queue is what the commands on the queue do: they list its messages, show
// one, and hold, release, retry, return and remove them. A command of cobra reads the
// options and calls a method of Queue.
package queue

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/flush"
	"notices/spool/maillog"
	"notices/spool/schedule"
)

// Queue is what the commands on the queue work with.
type Queue struct {
	Program *app.Program
	Store   spool.Store
	Policy  schedule.Policy
	Site    bounce.Site
	Log     *maillog.Log
	HandIn  flush.HandIn        // takes over what other users handed in; nil: there is nothing to take over
	Random  func(n int64) int64 // uniform in [0, n)
}

// Entries lists the messages that keep holds for, failed ones too, in no order.
func (q *Queue) Entries(ctx context.Context, keep func(spool.Entry) bool) ([]spool.Entry, error) {
	var found []spool.Entry
	collect := func(e spool.Entry) bool {
		if keep(e) {
			found = append(found, e)
		}
		return ctx.Err() == nil
	}
	if err := q.Store.Scan(ctx, collect); err != nil {
		return nil, err
	}
	if err := q.Store.ScanFailed(ctx, collect); err != nil {
		return nil, err
	}
	return found, ctx.Err()
}

// ByNextSend orders entries as they go out: by the next send, then those held, then those
// failed, each oldest first. Ids sort by time.
func ByNextSend(a, b spool.Entry) int {
	when := 0
	if a.State == spool.StateQueued && b.State == spool.StateQueued {
		when = a.Next.Compare(b.Next)
	}
	return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), when, cmp.Compare(a.ID, b.ID))
}

func rank(s spool.MessageState) int {
	switch s {
	case spool.StateHeld:
		return 1
	case spool.StateFailed:
		return 2
	}
	return 0
}

// ahead is how many records Read reads at once: enough to keep all processors busy, and few
// enough for the memory.
const ahead = 256

// Message is a record that was read, or why it could not be.
type Message struct {
	*spool.Record
	Stored int64 // octets that the message takes in the spool, its record too
	Err    error
}

// Read hands the records of entries to visit in their order, each read once, many at a
// time. A message that left meanwhile is skipped; for another error visit gets a Message with Err.
func (q *Queue) Read(ctx context.Context, entries []spool.Entry, visit func(Message)) error {
	results := make([]Message, min(ahead, len(entries)))
	for some := range slices.Chunk(entries, ahead) {
		var g errgroup.Group
		g.SetLimit(runtime.GOMAXPROCS(0))
		for i, e := range some {
			g.Go(func() error { results[i] = q.Peek(ctx, e); return ctx.Err() })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for _, found := range results[:len(some)] {
			if !errors.Is(found.Err, spool.ErrGone) {
				visit(found)
			}
		}
	}
	return nil
}

// Peek reads a message's record and nothing of its body.
func (q *Queue) Peek(ctx context.Context, e spool.Entry) Message {
	r, body, err := q.Store.Peek(ctx, e)
	if err != nil {
		return Message{Err: err}
	}
	return Message{r, body.Stored(), body.Close()}
}
