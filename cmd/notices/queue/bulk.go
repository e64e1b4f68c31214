package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"notices/cmd/internal/app"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/history"
	"notices/spool/printable"
	"notices/spool/records"
)

// Selection is which messages a command is for.
type Selection struct {
	All bool
	IDs []string
}

// Check refuses options that exclude each other or make no sense.
func (s Selection) Check() error {
	switch {
	case s.All && len(s.IDs) > 0:
		return errors.New("--all cannot be combined with ids")
	case !s.All && len(s.IDs) == 0:
		// All commands on messages say this, also those without --all.
		return errors.New("which message? Give its id (notices list shows them); hold, release and retry take --all, too")
	}
	return nil
}

// action is one of hold, release, retry, remove, return: what it does to a claimed message,
// and which messages --all means. A refusal (notNeeded) is said and is not a failure.
type action struct {
	done  string // "held": how -v says it
	inAll func(spool.Entry) bool
	apply func(ctx context.Context, c spool.Claim) error
	log   func(spool.ID) // nil: apply logs
}

// notNeeded says why there is nothing to do.
type notNeeded struct{ why string }

func (e notNeeded) Error() string { return e.why }

func refuse(id spool.ID, format string, args ...any) error {
	return notNeeded{fmt.Sprintf("%s "+format, append([]any{id}, args...)...)}
}

// maxRounds bounds how often a message is looked up anew because it was renamed between
// the listing and the claim.
const maxRounds = 5

// forEach applies an action to every selected message. A message that is unknown or in
// flight is named, and the action is applied to the others. The exit code is 66 when one
// was unknown, else 75 when one was in flight.
func (q *Queue) forEach(ctx context.Context, s Selection, a action) error {
	list, err := q.takeAndFind(ctx, s, a.inAll)
	if err != nil {
		return err
	}
	b := &bulk{q: q, action: a, all: s.All, bar: term.NewProgress(q.Program), total: len(list)}
	defer b.bar.Clear()
	// Messages that moved meanwhile are looked up together: one by one, each would cost a listing.
	for n := 1; err == nil && len(list) > 0; n++ {
		if list, err = b.round(ctx, list, n == maxRounds); err == nil {
			err = q.lookUp(ctx, list)
		}
	}
	if err == nil {
		err = q.Store.Sync(ctx)
	}
	if err != nil {
		return err
	}
	b.bar.Clear()
	if err := flush.HistoryError(q.Store); err != nil {
		q.Program.Say("%s: %v", flush.HistoryTrouble, err)
	}
	if s.All && (q.Program.Verbose || b.bar.On) {
		q.Program.Say("%s %s", printable.Count(b.done, "message"), a.done)
	}
	if b.code != app.ExitOK {
		return &app.Failure{Code: b.code}
	}
	return nil
}

// takeAndFind finds the messages of a selection, also those that were handed in and not
// taken over yet: a user has the id of such a message at once. And what is removed by hand
// must not lie in the drop any more, or it would come back.
func (q *Queue) takeAndFind(ctx context.Context, s Selection, all func(spool.Entry) bool) ([]spool.Entry, error) {
	if q.HandIn == nil {
		return q.find(ctx, s, all)
	}
	end, err := q.HandIn(ctx)
	if err != nil {
		return nil, err
	}
	list, err := q.find(ctx, s, all)
	err = cmp.Or(err, end(len(list) > 0))
	return list, err
}

// find lists what a selection means, each message once.
func (q *Queue) find(ctx context.Context, s Selection, all func(spool.Entry) bool) ([]spool.Entry, error) {
	if s.All {
		list, err := records.ListAll(ctx, q.Store, all)
		slices.SortFunc(list, ByNextSend)
		return list, err
	}
	var list []spool.Entry
	seen := make(map[string]bool, len(s.IDs))
	for _, id := range s.IDs {
		if !seen[id] {
			list = append(list, spool.Entry{ID: spool.ID(id)})
		}
		seen[id] = true
	}
	return list, q.lookUp(ctx, list)
}

// isListed reports whether a listing showed the entry. If not, it is only an id to look up.
func isListed(e spool.Entry) bool { return e.State != "" }

// lookUp fills in the entries of messages that exist.
func (q *Queue) lookUp(ctx context.Context, list []spool.Entry) error {
	if len(list) == 0 {
		return nil
	}
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

// bulk is an action being applied to many messages.
type bulk struct {
	q      *Queue
	action action
	all    bool
	bar    *term.Progress

	shown, total int
	done, code   int
}

// workers is how many messages are worked on at once: they share their waits for the disk.
const workers = 16

// round applies the action to all, and returns those that were renamed since they were
// listed; in the last round these count as in flight. The first message goes alone: it shows
// whether the spool is in trouble.
func (b *bulk) round(ctx context.Context, list []spool.Entry, last bool) (moved []spool.Entry, err error) {
	const atOnce = 16 * workers
	for size := 1; len(list) > 0; size = atOnce {
		some := list[:min(size, len(list))]
		list = list[len(some):]
		for i, err := range b.applyAll(ctx, some) {
			id := some[i].ID
			if isListed(some[i]) && errors.Is(err, spool.ErrGone) {
				if !last {
					moved = append(moved, spool.Entry{ID: id})
					continue
				}
				err = spool.ErrBusy
			}
			if fatal := b.count(id, err); fatal {
				return nil, err
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return moved, nil
}

func (b *bulk) applyAll(ctx context.Context, list []spool.Entry) []error {
	errs := make([]error, len(list))
	var g errgroup.Group
	g.SetLimit(workers)
	for i, e := range list {
		g.Go(func() error { errs[i] = b.apply(ctx, e); return nil })
	}
	_ = g.Wait()
	return errs
}

// apply applies the action to one message.
func (b *bulk) apply(ctx context.Context, e spool.Entry) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !isListed(e):
		return spool.ErrGone
	}
	c, err := b.q.Store.Claim(ctx, e)
	if err != nil {
		return err
	}
	if err = b.action.apply(ctx, c); err == nil && b.action.log != nil {
		b.action.log(e.ID)
	}
	return cmp.Or(err, c.Release())
}

// whereIs says what became of a message that is not in the queue. The history is searched for
// a single one: of many, that would take long.
func (b *bulk) whereIs(id spool.ID) string {
	var m endedMessage
	if b.total == 1 {
		_, _ = history.Search(context.Background(), b.q.Store, spool.HistoryQuery{IDs: []spool.ID{id}}, func(row *history.Row) bool {
			m = append(m, *row)
			return true
		}) // what cannot be read is what show would say
	}
	if len(m) == 0 {
		return fmt.Sprintf("no such message in the queue; notices list shows all, and notices show %s says what became of it if it has left", id)
	}
	return fmt.Sprintf("no longer in the queue: it was %s on %s; notices show %s says why", m.state(), term.Clock(m.endedAt()), id)
}

// count says what became of one message. fatal: the spool itself failed, and would fail for
// the rest too.
func (b *bulk) count(id spool.ID, err error) (fatal bool) {
	b.shown++
	b.bar.Show(b.shown, b.total)
	p, code := b.q.Program, app.ExitOK
	switch {
	case err == nil:
		b.done++
		if p.Verbose {
			p.Say("%s %s", id, b.action.done)
		}
	case errors.As(err, new(notNeeded)):
		p.Say("%s", err)
	case errors.Is(err, spool.ErrGone):
		if b.all {
			return false // it left meanwhile
		}
		p.Say("%s: %s", id, b.whereIs(id))
		code = app.ExitUnknown
	case errors.Is(err, spool.ErrBusy):
		p.Say("%s is in flight: try again when its attempt is over", id)
		code = app.ExitTryLater
	case errors.Is(err, spool.ErrUnusable):
		p.Say("%s: %s", id, err)
		code = app.ExitCode(err)
	case errors.Is(err, spool.ErrDamaged):
		p.Say("%s: %s", id, err)
		code = app.ExitUnknown
	default:
		return true
	}
	if code != app.ExitOK && b.code != app.ExitUnknown {
		b.code = code
	}
	return false
}
