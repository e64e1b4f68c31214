package flush

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"notices/spool"
)

// found is what one listing gave a run to do.
type found struct {
	messages *pile
	reports  []spool.Entry // ids derived from another message's, which may have to be finished first
	held     []spool.Entry // held, and their --expires may be over
	unknown  []spool.ID
}

// any reports whether there is something to do.
func (f *found) any() bool { return f.messages.n+len(f.held)+len(f.reports) > 0 }

// find lists the spool once and keeps what is to be done, in random order: not
// all machines, nor all runs, shall begin with the same message.
func (e *engine) find(ctx context.Context) (*found, error) {
	f := &found{messages: &pile{}}
	due := 0
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
			due++
			e.addDue(f, entry, due)
		}
		return true
	})
	if err == nil {
		err = e.findMissing(ctx, f, wanted)
	}
	if err != nil {
		return nil, err
	}
	e.narrow(ctx, f)
	e.arrange(f)
	return f, nil
}

// addDue takes the n-th message that is due. Of more than Max, Max are kept, any with
// the same chance (reservoir sampling: Knuth, TAOCP 3.4.2, algorithm R).
func (e *engine) addDue(f *found, entry spool.Entry, n int) {
	if e.Max <= 0 || n <= e.Max || e.Only != nil {
		f.messages.add(entry)
	} else if k := e.Random(int64(n)); k < int64(e.Max) {
		*f.messages.at(int(k)) = entry
	}
}

// narrow keeps what Only holds for. What cannot be looked at stays: who claims it says why.
func (e *engine) narrow(ctx context.Context, f *found) {
	if e.Only == nil {
		return
	}
	f.messages.take(func(entry *spool.Entry) bool {
		rec, body, err := e.store.Peek(ctx, *entry)
		if err != nil {
			return errors.Is(err, spool.ErrGone)
		}
		body.Close()
		return !e.Only(rec)
	})
}

// addWanted takes a message that was asked for, unless a person holds it.
func (e *engine) addWanted(f *found, entry spool.Entry) {
	switch entry.State {
	case spool.StateHeld:
		e.Log.MessageTrouble(entry.ID, fmt.Errorf("is held and was not attempted; notices release %s lets it go", entry.ID))
	case spool.StateFailed:
		e.Log.MessageTrouble(entry.ID, fmt.Errorf("has failed and was not attempted; notices retry %s queues it afresh", entry.ID))
	default:
		f.messages.add(entry)
	}
}

// findMissing looks again for what was asked for and not listed: it may have
// failed, or was renamed while the listing ran.
func (e *engine) findMissing(ctx context.Context, f *found, wanted map[spool.ID]bool) error {
	if len(wanted) == 0 {
		return nil
	}
	there, err := e.store.Find(ctx, slices.Collect(maps.Keys(wanted))...)
	if err != nil {
		return err
	}
	for _, id := range e.IDs {
		if !wanted[id] {
			continue
		}
		delete(wanted, id)
		if entry, ok := there[id]; ok {
			e.addWanted(f, entry)
		} else {
			f.unknown = append(f.unknown, id)
		}
	}
	return nil
}

// arrange shuffles, keeps Max, and puts the reports aside, to go last.
func (e *engine) arrange(f *found) {
	f.messages.shuffle(e.Random)
	if e.Max > 0 && f.messages.n > e.Max {
		f.messages.n = e.Max
	}
	f.reports = f.messages.take(func(entry *spool.Entry) bool {
		_, derived := originOf(entry.ID)
		return derived
	})
}

// Plan lists what Run would attempt now, oldest next send first, and writes nothing.
func Plan(ctx context.Context, o Options) ([]spool.Entry, error) {
	e := newEngine(ctx, o)
	f, err := e.find(ctx)
	if err != nil {
		return nil, err
	}
	list := slices.Clone(f.reports)
	for i := range f.messages.n {
		list = append(list, *f.messages.at(i))
	}
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
