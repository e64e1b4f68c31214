package route

import (
	"context"
	"testing"
	"time"

	"notices/spool/maildirtest"
	"notices/spool/smtpclient"
)

// TestUsedRates: what a flush counted is what status is told, until it leaves the window.
func TestUsedRates(t *testing.T) {
	ctx := context.Background()
	state := maildirtest.State()
	began := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	now := began
	s := Server{Server: smtpclient.Server{Name: "1"}, RatePerMinute: 2, RatePerDay: 3}
	r := newServerQuota(s, state, func() time.Time { return now })
	look := func(s Server, want RateUsage) {
		t.Helper()
		got, err := UsedRates(ctx, state, s, now)
		if err != nil || got.Minute != want.Minute || got.Day != want.Day || !got.MinuteFree.Equal(want.MinuteFree) || !got.DayFree.Equal(want.DayFree) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	look(s, RateUsage{})
	for range 2 {
		if _, err := r.take(ctx); err != nil {
			t.Fatal(err)
		}
	}
	look(s, RateUsage{Minute: 2, Day: 2, MinuteFree: began.Add(time.Minute + graceTime)})
	look(Server{Server: s.Server}, RateUsage{})
	now = began.Add(2 * time.Minute)
	if _, err := r.take(ctx); err != nil {
		t.Fatal(err)
	}
	look(s, RateUsage{Minute: 1, Day: 3, DayFree: began.Add(2*time.Minute + day + graceTime)}) // one span with the others
	now = began.Add(25 * time.Hour)
	look(s, RateUsage{})
}
