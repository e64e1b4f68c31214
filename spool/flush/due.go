package flush

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"notices/spool"
)

// found is what one listing gave a run to do.
type found struct {
	messages []spool.Entry
	reports  []spool.Entry // ids derived from another message's, which may have to be finished first
	held     []spool.Entry // held, and their --expires may be over
	unknown  []spool.ID
}

// any reports whether there is something to do.
func (f *found) any() bool { return len(f.messages)+len(f.held)+len(f.reports) > 0 }

// find lists the spool once and keeps what is to be done, in random order: not
// all machines, nor all runs, shall begin with the same message.
func (e *engine) find(ctx context.Context) (*found, error) {
	f := &found{}
	wanted := map[spool.ID]bool{}
	for _, id := range e.IDs {
		wanted[id] = true
	}
	now := e.now()
	err := e.store.Scan(ctx, func(entry spool.Entry) bool {
		switch {
		case len(e.IDs) > 0:
			if wanted[entry.ID] {
				delete(wanted, entry.ID)
				e.addWanted(f, entry)
			}
		case entry.State == spool.StateHeld:
			if !entry.Next.After(now) {
				f.held = append(f.held, entry)
			}
		case e.All || e.Policy.Due(entry.Next, now):
			f.messages = append(f.messages, entry)
		}
		return true
	})
	if err == nil {
		err = e.findMissing(ctx, f, wanted)
	}
	if err != nil {
		return nil, err
	}
	e.arrange(f)
	return f, nil
}

// addWanted takes a message that was asked for, unless a person holds it.
func (e *engine) addWanted(f *found, entry spool.Entry) {
	switch entry.State {
	case spool.StateHeld:
		e.Log.Trouble(string(entry.ID), fmt.Errorf("is held and was not attempted; notices release %s lets it go", entry.ID))
	case spool.StateFailed:
		e.Log.Trouble(string(entry.ID), fmt.Errorf("has failed and was not attempted; notices retry %s queues it afresh", entry.ID))
	default:
		f.messages = append(f.messages, entry)
	}
}

// findMissing looks again for what was asked for and not listed: it may have
// failed, or was renamed while the listing ran.
func (e *engine) findMissing(ctx context.Context, f *found, wanted map[spool.ID]bool) error {
	for _, id := range e.IDs {
		if !wanted[id] {
			continue
		}
		delete(wanted, id)
		entry, err := e.store.Find(ctx, id)
		switch {
		case errors.Is(err, spool.ErrGone) || !id.Valid():
			f.unknown = append(f.unknown, id)
		case err != nil:
			return err
		default:
			e.addWanted(f, entry)
		}
	}
	return nil
}

// arrange shuffles, keeps Max, and puts the reports behind.
func (e *engine) arrange(f *found) {
	list := f.messages
	for i := len(list) - 1; i > 0; i-- {
		k := e.Random(int64(i) + 1)
		list[i], list[k] = list[k], list[i]
	}
	if e.Max > 0 && len(list) > e.Max {
		list = list[:e.Max]
	}
	n := 0
	for i := range list {
		if _, ok := originOf(list[i].ID); !ok {
			list[n], list[i] = list[i], list[n]
			n++
		}
	}
	f.messages, f.reports = list[:n:n], list[n:]
}

// Plan lists what Run would attempt now, oldest next send first, and writes nothing.
func Plan(ctx context.Context, o Options) ([]spool.Entry, error) {
	e := newEngine(ctx, o)
	f, err := e.find(ctx)
	if err != nil {
		return nil, err
	}
	list := slices.Concat(f.messages, f.reports)
	slices.SortFunc(list, func(a, b spool.Entry) int {
		if c := a.Next.Compare(b.Next); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	if len(f.unknown) > 0 {
		return list, &UnknownError{f.unknown}
	}
	return list, nil
}
