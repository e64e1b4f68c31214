package config

import (
	"cmp"
	"net/netip"
	"net/url"
	"strings"
)

// Account is [google] or [microsoft]: an account that a person signs in to. An
// empty endpoint stands for the provider's.
type Account struct {
	ClientID         string
	ClientSecretFile Secret
	// Broker is the https address, without a path, of a service that has a client for this site and
	// others; empty if no broker is used. With it, ClientID and all endpoints but UserinfoURL are the
	// broker's.
	Broker             string
	Account            string // the address to sign in as; empty: whoever signs in
	ServiceAccountFile Secret // [google] only
	AuthURL            string
	DeviceURL          string
	TokenURL           string
	UserinfoURL        string
	RevokeURL          string
	SMTPHost           string
	SMTPPort           int
	CAFile             string // empty: the system's alone
	Tenant             string // [microsoft] only
}

var accountKeys = [...]key[Account]{
	{name: "client_id", read: func(v value, a *Account) { v.text(&a.ClientID) }},
	{name: "client_secret_file", read: func(v value, a *Account) { v.secret(&a.ClientSecretFile, wholeFile) }},
	{name: "broker", read: func(v value, a *Account) { broker(v, &a.Broker) }},
	{name: "account", read: func(v value, a *Account) { v.address(&a.Account) }},
	{name: "service_account_file", read: func(v value, a *Account) { v.secret(&a.ServiceAccountFile, wholeFile) }},
	{name: "auth_url", read: func(v value, a *Account) { v.endpoint(&a.AuthURL) }},
	{name: "device_url", read: func(v value, a *Account) { v.endpoint(&a.DeviceURL) }},
	{name: "token_url", read: func(v value, a *Account) { v.endpoint(&a.TokenURL) }},
	{name: "userinfo_url", read: func(v value, a *Account) { v.endpoint(&a.UserinfoURL) }},
	{name: "revoke_url", read: func(v value, a *Account) { v.endpoint(&a.RevokeURL) }},
	{name: "smtp_host", read: func(v value, a *Account) { v.host(&a.SMTPHost) }},
	{name: "smtp_port", read: func(v value, a *Account) { v.number(&a.SMTPPort, 1, 65535) }},
	{name: "ca_file", read: func(v value, a *Account) { v.caFile(&a.CAFile) }},
	{name: "tenant", read: func(v value, a *Account) {
		take(v, &a.Tenant, `a domain like "school.example", a directory (tenant) ID, or "common"`, optional(validHost))
	}},
}

// keysOf are the keys of [google] or [microsoft], which has one more.
func keysOf(account string) []key[Account] {
	if account == AuthMicrosoft {
		return accountKeys[:]
	}
	return accountKeys[:len(accountKeys)-1]
}

// account reads [google] or [microsoft].
func (l *loader) account(t table, at place) {
	a := l.cfg.Account(at.Section)
	switch fill(l, t, at, keysOf(at.Section), a); {
	case a.Broker != "":
		brokerAlone(l, t, at)
	case !a.ServiceAccountFile.IsSet():
	case at.Section == AuthMicrosoft:
		at.Key = "service_account_file"
		l.bad(at, "is for Google only: remove it here")
	case a.Account == "":
		at.Key = "account"
		l.bad(at, "is not set; a service account sends as that user")
	}
}

// brokerAlone refuses keys that belong to a broker and not to a site that uses one.
func brokerAlone(l *loader, t table, at place) {
	for _, name := range []string{"client_id", "client_secret_file", "service_account_file", "auth_url", "device_url", "token_url", "revoke_url", "tenant"} {
		if given, ok := t[name]; ok && given != "" {
			at.Key = name
			l.bad(at, "cannot be combined with broker, which has it: remove one of them")
		}
	}
}

// accounts finishes, once all is read, what depends on [google] and [microsoft]: a server
// with an account takes from it what it does not set itself.
func (l *loader) accounts() {
	if via := l.cfg.Delivery.Via; via == ViaGoogle || via == ViaMicrosoft {
		l.wantClient(via, place{Section: "delivery", Key: "via"})
	}
	for i := range l.cfg.Servers {
		s := &l.cfg.Servers[i]
		if s.Auth == AuthPassword {
			continue
		}
		a := l.cfg.Account(s.Auth)
		s.Host, s.Port = cmp.Or(s.Host, a.SMTPHost), cmp.Or(s.Port, a.SMTPPort)
		s.TLS = decideTLS(s.TLS, s.Port)
		if s.Password.IsSet() {
			l.bad(s.Password.src.at, "cannot be combined with auth = \""+s.Auth+"\": remove one of them")
		}
		l.wantClient(s.Auth, place{Section: "server", N: i + 1, Key: "auth"})
	}
	if b := &l.cfg.Bounces; b.Auth != AuthPassword {
		l.wantClient(b.Auth, place{Section: "bounces", Key: "auth"})
	}
}

// Account returns the section of that name: AuthGoogle or AuthMicrosoft.
func (c *Config) Account(name string) *Account {
	if name == AuthMicrosoft {
		return &c.Microsoft
	}
	return &c.Google
}

// Usable reports whether there is a client to sign in with, a broker that has one, or a
// service account.
func (a *Account) Usable() bool {
	return a.Broker != "" || a.ClientID != "" || a.ClientSecretFile.IsSet() || a.ServiceAccountFile.IsSet()
}

// wantClient notes it if a key needs a client that is not set up.
func (l *loader) wantClient(name string, at place) {
	if !l.cfg.Account(name).Usable() && !l.hasProblem(name) {
		l.bad(at, `is "`+name+`", but client_id is not set in [`+name+`]: notices-google(7) tells how to get one`)
	}
}

// endpoint takes an address that secrets may go to.
func (v value) endpoint(to *string) {
	if hasUser(v) {
		return
	}
	take(v, to, `an https address, like "https://accounts.example.net/token"`, optional(validEndpoint))
}

// hasUser refuses an address with a user name in it, behind which there may be a password.
func hasUser(v value) bool {
	s, _ := v.raw.(string)
	has := strings.Contains(s, "@")
	if has {
		v.l.bad(v.at, "must be an address without a user name in it")
	}
	return has
}

// broker reads the address of a host that a site's key may go to: by TLS only.
func broker(v value, to *string) {
	if hasUser(v) {
		return
	}
	take(v, to, `the https address of the service, like "https://submit.example.net:8443", without a path`, optional(func(s string) bool {
		u, err := url.Parse(s)
		return err == nil && validEndpoint(s) && u.Scheme == "https" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" &&
			(u.Port() == "" || validPort(u.Host))
	}))
	*to = strings.TrimRight(*to, "/")
}

// validEndpoint takes https, or http that does not leave this machine.
func validEndpoint(s string) bool {
	u, err := url.Parse(s)
	if err != nil || hasControl(s) || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}
