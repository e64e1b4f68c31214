package report

import (
	"context"
	"strings"
	"time"

	"notices/spool"
)

// AddServer adds a server of that name and host, with its outages in the period. In the period
// the name may have been that of another host, which is added too.
func (r *Report) AddServer(ctx context.Context, state spool.State, name, host string) error {
	outages, lasts, err := spool.LoadOutages(ctx, state, name, r.Until)
	if err != nil {
		return err
	}
	first := len(r.Servers)
	r.Servers = append(r.Servers, Server{Name: name, Host: host})
	down := map[int]time.Duration{} // by index; seconds are rounded at the end
	for i := range outages {
		o := &outages[i]
		n, lasted := o.Within(r.Since, r.Until)
		if n == 0 {
			continue
		}
		at := r.serverOf(first, o.Host)
		s := &r.Servers[at]
		s.Troubles, s.reason = s.Troubles+n, o.Reason
		s.lasts = lasts && i == len(outages)-1 && strings.EqualFold(s.Host, host)
		down[at] += lasted
	}
	for at, lasted := range down {
		r.Servers[at].DownSeconds = int(lasted.Round(time.Second) / time.Second)
	}
	return nil
}

// serverOf is the index of the server of that host among those since first. An empty host is
// the first one's.
func (r *Report) serverOf(first int, host string) int {
	for i := first; i < len(r.Servers); i++ {
		if host == "" || strings.EqualFold(r.Servers[i].Host, host) {
			return i
		}
	}
	r.Servers = append(r.Servers, Server{Name: r.Servers[first].Name, Host: host})
	return len(r.Servers) - 1
}

// trouble is what was wrong with a server, in plain words, as a part of a sentence about it.
func trouble(reason spool.Reason) string {
	switch reason {
	case spool.ReasonDNS:
		return "its name was not found in the DNS"
	case spool.ReasonConnect:
		return "it could not be reached"
	case spool.ReasonGreeting, spool.ReasonProtocol:
		return "it did not answer as a mail server does"
	case spool.ReasonTLS:
		return "no secure connection could be made"
	case spool.ReasonAuth:
		return "it refused the login"
	case spool.ReasonAuthWait, spool.ReasonToken:
		return "no login was possible for a time"
	case spool.ReasonSecret:
		return "its password could not be read on this machine"
	case spool.ReasonLimit, spool.ReasonBusy, spool.ReasonSession:
		return "a limit of the account was reached"
	case spool.ReasonAccount, spool.ReasonIdentity:
		return "the account was not allowed to send"
	case spool.ReasonRelay, spool.ReasonHelo, spool.ReasonPolicy:
		return "it does not accept mail from this machine"
	case spool.ReasonSender, spool.ReasonSendAs:
		return "it does not accept mail from the sender's address"
	case spool.ReasonRefused:
		return "it refused several messages in a row"
	case spool.ReasonLost:
		return "connections to it were lost"
	}
	return "it did not accept mail for a time"
}
