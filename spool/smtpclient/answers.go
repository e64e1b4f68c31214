package smtpclient

import (
	"context"
	"crypto/tls"
	"time"

	"notices/spool/smtpreply"
)

// Answers reports whether an SMTP server speaks at the port (at 465 over TLS, whose
// certificate is not checked: nothing is sent), and how it greets or why it does not
// answer. timeout is for each step; dial may be nil. For the advice that test-server gives.
func Answers(ctx context.Context, host string, port int, timeout time.Duration, dial Dialer) (what string, ok bool) {
	c := newConn(&Server{Host: host, Port: port, Timeout: timeout, Dial: dial}, "")
	if err := probe(ctx, c); err != nil {
		return err.Error(), false
	}
	return c.notice, true
}

// probe connects, reads the greeting into notice, and leaves.
func probe(ctx context.Context, c *Conn) error {
	addresses, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	raw, err := c.connect(ctx, addresses)
	if err != nil {
		return err
	}
	c.wire.raw = raw
	defer raw.Close()
	c.wire.watch = &watch{conn: raw}
	defer c.wire.watch.start(ctx)()
	c.wire.use(raw)
	if c.server.implicit() {
		tc := tls.Client(raw, &tls.Config{ServerName: c.server.Host, InsecureSkipVerify: true})
		c.wire.watch.armRead(c.wire.timeout)
		c.wire.watch.armWrite(c.wire.timeout)
		if err := tc.Handshake(); err != nil {
			return c.tlsTrouble(c.wire.watch.explain(err))
		}
		c.wire.use(tc)
	}
	c.judge.tell = func(s Step) {
		if s.Stage == smtpreply.StageGreeting {
			c.notice = s.Detail
		}
	}
	return c.greeting()
}
