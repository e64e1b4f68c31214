package flush

import (
	"testing"
	"time"

	"notices/spool"
	"notices/spool/schedule"
)

// TestClockUnset: if a message was queued before the clock was set, its age and --expires count
// from the first attempt with a correct clock.
func TestClockUnset(t *testing.T) {
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	p := schedule.Policy{GiveUp: 100 * time.Hour}
	for _, queued := range []time.Time{time.Unix(0, 0), time.Unix(60, 0), time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)} {
		r := spool.NewRecord(spool.Envelope{QueuedAt: queued, ExpiresAt: queued.Add(24 * time.Hour), Recipients: []string{"a@x.example"}})
		if a := AgeOf(p, r, now); !a.QueuedAt.Equal(now) || !a.ExpiresAt.Equal(now.Add(24*time.Hour)) {
			t.Errorf("%v: at first %+v", queued, a)
		}
		r.Apply(spool.Event{Kind: spool.Try, At: queued.Add(time.Minute), N: 1}) // the clock still wrong
		r.Apply(spool.Event{Kind: spool.Try, At: now, N: 2})
		if a := AgeOf(p, r, now.Add(time.Hour)); !a.QueuedAt.Equal(now) || !a.ExpiresAt.Equal(now.Add(24*time.Hour)) {
			t.Errorf("%v: later %+v", queued, a)
		}
	}
}
