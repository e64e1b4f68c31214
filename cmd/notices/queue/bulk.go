package queue

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
)

// tries bounds how often a message is looked up anew because it was renamed between
// the listing and the claim.
const tries = 5

// there: a listing showed it. Else the entry is nothing but the id that was asked for.
func there(e spool.Entry) bool { return e.State != "" }

// lookUp fills in where messages are, if they are there.
func (q *Queue) lookUp(ctx context.Context, list []spool.Entry) error {
	ids := make([]spool.ID, len(list))
	for i, e := range list {
		ids[i] = e.ID
	}
	found, err := q.Store.Find(ctx, ids...)
	for i, id := range ids {
		if e, ok := found[id]; ok {
			list[i] = e
		}
	}
	return err
}

// targets lists what a selection means, each message once.
func (q *Queue) targets(ctx context.Context, s Selection, all func(spool.Entry) bool) ([]spool.Entry, error) {
	if s.All {
		list, err := q.Entries(ctx, all)
		slices.SortFunc(list, ByNextSend)
		return list, err
	}
	seen := make(map[string]bool, len(s.IDs))
	var list []spool.Entry
	for _, id := range s.IDs {
		if !seen[id] {
			list = append(list, spool.Entry{ID: spool.ID(id)})
		}
		seen[id] = true
	}
	return list, q.lookUp(ctx, list)
}

// each applies an action to every message that is meant. One that is unknown or in
// flight is told of, and the others are still served. The exit code is 66 when one
// was unknown, else 75 when one was in flight.
func (q *Queue) each(ctx context.Context, s Selection, d action) error {
	list, err := q.takeAndTarget(ctx, s, d.all)
	if err != nil {
		return err
	}
	b := &bulk{queue: q, action: d, all: s.All, bar: term.NewProgress(q.Program), total: len(list)}
	defer b.bar.Clear()
	if err := b.rounds(ctx, list); err != nil {
		return err
	}
	if err := q.Store.Sync(ctx); err != nil {
		return err
	}
	b.bar.Clear()
	if s.All && (q.Program.Verbose || b.bar.On) {
		q.Program.Say("%s %s", term.Count(b.done, "message"), d.done)
	}
	if b.code != app.ExitOK {
		return &app.Failure{Code: b.code}
	}
	return nil
}

// bulk is an action being applied to many messages.
type bulk struct {
	queue  *Queue
	action action
	all    bool
	bar    *term.Progress

	shown, total int
	done, code   int
}

// rounds serves what is there, looks once for all that moved meanwhile, serves those,
// and so on: to look for each by itself would be a listing for each.
func (b *bulk) rounds(ctx context.Context, list []spool.Entry) error {
	for n := 1; len(list) > 0; n++ {
		moved, err := b.round(ctx, list)
		if err != nil {
			return err
		}
		if n == tries {
			for _, e := range moved {
				b.count(e.ID, spool.ErrBusy)
			}
			return nil
		}
		if err = b.queue.lookUp(ctx, moved); err != nil {
			return err
		}
		list = moved
	}
	return nil
}

// workers is how many messages are worked on at once: waits for the disk that overlap
// are shared.
const workers = 16

// round applies the action to all, and returns those that are not any more where they
// were. The first one goes alone: it shows whether the spool is in trouble.
func (b *bulk) round(ctx context.Context, list []spool.Entry) (moved []spool.Entry, err error) {
	const atOnce = 16 * workers
	for size := 1; len(list) > 0; size = atOnce {
		some := list[:min(size, len(list))]
		list = list[len(some):]
		for i, err := range b.together(ctx, some) {
			if there(some[i]) && errors.Is(err, spool.ErrGone) {
				moved = append(moved, spool.Entry{ID: some[i].ID})
			} else if fatal := b.count(some[i].ID, err); fatal {
				return nil, err
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return moved, nil
}

func (b *bulk) together(ctx context.Context, list []spool.Entry) []error {
	errs := make([]error, len(list))
	var g errgroup.Group
	g.SetLimit(workers)
	for i, e := range list {
		g.Go(func() error { errs[i] = b.one(ctx, e); return nil })
	}
	_ = g.Wait()
	return errs
}

// one applies the action to one message.
func (b *bulk) one(ctx context.Context, e spool.Entry) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !there(e):
		return spool.ErrGone
	}
	c, err := b.queue.Store.Claim(ctx, e)
	if err != nil {
		return err
	}
	err = b.action.act(ctx, c)
	if e := c.Release(); err == nil {
		err = e
	}
	return err
}

// count says what became of one message. fatal: see tell.
func (b *bulk) count(id spool.ID, err error) (fatal bool) {
	b.shown++
	b.bar.Show(b.shown, b.total)
	if b.all && errors.Is(err, spool.ErrGone) {
		return false // it left meanwhile
	}
	code, fatal := b.queue.tell(string(id), err)
	switch {
	case fatal || errors.As(err, new(errNothing)):
	case code == app.ExitOK:
		b.done++
		if b.queue.Program.Verbose {
			b.queue.Program.Say("%s %s", id, b.action.done)
		}
	case b.code != app.ExitUnknown:
		b.code = code
	}
	return fatal
}

// takeAndTarget is targets, of what was handed in too: a user has the id of his
// message at once. And what is removed by hand must not lie in the drop any more, or it
// would come back.
func (q *Queue) takeAndTarget(ctx context.Context, s Selection, all func(spool.Entry) bool) ([]spool.Entry, error) {
	if q.HandIn == nil {
		return q.targets(ctx, s, all)
	}
	end, err := q.HandIn(ctx)
	if err != nil {
		return nil, err
	}
	list, err := q.targets(ctx, s, all)
	if e := end(len(list) > 0); err == nil {
		err = e
	}
	return list, err
}
