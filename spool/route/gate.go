package route

import (
	"context"
	"sync"
)

// gate is the failover gate. A message that just met a server's trouble goes to the next server
// first. The others, which the same trouble affects, wait until it has a connection there.
// Otherwise a second message would use up an attempt only to learn that no server is left.
type gate struct {
	mu   sync.Mutex
	n    int
	free chan struct{} // closed when the last message has left; nil: no message is in the gate
}

func (g *gate) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n++; g.n == 1 {
		g.free = make(chan struct{})
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 {
		close(g.free)
		g.free = nil
	}
}

// wait waits until no message is in the gate. waited: one was.
func (g *gate) wait(ctx context.Context) (waited bool, err error) {
	g.mu.Lock()
	free := g.free
	g.mu.Unlock()
	if free == nil {
		return false, nil
	}
	select {
	case <-free:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}
