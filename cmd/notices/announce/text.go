package announce

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/cmd/notices/term"
	"notices/config"
	"notices/spool"
	"notices/spool/alert"
	"notices/spool/probe"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

// alerts are what the run met, with the words for a person.
func (c *Collector) alerts(ctx context.Context) []alert.Alert {
	list := make([]alert.Alert, len(c.problems))
	for i, m := range c.problems {
		a := &list[i]
		*a = m.Alert
		if m.Key == keyFailed || m.Key == keyAside {
			a.Events = m.more + 1
		}
		switch {
		case m.outcome != nil:
			a.Text = c.serverText(ctx, strings.TrimPrefix(m.Key, keyServer), *m.outcome)
		case m.Key == KeyFlush:
			a.Text += "\nNo mail is sent until this is fixed. Queued mail is safe."
		case m.Key == keyLog:
			a.Text += ". Mail is still sent. Fix this, or set [log] to in notices.toml to another place"
		case m.more >= maxShown:
			a.Text += fmt.Sprintf("\n%d more like it; to see the queue, run: notices status", m.more-maxShown+1)
		}
	}
	return list
}

// serverText is about a server that takes no mail: why, what becomes of the mail, and what a
// person can do.
func (c *Collector) serverText(ctx context.Context, name string, o spool.Outcome) string {
	s := &smtpclient.Server{Name: name}
	if i := c.find(name); i >= 0 {
		s = &c.Servers[i].Server
	}
	if name == config.ViaService && o.Reason == spool.ReasonLimit {
		return fmt.Sprintf("the service's sending limit for this site is reached: %s Mail waits here and will be sent automatically when the service accepts it again. %s",
			sentence(o.Reply.String()), nextStep(s, o))
	}
	return fmt.Sprintf("%s is not accepting mail: %s %s %s", withHost(name, o.Reply.Host), sentence(o.Reply.String()), c.instead(ctx, name), nextStep(s, o))
}

// withHost is `server 1 (mail.example.org)`.
func withHost(server, host string) string {
	name := smtpclient.Called(server)
	if host == "" || host == server {
		return name
	}
	return name + " (" + host + ")"
}

// instead says what becomes of the mail that a server in trouble does not take.
func (c *Collector) instead(ctx context.Context, name string) string {
	var other string
	var left []string
	if i := c.find(name); c.Store != nil && i >= 0 {
		down := Paused(ctx, c.Store.State(), c.Servers, c.p.Now().AddDate(-1, 0, 0), c.p.Now())
		other, left = route.Replacement(c.Servers, i, func(i int) bool { return slices.Contains(down, c.Servers[i].Name) })
		if other == "" && len(left) == 0 && slices.ContainsFunc(c.Servers, func(s route.Server) bool { return len(s.Senders) > 0 }) {
			left = []string{OtherSenders}
		}
	}
	text := "No server is left"
	if other != "" {
		text = "Server " + other + " is used in its place"
		if len(left) == 0 {
			return text + "."
		}
		text += ", but no server is left"
	}
	if len(left) > 0 {
		text += " for mail from " + term.Listed(left)
	}
	return text + ": mail waits here and will be sent automatically when a server accepts it."
}

// OtherSenders stands for the senders of a server that names none.
const OtherSenders = "senders that no server names"

// sentence ends a text with a full stop, if it has no mark of its own.
func sentence(text string) string {
	if text = strings.TrimRight(text, " "); text != "" && strings.ContainsRune(".!?", rune(text[len(text)-1])) {
		return text
	}
	return text + "."
}

// kindOf groups the reasons after which a person does the same.
func kindOf(r spool.Reason) string {
	switch r {
	case spool.ReasonAuth, spool.ReasonSecret:
		return "login"
	case spool.ReasonToken, spool.ReasonTLS, spool.ReasonLimit, spool.ReasonAccount, spool.ReasonRelay, spool.ReasonHelo, spool.ReasonIdentity,
		spool.ReasonRefused, spool.ReasonSender, spool.ReasonSendAs:
		return string(r)
	}
	return "away"
}

// loginStep is the next step after a refused login.
func loginStep(s *smtpclient.Server, o spool.Outcome) string {
	none, other := smtpclient.NoMechanism(o)
	key, of := cmp.Or(s.SecretKey, "auth"), " of server "+s.Name+" in notices.toml"
	account := s.Name == config.AuthGoogle || s.Name == config.AuthMicrosoft
	switch {
	case s.Name == config.ViaService && o.Reply.Code != 0:
		return "The service refuses the site's key: check site and key_file of [service] in notices.toml, or ask the service for a new key"
	case account && o.Reply.Code != 0:
		return "Sign in again: notices " + s.Name + "-login"
	case none && account:
		return "It offers no login here"
	case none:
		return "It offers no login here: set the host and port" + of + " that mail is handed in at (mostly port 587 or 465), or if it needs no login, " + probe.WithoutLogin(s)
	case other && s.Tokens != nil:
		return "It does not accept access tokens (XOAUTH2): set password_file instead of " + key + of + ", or the right host and port"
	case other:
		return "It supports no login method that notices supports: check host and port" + of
	case smtpclient.NotProved(o):
		return "It could not prove that it knows the password: it may be an impostor, or keep another password. Check host and " + key + of
	case s.SecretKey == "token_command":
		return "Run the command of token_command" + of + " by hand and correct what it prints"
	case s.Tokens != nil:
		return "Sign in again (notices google-login or notices microsoft-login, as auth" + of + " says)"
	case s.Login == "":
		return "It requires a login: set login and password_file" + of
	}
	return "Set the right login and " + key + of
}

// nextStep is the next step.
func nextStep(s *smtpclient.Server, o spool.Outcome) string {
	name, test := s.Name, "notices test-server "+s.Name
	switch o.Reason {
	case spool.ReasonAuth:
		return loginStep(s, o) + "; then run: " + test
	case spool.ReasonAccount:
		return "Its provider has shut the account, or not opened it for sending: log in at the provider's site, or ask its support; then run: " + test
	case spool.ReasonSecret:
		return "Fix that, then run: " + test
	case spool.ReasonToken:
		return "notices will try it again; to see its state, run: notices status"
	case spool.ReasonTLS:
		return "To see its certificate and what helps, run: " + test
	case spool.ReasonLimit:
		if name == config.ViaService {
			return "If this happens often, ask the service for a higher limit"
		}
		return "notices will try it again. If this happens often, set rate_per_minute or rate_per_day of server " + name + " in notices.toml"
	case spool.ReasonRelay:
		return "It accepts mail only from clients that it knows: set login and password of server " + name + " in notices.toml, or ask whoever runs it; then run: " + test
	case spool.ReasonHelo:
		return "Set [site] hostname in notices.toml to this machine's full name, as it is in the DNS, then run: " + test
	case spool.ReasonIdentity:
		return "Have the sender's address verified by the provider, or set [site] address to one that is, then run: " + test
	case spool.ReasonRefused:
		return "It refused several messages in a row, perhaps because of the account: ask whoever runs it, then run: " + test
	case spool.ReasonSender, spool.ReasonSendAs:
		return "Set rewrite_from = true in [site], or let the account send as that address; then run: " + test
	case spool.ReasonDNS:
		return "notices will try it again. If the problem persists, check host of server " + name + " in notices.toml and this machine's network, then run: " + test
	}
	return "notices will try it again. If the problem persists, run: " + test
}

// Paused are the names of the servers that are paused after an error.
func Paused(ctx context.Context, state spool.State, servers []route.Server, since, now time.Time) []string {
	var names []string
	for i := range servers {
		h, err := spool.LoadState[spool.Health](ctx, state, spool.HealthName+servers[i].Name)
		if err == nil && h.DownUntil.After(now) && !h.Last.Reply.At.Before(since) {
			names = append(names, servers[i].Name)
		}
	}
	return names
}

// AsideCounter is a store that counts the messages and foreign files that were set aside.
type AsideCounter interface {
	CountAside(ctx context.Context) (n, fromDrop int, err error)
}

// countAside counts what was set aside in the store, and in the folder beside it.
func (c *Collector) countAside(ctx context.Context) (n int, known bool, err error) {
	n, _, known, err = CountAside(ctx, c.Store)
	if c.Beside == nil || err != nil {
		return n, known, err
	}
	own, _, err := c.Beside.CountAside(ctx)
	return n + own, known, err
}

// CountAside counts the messages and files that a store has set aside, and those of other
// users. known: the store can count them.
func CountAside(ctx context.Context, store spool.Store) (n, fromDrop int, known bool, err error) {
	counter, known := store.(AsideCounter)
	if known {
		n, fromDrop, err = counter.CountAside(ctx)
	}
	return n, fromDrop, known, err
}
