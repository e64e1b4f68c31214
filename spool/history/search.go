package history

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"notices/spool"
	"notices/spool/records"
)

// Source is the part of a spool.Store that is searched.
type Source interface {
	records.Store
	Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error)
	History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error)
}

// Search hands the rows that a query chooses to yield, oldest first by when they were queued,
// until yield returns false. The anomalies are damaged lines of the history, and messages of the
// spool that could not be read: both were passed over.
//
// The endings of the query may have Waiting among them; a row that waits is chosen whatever
// Since is, and if it was queued before Until. Keys is not for a search.
//
// A message in the spool rules over its entries: it was queued again, or its end was written down
// and a crash undid it. Only a return by another server is newer than the delivery that the
// message itself shows.
//
// The messages in the spool are read first and the history after them, so that what leaves the
// queue meanwhile is found there. Memory is bounded: only maxHeld rows of messages in the spool
// are kept, and the other messages are read again when their turn comes. What moved by then is
// looked up once more at the end, and comes last.
func Search(ctx context.Context, s Source, q spool.HistoryQuery, yield func(*Row) bool) ([]spool.Anomaly, error) {
	w := &search{source: s, query: q, ids: q.IDs, yield: yield}
	for w.rounds = range maxRounds {
		if err := w.round(ctx); err != nil || w.stopped || len(w.moved) == 0 {
			return w.anomalies, err
		}
		w.onlyMoved()
	}
	return w.anomalies, nil
}

const (
	// maxRounds is how often what moved is looked up again: more often than a message moves by
	// chance.
	maxRounds = 5
	// maxHeld bounds the rows of messages in the spool that are in memory.
	maxHeld = 4096
)

// search is a search under way.
type search struct {
	source    Source
	query     spool.HistoryQuery
	ids       []spool.ID // of the messages to look up; empty: all
	yield     func(*Row) bool
	stopped   bool // by yield
	anomalies []spool.Anomaly
	rounds    int // that are over

	live  []*message // those that the query may choose, in the order of their rows
	next  int        // the first in live whose rows were not yielded
	byID  map[spool.ID]*message
	held  int        // rows in memory
	moved []spool.ID // were not where the listing had them when their turn came
}

// message is a message of the spool that the query may choose rows of.
type message struct {
	entry    spool.Entry
	queuedAt time.Time
	read     bool // rows are those of the message; false: it is to be read again
	gone     bool // it was to be read again, and was not there
	rows     []Row
	// bounced are entries about recipients that the message shows as delivered to.
	bounced []spool.HistoryEntry
}

// noRows stands for all messages whose rows the query does not choose. Their entries, if they
// have some, are not chosen either. So a message that is not among the candidates is not read.
var noRows = new(message)

func (m *message) compare(queuedAt time.Time, id spool.ID) int {
	return cmp.Or(m.queuedAt.Compare(queuedAt), cmp.Compare(m.entry.ID, id))
}

// onlyMoved lets the next round look for what moved alone.
func (w *search) onlyMoved() {
	w.ids, w.query.IDs, w.query.Keys = w.moved, nil, make(map[string]struct{}, len(w.moved))
	for _, id := range w.moved {
		w.query.Keys[string(id)] = struct{}{}
	}
}

// round goes once through the messages in the spool and through the history.
func (w *search) round(ctx context.Context) error {
	w.live, w.next, w.held, w.moved, w.byID = nil, 0, 0, nil, map[spool.ID]*message{}
	if err := w.readLive(ctx); err != nil {
		return err
	}
	slices.SortFunc(w.live, func(a, b *message) int { return a.compare(b.queuedAt, b.entry.ID) })
	if err := w.readHistory(ctx); err != nil {
		return err
	}
	for w.next < len(w.live) && !w.stopped {
		if err := w.yieldNext(ctx); err != nil {
			return err
		}
	}
	return nil
}

// readLive lists the messages in the spool and reads their records. Those that were moved
// between the two are looked up again, and those that left have entries in the history by now.
func (w *search) readLive(ctx context.Context) error {
	entries, err := w.list(ctx)
	for range maxRounds {
		if err != nil || len(entries) == 0 {
			return err
		}
		var gone []spool.ID
		err = records.Each(ctx, w.source, entries, func(e spool.Entry, m records.Message) {
			if errors.Is(m.Err, spool.ErrGone) {
				gone = append(gone, e.ID)
			} else {
				w.add(e, m)
			}
		})
		if err != nil || len(gone) == 0 {
			return err
		}
		entries, err = w.find(ctx, gone)
	}
	return err
}

func (w *search) list(ctx context.Context) ([]spool.Entry, error) {
	if len(w.ids) > 0 {
		return w.find(ctx, w.ids)
	}
	if s, ok := w.source.(spool.Searcher); ok {
		return s.Candidates(ctx, w.query)
	}
	if s, ok := w.source.(spool.Selector); ok {
		return w.selected(ctx, s)
	}
	return records.ListAll(ctx, w.source, func(spool.Entry) bool { return true })
}

// selected lists what a store selects, while it goes on listing.
func (w *search) selected(ctx context.Context, s spool.Selector) (read []spool.Entry, err error) {
	ended := len(w.query.Endings) > 0 && !slices.Contains(w.query.Endings, Waiting)
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	err = records.ListParts(ctx, w.source, func(part []spool.Entry) {
		g.Go(func() error {
			some, waiting, err := s.Select(ctx, w.query, ended, part)
			mu.Lock()
			defer mu.Unlock()
			read = append(read, some...)
			for _, id := range waiting {
				w.byID[id] = noRows
			}
			return err
		})
	})
	return read, cmp.Or(g.Wait(), err)
}

// find looks messages up twice, as records.ListAll lists them.
func (w *search) find(ctx context.Context, ids []spool.ID) ([]spool.Entry, error) {
	found := map[spool.ID]spool.Entry{}
	for range 2 {
		more, err := w.source.Find(ctx, ids...)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, more)
		if len(found) == len(ids) {
			break
		}
	}
	return slices.Collect(maps.Values(found)), nil
}

// add notes a message whose record was read, if the query may choose rows of it.
func (w *search) add(e spool.Entry, m records.Message) {
	if m.Err != nil {
		w.anomalies = append(w.anomalies, spool.Anomaly{Name: string(e.ID), Why: m.Err.Error()})
		return
	}
	rows := w.rowsOf(m.Record)
	if len(rows) == 0 || w.byID[e.ID] != nil { // it was listed twice, because it moved
		return
	}
	if !slices.ContainsFunc(rows, func(row Row) bool { return w.chooses(&row) }) {
		// Only a row of a recipient that was delivered to can be another one later.
		rows = slices.DeleteFunc(rows, func(row Row) bool { return row.Outcome == Waiting })
	}
	if len(rows) == 0 {
		w.byID[e.ID] = noRows
		return
	}
	found := &message{entry: e, queuedAt: m.Envelope.QueuedAt}
	if w.held+len(rows) <= maxHeld {
		w.held += len(rows)
		found.rows, found.read = rows, true
	}
	w.live = append(w.live, found)
	w.byID[e.ID] = found
}

// rowsOf are the rows of a message that the query chooses but for how they ended.
func (w *search) rowsOf(r *spool.Record) []Row {
	return slices.DeleteFunc(FromRecord(r), func(row Row) bool {
		e := row.entry()
		return !w.query.ChoosesMessage(&e)
	})
}

// entry is what a query asks a row for.
func (r *Row) entry() spool.HistoryEntry {
	return spool.HistoryEntry{
		ID: r.ID, QueuedAt: r.QueuedAt.Time, Recipient: r.Recipient, Sender: r.Sender, Ref: r.Ref, Site: r.Site, Ending: r.Outcome, EndedAt: r.EndedAt.Time,
		Last: spool.Outcome{Reply: spool.Reply{Server: r.Server, Host: r.Host}},
	}
}

func (w *search) chooses(r *Row) bool {
	e, q := r.entry(), w.query
	if r.Outcome == Waiting {
		e.EndedAt, q.Since = r.QueuedAt.Time, time.Time{}
	}
	return q.Chooses(&e)
}

// readHistory goes through the history, and yields the messages in the spool that belong before
// or between its entries.
func (w *search) readHistory(ctx context.Context) error {
	q := w.query
	if len(q.Endings) > 0 {
		q.Endings = slices.DeleteFunc(slices.Clone(q.Endings), func(e spool.Ending) bool { return e == Waiting })
		if len(q.Endings) == 0 {
			return nil
		}
		q.Endings = append(q.Endings, spool.EndedBounced) // they rule over messages in the spool
	}
	var failed error
	anomalies, err := w.source.History(ctx, q, func(e *spool.HistoryEntry) bool {
		failed = w.entry(ctx, e)
		return failed == nil && !w.stopped
	})
	if w.rounds == 0 { // another round meets the same lines
		w.anomalies = append(w.anomalies, anomalies...)
	}
	return cmp.Or(failed, err)
}

// entry yields an entry, after the messages in the spool that are older.
func (w *search) entry(ctx context.Context, e *spool.HistoryEntry) error {
	for w.next < len(w.live) && w.live[w.next].compare(e.QueuedAt, e.ID) < 0 && !w.stopped {
		if err := w.yieldNext(ctx); err != nil {
			return err
		}
	}
	switch m := w.byID[e.ID]; {
	case w.stopped || m == noRows:
	case m == nil:
		w.yieldRow(FromEntry(e))
	case e.Ending == spool.EndedBounced:
		m.bounced = append(m.bounced, *e)
	}
	return nil
}

func (w *search) yieldRow(row Row) {
	if !w.stopped && w.chooses(&row) {
		w.stopped = !w.yield(&row)
	}
}

// yieldNext yields the rows of the next message in the spool.
func (w *search) yieldNext(ctx context.Context) error {
	m := w.live[w.next]
	if !m.read && !m.gone {
		if err := w.readAhead(ctx); err != nil {
			return err
		}
	}
	w.next++
	if m.gone {
		w.moved = append(w.moved, m.entry.ID)
		return nil
	}
	for _, row := range m.rows {
		later := slices.IndexFunc(m.bounced, func(e spool.HistoryEntry) bool { return e.Index == row.Index })
		if later >= 0 && row.Outcome != Waiting {
			row = FromEntry(&m.bounced[later])
			row.InQueue = true
		}
		w.yieldRow(row)
	}
	m.rows, m.bounced = nil, nil
	return nil
}

// readAhead reads the next messages whose rows were not kept.
func (w *search) readAhead(ctx context.Context) error {
	var entries []spool.Entry
	for i := w.next; i < len(w.live) && len(entries) < records.Ahead; i++ {
		if !w.live[i].read && !w.live[i].gone {
			entries = append(entries, w.live[i].entry)
		}
	}
	return records.Each(ctx, w.source, entries, func(e spool.Entry, m records.Message) {
		switch found := w.byID[e.ID]; {
		case m.Err == nil:
			found.rows, found.read = w.rowsOf(m.Record), true
		case errors.Is(m.Err, spool.ErrGone):
			found.gone = true
		default:
			found.read = true
			w.anomalies = append(w.anomalies, spool.Anomaly{Name: string(e.ID), Why: m.Err.Error()})
		}
	})
}
