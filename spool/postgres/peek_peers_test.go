//go:build peers

package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"notices/spool"
	"notices/spool/postgres/cluster"
	"notices/spool/records"
)

// TestManyRecords: a list reads hundreds of records in one statement, and says of each what
// Peek says.
func TestManyRecords(t *testing.T) {
	name := newDatabase(t)
	p := startProxy(t)
	s := openAt(t, p.URL(name))
	defer s.Close()
	const n = 600
	fill(t, s, n)
	var entries []spool.Entry
	if err := s.Scan(t.Context(), func(e spool.Entry) bool { entries = append(entries, e); return true }); err != nil {
		t.Fatal(err)
	}
	entries[3].State = spool.StateFailed // a listing that is out of date
	entries = append(entries, spool.Entry{ID: "gone"}, spool.Entry{ID: "../x"})
	p.Plan(cluster.Cut{At: 2, Late: true}) // and the connection is lost meanwhile
	seen, gone := 0, 0
	err := records.Each(t.Context(), s, entries, func(e spool.Entry, m records.Message) {
		switch {
		case errors.Is(m.Err, spool.ErrGone):
			gone++
		case m.Err != nil || m.Envelope.ID != e.ID || m.Stored < 4096:
			t.Errorf("%s: %v", e.ID, m)
		default:
			seen++
		}
	})
	if err != nil || seen != n-1 || gone != 3 {
		t.Errorf("%d records and %d gone, %v", seen, gone, err)
	}
	if got := p.Count(); got > n/records.Ahead+5 {
		t.Errorf("%d statements", got)
	}
	if _, _, err := s.Peek(t.Context(), entries[3]); !errors.Is(err, spool.ErrGone) {
		t.Error(fmt.Errorf("by a listing that is out of date: %w", err))
	}
}
