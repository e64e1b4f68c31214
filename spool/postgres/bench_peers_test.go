//go:build peers

package postgres_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maildir"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
	"notices/spool/schedule"
)

// sink takes every message at once, as an instant server would.
type sink struct{}

func (sink) Workers() int { return 20 }

func (sink) Group(string, []string) string { return "" }

func (sink) Deliver(_ context.Context, m *spool.Message) (spool.Delivery, error) {
	if err := m.Begin(); err != nil {
		return spool.Delivery{}, err
	}
	_, err := io.Copy(io.Discard, io.NewSectionReader(m.Body, 0, m.Size))
	return spool.Delivery{Outcomes: []spool.Outcome{{Class: spool.Delivered, Reply: spool.Reply{Server: "1", Code: 250, Text: "ok"}}}}, err
}

// fill queues n notices of 4 KiB, as an import does.
func fill(tb testing.TB, s spool.Store, n int) {
	tb.Helper()
	text := []byte(fmt.Sprintf("Subject: overdue\r\n\r\n%04096d\r\n", 1))
	for done := 0; done < n; {
		var drafts []spool.Draft
		for ; len(drafts) < 200 && done < n; done++ {
			id := spool.NewID(time.Now())
			d, err := s.New(tb.Context(), id)
			if err == nil {
				_, err = d.Write(text)
			}
			if err == nil {
				err = d.Seal(spool.Envelope{ID: id, Sender: "library@example.org", Recipients: []string{fmt.Sprintf("patron%d@example.net", done)}, QueuedAt: at(100)})
			}
			if err != nil {
				tb.Fatal(err)
			}
			drafts = append(drafts, d)
		}
		if _, err := s.Commit(tb.Context(), drafts...); err != nil {
			tb.Fatal(err)
		}
	}
}

func flushAll(tb testing.TB, s spool.Store, n int) {
	tb.Helper()
	tally, err := flush.Run(tb.Context(), flush.Options{Store: s, Deliverer: sink{}, Policy: schedule.Policy{GiveUp: 1e6 * time.Hour}})
	if err != nil || tally.Sent != n {
		tb.Fatalf("%+v, %v", tally, err)
	}
}

// BenchmarkFlush delivers 5000 messages with 20 workers, from a folder and from the database.
func BenchmarkFlush(b *testing.B) {
	for name, open := range map[string]func() spool.Store{
		"folder": func() spool.Store {
			s, err := maildir.Open(b.TempDir()+"/spool", maildir.Options{})
			if err != nil {
				b.Fatal(err)
			}
			return s
		},
		"database": func() spool.Store {
			name, err := server.NewDatabase()
			if err != nil {
				b.Fatal(err)
			}
			s, err := postgres.Open(b.Context(), postgres.Options{URL: server.URL(name)})
			if err != nil {
				b.Fatal(err)
			}
			return s
		},
	} {
		b.Run(name, func(b *testing.B) {
			const n = 5000
			for b.Loop() {
				b.StopTimer()
				s := open()
				fill(b, s, n)
				b.StartTimer()
				flushAll(b, s, n)
				b.StopTimer()
				s.Close()
				b.StartTimer()
			}
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// TestStatements: a message that is delivered takes at most three statements: claim, begin, remove.
func TestStatements(t *testing.T) {
	name := newDatabase(t)
	p := startProxy(t)
	s, err := postgres.Open(t.Context(), postgres.Options{URL: p.URL(name)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 200
	fill(t, s, n)
	p.Plan(cluster.Cut{})
	flushAll(t, s, n)
	// Besides: the session, the listing, the trial, the state of the last runs, and so on.
	if got := p.Executed(); got > 3*n+30 {
		t.Errorf("%d statements for %d messages", got, n)
	}
	t.Logf("%d statements in %d transactions for %d messages", p.Executed(), p.Count(), n)
	if s.Watched() == 0 {
		t.Error("if the host is cut off in the middle of a batch, its locks stay")
	}
}
