package drop

import (
	"context"
	"errors"
	"fmt"

	"notices/spool"
)

// commit stores what has come together, and removes it from the drop. An error means
// that something is in both places.
func (r *run) commit(ctx context.Context) error {
	r.held = 0
	for size := batch; len(r.ready) > 0; {
		group := r.ready[:min(size, len(r.ready))]
		drafts := make([]spool.Draft, len(group))
		for i, m := range group {
			drafts[i] = m.draft
		}
		n, err := r.Store.Commit(ctx, drafts...)
		for _, m := range group[:n] {
			r.Log.Queued(m.sealed)
			if err := r.handedIn(m.letter, m.uid); err != nil {
				return err
			}
		}
		r.ready = r.ready[n:]
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case n < len(group) && errors.Is(err, spool.ErrExists):
			if err := r.stored(ctx, r.first()); err != nil {
				return err
			}
		case size > 1:
			size = 1 // one of them may be too much for the disk, or bring the error with it
		case n == 0:
			r.wait(r.first().env.ID, err)
		}
	}
	return nil
}

// first takes the first message out of those that are ready, and drops its draft.
func (r *run) first() taken {
	m := r.ready[0]
	r.ready = r.ready[1:]
	_ = m.draft.Abort() // what it cannot remove is swept
	return m
}

// handedIn removes the file of a message that is stored.
func (r *run) handedIn(l *letter, uid uint32) error {
	r.Log.HandedIn(l.env.ID, int(uid), r.userName(uid))
	return r.unlink(string(l.env.ID))
}

// stored deals with a file whose id the store has: a run died between storing it and
// removing it here. Or somebody forged the id. What the store cannot give to a flush
// either is no message: it stays here, and the next run finds the id free.
func (r *run) stored(ctx context.Context, m taken) error {
	id := string(m.env.ID)
	e, err := spool.FindOne(ctx, r.Store, m.env.ID)
	if errors.Is(err, spool.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := r.Store.Claim(ctx, e)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, spool.ErrGone), errors.Is(err, spool.ErrDamaged):
		return nil
	case errors.Is(err, spool.ErrBusy): // attempted: then it had left here, and the id is forged
		r.refused(id, m.uid, "another message has its id")
		return nil
	case err != nil: // no flush can have it either
		r.trouble(id, err)
		return nil
	}
	same := m.same(&c.Record().Envelope)
	if err := c.Release(); err != nil {
		return err
	}
	if !same {
		r.refused(id, m.uid, "another message has its id")
		return nil
	}
	// The run that stored it may have died before it made that durable.
	for _, dir := range []string{"cur", "failed"} {
		if err := ignoreMissing(r.fs.SyncDir(dir)); err != nil {
			return fmt.Errorf("%s is stored: %w", id, err)
		}
	}
	return r.handedIn(m.letter, m.uid)
}

// leftOver removes those of names that the store has, when it does not take all.
func (r *run) leftOver(ctx context.Context, names []string) error {
	wanted := make(map[spool.ID]bool, len(names))
	for _, name := range names {
		wanted[spool.ID(name)] = true
	}
	var there []string
	collect := func(e spool.Entry) bool {
		if wanted[e.ID] {
			there = append(there, string(e.ID))
		}
		return true
	}
	if err := errors.Join(r.Store.Scan(ctx, collect), r.Store.ScanFailed(ctx, collect)); err != nil {
		return err
	}
	for _, name := range there {
		m, err := r.read(name)
		if m != nil {
			err = r.stored(ctx, m.taken)
			m.close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
