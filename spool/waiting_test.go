package spool

import (
	"testing"
	"time"
)

// TestWaiting: what a deferred message waits for, and since when.
func TestWaiting(t *testing.T) {
	queued := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return queued.Add(time.Duration(minutes) * time.Minute) }
	try := func(minutes int) Event { return Event{Kind: Try, At: at(minutes), N: 1} }
	result := func(minutes int, class Class, scope Scope, to ...int) Event {
		return Event{Kind: Result, At: at(minutes), N: 1, Results: []Answer{{Outcome: Outcome{Class: class, Scope: scope}, To: to}}}
	}
	postpone := func(minutes int) Event { return Event{Kind: Postpone, At: at(minutes)} }
	const no = -1
	for _, c := range []struct {
		name   string
		events []Event
		since  int // minutes after it was queued; no: it does not wait for a server
		last   int
		own    bool
		trying bool
	}{
		{"never tried", nil, no, 0, false, false},
		{"server down", []Event{try(5), result(5, Deferred, ServerScope, 0, 1)}, 0, 5, false, false},
		{"postponed", []Event{postpone(7), postpone(9)}, 0, 9, false, false},
		{"put off as a whole", []Event{try(5), result(5, Deferred, MessageScope, 0, 1)}, 0, 5, true, false},
		{"recipients busy", []Event{try(5), result(5, Deferred, RecipientScope, 0, 1)}, no, 0, false, false},
		{"one of them", []Event{try(5), {Kind: Result, At: at(5), N: 1, Results: []Answer{
			{Outcome: Outcome{Class: Deferred, Scope: RecipientScope}, To: []int{0}},
			{Outcome: Outcome{Class: Deferred, Scope: MessageScope}, To: []int{1}}}}}, 0, 5, true, false},
		{"no answer to the dot", []Event{try(5), result(5, Uncertain, MessageScope, 0, 1)}, 0, 5, true, false},
		{"first the recipients, then the server", []Event{
			try(5), result(5, Deferred, RecipientScope, 0, 1), try(60), result(61, Deferred, ServerScope, 0, 1), postpone(70)}, 61, 70, false, false},
		{"first the server, then the recipients", []Event{
			try(5), result(5, Deferred, ServerScope, 0, 1), try(60), result(60, Deferred, RecipientScope, 0, 1)}, no, 0, false, false},
		{"told of the delay between", []Event{postpone(5), {Kind: Warned, At: at(6)}, postpone(7)}, 0, 7, false, false},
		{"a server was skipped", []Event{try(5), {Kind: Result, At: at(5), N: 1, Results: []Answer{
			{Outcome: Outcome{Class: Deferred, Scope: ServerScope}},
			{Outcome: Outcome{Class: Deferred, Scope: RecipientScope}, To: []int{0, 1}}}}}, no, 0, false, false},
		{"one got it, the rest waits for the server", []Event{try(5), {Kind: Result, At: at(5), N: 1, Results: []Answer{
			{Outcome: Outcome{Class: Delivered}, To: []int{0}},
			{Outcome: Outcome{Class: Deferred, Scope: ServerScope}, To: []int{1}}}}}, 0, 5, false, false},
		{"being tried", []Event{try(20)}, 20, 20, false, true},
		{"being tried again", []Event{postpone(5), try(20)}, 0, 20, false, false},
		{"held", []Event{postpone(5), {Kind: Hold, At: at(6)}}, no, 0, false, false},
		{"released", []Event{postpone(5), {Kind: Hold, At: at(6)}, {Kind: Release, At: at(7)}}, 0, 5, false, false},
		{"queued afresh", []Event{postpone(5), {Kind: Retry, At: at(60), Fresh: true}}, no, 0, false, false},
		{"queued afresh and put off", []Event{postpone(5), {Kind: Retry, At: at(60), Fresh: true}, postpone(61)}, 60, 61, false, false},
		{"in failed/", []Event{postpone(5), {Kind: GiveUp, At: at(60)}}, no, 0, false, false},
	} {
		r := NewRecord(Envelope{ID: "A", QueuedAt: queued, Recipients: []string{"a@example.net", "b@example.net"}})
		for _, e := range c.events {
			r.Apply(e)
		}
		got, ok := r.Waiting()
		want := Waiting{Since: at(c.since), Last: at(c.last), Answered: c.own, Trying: c.trying}
		if c.since == no {
			want = Waiting{}
		}
		if ok != (c.since != no) || ok && got != want {
			t.Errorf("%s: %v %+v, want %+v", c.name, ok, got, want)
		}
	}
}
