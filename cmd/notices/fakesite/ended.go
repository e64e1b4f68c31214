package fakesite

import (
	"context"

	"notices/spool"
	"notices/spool/history"
)

// Ended is the history of a site whose queue is empty.
type Ended struct {
	history.Source
	Entries []spool.HistoryEntry
	Damaged []spool.Anomaly
}

// Scan finds nothing.
func (Ended) Scan(context.Context, func(spool.Entry) bool) error { return nil }

// ScanFailed finds nothing.
func (Ended) ScanFailed(context.Context, func(spool.Entry) bool) error { return nil }

// Find finds nothing.
func (Ended) Find(context.Context, ...spool.ID) (map[spool.ID]spool.Entry, error) { return nil, nil }

// History yields the entries that a query chooses.
func (h Ended) History(_ context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	for i := range h.Entries {
		if q.Chooses(&h.Entries[i]) && !yield(&h.Entries[i]) {
			break
		}
	}
	return h.Damaged, nil
}
