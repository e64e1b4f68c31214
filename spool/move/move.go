// Package move takes the messages of one spool over into another: each as it is, with its age,
// attempts, replies, holds and import keys. A message leaves the first spool when the second
// one has it durably. Stopped at any step and run again, it goes on where it was: nothing is
// lost, and nothing is there twice.
//
// What was moved is known by an import key that is added to each message. So it is known also
// when the message has left the second spool since.
package move

import (
	"context"
	"errors"
	"slices"

	"notices/spool"
)

// Mover moves what is in From to To. It is used by one goroutine.
type Mover struct {
	// From keeps no history of its own while it is moved: what leaves it has not ended.
	From, To spool.Store
	// Known are the import keys of To (Store.Imported), which the caller holds until the end.
	// Those of the messages that are moved are added. With nil, To knows by itself what has left it
	// (spool.ErrLeft), and any number of moves may run at once.
	Known map[spool.ImportKey]struct{}
	// Moved is told of a message that was moved durably; nil: it is not told.
	Moved func(*spool.Record)
	// Tell is told once of a message that stays where it is: in flight there (spool.ErrBusy),
	// or with something wrong with it; nil: it is not told.
	Tell func(spool.ID, error)
	// Found is told of what From had that is no message, and was set aside; nil: it is not told.
	Found func(spool.Anomaly)

	Counts

	batch  batch
	passed map[spool.ID]bool // skipped
}

// Counts say what was moved, or would be.
type Counts struct {
	Messages int // all of them
	Held     int // of Messages
	Failed   int // of Messages
	Before   int // moved by an earlier run, which ended before it could take them out of From
	Skipped  int
	Entries  int // of the history
}

func (c *Counts) add(r *spool.Record) {
	c.Messages++
	switch {
	case r.GivenUp:
		c.Failed++
	case r.Held:
		c.Held++
	}
}

// Errors that Tell is told, beside those of Store.Claim.
var (
	// ErrConflict: To has another message of that id.
	ErrConflict = errors.New("the spool that it is to be moved to has another message of this id")
	// ErrUnreadable: the message cannot be read to its end.
	ErrUnreadable = errors.New("it cannot be read")
)

// All moves all messages, also those that come in meanwhile. An error ends the run.
func (m *Mover) All(ctx context.Context) error {
	m.passed = map[spool.ID]bool{}
	for idle := 0; idle < 2; idle++ { // a listing may miss a name that changes while it runs
		before := m.Counts
		if err := m.pass(ctx); err != nil {
			return errors.Join(err, m.batch.drop())
		}
		if m.Messages+m.Before > before.Messages+before.Before {
			idle = -1
		}
	}
	return m.From.Sync(context.WithoutCancel(ctx))
}

// pass moves what one listing shows. When it is stopped, what it has begun is moved.
func (m *Mover) pass(ctx context.Context) error {
	list, err := m.list(ctx)
	for i := 0; i < len(list) && err == nil; i++ {
		if err = ctx.Err(); err == nil && !m.passed[list[i].ID] {
			err = m.take(ctx, list[i])
		}
		if err == nil && m.batch.full() {
			err = m.commit(ctx)
		}
	}
	if err == nil || ctx.Err() != nil {
		err = errors.Join(err, m.commit(context.WithoutCancel(ctx)))
	}
	return err
}

// list lists all messages, once more if something had to be repaired.
func (m *Mover) list(ctx context.Context) (list []spool.Entry, err error) {
	for range 2 {
		list = list[:0]
		keep := func(e spool.Entry) bool { list = append(list, e); return true }
		if err = m.From.Scan(ctx, keep); err == nil {
			err = m.From.ScanFailed(ctx, keep)
		}
		if err != nil {
			return nil, err
		}
		found, err := m.From.Repair(ctx)
		if err != nil || len(found) == 0 {
			return list, err
		}
		for _, a := range found {
			if a.Moved != "" && m.Found != nil {
				m.Found(a)
			}
		}
	}
	return list, nil
}

func (m *Mover) skip(id spool.ID, why error) {
	if m.passed[id] {
		return
	}
	m.passed[id] = true
	m.Skipped++
	if m.Tell != nil {
		m.Tell(id, why)
	}
}

// take claims a message and prepares it for the next commit.
func (m *Mover) take(ctx context.Context, e spool.Entry) error {
	c, err := m.From.Claim(ctx, e)
	switch {
	case errors.Is(err, spool.ErrGone): // or changed: then the next listing has it
		return nil
	case isAny(err, spool.ErrBusy, spool.ErrDamaged, spool.ErrUnusable):
		m.skip(e.ID, err)
		return nil
	case err != nil:
		return err
	}
	t := &taken{claim: c, key: KeyOf(&c.Record().Envelope)}
	if _, moved := m.Known[t.key]; moved {
		m.Before++
		return t.leave()
	}
	err = t.copy(ctx, m.To)
	switch {
	case err == nil:
		m.batch.add(t)
		return nil
	case errors.Is(err, ErrUnreadable):
		m.skip(e.ID, err)
		err = nil
	}
	return errors.Join(err, t.drop())
}

// commit moves what was taken.
func (m *Mover) commit(ctx context.Context) error {
	for len(m.batch.taken) > 0 {
		n, err := m.To.Commit(ctx, m.batch.drafts()...)
		for range n {
			if err := m.moved(m.batch.next()); err != nil {
				return err
			}
		}
		switch {
		case err == nil && len(m.batch.taken) > 0:
			return errors.New("not all messages were moved")
		case errors.Is(err, spool.ErrLeft):
			m.Before++
			err = m.batch.next().leave()
		case errors.Is(err, spool.ErrExists):
			err = m.exists(ctx, m.batch.next())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *Mover) moved(t *taken) error {
	rec := t.claim.Record()
	if m.Known != nil {
		m.Known[t.key] = struct{}{}
	}
	m.add(rec)
	if m.Moved != nil {
		m.Moved(rec)
	}
	return t.leave()
}

// exists is for a message whose id is in To. If it has the same envelope it is the same one:
// copied there by other means, or moved so long ago that its key was forgotten.
func (m *Mover) exists(ctx context.Context, t *taken) error {
	e, err := spool.FindOne(ctx, m.To, t.id())
	var rec *spool.Record
	var body spool.PeekedBody
	if err == nil {
		rec, body, err = m.To.Peek(ctx, e)
	}
	if errors.Is(err, spool.ErrGone) { // it has left since, or was set aside there: the next run finds out
		return t.drop()
	}
	if err != nil {
		return errors.Join(err, t.drop())
	}
	err = body.Close()
	if !alike(rec.Envelope, t.claim.Record().Envelope) {
		m.skip(t.id(), ErrConflict)
		return errors.Join(err, t.drop())
	}
	m.Before++
	return errors.Join(err, t.leave())
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}
