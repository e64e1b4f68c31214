package route

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"notices/spool/smtpclient"
)

// errDown: the server was found to be down, or the run ended, before the server was asked for this
// message.
var errDown = errors.New("server is paused")

// quitTime bounds QUIT. Its answer does not matter: the messages have their outcomes.
const quitTime = 2 * time.Second

// A server may refuse to have a connection replaced because it has not yet noticed
// that the last one has gone. The pool tries again after retryDelay, and waits twice as long
// each time. After replaceRetries refusals it assumes that the server's limit is lower.
const (
	replaceRetries = 3
	retryDelay     = 100 * time.Millisecond
)

// client is one conversation with a server: *smtpclient.Conn, or a test's.
type client interface {
	Send(context.Context, *smtpclient.Transaction) smtpclient.Result
	Usable() bool
	Notice() string
	Quit()
	Close()
}

// pool is the connections to one server: at most max at once, each with one message at a time.
// Messages wait for one in a queue, first come first served. It does no I/O while it is locked.
type pool struct {
	perConn  int         // transactions on one connection; 0: no limit
	halfOpen func() bool // the server is not known to work yet: one lease at a time

	mu       sync.Mutex
	max      int // connections at once; lowered when the server refuses one more
	closing  bool
	slots    int // connections being dialled, open or draining: never over max
	dialling int
	draining int // saying QUIT
	inUse    int // leases
	idle     []*conn
	queue    []*waiter
	drains   sync.WaitGroup

	successes  int  // grows whenever a connection shows that the server works
	ended      int  // connections that we ended so far
	unreplaced int  // ended connections that are not replaced yet
	refusals   int  // replacements in a row that the server refused
	backingOff bool // the next dial must wait
	lowered    int  // how many times max was lowered because too many were open
	drainFirst bool // max was just lowered: grant no leases until the draining ones are gone
}

// conn is an open connection.
type conn struct {
	client client
	uses   int // transactions ever
}

// lease is the right to one transaction on a connection.
type lease struct {
	conn    *conn // nil: the holder dials it
	lowered int   // pool.lowered when the lease was granted
	// With a connection to dial:
	successes, ended int  // pool.successes and pool.ended when the dialling began
	replaces         bool // it replaces a connection that we ended
}

// waiter waits for a lease. It gets nil when the pool closes.
type waiter struct {
	got   chan *lease
	fresh bool // its last connection had ended: no idle one, which may have ended as well
}

// acquire gives a lease, waiting for one if need be. The error is errDown or ctx's.
func (p *pool) acquire(ctx context.Context) (*lease, error) {
	w := &waiter{got: make(chan *lease, 1)}
	p.mu.Lock()
	p.queue = append(p.queue, w)
	p.dispatch()
	p.mu.Unlock()
	return p.wait(ctx, w)
}

// exchange gives a fresh connection for one that had ended before the server was asked. It goes to
// the front of the queue, for it brings its own slot.
func (p *pool) exchange(ctx context.Context, l *lease) (*lease, error) {
	oursToEnd := l.conn.client.Usable()
	quit(l.conn.client)
	w := &waiter{got: make(chan *lease, 1), fresh: true}
	p.mu.Lock()
	p.inUse--
	p.slots--
	if oursToEnd { // else the server knows that it is gone, see replacing
		p.ended++
		p.unreplaced++
	}
	p.queue = slices.Insert(p.queue, 0, w)
	p.dispatch()
	p.mu.Unlock()
	return p.wait(ctx, w)
}

func (p *pool) wait(ctx context.Context, w *waiter) (*lease, error) {
	var l *lease
	select {
	case l = <-w.got:
	case <-ctx.Done():
		if !p.leaveQueue(w) {
			return nil, ctx.Err()
		}
		l = <-w.got // served meanwhile; the holder sees that ctx has ended
	}
	if l == nil {
		return nil, errDown
	}
	return l, nil
}

// leaveQueue reports whether the waiter was served already.
func (p *pool) leaveQueue(w *waiter) (served bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.queue, w)
	if i >= 0 {
		p.queue = slices.Delete(p.queue, i, i+1)
		p.dispatch()
	}
	return i < 0
}

// find returns a lease on an idle connection or for a new one; nil: none is free. While the only
// connection is still being dialled no other is: if the server is dead, one time-out shows it, not
// one for each message.
func (p *pool) find(fresh bool) *lease {
	if p.drainFirst || p.inUse > 0 && p.halfOpen() {
		return nil
	}
	switch last := len(p.idle) - 1; {
	case last >= 0 && (!fresh || p.slots >= p.max):
		c := p.idle[last]
		p.idle = p.idle[:last]
		p.inUse++
		c.uses++
		return &lease{conn: c, lowered: p.lowered}
	case p.slots < p.max && !p.backingOff && (p.dialling == 0 || p.open() > 0):
		p.slots++
		p.dialling++
		p.inUse++
		l := &lease{lowered: p.lowered, successes: p.successes, ended: p.ended, replaces: p.unreplaced > 0}
		p.unreplaced = max(0, p.unreplaced-1)
		return l
	}
	return nil
}

// open is how many connections are open for messages.
func (p *pool) open() int { return p.slots - p.dialling - p.draining }

// dispatch serves the queue as far as there are leases. It is called after every change that may
// free one.
func (p *pool) dispatch() {
	for len(p.queue) > 0 {
		w := p.queue[0]
		var l *lease
		if !p.closing {
			if l = p.find(w.fresh); l == nil {
				return
			}
		}
		p.queue[0] = nil
		p.queue = p.queue[1:]
		w.got <- l
	}
}

// opened puts the connection that was dialled for the lease into it.
func (p *pool) opened(l *lease, c client) {
	l.conn = &conn{client: c, uses: 1}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dialling--
	p.successes++
	p.refusals = 0
	p.dispatch()
}

// refused notes that the server did not accept the connection that was dialled. It reports whether the
// server only refused one more beside working ones, or (shutdown: it said 421) replacements of all
// of them at once. If so, the lease ends, and the pool waits or opens fewer connections.
// If not, the caller keeps the lease, so that no other message dials before the server is known
// to be down.
func (p *pool) refused(l *lease, shutdown bool) (oneMore bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	working := p.successes > l.successes || p.inUse > p.dialling && !p.closing
	if !working && !(shutdown && p.replacing(l)) {
		return false
	}
	p.endDial(l)
	switch {
	case p.backingOff: // it was dialled before that was known
	case p.replacing(l):
		p.backingOff = true
		p.after(retryDelay<<p.refusals, func() { p.backingOff = false })
		p.refusals++
	default:
		p.max = max(1, min(p.max, p.slots))
		p.unreplaced, p.refusals = 0, 0
	}
	p.dispatch()
	return true
}

// replacing reports whether the server may have refused l only because it has not
// noticed that another connection ended.
func (p *pool) replacing(l *lease) bool {
	return p.backingOff || p.refusals < replaceRetries && (l.replaces || p.ended > l.ended)
}

// after changes the pool a moment later.
func (p *pool) after(delay time.Duration, change func()) {
	time.AfterFunc(delay, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		change()
		p.dispatch()
	})
}

// tooManyOpen ends a lease on which the server said that too many connections are open, and its
// connection. The server may say so on all of them: the others stay until it is known whether one
// less helps. It returns false, and the caller keeps the lease, if this is the only connection.
func (p *pool) tooManyOpen(l *lease) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := l.lowered < p.lowered
	if p.closing || !known && p.slots < 2 {
		return false
	}
	p.inUse--
	if known || p.open() < 2 {
		p.keep(l.conn)
	} else {
		p.drain(l.conn)
	}
	if !known {
		p.max = max(1, min(p.max, p.slots-1))
		p.lowered++
		p.drainFirst = true
		p.drained()
	}
	p.dispatch()
	return true
}

// drained lets messages go on a moment after the last draining connection is gone.
func (p *pool) drained() {
	if p.drainFirst && p.draining == 0 {
		p.after(retryDelay, func() { p.drainFirst = false })
	}
}

// endDial ends a lease whose connection was not opened.
func (p *pool) endDial(l *lease) {
	p.inUse--
	p.dialling--
	p.slots--
	if l.replaces {
		p.unreplaced++
	}
}

// giveBack ends a lease that was not used.
func (p *pool) giveBack(l *lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.conn == nil {
		p.endDial(l)
	} else {
		l.conn.uses--
		p.inUse--
		p.keep(l.conn)
	}
	p.dispatch()
}

// release ends a lease after its transaction. works: the server answered as it should.
func (p *pool) release(l *lease, works bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if works {
		p.successes++
	}
	p.inUse--
	p.keep(l.conn)
	p.dispatch()
}

// keep keeps a connection for the next message, unless it carried enough or has ended.
func (p *pool) keep(c *conn) {
	if p.closing || p.perConn > 0 && c.uses >= p.perConn || !c.client.Usable() {
		p.drain(c)
		return
	}
	p.idle = append(p.idle, c)
}

// drain says QUIT in the background. The slot is free once the connection is
// closed: the server counts it until then.
func (p *pool) drain(c *conn) {
	p.draining++
	p.drains.Go(func() {
		quit(c.client)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.slots--
		p.draining--
		p.ended++
		p.unreplaced++
		p.drained()
		p.dispatch()
	})
}

// quit says QUIT, unless the connection has ended already, and closes it.
func quit(c client) {
	if c.Usable() {
		late := time.AfterFunc(quitTime, c.Close)
		c.Quit()
		late.Stop()
	}
	c.Close()
}

// close ends every idle connection and the waiting. A connection in use ends after its message.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for _, c := range p.idle {
		p.drain(c)
	}
	p.idle = nil
	p.dispatch()
}

// awaitDrained waits for the QUITs under way; when ctx ends, no longer. No message may be under way.
func (p *pool) awaitDrained(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		p.drains.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
