package smtpclient

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// grace is how long the answer to a final dot is still waited for when the context
// has ended: giving up then would leave a message that may have been delivered.
const grace = 30 * time.Second

// watch arms the deadlines of what one goroutine reads and writes, and pulls them in
// when its context ends. The context's own deadline is never passed on: a step has
// the time it needs or none. A deadline is set once for a whole reply, so that a peer
// that drips a byte a second cannot keep a step alive.
type watch struct {
	conn net.Conn // below TLS

	mu sync.Mutex
	// The directions that are this goroutine's to use, so that its end does not cut
	// off another one that waits for its own answer.
	reads, writes bool
	dotSent       bool
	ended         bool
}

// start lets ctx end the watch; the caller calls stop.
func (w *watch) start(ctx context.Context) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, w.end)
}

var past = time.Unix(1, 0)

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	if w.reads && w.dotSent {
		w.conn.SetReadDeadline(time.Now().Add(grace))
	} else if w.reads {
		w.conn.SetReadDeadline(past)
	}
	if w.writes {
		w.conn.SetWriteDeadline(past)
	}
}

// armRead gives the next reply, as a whole, until d from now.
func (w *watch) armRead(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended && w.dotSent {
		d = min(d, grace)
	}
	w.conn.SetReadDeadline(w.deadline(d))
}

// armWrite gives the next write until d from now.
func (w *watch) armWrite(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn.SetWriteDeadline(w.deadline(d))
}

func (w *watch) deadline(d time.Duration) time.Time {
	if w.ended && !w.dotSent {
		return past
	}
	return time.Now().Add(d)
}

// passDot says that from now on only the answer matters.
func (w *watch) passDot() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dotSent = true
}

var errInterrupted = errors.New("interrupted")

// explain tells the end of the context from a peer that was silent.
func (w *watch) explain(err error) error {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return errInterrupted
	}
	return err
}

// hold and drop say which direction is this goroutine's.
func (w *watch) hold(direction *bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*direction = true
}

func (w *watch) drop(direction *bool) (held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	held, *direction = *direction, false
	return held
}
