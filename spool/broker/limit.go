package broker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// perMinute is how many requests a site may make in any minute.
const perMinute = 60

// rates are the last requests of each site. A host counts for itself: the limit guards the
// provider's patience with the client, which a few hosts do not exhaust.
type rates struct {
	mu    sync.Mutex
	sites map[string]*requests
	swept time.Time
}

// requests are those of one site in the last minute.
type requests struct {
	times []time.Time
	over  bool // the last one was refused
}

// take counts a request, or returns how long the site has to wait. again says that the one before
// was refused too.
func (r *rates) take(site string, now time.Time) (wait time.Duration, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sites == nil {
		r.sites = map[string]*requests{}
	}
	if since := now.Sub(r.swept); since < 0 || since > time.Minute {
		r.swept = now
		for name, q := range r.sites {
			if q.times = recent(q.times, now); len(q.times) == 0 {
				delete(r.sites, name)
			}
		}
	}
	q := r.sites[site]
	if q == nil {
		q = new(requests)
		r.sites[site] = q
	}
	if q.times = recent(q.times, now); len(q.times) >= perMinute {
		again, q.over = q.over, true
		return q.times[0].Add(time.Minute).Sub(now), again
	}
	q.times, q.over = append(q.times, now), false
	return 0, false
}

// recent are the times of the last minute. One in the future is from before the clock was set.
func recent(times []time.Time, now time.Time) []time.Time {
	kept := times[:0]
	for _, t := range times {
		if since := now.Sub(t); since >= 0 && since < time.Minute {
			kept = append(kept, t)
		}
	}
	return kept
}

// delayed counts the requests with a wrong key that wait.
type delayed struct{ n atomic.Int32 }

// wait slows whoever tries keys. It reports false if too many wait already.
func (d *delayed) wait(ctx context.Context) bool {
	defer d.n.Add(-1)
	if d.n.Add(1) > maxDelayed {
		return false
	}
	timer := time.NewTimer(wrongDelay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return true
}
