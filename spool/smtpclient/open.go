package smtpclient

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
	c, err := reach(ctx, s, secret)
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
	return reach(ctx, s, fresh)
}

func tokenRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Outcome.Reason == spool.ReasonAuth && e.Outcome.Reply.Code == 535
}

func newConn(s *Server, secret string) *Conn {
	c := &Conn{
		server:      *s,
		timeout:     cmp.Or(s.Timeout, defaultTimeout),
		dataTimeout: cmp.Or(s.DataTimeout, defaultDataTimeout),
		now:         s.Now,
		secret:      secret,
	}
	if c.now == nil {
		c.now = time.Now
	}
	if secret != "" {
		c.secrets = secretForms(secret, plainResponse(s.Login, secret), xoauth2Response(s.Login, secret))
	}
	return c
}

// establish makes one connection ready for mail, with the first of the addresses that
// answers.
func (c *Conn) establish(ctx context.Context, addresses []string) error {
	raw, err := c.connect(ctx, addresses)
	if err != nil {
		return err
	}
	if c.rung == verified && c.alone && len(c.tried) == len(addresses) {
		c.rung = unverified // no other address is left that might do better
	}
	c.watch = &watch{conn: raw}
	stop := c.watch.start(ctx)
	defer stop()
	c.raw = raw
	c.use(raw)
	if err := c.handshake(c.rung != noTLS); err != nil {
		raw.Close()
		return err
	}
	return nil
}

// handshake is what comes before the first transaction: TLS, greeting, EHLO and login.
func (c *Conn) handshake(secure bool) error {
	implicit := c.server.implicit()
	if secure && implicit {
		if err := c.beginTLS(); err != nil {
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

// errSpokeFirst: no reply may come before the command that it is for.
var errSpokeFirst = protocolError("the server spoke before it was asked")

// command sends a line and reads the reply, one after the other.
func (c *Conn) command(line string) (code int, text []byte, err error) {
	if c.br.Buffered() > 0 {
		return 0, nil, errSpokeFirst
	}
	if err := c.write([]byte(line + "\r\n")); err != nil {
		return 0, nil, err
	}
	return c.read(c.timeout)
}

func (c *Conn) write(b []byte) error {
	c.watch.armWrite(c.timeout)
	_, err := c.nc.Write(b)
	return c.watch.explain(err)
}

// read reads a reply into the connection's buffer, which the next read overwrites.
func (c *Conn) read(wait time.Duration) (code int, text []byte, err error) {
	if !replyBuffered(c.br) {
		c.watch.armRead(wait)
	}
	code, c.text, err = readReply(c.br, c.text[:0])
	return code, c.text, c.watch.explain(err)
}
