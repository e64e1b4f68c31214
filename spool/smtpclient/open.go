package smtpclient

import (
	"cmp"
	"context"
	"errors"
	"time"

	"notices/spool"
	"notices/spool/smtpreply"
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
	secret, err := FetchSecret(ctx, s)
	if err != nil {
		return nil, err
	}
	c, err := reach(ctx, s, secret)
	if s.Tokens == nil || !tokenRefused(err) {
		return c, err
	}
	fresh, rerr := s.Tokens.Refresh(ctx, secret)
	if rerr != nil {
		return nil, secretError(s, rerr)
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
		dataTimeout: cmp.Or(s.DataTimeout, defaultDataTimeout),
		secret:      secret,
	}
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
	c.wire.watch = &watch{conn: raw}
	stop := c.wire.watch.start(ctx)
	defer stop()
	c.wire.raw = raw
	c.wire.use(raw)
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
