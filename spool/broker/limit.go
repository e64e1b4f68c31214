package broker

import (
	"context"
	"sync/atomic"
	"time"
)

// PerMinute is how many requests a site may make in any minute, at all hosts together.
const PerMinute = 60

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
