package smtpclient

import (
	"context"
	"crypto/tls"
	"time"
)

// Answers reports whether an SMTP server speaks at the port (at 465 over TLS, whose
// certificate is not checked: nothing is sent), and how it greets or why it does not
// answer. timeout is for each step; dial may be nil. For the advice that test-server gives.
func Answers(ctx context.Context, host string, port int, timeout time.Duration, dial Dialer) (what string, ok bool) {
	c := newConn(&Server{Host: host, Port: port, Timeout: timeout, Dial: dial}, "")
	if err := c.probe(ctx); err != nil {
		return err.Error(), false
	}
	return c.notice, true
}

// probe connects, reads the greeting into notice, and leaves.
func (c *Conn) probe(ctx context.Context) error {
	addresses, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	raw, err := c.connect(ctx, addresses)
	if err != nil {
		return err
	}
	c.raw = raw
	defer raw.Close()
	c.watch = &watch{conn: raw}
	defer c.watch.start(ctx)()
	c.use(raw)
	if c.server.implicit() {
		tc := tls.Client(raw, &tls.Config{ServerName: c.server.Host, InsecureSkipVerify: true})
		c.watch.armRead(c.timeout)
		c.watch.armWrite(c.timeout)
		if err := tc.Handshake(); err != nil {
			return c.tlsTrouble(c.watch.explain(err))
		}
		c.use(tc)
	}
	c.server.Observe = func(s Step) {
		if s.Stage == StageGreeting {
			c.notice = s.Detail
		}
	}
	return c.greeting()
}
