// Package signin makes the objects of [google] and [microsoft] in the config: the client that
// signs in, the source of tokens, and the server that mail goes out through. google-login,
// microsoft-login and their logouts are here too.
package signin

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"time"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/oauth"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

// Names are the accounts that a person can sign in to.
func Names() []string { return []string{config.AuthGoogle, config.AuthMicrosoft} }

// provider is the provider's table with what the config replaces in it.
func provider(name string, cfg *config.Config) oauth.Provider {
	c, p := cfg.Account(name), oauth.Google()
	if name == config.AuthMicrosoft {
		p = oauth.Microsoft(c.Tenant)
	} else if c.ServiceAccountFile.IsSet() {
		p.TokenURL = "" // the key file may name another
	}
	p.AuthURL = cmp.Or(c.AuthURL, p.AuthURL)
	p.DeviceURL = cmp.Or(c.DeviceURL, p.DeviceURL)
	p.TokenURL = cmp.Or(c.TokenURL, p.TokenURL)
	p.UserinfoURL = cmp.Or(c.UserinfoURL, p.UserinfoURL)
	p.RevokeURL = cmp.Or(c.RevokeURL, p.RevokeURL)
	if cfg.Bounces.Auth == name {
		p = p.WithIMAP()
	}
	return p
}

// newClient makes the client of a sign-in, or of a service account, which needs none.
func newClient(p *app.Program, cfg *config.Config, name string) (*oauth.Client, error) {
	c := cfg.Account(name)
	client := &oauth.Client{Provider: provider(name, cfg), ID: c.ClientID, Account: c.Account, Now: p.Now}
	if c.Broker != "" {
		client.Broker = &oauth.Broker{URL: c.Broker, Site: cfg.Service.Site, Key: cfg.Service.Key.Read}
		if file := cfg.Service.CAFile; file != "" {
			client.Broker.Roots = x509.NewCertPool()
			if err := AddCertificates(client.Broker.Roots, file); err != nil {
				return nil, cfg.Fault("service", 0, "ca_file", err)
			}
		}
	}
	if c.ClientSecretFile.IsSet() {
		client.Secret = c.ClientSecretFile.Read
	}
	if c.CAFile != "" { // a broker of one's own may stand beside the provider's own servers
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if err := AddCertificates(roots, c.CAFile); err != nil {
			return nil, cfg.Fault(name, 0, "ca_file", err)
		}
		client.Roots = roots
	}
	if c.ServiceAccountFile.IsSet() {
		key, err := c.ServiceAccountFile.Read(context.Background()) // a file: there is nothing to wait for
		if err != nil {
			return nil, err
		}
		if client.Service, err = oauth.ParseServiceAccount([]byte(key)); err != nil {
			return nil, cfg.Fault(name, 0, "service_account_file", err)
		}
	}
	return client, nil
}

// AddCertificates adds the certificates of a private CA to a pool.
func AddCertificates(pool *x509.CertPool, path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("has no certificate in PEM in it: %s", path)
	}
	return nil
}

// Server is the provider's own mail server. Limits are the providers':
// https://support.google.com/a/answer/166852 (recipients of a message) and
// https://learn.microsoft.com/en-us/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits
// (three connections at once, thirty messages a minute).
func Server(p *app.Program, cfg *config.Config, name string) (route.Server, error) {
	c := cfg.Account(name)
	client, err := newClient(p, cfg, name)
	if err != nil {
		return route.Server{}, err
	}
	s := route.Server{
		Server: smtpclient.Server{
			Name: name, Host: c.SMTPHost, Port: c.SMTPPort, TLS: smtpclient.TLSAuto,
			FindHello: p.FindHostname(cfg, true), Roots: client.Roots, Tokens: &oauth.Source{Client: client},
			Timeout: time.Minute, DataTimeout: 10 * time.Minute, Now: p.Now,
		},
		Connections: 3, MessagesPerConnection: 50, RecipientsPerMessage: 100,
	}
	s.RatePerMinute = RatePerMinute(name)
	return s, nil
}

// RatePerMinute is the provider's limit; 0: none.
func RatePerMinute(name string) int {
	if name == config.AuthMicrosoft {
		return 30
	}
	return 0
}

// UseTokens gives a [[server]] the tokens of its account instead of a password.
func UseTokens(p *app.Program, cfg *config.Config, s *route.Server, name string) error {
	client, err := newClient(p, cfg, name)
	if err != nil {
		return err
	}
	s.Tokens = &oauth.Source{Client: client}
	if s.Roots == nil {
		s.Roots = client.Roots
	}
	return nil
}

// MailboxTokens are the tokens for the mailbox of [bounces], and the login that they are for.
func MailboxTokens(ctx context.Context, p *app.Program, cfg *config.Config, state spool.State) (tokens *oauth.Source, login string, err error) {
	b := &cfg.Bounces
	client, err := newClient(p, cfg, b.Auth)
	if err != nil {
		return nil, "", err
	}
	tokens = &oauth.Source{Client: client, State: state, IgnoreRefusals: true}
	return tokens, cmp.Or(b.Login, tokens.Login(ctx)), tokens.CoversMailbox(ctx)
}

// AccountServers are the accounts with a server of their own: mail goes out through it, or no
// [[server]] uses the account.
func AccountServers(cfg *config.Config) []string {
	var list []string
	for _, name := range Names() {
		if cfg.Delivery.Via == name || !hasServer(cfg, name) && cfg.Account(name).Usable() && !isForSites(cfg, name) {
			list = append(list, name)
		}
	}
	return list
}

// hasServer reports whether a [[server]] uses the account.
func hasServer(cfg *config.Config, name string) bool {
	return slices.ContainsFunc(cfg.Servers, func(s config.Server) bool { return s.Auth == name })
}

// isForSites reports whether this machine is a service that has a client only for its sites:
// then nobody signs in here.
func isForSites(cfg *config.Config, name string) bool {
	own := cfg.Delivery.Via == name || cfg.Bounces.Auth == name || hasServer(cfg, name)
	return cfg.Serve.Address != "" && !own
}

// UseState gives the sources of tokens the state that has the sign-in, and the servers the
// name of the account. insist: ignore a refusal of the last hour.
func UseState(ctx context.Context, cfg *config.Config, servers []route.Server, state spool.State, insist bool) {
	for i := range servers {
		source, ok := servers[i].Tokens.(*oauth.Source)
		if !ok {
			continue
		}
		source.State, source.IgnoreRefusals = state, insist
		// Without a name no login would be tried, and nobody would learn that it is missing.
		servers[i].Login = cmp.Or(servers[i].Login, source.Login(ctx), cfg.Site.Address, "nobody")
	}
}

// KeepAlive renews sign-ins that were not used for a month, once the mail is out.
// An error is logged and does not fail the run.
func KeepAlive(ctx context.Context, servers []route.Server, log *maillog.Log) {
	for i := range servers {
		if source, ok := servers[i].Tokens.(*oauth.Source); ok && ctx.Err() == nil {
			if err := source.KeepAlive(ctx); err != nil {
				log.Trouble("server "+servers[i].Name, err)
			}
		}
	}
}

// Status is the state of the sign-in of that name; nil: it is not configured.
func Status(ctx context.Context, cfg *config.Config, name string, state spool.State) (*oauth.SignIn, error) {
	c := cfg.Account(name)
	if !c.Usable() || isForSites(cfg, name) {
		return nil, nil
	}
	client := &oauth.Client{Provider: provider(name, cfg), Account: c.Account}
	if c.ServiceAccountFile.IsSet() {
		client.Service = &oauth.ServiceAccount{}
	}
	found, err := client.Peek(ctx, state)
	return &found, err
}
