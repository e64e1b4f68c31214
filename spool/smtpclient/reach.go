package smtpclient

import (
	"context"
	"errors"
	"slices"

	"notices/spool"
)

// rung is a step of the ladder of SPEC section 5.
type rung int

const (
	verified   rung = iota
	unverified      // TLS with whatever certificate
	noTLS
)

// reach goes down the ladder, at each rung from address to address. Where there is but
// one address the first two rungs are one handshake; the last one needs another
// connection when it was the handshake that failed.
func reach(ctx context.Context, s *Server, secret string) (*Conn, error) {
	a := &attempt{ctx: ctx, server: s, secret: secret, known: s.Addresses}
	if a.known == nil {
		a.known = new(Addresses)
	}
	c := newConn(s, secret)
	var err error
	if a.all, err = c.resolve(ctx); err != nil {
		return nil, err
	}
	tries := a.known.candidates(a.all)
	for _, r := range ladder(c.mayStepDown(), len(tries) == 1 || a.known.noneVerified()) {
		c, err := a.anyOf(tries, r)
		if c != nil || err != nil {
			return c, err
		}
		if tries = a.insecure; len(tries) == 0 {
			break
		}
	}
	e := a.worst
	if e.Outcome.Reason == spool.ReasonTLS && s.AllowNonSecure && !c.mayStepDown() {
		return nil, c.judge.trouble(spool.ReasonTLS, e.Outcome.Reply.String()+"; "+c.server.forbidden(), e)
	}
	return nil, e
}

// ladder is the rungs that are allowed. With one address, or where none was found better in
// this run, the first two are the same.
func ladder(mayStepDown, unverifiedFirst bool) []rung {
	switch {
	case !mayStepDown:
		return []rung{verified}
	case unverifiedFirst:
		return []rung{unverified, noTLS}
	}
	return []rung{verified, unverified, noTLS}
}

// attempt is one Open on its way over the addresses.
type attempt struct {
	ctx    context.Context
	server *Server
	secret string
	known  *Addresses
	all    []string

	insecure []string // of the last rung: TLS was its trouble
	worst    *Error   // the most telling so far
}

// anyOf opens a connection to one of the addresses. Without one and without an error
// each of them failed, and worst and insecure say how. The error ends the attempt.
func (a *attempt) anyOf(tries []string, r rung) (*Conn, error) {
	a.insecure = nil
	for len(tries) > 0 {
		c, err := a.openAny(tries, r)
		if err == nil {
			a.noteFailed(c, c.address)
			return c, nil
		}
		var e *Error
		if !errors.As(err, &e) || a.ctx.Err() != nil || sameEverywhere(e.Outcome) {
			return nil, err
		}
		if e.Outcome.Reason == spool.ReasonTLS {
			a.insecure = append(a.insecure, c.address)
		}
		if a.worst == nil || weight(e) > weight(a.worst) {
			a.worst = e
		}
		if e.Outcome.Reason == spool.ReasonTLS && r != noTLS && c.mayStepDown() {
			a.noteFailed(c, c.address) // without verified TLS it may still be the best there is
		} else {
			a.noteFailed(c, "")
		}
		tries = slices.DeleteFunc(slices.Clone(tries), func(t string) bool { return slices.Contains(c.tried, t) })
	}
	return nil, nil
}

// noteFailed notes all that the connection tried but for one.
func (a *attempt) noteFailed(c *Conn, but string) {
	for _, address := range c.tried {
		if address != but {
			a.known.note(address, false)
		}
	}
}

// openAny is open, and once more with old ciphers where TLS failed for want of them.
func (a *attempt) openAny(tries []string, r rung) (*Conn, error) {
	c, err := a.open(tries, r, false)
	if !wantsOldCiphers(err) {
		return c, err
	}
	tried := c.tried
	c, err = a.open([]string{c.address}, r, true)
	c.tried = append(c.tried, tried...)
	return c, err
}

func (a *attempt) open(tries []string, r rung, oldCiphers bool) (*Conn, error) {
	c := newConn(a.server, a.secret)
	c.server.Addresses, c.others, c.rung, c.oldCiphers = a.known, a.all, r, oldCiphers
	c.alone = len(a.insecure) == 0 && c.mayStepDown()
	if r == noTLS {
		c.stepDown("no TLS, the mail travels in clear: " + a.worst.Outcome.Reply.String())
	}
	return c, c.establish(a.ctx, tries)
}

// weight: a server's word tells more than a conversation that failed without one, and
// that more than an address that does not answer.
func weight(e *Error) int {
	switch {
	case e.Outcome.Reply.Code != 0:
		return 2
	case e.Outcome.Reason != spool.ReasonConnect:
		return 1
	}
	return 0
}
