package smtpclient

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
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

// mostAddresses is how many addresses of a name are tried before the server counts as down,
// notices.toml(5).
const mostAddresses = 4

// resolve finds the addresses of the server, IPv6 and IPv4 in turn.
func (c *Conn) resolve(ctx context.Context) ([]string, error) {
	host := c.server.Host
	if c.server.Dial != nil && c.server.Resolve == nil {
		return []string{host}, nil
	}
	if a, err := netip.ParseAddr(host); err == nil {
		c.judge.observe(Step{Stage: smtpreply.StageDNS, Detail: a.String()})
		return []string{a.String()}, nil
	}
	find := c.server.Resolve
	if find == nil {
		find = net.DefaultResolver.LookupHost
	}
	ctx, cancel := context.WithTimeout(ctx, c.wire.timeout)
	defer cancel()
	list, err := find(ctx, host)
	c.judge.observe(Step{Stage: smtpreply.StageDNS, Detail: strings.Join(list, " "), Err: err})
	if err != nil {
		text := err.Error()
		if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
			text = dns.Err
		}
		return nil, c.judge.trouble(spool.ReasonDNS, "the name "+host+" does not resolve: "+text, err)
	}
	return inTurn(list), nil
}

// inTurn takes four of a name's addresses, IPv6 and IPv4 in turn. The resolver decides which comes
// first (RFC 6724): it knows whether this machine has IPv6 at all.
func inTurn(list []string) []string {
	var kinds [2][]string // of the first one's kind, of the other
	for _, a := range list {
		kind := 0
		if strings.Contains(a, ":") != strings.Contains(list[0], ":") {
			kind = 1
		}
		if !slices.Contains(kinds[kind], a) {
			kinds[kind] = append(kinds[kind], a)
		}
	}
	var turn []string
	for i := range mostAddresses {
		for _, kind := range kinds {
			if i < len(kind) {
				turn = append(turn, kind[i])
			}
		}
	}
	return turn[:min(len(turn), mostAddresses)]
}

// connect dials the first of the addresses that answers, and notes which.
func (c *Conn) connect(ctx context.Context, addresses []string) error {
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
	var errs []error
	var texts []string
	for _, d := range failed {
		c.tried, errs, texts = append(c.tried, d.address), append(errs, d.err), append(texts, d.err.Error())
		c.judge.observe(Step{Stage: smtpreply.StageConnect, Detail: d.address, Err: d.err})
	}
	switch {
	case err != nil:
		return c.judge.trouble(spool.ReasonConnect, "no connection: "+err.Error(), err)
	case won == nil:
		reason := spool.ReasonConnect
		if err = errors.Join(errs...); errors.As(err, new(*net.DNSError)) {
			reason = spool.ReasonDNS
		}
		return c.judge.trouble(reason, "no connection: "+strings.Join(texts, "; "), err)
	}
	c.tried, c.address, c.wire.raw = append(c.tried, won.address), won.address, won.conn
	where := net.JoinHostPort(won.address, port)
	if _, err := netip.ParseAddr(won.address); err != nil { // Dial looked the name up
		where = won.conn.RemoteAddr().String()
	}
	c.judge.observe(Step{Stage: smtpreply.StageConnect, Detail: where})
	return nil
}

type dialed struct {
	address string
	conn    net.Conn
	err     error
}

// race tries the addresses in order, each beside the earlier ones that have not answered within
// headStart. It returns the first that answered, if any, and those that failed; the error is the
// context's.
func race(ctx context.Context, addresses []string, dial func(context.Context, string) (net.Conn, error)) (won *dialed, failed []dialed, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan dialed)
	next := time.NewTimer(0)
	defer next.Stop()
	for begun := 0; len(failed) < len(addresses); {
		select {
		case <-next.C:
			if begun < len(addresses) {
				go func(address string) {
					conn, err := dial(ctx, address)
					select {
					case answers <- dialed{address, conn, err}:
					case <-ctx.Done(): // the race is over
						if conn != nil {
							conn.Close()
						}
					}
				}(addresses[begun])
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
