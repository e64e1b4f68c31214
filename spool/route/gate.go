package route

import (
	"context"
	"sync"
)

// gate is the failover gate. A message that just met a server's trouble goes to the next
// server first; the others, which were woken by the same trouble, wait until it has a connection
// there: else a second message would be spent on finding out that no server is left.
type gate struct {
	mu   sync.Mutex
	n    int
	free chan struct{} // closed when the last one has passed; nil: nobody is in the gate
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

// wait waits until nobody is in the gate. waited: somebody was.
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
