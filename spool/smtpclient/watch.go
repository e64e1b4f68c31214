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

// watch arms the deadlines of an Open or a Send, and pulls them in when its context ends.
// The context's own deadline is never passed on: a step has the time it needs or none. A
// deadline is set once for a whole reply, so that a peer that drips a byte a second
// cannot keep a step alive.
type watch struct {
	conn net.Conn // below TLS

	mu      sync.Mutex
	dotSent bool
	ended   bool // the context has
	stopped bool // the Open or Send is over: the next one's deadlines are not this watch's
}

// start lets ctx end the watch until the caller calls stop.
func (w *watch) start(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	cancel := context.AfterFunc(ctx, w.end)
	return func() {
		cancel()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stopped = true
	}
}

var past = time.Unix(1, 0)

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.ended = true; {
	case w.stopped:
	case w.dotSent:
		w.conn.SetReadDeadline(time.Now().Add(grace))
	default:
		w.conn.SetDeadline(past)
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
