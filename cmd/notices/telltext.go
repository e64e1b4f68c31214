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
	for i, m := range t.met {
		list[i] = m.Alert
		switch {
		case m.outcome != nil:
			name := strings.TrimPrefix(m.Key, keyServer)
			list[i].Text = serverText(name, *m.outcome, t.instead(ctx, name))
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

// instead says what becomes of the mail that a server in trouble does not take.
func (t *teller) instead(ctx context.Context, name string) string {
	const waits = ": mail waits here and goes out by itself when one takes it again."
	i := slices.IndexFunc(t.servers, func(s route.Server) bool { return s.Name == name })
	if t.store == nil || i < 0 {
		return "No server is left" + waits
	}
	down := alone(ctx, t.store.State(), t.servers, t.a.Now().AddDate(-1, 0, 0), t.a.Now())
	other, left := route.Instead(t.servers, i, func(i int) bool { return slices.Contains(down, t.servers[i].Name) })
	switch {
	case other != "" && len(left) == 0:
		return "Server " + other + " is used in its place."
	case other != "":
		return "Server " + other + " is used in its place, but no server is left for mail from " + listed(left) + waits
	case len(left) > 0:
		return "No server is left for mail from " + listed(left) + waits
	case slices.ContainsFunc(t.servers, func(s route.Server) bool { return len(s.Senders) > 0 }):
		return "No server is left for mail from " + otherSenders + waits
	}
	return "No server is left" + waits
}

// otherSenders is who a server without senders takes mail from.
const otherSenders = "senders that no server names"

// listed is "a", "a and b", or "a, b and 3 more".
func listed(names []string) string {
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n > 3:
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], n-2)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// serverText tells that a server is in trouble: what it is, what becomes of the mail, and
// what a person can do.
func serverText(name string, o spool.Outcome, instead string) string {
	return fmt.Sprintf("server %s takes no mail: %s %s %s", named(name, o.Reply.Host), sentence(o.Reply.String()), instead, nextStep(name, o))
}

// sentence ends a text with a full stop, if it has no mark of its own.
func sentence(text string) string {
	if text = strings.TrimRight(text, " "); text != "" && strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		return text
	}
	return text + "."
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
