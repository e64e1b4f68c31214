package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"notices/spool"
	"notices/spool/alert"
	"notices/spool/route"
)

// alerts are what the run met, with the words for a person.
func (t *teller) alerts(ctx context.Context) []alert.Alert {
	list := make([]alert.Alert, len(t.met))
	var instead string
	for i, m := range t.met {
		list[i] = m.Alert
		switch {
		case m.outcome != nil:
			if instead == "" {
				instead = t.instead(ctx)
			}
			list[i].Text = serverText(strings.TrimPrefix(m.Key, keyServer), *m.outcome, instead)
		case m.Key == keyFlush:
			list[i].Text += "\nuntil that is mended no mail goes out; it waits, and none is lost"
		case m.Key == keyLog:
			list[i].Text += "; mail goes out all the same; mend that, or set [log] to in notices.toml to another place"
		case m.n >= shown:
			list[i].Text += fmt.Sprintf("\n%d more like it; to see how the queue is, run: notices status", m.n-shown+1)
		}
	}
	return list
}

// instead says what becomes of the mail that servers in trouble do not take.
func (t *teller) instead(ctx context.Context) string {
	if t.store != nil {
		down := alone(ctx, t.store.State(), t.servers, t.a.Now().AddDate(-1, 0, 0), t.a.Now())
		i := slices.IndexFunc(t.servers, func(s route.Server) bool { return !slices.Contains(down, s.Name) })
		if i >= 0 {
			return "Server " + t.servers[i].Name + " is used in its place."
		}
	}
	return "No server is left: mail waits here and goes out by itself when one takes it again."
}

// serverText tells that a server is in trouble: what it is, what becomes of the mail, and
// what a person can do.
func serverText(name string, o spool.Outcome, instead string) string {
	return fmt.Sprintf("server %s takes no mail: %s. %s %s", named(name, o.Reply.Host), strings.TrimSuffix(o.Reply.String(), "."), instead, nextStep(name, o))
}

// kindOf puts together the reasons for which a person does the same.
func kindOf(r spool.Reason) string {
	switch r {
	case spool.ReasonAuth, spool.ReasonSecret:
		return "login"
	case spool.ReasonToken, spool.ReasonTLS, spool.ReasonLimit, spool.ReasonRelay, spool.ReasonHelo, spool.ReasonIdentity,
		spool.ReasonRefused, spool.ReasonSender, spool.ReasonSendAs:
		return string(r)
	}
	return "away"
}

// nextStep is the next step.
func nextStep(name string, o spool.Outcome) string {
	test := "notices test-server " + name
	switch o.Reason {
	case spool.ReasonAuth:
		return "Set the right login and password of server " + name + " in notices.toml, or sign in again, then run: " + test
	case spool.ReasonSecret:
		return "Mend that, then run: " + test
	case spool.ReasonToken:
		return "It is tried again by itself; to see how it is, run: notices status"
	case spool.ReasonTLS:
		return "To see its certificate and what helps, run: " + test
	case spool.ReasonLimit:
		return "It is tried again by itself; if that comes often, set rate_per_minute or rate_per_day of server " + name + " in notices.toml"
	case spool.ReasonRelay:
		return "It takes mail only from those it knows: set login and password of server " + name + " in notices.toml, or ask those who run it; then run: " + test
	case spool.ReasonHelo:
		return "Set [site] hostname in notices.toml to this machine's full name, as the DNS has it, then run: " + test
	case spool.ReasonIdentity:
		return "Have the sender's address verified by the provider, or set [site] address to one that is, then run: " + test
	case spool.ReasonRefused:
		return "It refused several messages in a row, perhaps for the account: ask those who run it, then run: " + test
	case spool.ReasonSender, spool.ReasonSendAs:
		return "Set rewrite_from = true in [site], or let the account send as that address; then run: " + test
	case spool.ReasonDNS:
		return "It is tried again by itself; if it lasts, check host of server " + name + " in notices.toml and this machine's network, then run: " + test
	}
	return "It is tried again by itself; if it lasts, run: " + test
}
