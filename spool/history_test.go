package spool

import (
	"testing"
	"time"
)

// TestEndedWhenItEnded: a recipient has ended when it was delivered to or failed, not when the
// last of the others did.
func TestEndedWhenItEnded(t *testing.T) {
	begin := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	at := func(hours int) time.Time { return begin.Add(time.Duration(hours) * time.Hour) }
	answer := func(class Class, hours int, to ...int) Answer {
		return Answer{Outcome{Class: class, Scope: RecipientScope, Reply: Reply{Code: 250, At: at(hours)}}, to}
	}
	r := NewRecord(Envelope{ID: "A", Sender: "lib@example.org", QueuedAt: begin, Recipients: []string{"ann@x.example", "gone@x.example", "full@x.example", "slow@x.example"}})
	r.Apply(Event{Kind: Result, N: 1, At: at(1), Results: []Answer{answer(Delivered, 1, 0), answer(Failed, 1, 1), answer(Deferred, 1, 2, 3)}})
	r.Apply(Event{Kind: Returned, N: 1, At: at(2)})
	// The third is given up in a run that could not dial; its last reply is older.
	r.Apply(Event{Kind: Result, N: 2, At: at(50), Results: []Answer{answer(Failed, 1, 2), answer(Deferred, 50, 3)}})
	r.Apply(Event{Kind: Returned, N: 2, At: at(50)})

	got := r.Endings(Event{Kind: Result, N: 3, At: at(99), Results: []Answer{answer(Delivered, 98, 3)}}, at(100))
	for i, want := range []struct {
		ending          Ending
		hours, attempts int
	}{{EndedDelivered, 1, 1}, {EndedReturned, 1, 1}, {EndedReturned, 50, 2}, {EndedDelivered, 98, 3}} {
		if e := got[i]; e.Ending != want.ending || !e.EndedAt.Equal(at(want.hours)) || e.Attempts != want.attempts {
			t.Errorf("recipient %d: %s at %s after %d attempts, want %+v", i, e.Ending, e.EndedAt, e.Attempts, want)
		}
	}
	if e := r.Endings(Event{}, at(100))[3]; e.Ending != EndedRemoved || !e.EndedAt.Equal(at(100)) {
		t.Errorf("removed by a person: %+v", e)
	}
}

// TestRevivedAndRemoved: what failed before a person queued it again has not ended so.
func TestRevivedAndRemoved(t *testing.T) {
	begin := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	failed := []Answer{{Outcome{Class: Failed, Scope: RecipientScope, Reply: Reply{Code: 550, At: begin}}, []int{0}}}
	r := NewRecord(Envelope{ID: "A", QueuedAt: begin, Recipients: []string{"bad@x.example"}},
		Event{Kind: Result, N: 1, At: begin, Results: failed}, Event{Kind: GiveUp, At: begin})
	later := begin.Add(time.Hour)
	if e := r.Endings(Event{}, later)[0]; e.Ending != EndedFailed || !e.EndedAt.Equal(begin) {
		t.Errorf("removed from failed/: %+v", e)
	}
	r.Apply(Event{Kind: Retry, At: begin.Add(time.Minute), Fresh: true})
	if e := r.Endings(Event{}, later)[0]; e.Ending != EndedRemoved || !e.EndedAt.Equal(later) {
		t.Errorf("removed from the queue: %+v", e)
	}
	if e := r.Endings(Event{Kind: Result, N: 2, Results: failed}, later)[0]; e.Ending != EndedFailed || e.Attempts != 2 {
		t.Errorf("failed again: %+v", e)
	}
}
