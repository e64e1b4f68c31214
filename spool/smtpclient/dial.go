package smtpclient

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/smtpreply"
)

// headStart is what one address gets before the next is tried beside it (RFC 8305
// section 5 recommends 250 ms): a site whose IPv6 is broken must not wait out a
// time-out for every connection.
const headStart = 300 * time.Millisecond

func dnsText(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Err
	}
	return err.Error()
}

// connect dials the first of the addresses that answers, and notes which.
func (c *Conn) connect(ctx context.Context, addresses []string) (net.Conn, error) {
	dial := c.server.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	port := strconv.Itoa(c.server.Port)
	won, failed, err := race(ctx, addresses, func(ctx context.Context, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, c.wire.timeout)
		defer cancel()
		where := net.JoinHostPort(address, port)
		conn, err := dial(ctx, "tcp", where)
		if err != nil {
			err = &connectError{where, err}
		}
		return conn, err
	})
	for _, d := range failed {
		c.tried = append(c.tried, d.address)
		c.judge.observe(Step{Stage: smtpreply.StageConnect, Detail: d.address, Err: d.err})
	}
	switch {
	case err != nil:
		return nil, c.judge.trouble(spool.ReasonConnect, "no connection: "+err.Error(), err)
	case won == nil:
		errs := make(connectErrors, len(failed))
		for i, d := range failed {
			errs[i] = d.err
		}
		reason := spool.ReasonConnect
		if errors.As(errs, new(*net.DNSError)) {
			reason = spool.ReasonDNS
		}
		return nil, c.judge.trouble(reason, "no connection: "+errs.Error(), errs)
	}
	c.address = won.address
	c.tried = append(c.tried, won.address)
	where := net.JoinHostPort(won.address, port)
	if _, err := netip.ParseAddr(won.address); err != nil { // Dial looked the name up
		where = won.conn.RemoteAddr().String()
	}
	c.judge.observe(Step{Stage: smtpreply.StageConnect, Detail: where})
	return won.conn, nil
}

type dialed struct {
	address string
	conn    net.Conn
	err     error
}

// race tries the addresses in order, each beside the earlier ones that have not
// answered within headStart. It tells who won, if any, and who failed; the error is the
// context's.
func race(ctx context.Context, addresses []string, dial dialOne) (won *dialed, failed []dialed, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan dialed)
	next := time.NewTimer(0)
	defer next.Stop()
	for begun := 0; len(failed) < len(addresses); {
		select {
		case <-next.C:
			if begun < len(addresses) {
				go run(ctx, addresses[begun], dial, answers)
				begun++
				next.Reset(headStart)
			}
		case a := <-answers:
			if a.err == nil {
				return &a, failed, nil
			}
			failed = append(failed, a)
			next.Reset(0)
		case <-ctx.Done():
			return nil, failed, context.Cause(ctx)
		}
	}
	return nil, failed, nil
}

// dialOne dials one address.
type dialOne = func(context.Context, string) (net.Conn, error)

// run hands over what dialling brought, or closes it when the race is over.
func run(ctx context.Context, address string, dial dialOne, answers chan<- dialed) {
	conn, err := dial(ctx, address)
	select {
	case answers <- dialed{address, conn, err}:
	case <-ctx.Done():
		if conn != nil {
			conn.Close()
		}
	}
}

// connectError is a dial error that names its address once.
type connectError struct {
	address string
	err     error
}

func (e *connectError) Unwrap() error { return e.err }

func (e *connectError) Error() string {
	var op *net.OpError
	var ne net.Error
	switch {
	case errors.As(e.err, &ne) && ne.Timeout():
		return e.address + ": no answer (timed out)"
	case errors.As(e.err, &op) && op.Err != nil:
		return e.address + ": " + strings.TrimPrefix(op.Err.Error(), "connect: ")
	}
	return e.address + ": " + e.err.Error()
}

// connectErrors are those of all addresses, on one line.
type connectErrors []error

func (e connectErrors) Unwrap() []error { return e }

func (e connectErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}
