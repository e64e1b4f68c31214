package maildir

import (
	"bytes"
	"context"
	"testing"
	"time"

	"notices/spool"
)

func testEnvelope() spool.Envelope {
	return spool.Envelope{
		Sender:     "library@example.org",
		Recipients: []string{"patron@example.net"},
		QueuedAt:   time.Unix(1_900_000_000, 0),
		MessageID:  "<1@example.org>",
	}
}

func put(tb testing.TB, s *Store, id spool.ID, body []byte) {
	tb.Helper()
	d, err := s.New(context.Background(), id)
	if err == nil {
		_, err = d.Write(body)
	}
	if err == nil {
		err = d.Seal(testEnvelope())
	}
	if err == nil {
		_, err = s.Commit(context.Background(), d)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func open(tb testing.TB) *Store {
	tb.Helper()
	s, err := Open(tb.TempDir()+"/spool", Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func BenchmarkEnqueue(b *testing.B) {
	s := open(b)
	body := bytes.Repeat([]byte("x"), 4096)
	for b.Loop() {
		put(b, s, spool.NewID(time.Now()), body)
	}
}

// BenchmarkDeliver claims, begins and removes: what a delivered message costs here.
func BenchmarkDeliver(b *testing.B) {
	s := open(b)
	entries := fill(b, s, b.N)
	b.ResetTimer()
	for _, e := range entries {
		c, err := s.Claim(context.Background(), e)
		if err == nil {
			err = c.Begin(spool.Event{Kind: spool.Try, At: time.Unix(1_900_000_100, 0), N: 1, Next: time.Unix(1_900_000_400, 0)})
		}
		if err == nil {
			err = c.Remove(spool.Event{}, spool.Soon)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Sync(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkClaim claims a message and lets it go.
func BenchmarkClaim(b *testing.B) {
	s := open(b)
	entries := fill(b, s, 100)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c, err := s.Claim(context.Background(), entries[i%len(entries)])
		if err == nil {
			err = c.Release()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecord claims, begins, writes down that the message is deferred, and lets
// it go: what one that has to wait costs here.
func BenchmarkRecord(b *testing.B) {
	s := open(b)
	entries := fill(b, s, b.N)
	busy := spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: spool.Reply{Server: "1", Code: 451, Text: "greylisted"}}
	at := time.Unix(1_900_000_100, 0)
	b.ReportAllocs()
	b.ResetTimer()
	for _, e := range entries {
		c, err := s.Claim(context.Background(), e)
		if err == nil {
			err = c.Begin(spool.Event{Kind: spool.Try, At: at, N: 1, Next: at.Add(5 * time.Minute)})
		}
		if err == nil {
			err = c.Append(spool.Event{Kind: spool.Result, At: at, N: 1, Next: at.Add(6 * time.Minute),
				Results: []spool.Answer{{Outcome: busy, To: []int{0}}}}, spool.Lazy)
		}
		if err == nil {
			err = c.Release()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// fill commits n messages with shared syncs.
func fill(b *testing.B, s *Store, n int) (entries []spool.Entry) {
	body := bytes.Repeat([]byte("x"), 4096)
	drafts := make([]spool.Draft, 0, n)
	for range n {
		d, err := s.New(context.Background(), spool.NewID(time.Now()))
		if err == nil {
			_, err = d.Write(body)
		}
		if err == nil {
			err = d.Seal(testEnvelope())
		}
		if err != nil {
			b.Fatal(err)
		}
		drafts = append(drafts, d)
	}
	if _, err := s.Commit(context.Background(), drafts...); err != nil {
		b.Fatal(err)
	}
	err := s.Scan(context.Background(), func(e spool.Entry) bool {
		entries = append(entries, e)
		return true
	})
	if err != nil || len(entries) != n {
		b.Fatal(len(entries), err)
	}
	return entries
}

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
