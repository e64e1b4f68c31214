//go:build peers

package postgres_test

import (
	"fmt"
	"slices"
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

// TestHistoryFilters: each filter finds its entries in order, over several pages, whatever index it uses.
func TestHistoryFilters(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	defer s.Close()
	const n = 9000
	var entries []spool.HistoryEntry
	for i := range n {
		e := spool.HistoryEntry{ID: spool.ID(fmt.Sprintf("M%04d", i)), QueuedAt: at(int64(i)), EndedAt: at(int64(2*n - i)), Recipient: "a@example.net", Sender: "desk@example.org", Ending: spool.EndedDelivered}
		e.Last.Reply.Server, e.Last.Reply.Host = "1", "Smtp.Example.org"
		if i%3 == 0 {
			e.Ending, e.Sender, e.Ref, e.Site, e.Last.Reply.Server, e.Last.Reply.Host = spool.EndedFailed, "", "night", "east", "2", "b.example.org"
		}
		entries = append(entries, e)
	}
	if err := s.AddHistory(t.Context(), entries...); err != nil {
		t.Fatal(err)
	}
	entries[1].Ending, entries[2].Ending = spool.EndedBounced, spool.EndedFailed // supersede
	if err := s.AddHistory(t.Context(), entries[1], entries[2]); err != nil {
		t.Fatal(err)
	}
	for _, q := range []spool.HistoryQuery{
		{}, {Ref: "night"}, {Site: "east"}, {Sender: "<>"}, {Sender: "desk@example.org"}, {Server: "2"}, {Server: "1"}, {Server: "sMTP.example.ORG"}, {Server: "none"},
		{Endings: []spool.Ending{spool.EndedFailed}}, {Endings: []spool.Ending{spool.EndedBounced}}, {Endings: []spool.Ending{spool.EndedDelivered, spool.EndedFailed}},
		{Since: at(n + 10)}, {Until: at(n + 5000)}, {Since: at(n + 100), Until: at(n + 200), Ref: "night"}, {Since: at(2*n - 2), Endings: []spool.Ending{spool.EndedDelivered}},
	} {
		var want, got []spool.ID
		for i := range entries {
			if q.Chooses(&entries[i]) {
				want = append(want, entries[i].ID)
			}
		}
		bad, err := s.History(t.Context(), q, func(e *spool.HistoryEntry) bool { got = append(got, e.ID); return true })
		if err != nil || len(bad) > 0 || !slices.Equal(got, want) {
			t.Errorf("%+v: %d entries, want %d; %v, %v", q, len(got), len(want), bad, err)
		}
	}
}
