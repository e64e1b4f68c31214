package route

import (
	"context"
	"sync"
	"sync/atomic"
)

// scouts are the messages that just met a server's trouble and are on their way to
// the next one. The others, which were woken by the same trouble, let them go
// first: else a second message would be spent on finding out that no server is left.
type scouts struct {
	mu   sync.Mutex
	n    int
	back atomic.Pointer[chan struct{}] // closed when the last one found a place; nil: none is out
}

// out reports whether there is one.
func (c *scouts) out() bool { return c.back.Load() != nil }

func (c *scouts) wait(ctx context.Context) error {
	back := c.back.Load()
	if back == nil {
		return nil
	}
	select {
	case <-*back:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// scout makes the message one.
func (j *job) scout(c *scouts) {
	if j.scouting != nil {
		return
	}
	j.scouting = c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n == 1 {
		back := make(chan struct{})
		c.back.Store(&back)
	}
}

// found ends it: the message has a place at a server, or there is none left.
func (j *job) found() {
	c := j.scouting
	if c == nil {
		return
	}
	j.scouting = nil
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n == 0 {
		close(*c.back.Load())
		c.back.Store(nil)
	}
}
