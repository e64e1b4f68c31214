package smtpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/smtpreply"
)

// Open connects, with the best TLS that the server and its settings allow, says EHLO and logs in.
// The error is an *Error. A token that is refused with 535 is refreshed once, on a fresh connection.
func Open(ctx context.Context, s *Server) (*Conn, error) {
	secret, err := FetchSecret(ctx, s)
	if err != nil {
		return nil, err
	}
	c, err := connectWithFallback(ctx, s, secret)
	if s.Tokens == nil || !tokenRefused(err) {
		return c, err
	}
	fresh, refreshErr := s.Tokens.Refresh(ctx, secret)
	if refreshErr != nil {
		return nil, secretError(s, refreshErr)
	}
	if fresh == secret {
		return nil, err
	}
	return connectWithFallback(ctx, s, fresh)
}

func tokenRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Outcome.Reason == spool.ReasonAuth && e.Outcome.Reply.Code == 535
}

// tlsLevel is how secure a connection is. A step down, which allow_non_secure
// permits, leads to the next level.
type tlsLevel int

const (
	verified   tlsLevel = iota
	unverified          // TLS with any certificate
	noTLS
)

// opening is one Open on its way over the server's addresses.
type opening struct {
	ctx    context.Context
	server *Server
	secret string
	known  *Addresses
	all    []string

	insecure []string // addresses at the level under way whose TLS failed
	worst    *Error   // the most telling so far
}

// connectWithFallback tries each address at the first level, then those whose TLS failed at the
// next one, as far as that is allowed. With one address the first two levels are one handshake.
// The last one needs another connection when the handshake failed.
func connectWithFallback(ctx context.Context, s *Server, secret string) (*Conn, error) {
	o := &opening{ctx: ctx, server: s, secret: secret, known: s.Addresses}
	if o.known == nil {
		o.known = new(Addresses)
	}
	c := newConn(s, secret)
	var err error
	if o.all, err = c.resolve(ctx); err != nil {
		return nil, err
	}
	addresses := o.known.candidates(o.all)
	levels := []tlsLevel{verified, unverified, noTLS}
	switch {
	case !c.mayStepDown():
		levels = levels[:1]
	case len(addresses) == 1 || o.known.noneVerified():
		levels = levels[1:]
	}
	for _, level := range levels {
		c, err := o.atLevel(addresses, level)
		if c != nil || err != nil {
			return c, err
		}
		if addresses = o.insecure; len(addresses) == 0 {
			break
		}
	}
	if o.worst.Outcome.Reason == spool.ReasonTLS && s.AllowNonSecure && !c.mayStepDown() {
		why := "the password is not sent without verified TLS (allow_non_secure_login = false)"
		if s.Tokens != nil {
			why = "a token is never sent without verified TLS"
		}
		return nil, c.judge.trouble(spool.ReasonTLS, o.worst.Outcome.Reply.String()+"; "+why, o.worst)
	}
	return nil, o.worst
}

// atLevel opens a connection to one of the addresses. If it returns neither a connection nor an
// error, each of them failed, and worst and insecure say how. An error ends the Open.
func (o *opening) atLevel(addresses []string, level tlsLevel) (*Conn, error) {
	o.insecure = nil
	for len(addresses) > 0 {
		c, err := o.open(addresses, level, false)
		if wantsOldCiphers(err) {
			tried := c.tried
			c, err = o.open([]string{c.address}, level, true)
			c.tried = append(c.tried, tried...)
		}
		if err == nil {
			o.noteFailed(c, c.address)
			return c, nil
		}
		var e *Error
		if !errors.As(err, &e) || o.ctx.Err() != nil || refusesLogin(e.Outcome) {
			return nil, err
		}
		if o.worst == nil || weight(e) > weight(o.worst) {
			o.worst = e
		}
		lower := "" // an address that may still be the best one, without verified TLS
		if e.Outcome.Reason == spool.ReasonTLS {
			o.insecure = append(o.insecure, c.address)
			if level != noTLS && c.mayStepDown() {
				lower = c.address
			}
		}
		o.noteFailed(c, lower)
		addresses = slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return slices.Contains(c.tried, a) })
	}
	return nil, nil
}

// refusesLogin recognises a refused login. That concerns the account and not the address, and
// accounts get locked by a wrong password tried at each address: it is the only step before MAIL
// after which no other address is tried.
func refusesLogin(o spool.Outcome) bool {
	return o.Reason == spool.ReasonAuth && o.Reply.Code/100 == 5
}

// noteFailed notes all that the connection tried, except for one.
func (o *opening) noteFailed(c *Conn, except string) {
	for _, address := range c.tried {
		if address != except {
			o.known.note(address, false)
		}
	}
}

// weight ranks errors by what they tell: a server's reply more than a conversation that failed
// without one, and that more than an address that does not answer.
func weight(e *Error) int {
	switch {
	case e.Outcome.Reply.Code != 0:
		return 2
	case e.Outcome.Reason != spool.ReasonConnect:
		return 1
	}
	return 0
}

// open connects to the first of the addresses that answers and does the handshake.
func (o *opening) open(addresses []string, level tlsLevel, oldCiphers bool) (*Conn, error) {
	c := newConn(o.server, o.secret)
	c.server.Addresses, c.allAddresses, c.level, c.oldCiphers = o.known, o.all, level, oldCiphers
	if level == noTLS {
		c.stepDown("no TLS, the mail travels in clear: " + o.worst.Outcome.Reply.String())
	}
	err := c.connect(o.ctx, addresses)
	if err != nil {
		return c, err
	}
	if level == verified && len(o.insecure) == 0 && c.mayStepDown() && len(c.tried) == len(addresses) {
		c.level = unverified // no other address is left that might do better
	}
	return c, c.start(o.ctx, c.handshake)
}

// start speaks over the connection that was just made, and closes it on an error.
func (c *Conn) start(ctx context.Context, speak func() error) error {
	defer c.wire.begin(ctx)()
	c.wire.use(c.wire.raw)
	err := speak()
	if err != nil {
		c.wire.raw.Close()
	}
	return err
}

// handshake is what comes before the first transaction: TLS, greeting, EHLO and login.
func (c *Conn) handshake() error {
	if err := c.greet(); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if c.level != noTLS && !c.server.implicit() {
		if err := c.upgrade(); err != nil {
			return err
		}
	}
	return c.login()
}

// greet does implicit TLS, where it is wanted, and reads the greeting.
func (c *Conn) greet() error {
	if c.level != noTLS && c.server.implicit() {
		if err := c.beginTLS(); err != nil {
			return err
		}
	}
	code, text, err := c.wire.read(c.wire.timeout)
	return c.judge.expect(220, smtpreply.StageGreeting, spool.ReasonGreeting, code, text, err)
}

// hello says EHLO, or HELO to a server that does not know EHLO.
func (c *Conn) hello() error {
	name := c.server.Hello
	if name == "" && c.server.FindHello != nil {
		name = c.server.FindHello()
	}
	name = cmp.Or(name, literal(c.wire.raw))
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return c.judge.trouble(spool.ReasonGreeting, fmt.Sprintf("[site] hostname %q is no host name", name), nil)
	}
	code, text, err := c.wire.command("EHLO " + name)
	if err == nil && (code == 500 || code == 502) {
		code, text, err = c.wire.command("HELO " + name)
	}
	c.capabilities = parseCapabilities(text)
	return c.judge.expect(2, smtpreply.StageHello, spool.ReasonGreeting, code, text, err)
}

// literal is the address that the server sees, unless a router changes it.
func literal(conn net.Conn) string {
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return "[127.0.0.1]"
	}
	a := local.AddrPort().Addr().Unmap().WithZone("")
	if a.Is6() {
		return "[IPv6:" + a.String() + "]"
	}
	return "[" + a.String() + "]"
}

// upgrade speaks STARTTLS (RFC 3207) and says EHLO again. A server that does not
// offer it can be used in clear on the same connection, where that is allowed.
func (c *Conn) upgrade() error {
	if !c.capabilities.startTLS {
		const text = "the server does not offer STARTTLS"
		if c.level != verified {
			c.stepDown("no TLS, the mail travels in clear: " + text)
			return nil
		}
		return c.judge.failed(smtpreply.StageStartTLS, c.judge.trouble(spool.ReasonTLS, text, nil))
	}
	code, text, err := c.wire.command("STARTTLS")
	// What came behind the 220 in clear would be read as if it had come over TLS: somebody on the
	// way put it there (CVE-2011-0411). A step down is not allowed here.
	if err == nil && code == 220 && c.wire.br.Buffered() > 0 {
		err = smtpreply.ProtocolError{Text: "bytes in clear behind the answer to STARTTLS"}
	}
	if err := c.judge.expect(220, smtpreply.StageStartTLS, spool.ReasonTLS, code, text, err); err != nil {
		return err
	}
	if err := c.beginTLS(); err != nil {
		return err
	}
	return c.hello()
}

// ProbePort reports whether an SMTP server answers at the port, and how it greets or why it does
// not answer. At 465 it uses TLS and does not check the certificate, for nothing is sent. timeout is
// for each step; dial may be nil. test-server gives advice by it.
func ProbePort(ctx context.Context, host string, port int, timeout time.Duration, dial Dialer) (what string, ok bool) {
	c := newConn(&Server{Host: host, Port: port, Timeout: timeout, Dial: dial}, "")
	c.level = unverified
	c.judge.tell = func(s Step) {
		if s.Stage == smtpreply.StageGreeting {
			what = s.Detail
		}
	}
	addresses, err := c.resolve(ctx)
	if err == nil {
		err = c.connect(ctx, addresses)
	}
	if err == nil {
		err = c.start(ctx, c.greet)
	}
	if err != nil {
		return err.Error(), false
	}
	c.Close()
	return what, true
}
