package spool

import "testing"

// BenchmarkRecord: an operation is the record of a message that was tried ten times in
// vain, read from its events.
func BenchmarkRecord(b *testing.B) {
	var events []Event
	for n := 1; n <= 10; n++ {
		at := int64(100 + 300*n)
		events = append(events, Event{Kind: Try, At: sec(at), N: n, Next: sec(at + 300)},
			Event{Kind: Result, At: sec(at + 1), N: n, Next: sec(at + 400), Results: []Answer{answer(Deferred, "busy", 0)}})
	}
	b.ReportAllocs()
	for b.Loop() {
		r := record("a@x")
		for _, e := range events {
			r.Apply(e)
		}
		if r.Attempts != 10 {
			b.Fatal(r.Attempts)
		}
	}
}
