package spool

import (
	"slices"
	"testing"
	"time"
)

func sec(n int64) time.Time { return time.Unix(n, 0).UTC() }

func record(recipients ...string) *Record {
	return NewRecord(Envelope{ID: "A", Sender: "s@example.org", Recipients: recipients, QueuedAt: sec(100)})
}

func answer(class Class, text string, to ...int) Answer {
	return Answer{Outcome: Outcome{Class: class, Reply: Reply{Text: text}}, To: to}
}

func TestRecordFollowsTheAttempts(t *testing.T) {
	r := record("a@x", "b@x", "c@x")
	if r.State() != StateQueued || !r.NextSendAt.Equal(sec(100)) || len(r.Pending()) != 3 {
		t.Fatalf("new: %+v", r)
	}
	r.Apply(Event{Kind: Try, At: sec(110), N: 1, Next: sec(400)})
	if !r.InFlight || r.Attempts != 1 || r.State() != StateDeferred || !r.NextSendAt.Equal(sec(400)) {
		t.Fatalf("tried: %+v", r)
	}
	r.Apply(Event{Kind: Result, At: sec(111), N: 1, Next: sec(410), Results: []Answer{
		answer(Delivered, "ok", 0), answer(Failed, "no such user", 1), answer(Deferred, "busy", 2)}})
	if r.InFlight || r.LastError != "busy" || !slices.Equal(r.Pending(), []int{2}) || !slices.Equal(r.FailedIn(1), []int{1}) || r.UnreturnedIn() != 1 {
		t.Fatalf("result: %+v", r)
	}
	r.Apply(Event{Kind: Returned, At: sec(112), N: 1})
	if r.UnreturnedIn() != 0 {
		t.Fatalf("returned: %+v", r)
	}
}

func TestUnreturnedIsTheFirst(t *testing.T) {
	r := record("a@x", "b@x")
	r.Apply(Event{Kind: Result, N: 3, Results: []Answer{answer(Failed, "", 0)}})
	r.Apply(Event{Kind: Result, N: 2, Results: []Answer{answer(Failed, "", 1)}})
	if r.UnreturnedIn() != 2 {
		t.Errorf("UnreturnedIn is %d", r.UnreturnedIn())
	}
}

func TestUncertainInARow(t *testing.T) {
	r := record("a@x")
	for n, class := range []Class{Uncertain, Uncertain, Deferred, Uncertain} {
		r.Apply(Event{Kind: Result, N: n + 1, Results: []Answer{answer(class, "", 0)}})
	}
	if r.Uncertain != 1 {
		t.Errorf("%d in a row", r.Uncertain)
	}
}

func TestFreshRetryStartsAnew(t *testing.T) {
	r := record("a@x", "b@x")
	r.Apply(Event{Kind: Result, N: 1, Results: []Answer{answer(Delivered, "", 0), answer(Failed, "", 1)}})
	r.Apply(Event{Kind: GiveUp, At: sec(200)})
	if r.State() != StateFailed {
		t.Fatal(r.State())
	}
	r.Apply(Event{Kind: Retry, At: sec(900), Next: sec(900), Fresh: true})
	if r.State() != StateQueued || r.LastError != "" || !r.QueuedAt.Equal(sec(900)) || !slices.Equal(r.Pending(), []int{1}) || r.UnreturnedIn() != 0 {
		t.Errorf("%+v", r)
	}
}

// TestUnknownEventsPass: an older program reads a newer one's record.
func TestUnknownEventsPass(t *testing.T) {
	r := record("a@x")
	r.Apply(Event{Kind: "teleported", At: sec(1)})
	r.Apply(Event{Kind: Result, N: 1, Results: []Answer{answer(Delivered, "", 0, 7, -1)}})
	if len(r.Events) != 2 || len(r.Pending()) != 0 {
		t.Errorf("%+v", r)
	}
}

// An attempt that asked no server does not count; the next one takes its number.
func TestPostponeTakesTheAttemptBack(t *testing.T) {
	r := record("a@x")
	r.Apply(Event{Kind: Try, At: sec(110), N: 1, Next: sec(400)})
	r.Apply(Event{Kind: Postpone, At: sec(111), N: 1, Next: sec(300), Note: "down"})
	if r.Attempts != 0 || r.InFlight || !r.NextSendAt.Equal(sec(300)) || r.LastError != "down" {
		t.Errorf("%+v", r)
	}
	r.Apply(Event{Kind: Try, At: sec(310), N: 1, Next: sec(400)})
	r.Apply(Event{Kind: Postpone, At: sec(420), Next: sec(500), Note: "down"})
	if r.Attempts != 1 {
		t.Errorf("%d attempts", r.Attempts)
	}
}
