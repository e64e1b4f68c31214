package smtpclient

import (
	"cmp"
	"sync/atomic"
	"time"

	"notices/spool/smtpreply"
)

// Default time-outs: what RFC 5321 4.5.3.2 asks for the answer to the final dot, and
// less than it asks for the rest, since a flush has other servers and messages.
const (
	defaultTimeout     = 60 * time.Second
	defaultDataTimeout = 10 * time.Minute
)

// Conn is a conversation with a server that is ready for transactions. It is for one
// goroutine at a time; only Close may come from another one.
type Conn struct {
	server      Server
	judge       judge
	wire        wire
	dataTimeout time.Duration

	secret       string
	notice       string
	capabilities capabilities

	level      tlsLevel
	oldCiphers bool // TLS failed without them

	allAddresses []string // of the server
	tried        []string // the addresses that were dialled
	address      string   // the one that answered

	commands  []byte // being put together
	used      bool   // it carried a transaction
	needsRset bool   // a transaction was left without DATA
	broken    atomic.Bool
}

func newConn(s *Server, secret string) *Conn {
	c := &Conn{server: *s, dataTimeout: cmp.Or(s.DataTimeout, defaultDataTimeout), secret: secret}
	c.wire.timeout = cmp.Or(s.Timeout, defaultTimeout)
	c.judge = judge{smtpreply.Judge{Server: s.Name, Host: s.Host, Now: s.Now}, s.Observe}
	if s.Now == nil {
		c.judge.Now = time.Now
	}
	if secret != "" {
		c.judge.Mask(secret, plainResponse(s.Login, secret), xoauth2Response(s.Login, secret))
	}
	return c
}

// Usable reports whether another Send can succeed as far as is known.
func (c *Conn) Usable() bool { return !c.broken.Load() }

// Notice says for status why the connection is less secure than verified TLS; empty: it is not.
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
		c.wire.nc.Close() // with TLS's close_notify, now that it is known to be read
	}
}

// Close drops the connection. A Send that is under way ends.
func (c *Conn) Close() {
	c.broken.Store(true)
	c.wire.raw.Close() // not nc: TLS's close_notify would wait on a peer that does not read
}
