package smtpclient

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"notices/spool/smtpreply"
)

// wire is what a conversation is spoken over. Each step has its own deadline.
type wire struct {
	timeout   time.Duration
	raw       net.Conn // below TLS: deadlines are set here
	nc        net.Conn // what is spoken over
	br        *bufio.Reader
	deadlines *deadlines // of the Open or Send under way
	text      []byte     // the last reply
}

func (w *wire) use(nc net.Conn) {
	w.nc = nc
	w.br = bufio.NewReaderSize(nc, smtpreply.MaxLine)
}

// errSpokeFirst: no reply may come before the command that it is for.
var errSpokeFirst = smtpreply.ProtocolError{Text: "the server spoke before it was asked"}

// command sends a line and reads the reply, one after the other.
func (w *wire) command(line string) (code int, text []byte, err error) {
	if w.br.Buffered() > 0 {
		return 0, nil, errSpokeFirst
	}
	if err := w.write([]byte(line + "\r\n")); err != nil {
		return 0, nil, err
	}
	return w.read(w.timeout)
}

func (w *wire) write(b []byte) error {
	w.deadlines.set(w.raw.SetWriteDeadline, w.timeout)
	_, err := w.nc.Write(b)
	return w.deadlines.explain(err)
}

// read reads a reply into a buffer that the next read overwrites.
func (w *wire) read(wait time.Duration) (code int, text []byte, err error) {
	if !smtpreply.Buffered(w.br) {
		w.deadlines.set(w.raw.SetReadDeadline, wait)
	}
	code, w.text, err = smtpreply.Read(w.br, w.text[:0])
	return code, w.text, w.deadlines.explain(err)
}

// begin starts an Open or a Send: until stop is called, the end of ctx interrupts it.
func (w *wire) begin(ctx context.Context) (stop func()) {
	d := &deadlines{conn: w.raw}
	w.deadlines = d
	if ctx.Done() == nil {
		return func() {}
	}
	cancel := context.AfterFunc(ctx, d.interrupt)
	return func() {
		cancel()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.over = true
	}
}

// answerGrace is how long the answer to a final dot is still waited for when the context
// has ended: giving up then would leave a message that may have been delivered.
const answerGrace = 30 * time.Second

// deadlines are those of one Open or Send. They move up when its context ends. The
// context's own deadline is never passed on: a step has the time it needs or none. A
// deadline is set once for a whole reply, so that a peer that drips a byte a second
// cannot keep a step alive.
type deadlines struct {
	conn net.Conn // below TLS

	mu          sync.Mutex
	dotSent     bool // from now on only the answer matters
	interrupted bool // the context has ended
	over        bool // the Open or Send has: the deadlines are now those of the next one
}

// past is a deadline that ends what is under way.
var past = time.Unix(1, 0)

func (d *deadlines) interrupt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch d.interrupted = true; {
	case d.over:
	case d.dotSent:
		d.conn.SetReadDeadline(time.Now().Add(answerGrace))
	default:
		d.conn.SetDeadline(past)
	}
}

// set sets a deadline of the connection for the next step: wait from now.
func (d *deadlines) set(deadline func(time.Time) error, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	until := time.Now().Add(wait)
	switch {
	case d.interrupted && !d.dotSent:
		until = past
	case d.interrupted:
		until = time.Now().Add(min(wait, answerGrace))
	}
	_ = deadline(until) // it fails on a closed connection only, as the step itself then does
}

func (d *deadlines) passDot() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dotSent = true
}

var errInterrupted = errors.New("interrupted")

// explain tells the end of the context from a peer that was silent.
func (d *deadlines) explain(err error) error {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.interrupted {
		return errInterrupted
	}
	return err
}
