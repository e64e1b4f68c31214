package mailbox

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"notices/spool/printable"
	"notices/spool/smtpreply"
)

// Steps that errors are told apart by.
const (
	stepTLS   = "TLS"
	stepLogin = "login"
	stepMove  = "moving messages to "
	stepMake  = "creating the folder "
)

// Octets that the server may send in a step.
const (
	answerOctets = 1 << 20             // of any command
	fetchOctets  = MaxMessage + 64<<10 // of one message
	lineOctets   = 8 << 10             // before TLS
)

// session is a conversation with the server.
type session struct {
	server *Server
	judge  smtpreply.Judge // masks the secret in what the server says
	conn   *boundedConn
	client *imapclient.Client
	timeUp atomic.Bool
	step   string // what is under way, for a person
	// greetedPlainly: the server said something before TLS.
	greetedPlainly bool
	timer          *time.Timer
}

// boundedConn limits what can be read. The library's deadlines do not count: it has none
// while it waits for an answer. Steps have their own.
type boundedConn struct {
	net.Conn
	raw     net.Conn // below TLS
	first   []byte   // what is read first: a greeting of our own
	left    atomic.Int64
	flooded atomic.Bool
	nesting nesting
	ended   atomic.Pointer[error] // the first error of a read, which the library passes on as text alone
}

var errFlood = errors.New("it sends more than was asked for")

func (c *boundedConn) Read(p []byte) (int, error) {
	if n := copy(p, c.first); n > 0 {
		c.first = c.first[n:]
		return n, nil
	}
	left := c.left.Load()
	if left <= 0 || c.flooded.Load() {
		c.flooded.Store(true)
		return 0, errFlood
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.left.Add(-int64(n))
	if c.nesting.tooDeep(p[:n]) {
		c.flooded.Store(true)
		return 0, errFlood
	}
	if err != nil {
		c.ended.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Close does not wait for the other side, as TLS does.
func (c *boundedConn) Close() error                     { return c.raw.Close() }
func (c *boundedConn) SetDeadline(time.Time) error      { return nil }
func (c *boundedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *boundedConn) SetWriteDeadline(time.Time) error { return nil }

// grace is how long a step may go on after its connection was closed: the library may be busy
// with what it has read. "CAPABILITY (" keeps it busy for ever (v2.0.0-beta.8).
const grace = 10 * time.Second

// do runs one step: it ends when it takes too long, when the server sends too much, and with
// ctx. name says what is being done: "opening the folder INBOX".
func (s *session) do(ctx context.Context, name string, octets int64, work func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.step = name
	s.conn.left.Store(octets)
	abandoned := make(chan struct{})
	s.timer = time.AfterFunc(s.server.Timeout, func() {
		s.timeUp.Store(true)
		s.conn.Close()
		time.AfterFunc(min(grace, s.server.Timeout), func() { close(abandoned) })
	})
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		s.timer.Stop()
		stop()
		return s.explain(ctx, err)
	case <-abandoned:
		return s.explain(ctx, context.DeadlineExceeded)
	}
}

// goOn begins the time and the octets of a step anew, between two messages of a fetch.
func (s *session) goOn(octets int64) {
	if s.timer.Stop() {
		s.timer.Reset(s.server.Timeout)
	}
	s.conn.left.Store(octets)
}

// explain makes an *Error of what ended a step.
func (s *session) explain(ctx context.Context, err error) error {
	var said *imap.Error
	var known *Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &known):
		return err
	case s.timeUp.Load() && s.step == stepTLS && !s.server.Implicit && !s.greetedPlainly:
		return s.fail(NoTLS, "no greeting within "+s.server.Timeout.String()+": on this port STARTTLS is used; if the server expects TLS at once, its port is usually 993", err)
	case s.timeUp.Load():
		return s.fail(TimeUp, s.step+": no answer within "+s.server.Timeout.String(), err)
	case s.conn.flooded.Load():
		return s.fail(Broken, s.step+": the server sends more than was asked for", err)
	case errors.As(err, &said):
		return s.fail(Refused, s.step+": "+s.said(said.Text, string(said.Code)), err)
	}
	if ended := s.conn.ended.Load(); ended != nil {
		return s.fail(Lost, s.step+": "+s.judge.Loss(*ended), err)
	}
	return s.fail(Broken, s.step+": the server speaks no proper IMAP: "+s.said(printable.Short(err.Error(), 200), ""), err)
}

// said is a text of the server, fit to be shown.
func (s *session) said(text, code string) string {
	if text = s.judge.Reply(1, "", []byte(text)).Text; text == "" {
		text = "refused"
	}
	if code != "" {
		text += " [" + s.judge.Reply(1, "", []byte(code)).Text + "]"
	}
	return text
}

func (s *session) fail(reason Reason, text string, err error) *Error {
	return &Error{Reason: reason, Text: text, Err: err, server: s.server, step: s.step}
}

// lost reports whether the connection is gone.
func (s *session) lost() bool {
	select {
	case <-s.client.Closed():
		return true
	default:
		return s.timeUp.Load() || s.conn.flooded.Load()
	}
}

// close says goodbye, if that is still of any use.
func (s *session) close(ctx context.Context) {
	if !s.lost() && ctx.Err() == nil {
		_ = s.do(ctx, "goodbye", answerOctets, s.client.Logout().Wait)
	}
	s.drop()
}

// drop ends the connection. The library waits for its own end, which may not come if it was
// busy when the time was up.
func (s *session) drop() {
	s.conn.Close()
	if !s.timeUp.Load() {
		s.client.Close()
	}
}
