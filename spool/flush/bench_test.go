package flush

import (
	"context"
	"fmt"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// fastStore has any number of identical messages and costs nothing, so that the benchmark
// measures the engine.
type fastStore struct {
	spool.Store
	ids  []spool.ID
	next time.Time
}

func newFastStore(n int, next time.Time) *fastStore {
	s := &fastStore{Store: maildirtest.New(), next: next}
	for i := range n {
		s.ids = append(s.ids, spool.ID(fmt.Sprintf("%016d", i)))
	}
	return s
}

func (s *fastStore) Scan(_ context.Context, yield func(spool.Entry) bool) error {
	for _, id := range s.ids {
		if !yield(spool.Entry{ID: id, Next: s.next, State: spool.StateQueued}) {
			break
		}
	}
	return nil
}

func (s *fastStore) Claim(_ context.Context, e spool.Entry) (spool.Claim, error) {
	return &fastClaim{rec: spool.NewRecord(spool.Envelope{ID: e.ID, Sender: "a@x", Recipients: recipient, QueuedAt: start})}, nil
}

var recipient = []string{"b@x"}

type fastClaim struct {
	spool.Claim
	rec *spool.Record
}

func (c *fastClaim) Record() *spool.Record                      { return c.rec }
func (c *fastClaim) Body() spool.Body                           { return nil }
func (c *fastClaim) Begin(spool.Event) error                    { return nil }
func (c *fastClaim) Append(spool.Event, spool.Durability) error { return nil }
func (c *fastClaim) Remove(spool.Event, spool.Durability) error { return nil }
func (c *fastClaim) Release() error                             { return nil }

type fastServer struct{ outcomes []spool.Outcome }

func (fastServer) Workers() int { return 40 }

func (fastServer) Group(string, []string) string { return "" }

func (s fastServer) Deliver(_ context.Context, m *spool.Message) (spool.Delivery, error) {
	return spool.Delivery{Outcomes: s.outcomes}, m.Begin()
}

func BenchmarkFlush(b *testing.B) {
	for name, o := range map[string]spool.Outcome{"delivered": delivered, "deferred": greylisted} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			opts := Options{
				Store: newFastStore(b.N, start), Deliverer: fastServer{[]spool.Outcome{o}}, Policy: policy,
				Now: func() time.Time { return start },
			}
			b.ResetTimer()
			if t, err := Run(b.Context(), opts); err != nil || t.Sent+t.Deferred != b.N {
				b.Fatalf("%+v, %v", t, err)
			}
		})
	}
}

// BenchmarkNothingDue: an operation is a run over 100,000 messages.
func BenchmarkNothingDue(b *testing.B) {
	b.ReportAllocs()
	opts := Options{
		Store: newFastStore(100_000, start.Add(time.Hour)), Deliverer: fastServer{}, Policy: policy,
		Now: func() time.Time { return start },
	}
	for b.Loop() {
		if _, err := Run(b.Context(), opts); err != nil {
			b.Fatal(err)
		}
	}
}
