package smtpclient

import (
	"bufio"
	"context"
	"net"
	"sync/atomic"
	"time"
)

// Conn is a conversation with a server that is ready for transactions. Send may
// be called by two goroutines at once; the rest by the one that owns it.
type Conn struct {
	server               Server
	timeout, dataTimeout time.Duration
	now                  func() time.Time

	secret  string
	secrets secrets // what is masked
	notice  string
	offers  offers

	rung       rung
	alone      bool // no address before this one was reached, and a step down is allowed
	oldCiphers bool // TLS failed without them

	others  []string // all addresses of the server
	tried   []string // those that were dialled
	address string   // the one that answered

	raw   net.Conn // below TLS: deadlines are set here
	nc    net.Conn // what is spoken over
	br    *bufio.Reader
	watch *watch // of Open

	// Two tickets, each a channel of one place: who has put a value in has it. One writes
	// from its MAIL to its final dot; one reads from its first reply to its last. They are
	// taken in that order, so answers come to whoever asked.
	writing, reading chan struct{}

	flight   []byte // commands being put together; with the writing ticket
	dovecot  bool   // by its greeting
	halfOpen bool   // a transaction was left without DATA: RSET first; with the writing ticket
	text     []byte // the last reply; with the reading ticket

	sent   atomic.Int32
	behind atomic.Bool // a flight was written behind another's final dot
	broken atomic.Bool
}

// Pipelines reports whether a second message may go behind the first one's final dot:
// the server offers PIPELINING (RFC 2920) and is none that is known not to stand that.
// Dovecot's submission service (2.3.19) aborts when a RCPT waits while it answers the dot,
// after it has relayed the message: what was sent would be sent twice.
func (c *Conn) Pipelines() bool { return c.offers.pipelining && !c.dovecot }

// Sent is how many transactions were begun so far.
func (c *Conn) Sent() int { return int(c.sent.Load()) }

// Usable reports whether another Send can succeed as far as is known.
func (c *Conn) Usable() bool { return !c.broken.Load() }

// Notice is the step down of the TLS ladder in words for status; empty: verified TLS.
func (c *Conn) Notice() string { return c.notice }

// quitWait is how long the answer to QUIT is waited for, out of courtesy: a close
// before it looks like a lost connection in the server's log.
const quitWait = 2 * time.Second

// Quit says QUIT, waits a moment for the answer, and closes. What the server says
// changes nothing.
func (c *Conn) Quit() {
	defer c.Close()
	if c.broken.Swap(true) {
		return
	}
	c.raw.SetDeadline(time.Now().Add(min(quitWait, c.timeout)))
	if _, err := c.nc.Write([]byte("QUIT\r\n")); err != nil {
		return
	}
	code, text, err := readReply(c.br, nil)
	if err == nil {
		c.observe(Step{Stage: StageQuit, Detail: c.reply(code, "", text).String()})
		c.nc.Close() // with TLS's farewell, now that it is known to be read
	}
}

// Close drops the connection. A Send that is under way ends.
func (c *Conn) Close() {
	c.broken.Store(true)
	c.raw.Close() // not nc: TLS's farewell would wait on a peer that does not read
}

// take takes a ticket; false when ctx ended first.
func take(ctx context.Context, ticket chan struct{}) bool {
	select {
	case ticket <- struct{}{}:
		return true
	default:
	}
	select {
	case ticket <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}
