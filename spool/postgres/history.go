package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"notices/spool"
	"notices/spool/postgres/rowtext"
)

// past are the methods of a Store about its history.
type past struct {
	db  *database
	off bool // no history is kept
}

// endings are the arguments by which a step adds what became of a message to the history, in
// its own transaction.
func (s past) endings(r *spool.Record, last spool.Event) []any {
	if s.off {
		return rowtext.HistoryArgs(nil)
	}
	return rowtext.HistoryArgs(r.Endings(last, time.Now()))
}

const addHistorySQL = `select notices.add_history($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)::text`

// AddHistory adds entries, in one transaction. Of several of one name the last one counts.
func (s past) AddHistory(ctx context.Context, entries ...spool.HistoryEntry) error {
	if s.off || len(entries) == 0 {
		return nil
	}
	type name struct {
		id spool.ID
		n  int
	}
	latest := map[name]spool.HistoryEntry{}
	for i := range entries {
		latest[name{entries[i].ID, entries[i].Index}] = entries[i]
	}
	list := slices.SortedFunc(maps.Values(latest), func(a, b spool.HistoryEntry) int { return spool.CompareHistory(&a, &b) })
	return s.db.row(ctx, addHistorySQL, append([]any{[]string(nil)}, rowtext.HistoryArgs(list)...), new(string))
}

// How long it is known, in seconds, which import keys were here, and which messages without one were
// removed without an entry in the history. The latter is asked for when a Commit is made again.
const (
	goneKept = 30 * 24 * 3600
	sentKept = 24 * 3600
)

// ForgetHistory drops what was written on days that had ended by then, and import keys of
// messages that left long ago: without a history, these are what tells that a message has left.
func (s past) ForgetHistory(ctx context.Context, before time.Time) error {
	day := before.UTC().Truncate(24 * time.Hour).Unix()
	return s.db.again(ctx, func(ctx context.Context) error {
		_, err := s.db.pool.Exec(ctx, `delete from notices.history where written < $1`, day)
		if err == nil {
			_, err = s.db.pool.Exec(ctx, `delete from notices.import_key where gone < extract(epoch from clock_timestamp())::bigint
				- case when key = '' then $2::bigint else $1::bigint end`, int64(goneKept), int64(sentKept))
		}
		return err
	})
}

// HistoryError is nil: an entry is written with the removal of its message, or neither is.
func (s past) HistoryError() error { return nil }
