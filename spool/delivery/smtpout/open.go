package smtpout

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"net"
	"time"

	"notices/spool"
)

// Default time-outs: what RFC 5321 4.5.3.2 asks for the answer to the final dot, and
// less than it asks for the rest, since a flush has other servers and messages.
const (
	defaultTimeout     = 60 * time.Second
	defaultDataTimeout = 10 * time.Minute
)

// Open connects by the TLS ladder, says EHLO and logs in. The error is an *Error.
// A token that is refused with 535 is refreshed once, on a fresh connection.
func Open(ctx context.Context, s *Server) (*Conn, error) {
	secret, err := fetchSecret(ctx, s)
	if err != nil {
		return nil, err
	}
	c, err := climb(ctx, s, secret)
	if s.Tokens == nil || !tokenRefused(err) {
		return c, err
	}
	fresh, rerr := s.Tokens.Refresh(ctx, secret)
	if rerr != nil {
		return nil, secretTrouble(s, rerr)
	}
	if fresh == secret {
		return nil, err
	}
	return climb(ctx, s, fresh)
}

func tokenRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Outcome.Reason == spool.ReasonAuth && e.Outcome.Reply.Code == 535
}

// climb goes down the ladder of SPEC section 5: verified TLS, TLS that could not be
// verified (decided within the same handshake, see handshake), and none, which needs
// another connection when it was the handshake that failed.
func climb(ctx context.Context, s *Server, secret string) (*Conn, error) {
	c := newConn(s, secret)
	err := c.establish(ctx, "")
	if wantsOldCiphers(err) {
		c = newConn(s, secret)
		c.oldCiphers = true
		err = c.establish(ctx, "")
	}
	var e *Error
	if err == nil {
		return c, nil
	}
	if !errors.As(err, &e) || e.Outcome.Reason != spool.ReasonTLS || !s.AllowNonSecure {
		return nil, err
	}
	if !c.mayStepDown() {
		return nil, c.trouble(spool.ReasonTLS, e.Outcome.Reply.String()+"; "+c.forbidden(), err)
	}
	c = newConn(s, secret)
	if err := c.establish(ctx, "no TLS, the mail travels in clear: "+e.Outcome.Reply.String()); err != nil {
		return nil, err
	}
	return c, nil
}

func newConn(s *Server, secret string) *Conn {
	c := &Conn{
		server:      *s,
		timeout:     cmp.Or(s.Timeout, defaultTimeout),
		dataTimeout: cmp.Or(s.DataTimeout, defaultDataTimeout),
		now:         s.Now,
		secret:      secret,
		writing:     make(chan struct{}, 1),
		reading:     make(chan struct{}, 1),
	}
	if c.now == nil {
		c.now = time.Now
	}
	if secret != "" {
		c.secrets = secretForms(secret, plainResponse(s.Login, secret), xoauth2Response(s.Login, secret))
	}
	return c
}

// establish makes one connection ready for mail. clear says why it is to go without
// TLS; empty: with it.
func (c *Conn) establish(ctx context.Context, clear string) error {
	if clear != "" {
		c.stepDown(clear)
	}
	raw, err := c.dial(ctx)
	if err != nil {
		return err
	}
	c.watch = &watch{conn: raw, reads: true, writes: true}
	stop := c.watch.start(ctx)
	defer stop()
	c.raw = raw
	c.use(raw)
	if err := c.introduce(clear == ""); err != nil {
		raw.Close()
		return err
	}
	return nil
}

func (c *Conn) introduce(secure bool) error {
	implicit := c.server.implicit()
	if secure && implicit {
		if err := c.handshake(); err != nil {
			return err
		}
	}
	if err := c.greeting(); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if secure && !implicit {
		if err := c.upgrade(); err != nil {
			return err
		}
	}
	return c.login()
}

func (c *Conn) use(nc net.Conn) {
	c.nc = nc
	c.br = bufio.NewReaderSize(nc, maxLine)
}

// command sends a line and reads the reply, one after the other.
func (c *Conn) command(line string) (code int, text []byte, err error) {
	if c.br.Buffered() > 0 {
		return 0, nil, protocolError("the server spoke before it was asked")
	}
	c.watch.armWrite(c.timeout)
	if _, err := c.nc.Write([]byte(line + "\r\n")); err != nil {
		return 0, nil, c.watch.explain(err)
	}
	return c.read()
}

// read reads a reply into the connection's buffer, which the next read overwrites.
func (c *Conn) read() (code int, text []byte, err error) {
	c.watch.armRead(c.timeout)
	code, c.text, err = readReply(c.br, c.text[:0])
	return code, c.text, c.watch.explain(err)
}
