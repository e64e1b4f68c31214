package move

import (
	"context"
	"errors"
	"iter"

	"notices/spool"
)

const historyBatch = 1000

// History copies the entries of the history that To lacks, or that end later in From. The
// anomalies are damaged entries in From. They stay in From, too: a day there is forgotten as a
// whole.
func (m *Mover) History(ctx context.Context) ([]spool.Anomaly, error) {
	var entries []spool.HistoryEntry
	add := func() error {
		if len(entries) == 0 {
			return nil
		}
		err := m.To.AddHistory(ctx, entries...)
		if err == nil {
			m.Entries += len(entries)
		}
		entries = entries[:0]
		return err
	}
	var failed error
	bad, err := m.missing(ctx, func(e *spool.HistoryEntry) bool {
		if entries = append(entries, *e); len(entries) >= historyBatch {
			failed = add()
		}
		return failed == nil
	})
	if err = errors.Join(err, failed); err == nil {
		err = add()
	}
	return bad, err
}

// missing finds the entries that History copies. Both stores tell them in the same order, so that
// neither is kept in memory.
func (m *Mover) missing(ctx context.Context, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	var failed error
	next, stop := iter.Pull(func(yield func(*spool.HistoryEntry) bool) {
		_, failed = m.To.History(ctx, spool.HistoryQuery{}, yield)
	})
	defer stop()
	has, more := next()
	bad, err := m.From.History(ctx, spool.HistoryQuery{}, func(e *spool.HistoryEntry) bool {
		for more && spool.CompareHistory(has, e) < 0 {
			has, more = next()
		}
		if failed != nil {
			return false
		}
		known := more && spool.CompareHistory(has, e) == 0 && !e.EndedAt.After(has.EndedAt)
		return known || yield(e)
	})
	return bad, errors.Join(err, failed)
}

// Keys adds to To the import keys of From, as Imported returned them, that To does not know.
func (m *Mover) Keys(ctx context.Context, keys map[spool.ImportKey]struct{}) error {
	var list []spool.ImportKey
	for key := range keys {
		if _, known := m.Known[key]; !known {
			list = append(list, key)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return m.To.AddImported(ctx, list...)
}

// Preview counts what would be moved, and moves nothing. What is in flight is counted, too.
func (m *Mover) Preview(ctx context.Context) error {
	var failed error
	look := func(e spool.Entry) bool {
		failed = errors.Join(m.preview(ctx, e), ctx.Err())
		return failed == nil
	}
	err := m.From.Scan(ctx, look)
	if err == nil && failed == nil {
		err = m.From.ScanFailed(ctx, look)
	}
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	_, err = m.missing(ctx, func(*spool.HistoryEntry) bool { m.Entries++; return true })
	return err
}

func (m *Mover) preview(ctx context.Context, e spool.Entry) error {
	rec, body, err := m.From.Peek(ctx, e)
	switch {
	case errors.Is(err, spool.ErrGone):
		return nil
	case isAny(err, spool.ErrDamaged, spool.ErrUnusable):
		m.skip(e.ID, err)
		return nil
	case err != nil:
		return err
	}
	if _, moved := m.Known[KeyOf(&rec.Envelope)]; moved {
		m.Before++
	} else {
		m.add(rec)
	}
	return body.Close()
}
