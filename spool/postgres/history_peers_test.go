//go:build peers

package postgres_test

import (
	"fmt"
	"testing"

	"notices/spool"
)

// TestHistoryOfPart: a part of an address finds the same entries whether few addresses have it,
// which are looked up by the index, or many.
func TestHistoryOfPart(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	defer s.Close()
	var entries []spool.HistoryEntry
	for i := range 1300 {
		entries = append(entries, spool.HistoryEntry{ID: spool.ID(fmt.Sprintf("M%04d", i)), QueuedAt: at(int64(i)), EndedAt: at(int64(i)), Recipient: fmt.Sprintf("Patron%d@Example.net", i), Ending: spool.EndedDelivered})
	}
	if err := s.AddHistory(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]int{
		"PATRON12": 1 + 10 + 100, "patron": 1300, "@example.NET": 1300, "@example": 0, "n1299@": 0, "patron1299@example.net": 1, "nobody": 0, "": 1300,
	} {
		n := 0
		bad, err := s.History(t.Context(), spool.HistoryQuery{Recipient: part}, func(*spool.HistoryEntry) bool { n++; return true })
		if err != nil || len(bad) > 0 || n != want {
			t.Errorf("%q: %d, want %d; %v, %v", part, n, want, bad, err)
		}
	}
}
