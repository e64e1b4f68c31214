package history

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"notices/spool"
)

// TestBothKinds: what left the queue and what waits stand in one order, that of the queueing.
func TestBothKinds(t *testing.T) {
	first, second, third := queued("A3", 0, "ann@example.net"), queued("A1", 10, "ben@example.net", "cem@example.net"), queued("A2", 20, "dora@example.net")
	f := newFake(first, second, third)
	try(first, 1, accepted, 0)
	try(third, 21, accepted, 0)
	f.leaves("A3", minutes(1))
	f.leaves("A2", minutes(21))
	try(second, 11, full, 1)
	try(second, 16, accepted, 0)
	equal(t, f.rows(t, spool.HistoryQuery{}), "A3 ann delivered", "A1 ben delivered", "A1 cem waiting", "A2 dora delivered")
	equal(t, f.rows(t, spool.HistoryQuery{Recipient: "@EXAMPLE.NET", Endings: []spool.Ending{Waiting}}), "A1 cem waiting")
	equal(t, f.rows(t, spool.HistoryQuery{IDs: []spool.ID{"A1", "A2"}}), "A1 ben delivered", "A1 cem waiting", "A2 dora delivered")
	equal(t, f.rows(t, spool.HistoryQuery{Server: "MAIL.example.org", Endings: []spool.Ending{spool.EndedDelivered}}), "A3 ann delivered", "A1 ben delivered", "A2 dora delivered")
}

// TestWhen: an ending counts by its time, and what waits is there now, if it was queued before.
func TestWhen(t *testing.T) {
	old, waits := queued("A1", 0, "ann@example.net"), queued("A2", 5, "ben@example.net")
	f := newFake(old, waits)
	try(old, 30, accepted, 0)
	f.leaves("A1", minutes(30))
	equal(t, f.rows(t, spool.HistoryQuery{Since: minutes(30), Until: minutes(31)}), "A1 ann delivered", "A2 ben waiting")
	equal(t, f.rows(t, spool.HistoryQuery{Since: minutes(31)}), "A2 ben waiting")
	equal(t, f.rows(t, spool.HistoryQuery{Until: minutes(5)}))
	equal(t, f.rows(t, spool.HistoryQuery{Until: minutes(6)}), "A2 ben waiting")
}

// TestRevived: a failed message that was queued again waits, whatever its entry says.
func TestRevived(t *testing.T) {
	r := queued("A1", 0, "ann@example.net", "ben@example.net")
	f := newFake(r)
	try(r, 1, unknown, 0)
	try(r, 2, accepted, 1)
	r.Apply(spool.Event{Kind: spool.GiveUp, At: minutes(3)})
	f.entries = r.Endings(spool.Event{Kind: spool.GiveUp}, minutes(3))
	equal(t, f.rows(t, spool.HistoryQuery{}), "A1 ann failed", "A1 ben delivered")
	equal(t, f.rows(t, spool.HistoryQuery{Since: minutes(3)}), "A1 ann failed")
	r.Apply(spool.Event{Kind: spool.Retry, At: minutes(60), Next: minutes(60), Fresh: true})
	equal(t, f.rows(t, spool.HistoryQuery{}), "A1 ann waiting", "A1 ben delivered")
	equal(t, f.rows(t, spool.HistoryQuery{Endings: []spool.Ending{spool.EndedFailed}}))
}

// TestFailedWithoutEntry: a message that failed before there was a history is in failed/.
func TestFailedWithoutEntry(t *testing.T) {
	r := queued("A1", 0, "ann@example.net")
	r.Apply(spool.Event{Kind: spool.GiveUp, At: minutes(3)})
	equal(t, newFake(r).rows(t, spool.HistoryQuery{Endings: []spool.Ending{spool.EndedFailed}, Until: minutes(4)}), "A1 ann failed")
}

// TestBouncedWhileOthersWait: a return that another server made is newer than the delivery that
// the message shows.
func TestBouncedWhileOthersWait(t *testing.T) {
	r := queued("A1", 0, "ann@example.net", "ben@example.net")
	f := newFake(r)
	try(r, 1, accepted, 0)
	f.entries = r.Endings(spool.Event{}, minutes(9))[:1]
	f.entries[0].Ending, f.entries[0].Last = spool.EndedBounced, unknown
	equal(t, f.rows(t, spool.HistoryQuery{}), "A1 ann bounced", "A1 ben waiting")
	equal(t, f.rows(t, spool.HistoryQuery{Endings: []spool.Ending{spool.EndedDelivered}}))
	equal(t, f.rows(t, spool.HistoryQuery{Endings: []spool.Ending{spool.EndedBounced}}), "A1 ann bounced")
}

// TestMovedMeanwhile: a flush works during the search. Nothing is missing, nothing comes twice.
func TestMovedMeanwhile(t *testing.T) {
	for _, moment := range []string{"after listing", "Find", "History", "yield"} {
		for _, leaves := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, leaves %v", moment, leaves), func(t *testing.T) {
				var list []*spool.Record
				for i := range maxHeld + 600 {
					list = append(list, queued(spool.ID(fmt.Sprintf("A%05d", i)), i, "ann@example.net"))
				}
				f := newFake(list...)
				done := false
				move := func() {
					for i := 0; !done && i < len(list); i += 3 {
						id := list[i].Envelope.ID
						try(list[i], 9999, accepted, 0)
						if f.moves[id]++; leaves {
							f.leaves(id, minutes(9999))
						}
					}
					done = true
				}
				f.before = func(method string) {
					if method == moment || moment == "Find" && method == "after listing" {
						move()
					}
				}
				seen := map[spool.ID]int{}
				_, err := Search(context.Background(), f, spool.HistoryQuery{}, func(r *Row) bool {
					if moment == "yield" {
						move()
					}
					seen[r.ID]++
					return true
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range list {
					if seen[r.Envelope.ID] != 1 {
						t.Fatalf("%s came %d times", r.Envelope.ID, seen[r.Envelope.ID])
					}
				}
			})
		}
	}
}

// TestRenamedMeanwhile: a listing may lack a file that is renamed while it is read.
func TestRenamedMeanwhile(t *testing.T) {
	f := newFake(queued("A1", 0, "ann@example.net"), queued("A2", 1, "ben@example.net"))
	want := []string{"A1 ann waiting", "A2 ben waiting"}
	f.renamed = map[spool.ID]bool{"A2": true}
	equal(t, f.rows(t, spool.HistoryQuery{}), want...)
	f.renamed = map[spool.ID]bool{"A1": true}
	equal(t, f.rows(t, spool.HistoryQuery{IDs: []spool.ID{"A1", "A2"}}), want...)
}

// TestManyWaiting: more messages than are held in memory keep the order of the queueing, though
// their ids have another one, and a message that cannot be read is told of once.
func TestManyWaiting(t *testing.T) {
	f := newFake()
	const n = maxHeld + 3000
	for i := range n {
		r := queued(spool.ID(fmt.Sprintf("A%05d", n-i)), i, "ann@example.net")
		f.records[r.Envelope.ID] = r
		if i%2 == 0 {
			try(r, i, accepted, 0)
			f.leaves(r.Envelope.ID, minutes(i))
		}
	}
	bad := queued("A99999", 7, "ben@example.net")
	bad.LastError = "unreadable"
	f.records["A99999"] = bad
	f.damaged = []spool.Anomaly{{Name: "history/2026-11-23", Why: "2 damaged lines"}}
	var last Time
	found := 0
	anomalies, err := Search(context.Background(), f, spool.HistoryQuery{}, func(r *Row) bool {
		if r.QueuedAt.Before(last.Time) {
			t.Fatalf("%s comes too late", r.ID)
		}
		last = r.QueuedAt
		found++
		return true
	})
	if err != nil || found != n || len(anomalies) != 2 {
		t.Errorf("%d rows, anomalies %v, error %v", found, anomalies, err)
	}
}

// TestSearchStops when its caller has enough.
func TestSearchStops(t *testing.T) {
	for n := 1; n < 5; n++ {
		f := newFake()
		for i := range 10 {
			r := queued(spool.ID(fmt.Sprintf("A%d", i)), i, "ann@example.net", "ben@example.net")
			f.records[r.Envelope.ID] = r
			if i%2 == 0 {
				f.leaves(r.Envelope.ID, minutes(i))
			}
		}
		found := 0
		if _, err := Search(context.Background(), f, spool.HistoryQuery{}, func(*Row) bool { found++; return found < n }); err != nil || found != n {
			t.Errorf("%d rows instead of %d, %v", found, n, err)
		}
	}
}

// TestSearchProperty: whatever is in the spool and in the history, each recipient has one row, in
// order, and a query chooses among them by what the rows say.
func TestSearchProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFake()
		all := map[string]bool{}
		for i := range rapid.IntRange(0, 12).Draw(t, "messages") {
			id := spool.ID(rapid.StringMatching(`[AB][0-9]{3}`).Draw(t, "id") + fmt.Sprint(i))
			r := queued(id, rapid.IntRange(0, 20).Draw(t, "minute"), "ann@example.net", "ben@example.com")
			f.records[id] = r
			all[string(id)+"0"], all[string(id)+"1"] = true, true
			for range rapid.IntRange(0, 3).Draw(t, "tries") {
				if pending := r.Pending(); len(pending) > 0 {
					o := rapid.SampledFrom([]spool.Outcome{accepted, full, unknown}).Draw(t, "outcome")
					try(r, rapid.IntRange(21, 40).Draw(t, "at"), o, rapid.SampledFrom(pending).Draw(t, "to"))
				}
			}
			switch rapid.SampledFrom([]string{"waits", "left", "failed", "undone", "revived"}).Draw(t, "then") {
			case "left":
				f.leaves(id, minutes(50))
			case "failed":
				r.Apply(spool.Event{Kind: spool.GiveUp, At: minutes(50)})
				f.entries = append(f.entries, r.Endings(spool.Event{}, minutes(50))...)
			case "undone": // a crash brought it back
				f.entries = append(f.entries, r.Endings(spool.Event{}, minutes(50))...)
			case "revived":
				f.entries = append(f.entries, r.Endings(spool.Event{Kind: spool.GiveUp}, minutes(50))...)
				r.Apply(spool.Event{Kind: spool.Retry, At: minutes(60), Next: minutes(60), Fresh: true})
			}
		}
		rows := collect(t, f, spool.HistoryQuery{})
		for i := range rows {
			if i > 0 && compareRows(&rows[i-1], &rows[i]) >= 0 {
				t.Fatalf("%v is before %v", rows[i-1], rows[i])
			}
			delete(all, fmt.Sprint(rows[i].ID, rows[i].Index))
		}
		if len(all) > 0 {
			t.Fatalf("missing: %v", all)
		}
		q := spool.HistoryQuery{
			Recipient: rapid.SampledFrom([]string{"", "ann", "@example.com"}).Draw(t, "to"),
			Server:    rapid.SampledFrom([]string{"", "1", "mail2.example.org"}).Draw(t, "server"),
			Endings:   rapid.SliceOfNDistinct(rapid.SampledFrom(Outcomes()), 0, 3, rapid.ID).Draw(t, "outcomes"),
		}
		chosen := slices.DeleteFunc(rows, func(r Row) bool {
			e := r.entry()
			return !q.Chooses(&e)
		})
		if got := collect(t, f, q); !slices.Equal(got, chosen) {
			t.Fatalf("%+v:\ngot  %v\nwant %v", q, got, chosen)
		}
	})
}

func collect(t *rapid.T, f *fake, q spool.HistoryQuery) (rows []Row) {
	if _, err := Search(context.Background(), f, q, func(r *Row) bool { rows = append(rows, *r); return true }); err != nil {
		t.Fatal(err)
	}
	return rows
}

func compareRows(a, b *Row) int {
	return spool.CompareHistory(&spool.HistoryEntry{ID: a.ID, QueuedAt: a.QueuedAt.Time, Index: a.Index}, &spool.HistoryEntry{ID: b.ID, QueuedAt: b.QueuedAt.Time, Index: b.Index})
}
