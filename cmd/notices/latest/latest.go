// Package latest does slow work once for all who ask for its result at the same time, and gives
// the result again for a while.
package latest

import (
	"sync"
	"time"
)

// Result is that of work which is done when somebody asks for it. Its exported fields are set
// before the first Get.
type Result[T any] struct {
	Work  func() T      // never runs twice at the same time
	Fresh time.Duration // how long a result is given again
	Now   func() time.Time

	mu   sync.Mutex
	last *run[T]
}

// run is the work, under way or done.
type run[T any] struct {
	done  chan struct{} // closed when it is done
	at    time.Time     // when that was
	value T
}

// Get returns the last result if it is fresh, else that of the work which is under way or begins
// now. It waits for it no longer than limit; ok reports whether that was enough. The work goes on
// for whoever asks next.
func (r *Result[T]) Get(limit time.Duration) (value T, ok bool) {
	late := time.NewTimer(limit)
	defer late.Stop()
	run := r.current()
	select {
	case <-run.done:
		return run.value, true
	case <-late.C:
		return value, false
	}
}

func (r *Result[T]) current() *run[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil {
		select {
		case <-r.last.done:
			if r.Now().Sub(r.last.at) < r.Fresh {
				return r.last
			}
		default:
			return r.last
		}
	}
	run := &run[T]{done: make(chan struct{})}
	r.last = run
	go func() {
		run.value = r.Work()
		run.at = r.Now()
		close(run.done)
	}()
	return run
}
