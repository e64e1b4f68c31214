package smtpout

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"notices/spool"
)

// headStart is what one address gets before the next is tried beside it (RFC 8305
// section 5 recommends 250 ms): a site whose IPv6 is broken must not wait out a
// time-out for every connection.
const headStart = 300 * time.Millisecond

// dial connects to the first of the host's addresses that answers.
func (c *Conn) dial(ctx context.Context) (net.Conn, error) {
	port := strconv.Itoa(c.server.Port)
	if c.server.Dial != nil {
		return c.connect(ctx, c.server.Dial, []string{net.JoinHostPort(c.server.Host, port)})
	}
	addresses, err := lookup(ctx, c.server.Host, c.timeout)
	c.observe(Step{Stage: StageDNS, Detail: strings.Join(addresses, " "), Err: err})
	if err != nil {
		return nil, c.trouble(spool.ReasonDNS, "the name "+c.server.Host+" does not resolve: "+dnsText(err), err)
	}
	for i := range addresses {
		addresses[i] = net.JoinHostPort(addresses[i], port)
	}
	return c.connect(ctx, new(net.Dialer).DialContext, addresses)
}

func lookup(ctx context.Context, host string, timeout time.Duration) ([]string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []string{a.String()}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return net.DefaultResolver.LookupHost(ctx, host)
}

func dnsText(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.Err
	}
	return err.Error()
}

func (c *Conn) connect(ctx context.Context, dial Dialer, addresses []string) (net.Conn, error) {
	conn, err := race(ctx, addresses, func(ctx context.Context, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		return dial(ctx, "tcp", address)
	})
	if err != nil {
		reason := spool.ReasonConnect
		if dns := new(net.DNSError); errors.As(err, &dns) {
			reason = spool.ReasonDNS
		}
		c.observe(Step{Stage: StageConnect, Detail: strings.Join(addresses, " "), Err: err})
		return nil, c.trouble(reason, "no connection: "+err.Error(), err)
	}
	c.observe(Step{Stage: StageConnect, Detail: conn.RemoteAddr().String()})
	return conn, nil
}

type dialed struct {
	conn net.Conn
	err  error
}

// race tries the addresses in order, each beside the earlier ones that have not
// answered within headStart. The error names every address.
func race(ctx context.Context, addresses []string, dial dialOne) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan dialed)
	var failed connectErrors
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
				return a.conn, nil
			}
			failed = append(failed, a.err)
			next.Reset(0)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, failed
}

// dialOne dials one address.
type dialOne = func(context.Context, string) (net.Conn, error)

// run hands over what dialling brought, or closes it when the race is over.
func run(ctx context.Context, address string, dial dialOne, answers chan<- dialed) {
	conn, err := dial(ctx, address)
	if err != nil {
		err = &connectError{address, err}
	}
	select {
	case answers <- dialed{conn, err}:
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
