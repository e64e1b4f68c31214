package rate

import (
	"context"
	"testing"
	"time"

	"notices/spool/maildirtest"
)

// TestUsageOf: what a flush counted is what status is told, until it leaves the window.
func TestUsageOf(t *testing.T) {
	ctx := context.Background()
	state := maildirtest.State()
	began := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	now := began
	s := Server{Name: "1", PerMinute: 2, PerDay: 3}
	r := NewQuota(s, state, func() time.Time { return now })
	look := func(s Server, want ServerUsage) {
		t.Helper()
		got, err := UsageOf(ctx, state, s, now)
		if err != nil || got.Minute != want.Minute || got.Day != want.Day || !got.MinuteFree.Equal(want.MinuteFree) || !got.DayFree.Equal(want.DayFree) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	look(s, ServerUsage{})
	for range 2 {
		if _, err := r.Take(ctx); err != nil {
			t.Fatal(err)
		}
	}
	look(s, ServerUsage{Minute: 2, Day: 2, MinuteFree: began.Add(time.Minute + graceTime)})
	look(Server{Name: "1"}, ServerUsage{})
	now = began.Add(2 * time.Minute)
	if _, err := r.Take(ctx); err != nil {
		t.Fatal(err)
	}
	look(s, ServerUsage{Minute: 1, Day: 3, DayFree: began.Add(2*time.Minute + day + graceTime)}) // one span with the others
	now = began.Add(25 * time.Hour)
	look(s, ServerUsage{})
}
