package drop

import (
	"context"
	"errors"
	"fmt"

	"notices/spool"
)

// commit stores what is ready, and removes it from the drop. An error means that
// something is in both places.
func (r *run) commit(ctx context.Context) error {
	r.readySize = 0
	for len(r.ready) > 0 {
		drafts := make([]spool.Draft, len(r.ready))
		for i, m := range r.ready {
			drafts[i] = m.draft
		}
		n, err := r.c.Store.Commit(ctx, drafts...)
		for _, m := range r.ready[:n] {
			r.c.Log.Queued(m.sealed)
			if err := r.removeCollected(m); err != nil {
				return err
			}
		}
		r.ready = r.ready[n:]
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case len(r.ready) > 0 && errors.Is(err, spool.ErrExists):
			if err := r.alreadyStored(ctx, r.dropFirst()); err != nil {
				return err
			}
		case len(drafts) > 1:
			return r.commitSingly(ctx)
		case n == 0:
			r.postpone(r.dropFirst().env.ID, err)
		}
	}
	return nil
}

// commitSingly stores each message by itself, after a Commit of several failed: one of them
// may be too large for the disk. Each draft is written anew, because the failed sync may have
// lost the old one.
func (r *run) commitSingly(ctx context.Context) error {
	var names []string
	for len(r.ready) > 0 {
		names = append(names, string(r.dropFirst().env.ID))
	}
	for _, name := range names {
		if r.postponed >= maxPostponed {
			break
		}
		if err := r.collect(ctx, name); err != nil {
			return err
		}
		if err := r.commit(ctx); err != nil {
			return err
		}
	}
	return nil
}

// dropFirst takes the first message out of those that are ready, and aborts its draft.
func (r *run) dropFirst() *message {
	m := r.ready[0]
	r.ready = r.ready[1:]
	_ = m.draft.Abort() // what it cannot remove is swept
	return m
}

// removeCollected removes the file of a message that is stored.
func (r *run) removeCollected(m *message) error {
	r.c.Log.HandedIn(m.env.ID, int(m.uid), r.cleaner.userName(m.uid))
	return unlink(r.fs, string(m.env.ID))
}

// alreadyStored deals with a file whose id the store has: a run died between storing it
// and removing it here. Or somebody forged the id. What the store cannot give to a flush
// either is not a message: the file stays here, and the next run finds the id free.
func (r *run) alreadyStored(ctx context.Context, m *message) error {
	id := string(m.env.ID)
	e, err := spool.FindOne(ctx, r.c.Store, m.env.ID)
	if errors.Is(err, spool.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := r.c.Store.Claim(ctx, e)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, spool.ErrGone), errors.Is(err, spool.ErrDamaged):
		return nil
	case err != nil && !errors.Is(err, spool.ErrBusy): // no flush can have it either
		r.cleaner.logError(id, err)
		return nil
	}
	same := false // as a busy one is being attempted: it had left here before, and the id is forged
	if err == nil {
		same = m.same(&c.Record().Envelope)
		if err := c.Release(); err != nil {
			return err
		}
	}
	if !same {
		r.cleaner.refuse(id, m.uid, "another message has its id")
		return nil
	}
	// The run that stored it may have died before it made that durable.
	for _, dir := range []string{"cur", "failed"} {
		if err := ignoreMissing(r.fs.SyncDir(dir)); err != nil {
			return fmt.Errorf("%s is stored: %w", id, err)
		}
	}
	return r.removeCollected(m)
}

// clearStored removes those of names that the store has, when it does not take all.
func (r *run) clearStored(ctx context.Context, names []string) error {
	ids := make([]spool.ID, 0, len(names))
	for _, name := range names {
		if isMessageName([]byte(name)) {
			ids = append(ids, spool.ID(name))
		}
	}
	stored, err := r.c.Store.Find(ctx, ids...)
	if err != nil {
		return err
	}
	for id := range stored {
		m, err := r.openMessage(string(id))
		if m != nil {
			err = r.alreadyStored(ctx, m)
			m.file.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
