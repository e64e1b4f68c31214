package maildir

import (
	"context"
	"testing"

	"notices/spool"
)

// BenchmarkHold: an operation is a message held and released by hand, of many.
func BenchmarkHold(b *testing.B) {
	s := open(b)
	entries := fill(b, s, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for _, e := range entries {
		c, err := s.Claim(context.Background(), e)
		if err == nil {
			err = c.Append(spool.Event{Kind: spool.Hold, At: unixTime(1_900_000_100)}, spool.Soon)
		}
		if err == nil {
			err = c.Release()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Sync(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLook: an operation is a message looked at, as list and status do.
func BenchmarkLook(b *testing.B) {
	s := open(b)
	entries := fill(b, s, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_, body, err := s.Peek(context.Background(), entries[i%len(entries)])
		if err != nil {
			b.Fatal(err)
		}
		body.Close()
	}
}

// BenchmarkIdle: an operation is a listing of 2,000 messages.
func BenchmarkIdle(b *testing.B) {
	s := open(b)
	fill(b, s, 2000)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := s.Scan(context.Background(), func(spool.Entry) bool { n++; return true }); err != nil || n != 2000 {
			b.Fatal(n, err)
		}
	}
}
