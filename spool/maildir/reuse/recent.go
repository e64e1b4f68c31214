package reuse

import (
	"io"
	"sync"
	"time"

	"notices/spool"
)

// Recent hands messages that were queued just now to those who deliver them in the same process, open
// and locked as they are. Nobody else can claim them meanwhile, so what is not asked for is closed
// after one to two times recentTime.
type Recent[T io.Closer] struct {
	Max int // messages; 0: none are kept

	mu       sync.Mutex
	new, old map[spool.ID]T
	timer    *time.Timer
}

// recentTime is twice what a message has to wait when ten others are sent before it.
const recentTime = time.Second

// Put keeps a message, if there is room for it. It reports whether it does.
func (r *Recent[T]) Put(id spool.ID, message T) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.new)+len(r.old) >= r.Max {
		return false
	}
	if r.new == nil {
		r.new = map[spool.ID]T{}
	}
	r.new[id] = message
	if r.timer == nil {
		r.timer = time.AfterFunc(recentTime, r.age)
	}
	return true
}

// Take gives a message away, if it is there.
func (r *Recent[T]) Take(id spool.ID) (message T, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range []map[spool.ID]T{r.new, r.old} {
		if message, ok = list[id]; ok {
			delete(list, id)
			break
		}
	}
	return message, ok
}

// age closes what is old.
func (r *Recent[T]) age() {
	r.mu.Lock()
	defer r.mu.Unlock()
	closeAll(r.old)
	r.old, r.new = r.new, nil
	if r.timer = nil; len(r.old) > 0 {
		r.timer = time.AfterFunc(recentTime, r.age)
	}
}

// Close closes all, and keeps nothing any more.
func (r *Recent[T]) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Max = 0
	closeAll(r.new)
	closeAll(r.old)
	r.new, r.old = nil, nil
	if r.timer != nil {
		r.timer.Stop()
	}
}

func closeAll[T io.Closer](list map[spool.ID]T) {
	for _, message := range list {
		_ = message.Close() // it was synced before
	}
}
