package flush

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"notices/spool"
)

// Ids of reports are derived from the id of the message that they are about, so that
// one stored again after a crash is stored once (spool.ErrExists):
//
//	ID-N    the return for attempt N (spool.ID.Return)
//	ID.w    the warning that ID is delayed; told once
//	ID.hN   the notice that ID is held since attempt N
//	ID.rN   the report on those whom attempt N handed on, for -N success
//	ID.p    the report ID once more, from the site's address
//	ID.f    the word to the admin that ID went to failed/
//
// But it may have been stored, sent and removed before the crash. Therefore no report
// is sent while its message is still there and does not say that the report was
// stored: the message is finished first, and if somebody else has it claimed, the
// report waits.
const (
	relReturn = '-'
	relWarn   = 'w'
	relHold   = 'h'
	relRelay  = 'r'
	relPlain  = 'p'
	relFailed = 'f'
)

// origin is what a derived id says.
type origin struct {
	id       spool.ID
	relation byte
	n        int
}

func warningID(id spool.ID) spool.ID           { return id + ".w" }
func failedNoticeID(id spool.ID) spool.ID      { return id + ".f" }
func plainID(id spool.ID) spool.ID             { return id + ".p" }
func heldNoticeID(id spool.ID, n int) spool.ID { return id + ".h" + spool.ID(strconv.Itoa(n)) }
func relayedID(id spool.ID, n int) spool.ID    { return id + ".r" + spool.ID(strconv.Itoa(n)) }

// originOf takes a derived id apart.
func originOf(id spool.ID) (origin, bool) {
	i := strings.LastIndexAny(string(id), ".-")
	if i <= 0 || i+1 == len(id) {
		return origin{}, false
	}
	if id[i] == '-' {
		of, n, ok := id.Original()
		return origin{of, relReturn, n}, ok
	}
	o := origin{id: id[:i], relation: id[i+1]}
	rest := string(id[i+2:])
	switch o.relation {
	case relWarn, relPlain, relFailed:
		return o, rest == ""
	case relHold, relRelay:
		n, err := strconv.Atoi(rest)
		o.n = n
		return o, err == nil && n > 0
	}
	return origin{}, false
}

// told reports whether the message's record says that the report was stored.
func (o origin) told(r *spool.Record) bool {
	switch o.relation {
	case relReturn:
		return r.ReturnedIn >= o.n
	case relWarn:
		return r.Warned
	case relFailed:
		return r.GivenUp
	case relRelay:
		return r.RelayToldIn >= o.n
	case relHold:
		return slices.ContainsFunc(r.Events, func(e spool.Event) bool { return e.Kind == spool.Hold && e.N >= o.n })
	}
	return r.ReturnedIn > 0
}

// sendReports sends reports found in the queue. It lists once more, for the messages
// that they are about. One that this listing misses because it is being renamed says
// what it must: its last renaming before that preceded the storing of the report,
// which the first listing already showed.
func (e *engine) sendReports(ctx context.Context, reports []spool.Entry) {
	if len(reports) == 0 || e.stopped(ctx) {
		return
	}
	about := map[spool.ID]spool.Entry{}
	for _, report := range reports {
		o, _ := originOf(report.ID)
		about[o.id] = spool.Entry{}
	}
	err := e.store.Scan(e.work, func(entry spool.Entry) bool {
		if _, ok := about[entry.ID]; ok {
			about[entry.ID] = entry
		}
		return true
	})
	if err != nil {
		e.stop(err)
		return
	}
	e.round(ctx, pileOf(reports), func(ctx context.Context, report spool.Entry) {
		if e.passOver(report) {
			return
		}
		o, _ := originOf(report.ID)
		if entry := about[o.id]; entry.ID == "" || e.finishOrigin(o, entry) {
			e.serve(ctx, report)
		}
	})
}

// finishOrigin sees to it that the message says what its report needs; false: not now.
func (e *engine) finishOrigin(o origin, entry spool.Entry) bool {
	j := e.claim(entry)
	if j == nil {
		_, err := spool.FindOne(e.work, e.store, o.id)
		return errors.Is(err, spool.ErrGone)
	}
	defer j.end()
	if o.told(j.rec) {
		return true
	}
	over, err := j.conclude()
	if err == nil && !over && o.relation == relWarn {
		err = j.append(spool.Event{Kind: spool.Warned, At: e.now()}, spool.Soon)
	}
	j.err = err
	return err == nil
}
