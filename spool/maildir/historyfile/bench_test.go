package historyfile

import (
	"fmt"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// BenchmarkAdd is what the history adds to the delivery of a message to one recipient.
func BenchmarkAdd(b *testing.B) {
	fs, err := fsys.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer fs.Close()
	l := &Log{FS: fs, Now: time.Now}
	rec := spool.NewRecord(spool.Envelope{
		ID: "1K1F1GZDD1J1WWG1", Sender: "library@example.org", Recipients: []string{"patron@example.net"},
		QueuedAt: time.Now(), Ref: "patron 4711", MessageID: "<1K1F1GZDD1J1WWG1@mail.example.org>",
	})
	reply := spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Enhanced: "2.0.0", Text: "Ok: queued as 4F1A2B3C4D5E", At: time.Now()}
	last := spool.Event{Kind: spool.Result, N: 1, Results: []spool.Answer{{Outcome: spool.Outcome{Class: spool.Delivered, Reply: reply}, To: []int{0}}}}
	b.ReportAllocs()
	for b.Loop() {
		if err := l.Add(rec.Endings(last, l.Now())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch searches a history of 1,000,000 entries in 90 days.
func BenchmarkSearch(b *testing.B) {
	fs, err := fsys.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer fs.Close()
	const n, gap = 1_000_000, 7776 * time.Millisecond
	now := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	l := &Log{FS: fs, Now: func() time.Time { return now }}
	for i := range n {
		now = now.Add(gap)
		reply := spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Enhanced: "2.0.0", Text: "Ok: queued as 4F1A2B3C4D5E", At: now}
		err := l.Add([]spool.HistoryEntry{{
			ID: spool.NewID(now), QueuedAt: now.Add(-time.Minute), EndedAt: now, Sender: "library@springfield.example.org",
			Recipient: fmt.Sprintf("patron.%06d@mail%d.example.net", i%200_000, i%37), Ref: fmt.Sprintf("patron %d", i%200_000),
			MessageID: fmt.Sprintf("<%d.1A2B3C4D5E6F@desk.springfield.example.org>", i), Attempts: 1, Ending: spool.EndedDelivered,
			Last: spool.Outcome{Class: spool.Delivered, Scope: spool.RecipientScope, Reply: reply},
		}})
		if err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]spool.HistoryQuery{
		"to": {Recipient: "Patron.004711@mail12.example.net"}, "domain": {Recipient: "@mail12.example.net"}, "ref": {Ref: "patron 4711"},
		"ending": {Endings: []spool.Ending{spool.EndedReturned}}, "keys": {Keys: map[string]struct{}{"patron.004711@mail12.example.net": {}}}, "all": {},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Search(b.Context(), q, func(*spool.HistoryEntry) bool { return true }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
