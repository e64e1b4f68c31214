package rate

import (
	"testing"
	"time"
)

func TestLedgerSurvivesClock(t *testing.T) {
	var l ledger
	now, b := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), budget{perMinute: 5, long: day, grace: graceTime}
	if n, _, _ := l.reserve(now, 5, b); n != 5 {
		t.Fatal(n)
	}
	if n, _, _ := l.reserve(now.Add(-24*time.Hour), 5, b); n != 5 {
		t.Error("a clock set back by a day stops the mail for a day")
	}
}

// A minute's limit waits, a day's is told at once, and the longer one wins.
func TestReserve(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	var l ledger
	b := budget{perMinute: 3, perLong: 4, long: day}
	for i, want := range []struct {
		granted int
		until   time.Duration
		long    bool
	}{{2, 0, false}, {1, 0, false}, {0, time.Minute, false}} {
		granted, until, long := l.reserve(now, 2, b)
		if granted != want.granted || long != want.long || !until.IsZero() && until.Sub(now) != want.until || until.IsZero() != (want.until == 0) {
			t.Errorf("%d: %d until %v, long %v", i, granted, until, long)
		}
	}
	if granted, until, long := l.reserve(now.Add(time.Minute), 2, b); granted != 1 || !until.IsZero() || long {
		t.Errorf("a minute later: %d until %v, long %v", granted, until, long)
	}
	// All are kept as one span, which leaves with its last.
	if granted, until, long := l.reserve(now.Add(2*time.Minute), 1, b); granted != 0 || !until.Equal(now.Add(day+time.Minute)) || !long {
		t.Errorf("the day's: %d until %v, long %v", granted, until, long)
	}
	l.giveBack(now)
	if granted, _, _ := l.reserve(now.Add(2*time.Minute), 1, b); granted != 1 {
		t.Error("what was given back is still counted")
	}
}
