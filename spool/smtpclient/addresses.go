package smtpclient

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"notices/spool"
	"notices/spool/smtpreply"
)

// mostAddresses is how many addresses of a name are tried before it is the server's
// trouble (SPEC section 5).
const mostAddresses = 4

// Addresses is what a run learned of the addresses of one server: an address that is
// silent must not cost a time-out for each connection. The zero value knows nothing.
type Addresses struct {
	mu    sync.Mutex
	known map[string]address
	lower bool // what took mail so far was no verified TLS
}

// address is how one of them did: worked, it has taken a MAIL; failed, it did not come so
// far since. Only a MAIL that is taken proves it: others may be on their way there while
// the first one is refused.
type address struct{ worked, failed bool }

// note keeps how an address did.
func (a *Addresses) note(name string, worked bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(name, worked)
}

// took notes that the connection's address has taken a MAIL.
func (a *Addresses) took(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lower = c.rung != verified
	a.set(c.address, true)
}

// noneVerified reports whether the run has to do without verified TLS, as it found out.
func (a *Addresses) noneVerified() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lower
}

func (a *Addresses) set(name string, worked bool) {
	if a.known == nil {
		a.known = map[string]address{}
	}
	was := a.known[name]
	a.known[name] = address{worked: was.worked || worked, failed: !worked}
}

// candidates are those of list that are worth a try, the best first: what has not
// failed in this run; else what worked once; else all.
func (a *Addresses) candidates(list []string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var good, unknown, fallen []string
	for _, name := range list {
		switch is := a.known[name]; {
		case is.failed && is.worked:
			fallen = append(fallen, name)
		case is.failed:
		case is.worked:
			good = append(good, name)
		default:
			unknown = append(unknown, name)
		}
	}
	switch {
	case len(good)+len(unknown) > 0:
		return append(good, unknown...)
	case len(fallen) > 0:
		return fallen
	}
	return slices.Clone(list)
}

// untried reports whether an address of list has not failed in this run.
func (a *Addresses) untried(list []string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(list, func(name string) bool { return !a.known[name].failed })
}

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
		return nil, c.judge.trouble(spool.ReasonDNS, "the name "+host+" does not resolve: "+dnsText(err), err)
	}
	return inTurn(list), nil
}

// inTurn takes four of a name's addresses, IPv6 and IPv4 in turn; which comes first the
// resolver decides (RFC 6724): it knows whether this machine has IPv6 at all.
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

// sameEverywhere: the login was refused. That is the account's and not the address's, and
// to ask each address with a wrong password is how accounts get locked; it is the one
// step before MAIL after which no other address is tried.
func sameEverywhere(o spool.Outcome) bool {
	return o.Reason == spool.ReasonAuth && o.Reply.Code/100 == 5
}

// elsewhere reports whether another address may take what this one did not, before MAIL
// was accepted. A limit said to MAIL is the account's, too.
func (s *send) elsewhere() bool {
	if s.mailed || s.stale || s.c.server.Addresses == nil || len(s.outcomes) == 0 {
		return false
	}
	o := s.outcomes[0]
	if len(s.rcpts) > 0 {
		o = s.outcomes[s.rcpts[0]]
	}
	if o.Scope != spool.ServerScope || o.Reason == spool.ReasonLimit || o.Reason == spool.ReasonAccount || o.Reason == spool.ReasonBusy || sameEverywhere(o) {
		return false
	}
	s.c.server.Addresses.note(s.c.address, false)
	return s.c.server.Addresses.untried(s.c.others)
}
