package route

import (
	"context"
	"errors"
	"slices"
	"time"
)

// errDown: the server was found to be down, or is being closed, before it was
// asked for this message.
var errDown = errors.New("server is paused")

// goodbyeTime bounds QUIT: what it says is of no interest (SPEC section 5).
const goodbyeTime = 2 * time.Second

// waiter waits for a place. It gets nil when the server went down.
type waiter struct {
	got       chan *place
	reopening bool // holds a slot, see find
}

// take gives a place, waiting for one if need be.
func (s *server) take(ctx context.Context) (*place, error) { return s.line(ctx, false) }

// retake gives another place for a message whose connection had ended before it
// was asked. A sole user keeps the slot and opens anew; else any place will do.
func (s *server) retake(ctx context.Context, p *place) (*place, error) {
	s.mu.Lock()
	m := p.m
	m.flights--
	s.pool.flights--
	sole := m.flights == 0 && !m.departed
	if !sole {
		s.leave(m)
		s.dispatch()
		s.mu.Unlock()
		return s.take(ctx)
	}
	m.departed = true
	if m.line.Usable() { // it is us who end it, see pool.replacing
		s.pool.vacant++
		s.pool.ended++
	}
	s.pool.open = slices.DeleteFunc(s.pool.open, func(o *member) bool { return o == m })
	s.dispatch()
	s.mu.Unlock()
	farewell(m.line)
	return s.line(ctx, true)
}

// line queues for a place, first come first served; one who reopens goes first,
// for nobody else can use that slot.
func (s *server) line(ctx context.Context, reopening bool) (*place, error) {
	s.mu.Lock()
	if s.shut() {
		s.freeSlot(reopening)
		s.mu.Unlock()
		return nil, errDown
	}
	if reopening || len(s.pool.queue) == 0 {
		if p := s.find(reopening); p != nil {
			s.mu.Unlock()
			return p, nil
		}
	}
	w := &waiter{got: make(chan *place, 1), reopening: reopening}
	if reopening {
		s.pool.queue = slices.Insert(s.pool.queue, 0, w)
	} else {
		s.pool.queue = append(s.pool.queue, w)
	}
	s.mu.Unlock()
	return s.wait(ctx, w)
}

func (s *server) wait(ctx context.Context, w *waiter) (*place, error) {
	select {
	case p := <-w.got:
		if p == nil {
			return nil, errDown
		}
		return p, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	i := slices.Index(s.pool.queue, w)
	if i >= 0 {
		s.pool.queue = slices.Delete(s.pool.queue, i, i+1)
		s.freeSlot(w.reopening)
		s.dispatch()
	}
	s.mu.Unlock()
	if i < 0 { // served meanwhile
		if p := <-w.got; p != nil {
			s.giveBack(p)
		}
	}
	return nil, ctx.Err()
}

// shut: nobody gets a place any more.
func (s *server) shut() bool { return s.breaker.down || s.pool.closed }

func (s *server) freeSlot(held bool) {
	if held {
		s.pool.slots--
	}
}

// dispatch serves those who wait, as far as there are places. It is called
// whenever something changed that they may wait for.
func (s *server) dispatch() {
	q := s.pool.queue
	for len(q) > 0 {
		var p *place
		if s.shut() {
			s.freeSlot(q[0].reopening)
		} else if p = s.find(q[0].reopening); p == nil {
			break
		}
		q[0].got <- p
		q[0] = nil
		q = q[1:]
	}
	s.pool.queue = q
}

// giveBack returns a place that was not used.
func (s *server) giveBack(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool.flights--
	if p.m == nil {
		s.pool.opening--
		s.pool.slots--
		if p.replaces {
			s.pool.vacant++
		}
	} else {
		p.m.flights--
		p.m.given--
		s.rest(p.m)
	}
	s.dispatch()
}

// rest is called when a message left a connection: the connection waits for the
// next one, or goes.
func (s *server) rest(m *member) {
	if m.departed || s.shut() || s.full(m) || !m.line.Usable() {
		s.leave(m)
	}
}

// opened turns the place of one who opened a connection into one on it.
func (s *server) opened(p *place, l line) {
	p.m = &member{line: l, flights: 1, given: 1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool.opening--
	s.pool.proofs++
	s.pool.refused = 0
	s.pool.open = append(s.pool.open, p.m)
	s.dispatch()
}

// farewell says QUIT, unless the connection has ended already, and closes it.
func farewell(l line) {
	if l.Usable() {
		late := time.AfterFunc(goodbyeTime, l.Close)
		l.Quit()
		late.Stop()
	}
	l.Close()
}

// goodbye says QUIT behind the messages' back. The slot is free once the
// connection is closed: the server would count it until then.
func (s *server) goodbye(m *member) {
	farewell(m.line)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool.slots--
	s.pool.vacant++
	s.pool.ended++
	s.pool.parting--
	s.dispatch()
	if s.pool.gone != nil && s.pool.parting == 0 {
		close(s.pool.gone)
		s.pool.gone = nil
	}
}

// close sends every idle connection away; a busy one follows with its message.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pool.closed = true
	s.clear()
}

// clear lets idle connections go and tells those who wait that nothing comes.
func (s *server) clear() {
	for _, m := range slices.Clone(s.pool.open) {
		s.leave(m)
	}
	s.dispatch()
}

// await waits for the goodbyes under way; when ctx ends, no longer.
func (s *server) await(ctx context.Context) {
	s.mu.Lock()
	if s.pool.parting == 0 {
		s.mu.Unlock()
		return
	}
	gone := make(chan struct{})
	s.pool.gone = gone
	s.mu.Unlock()
	select {
	case <-gone:
	case <-ctx.Done():
	}
}
