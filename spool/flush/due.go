package flush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"notices/spool"
)

// HandIn takes over what other users handed in, before the spool is listed. Nobody else
// takes anything over until end is called. due tells end whether anything in the listing
// will be attempted. If either returns an error, nothing may be. Package drop says why.
type HandIn func(ctx context.Context) (end func(due bool) error, err error)

// found is what one listing gave a run to do.
type found struct {
	engine   *engine
	messages entryList
	reports  entryList // their messages may have to be finished first
	held     entryList // their --expires may be over
	soon     entryList // for a feed: due before the next listing
	unknown  []spool.ID
}

// any reports whether there is anything to do.
func (f *found) any() bool { return f.messages.n+f.held.n+f.reports.n+f.soon.n > 0 }

// takeAndFind takes over what was handed in, and finds what is to be done.
func (e *engine) takeAndFind(ctx context.Context) (*found, error) {
	if e.HandIn == nil {
		found, err := e.find(ctx)
		return found, explain(ctx, e.Store, err)
	}
	end, handInErr := e.HandIn(ctx)
	if handInErr == nil {
		found, err := e.find(ctx)
		if handInErr = end(err == nil && found.any()); err != nil || handInErr == nil {
			return found, explain(ctx, e.Store, err)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w, nothing was sent: handed-in mail cannot be taken over: %w", ErrSpool, handInErr)
}

// find lists the spool once and returns what is to be done, in random order, so that not
// all machines and all runs begin with the same message.
func (e *engine) find(ctx context.Context) (*found, error) {
	f := &found{engine: e}
	due := 0
	wanted := map[spool.ID]bool{}
	for _, id := range e.IDs {
		wanted[id] = true
	}
	now := e.now()
	err := f.scan(ctx, now, func(entry spool.Entry) bool {
		switch {
		case len(e.IDs) > 0:
			if wanted[entry.ID] {
				delete(wanted, entry.ID)
				f.addWanted(entry)
			}
		case entry.State == spool.StateHeld:
			if !entry.Next.After(now) {
				f.held.add(entry)
			}
		case e.All || e.Policy.Due(entry.Next, now):
			due++
			f.addDue(entry, due)
		case e.feed != nil && entry.Next.Before(now.Add(runTime)):
			f.addSoon(entry)
		}
		return true
	})
	if err == nil {
		err = f.findMissing(ctx, wanted)
	}
	if err != nil {
		return nil, err
	}
	f.narrow(ctx)
	f.arrange()
	return f, nil
}

// scan shows what may be wanted. A store that has an index of what is due shows only that, if
// nothing else is wanted.
func (f *found) scan(ctx context.Context, now time.Time, yield func(spool.Entry) bool) error {
	e := f.engine
	if s, ok := e.Store.(spool.DueScanner); ok && !e.All && len(e.IDs) == 0 {
		latest := now.Add(e.Policy.Longest())
		if e.feed != nil {
			now = now.Add(runTime)
		}
		return s.ScanDue(ctx, now, latest, yield)
	}
	return e.Store.Scan(ctx, yield)
}

// addDue adds the n-th message that is due. Of more than Max messages, it keeps Max, each
// with the same probability (reservoir sampling: Knuth, TAOCP 3.4.2, algorithm R).
func (f *found) addDue(entry spool.Entry, n int) {
	e := f.engine
	if e.Max <= 0 || n <= e.Max || e.Only != nil {
		f.messages.add(entry)
	} else if k := e.Random(int64(n)); k < int64(e.Max) {
		*f.messages.at(int(k)) = entry
	}
}

// addSoon adds a message that becomes due before the next listing. A report waits for that listing,
// because it needs one.
func (f *found) addSoon(entry spool.Entry) {
	if _, isReport := parseReportID(entry.ID); !isReport {
		f.soon.add(entry)
	}
}

// narrow removes what Only excludes. What cannot be read stays, so that claiming it says why.
func (f *found) narrow(ctx context.Context) {
	only := f.engine.Only
	if only == nil {
		return
	}
	f.messages.remove(func(entry *spool.Entry) bool {
		rec, body, err := f.engine.Store.Peek(ctx, *entry)
		if err != nil {
			return errors.Is(err, spool.ErrGone)
		}
		body.Close()
		return !only(rec)
	})
}

// addWanted adds a message that was asked for, unless it is held or has failed.
func (f *found) addWanted(entry spool.Entry) {
	switch entry.State {
	case spool.StateHeld:
		f.engine.Log.MessageTrouble(entry.ID, fmt.Errorf("is held and was not attempted; to release it, run: notices release %s", entry.ID), false)
	case spool.StateFailed:
		f.engine.Log.MessageTrouble(entry.ID, fmt.Errorf("has failed and was not attempted; to queue it again, run: notices retry %s", entry.ID), false)
	default:
		f.messages.add(entry)
	}
}

// findMissing looks again for what was asked for and not listed: it may have failed, or been
// renamed during the listing.
func (f *found) findMissing(ctx context.Context, wanted map[spool.ID]bool) error {
	if len(wanted) == 0 {
		return nil
	}
	there, err := f.engine.Store.Find(ctx, slices.Collect(maps.Keys(wanted))...)
	if err != nil {
		return err
	}
	for _, id := range f.engine.IDs {
		if !wanted[id] {
			continue
		}
		delete(wanted, id)
		if entry, ok := there[id]; ok {
			f.addWanted(entry)
		} else {
			f.unknown = append(f.unknown, id)
		}
	}
	return nil
}

// arrange shuffles the messages, keeps Max of them, and separates the reports, which go last.
func (f *found) arrange() {
	f.messages.shuffle(f.engine.Random)
	if most := f.engine.Max; most > 0 && f.messages.n > most {
		f.messages.n = most
	}
	f.reports = f.messages.remove(func(entry *spool.Entry) bool {
		_, isReport := parseReportID(entry.ID)
		return isReport
	})
}

// Plan lists what Run would attempt now, in the order of the next send, and writes nothing.
func Plan(ctx context.Context, o Options) ([]spool.Entry, error) {
	e := newEngine(ctx, o)
	f, err := e.find(ctx)
	if err != nil {
		return nil, err
	}
	var list []spool.Entry
	for _, l := range []entryList{f.reports, f.messages} {
		list = slices.AppendSeq(list, l.all())
	}
	slices.SortFunc(list, func(a, b spool.Entry) int {
		return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.ID, b.ID))
	})
	if len(f.unknown) > 0 {
		return list, &UnknownError{f.unknown}
	}
	return list, nil
}
