package smtpclient

import (
	"sync/atomic"
	"time"

	"notices/spool/smtpreply"
)

// Conn is a conversation with a server that is ready for transactions. It is for one
// goroutine at a time; only Close may come from another one.
type Conn struct {
	server      Server
	judge       judge
	wire        wire
	dataTimeout time.Duration

	secret string
	notice string
	offers offers

	rung       rung
	alone      bool // no address before this one was reached, and a step down is allowed
	oldCiphers bool // TLS failed without them

	others  []string // all addresses of the server
	tried   []string // those that were dialled
	address string   // the one that answered

	flight   []byte // commands being put together
	used     bool   // it carried a transaction
	halfOpen bool   // a transaction was left without DATA: RSET first
	broken   atomic.Bool
}

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
	c.wire.raw.SetDeadline(time.Now().Add(min(quitWait, c.wire.timeout)))
	if _, err := c.wire.nc.Write([]byte("QUIT\r\n")); err != nil {
		return
	}
	code, text, err := smtpreply.Read(c.wire.br, nil)
	if err == nil {
		c.judge.said(smtpreply.StageQuit, code, text)
		c.wire.nc.Close() // with TLS's farewell, now that it is known to be read
	}
}

// Close drops the connection. A Send that is under way ends.
func (c *Conn) Close() {
	c.broken.Store(true)
	c.wire.raw.Close() // not nc: TLS's farewell would wait on a peer that does not read
}
