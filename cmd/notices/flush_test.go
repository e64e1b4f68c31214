package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"notices/cmd/notices/fakesite"
	"notices/spool"
	"notices/spool/route"
)

// TestWaiting: what a flush waits for is said as far as it is known.
func TestWaiting(t *testing.T) {
	w := fakesite.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	servers := make([]route.Server, 2)
	servers[0].Name, servers[1].Name = "1", "2"
	old := spool.Outcome{Reply: spool.Reply{At: w.Now.Add(-time.Minute)}}
	w.SetState(spool.HealthName+"1", spool.Health{DownUntil: w.Now.Add(time.Minute), Troubles: 1, Last: old})
	w.SetState(spool.HealthName+"2", spool.Health{DownUntil: w.Now.Add(-time.Second), Troubles: 1, Last: old})
	told := func(since time.Time, idle time.Duration) string {
		return waiting(ctx, w.Store.State(), servers, since, w.Program.Now)(idle)
	}
	if got := told(time.Time{}, time.Second); got != "server 1 is down" {
		t.Error(got)
	}
	if got := told(w.Now, 5*time.Second); got != "waits 5s for an answer" { // as flush --all, which tried it again
		t.Error(got)
	}
	servers[1].RatePerMinute = 30
	if got := told(w.Now, 5*time.Second); got != "waits 5s (rate_per_minute = 30)" {
		t.Error(got)
	}
	cancel()
	if got := told(w.Now, 0); !strings.HasPrefix(got, "stopping") {
		t.Error(got)
	}
}

// TestSplay: --splay waits for as long as was drawn from it, unless the run is stopped meanwhile.
func TestSplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from int64
		r := &flushing{splay: time.Minute, a: &cli{random: func(n int64) int64 {
			from = n
			return int64(40 * time.Second)
		}}}
		began := time.Now()
		if !r.wait(t.Context()) || from != int64(time.Minute) || time.Since(began) != 40*time.Second {
			t.Errorf("%s of %s", time.Since(began), time.Duration(from))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if began = time.Now(); r.wait(ctx) || time.Since(began) != 10*time.Second {
			t.Errorf("stopped, it waited for %s", time.Since(began))
		}
		if began = time.Now(); !(&flushing{}).wait(t.Context()) || time.Since(began) != 0 {
			t.Errorf("without --splay it waited for %s", time.Since(began))
		}
	})
}
