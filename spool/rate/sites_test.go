package rate

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// takes takes n transactions, and wants all but the last to be granted.
func takes(t *testing.T, s *Sites, n int, what string) *Exhausted {
	t.Helper()
	for i := range n {
		_, _, err := s.Take(t.Context(), "library")
		if (err != nil) != (i == n-1) {
			t.Fatalf("%d of %d: %v", i+1, n, err)
		}
		var used *Exhausted
		if errors.As(err, &used) && used.What == what {
			return used
		}
	}
	t.Fatalf("it is not %s that is used up", what)
	return nil
}

// TestSites: two hosts count together, each site for itself, and say once that a quota is used up.
func TestSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := maildirtest.State()
		hosts := [2]*Sites{NewSites("broker", 60, 0, state, time.Now), NewSites("broker", 60, 0, state, time.Now)}
		for i := range 60 {
			if _, _, err := hosts[i%2].Take(t.Context(), "library"); err != nil {
				t.Fatalf("%d: %v", i+1, err)
			}
		}
		for i, h := range hosts {
			var used *Exhausted
			if _, first, err := h.Take(t.Context(), "library"); !errors.As(err, &used) || !first || time.Until(used.Until) < 59*time.Second {
				t.Errorf("host %d: %v, %v", i, first, err)
			}
			if _, first, err := h.Take(t.Context(), "library"); !errors.As(err, &used) || first {
				t.Errorf("host %d, once more: %v, %v", i, first, err)
			}
			if _, _, err := h.Take(t.Context(), "school"); err != nil {
				t.Errorf("another site: %v", err)
			}
		}
		time.Sleep(61 * time.Second)
		if _, _, err := hosts[0].Take(t.Context(), "library"); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

// TestSitesChange: other rates hold at once. What was counted stays counted, and what was reserved under
// the rates before is given back.
func TestSitesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := maildirtest.State()
		s := NewSites("site", 6000, 0, state, time.Now)
		for range 3 {
			if _, _, err := s.Take(t.Context(), "library"); err != nil {
				t.Fatal(err)
			}
		}
		s.Change(10, 0)
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		takes(t, s, 8, "messages_per_minute")
		s.Change(10, 0) // no change
		takes(t, s, 1, "messages_per_minute")
		s.Change(12, 0)
		takes(t, s, 3, "messages_per_minute")
		s.Change(0, 2)
		takes(t, s, 3, "messages_per_day")
		s.Change(0, 0)
		for range 100 {
			if _, _, err := s.Take(t.Context(), "library"); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(s.Close(t.Context()), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if n := counted(t, state, spool.RateName+"site-library"); n != 12 {
			t.Errorf("%d are counted in the minute, and 12 were taken under its limit", n)
		}
	})
}
