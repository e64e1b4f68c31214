package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"notices/config"
	"notices/spool"
	"notices/spool/maillog"
	"notices/spool/oauth"
	"notices/spool/route"
	"notices/spool/smtpclient"
)

// Here [google] and [microsoft] become objects: the client that signs in, the source
// of tokens, and the server that mail goes out through.

// accountNames are the accounts that a person can sign in to.
func accountNames() []string { return []string{config.AuthGoogle, config.AuthMicrosoft} }

// provider is the provider's table with what the config replaces in it.
func provider(name string, c *config.Account) oauth.Provider {
	p := oauth.Google()
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
	return p
}

// client is what signs in, or a service account that needs not.
func (a *cli) client(cfg *config.Config, name string) (*oauth.Client, error) {
	c := cfg.Account(name)
	client := &oauth.Client{Provider: provider(name, c), ID: c.ClientID, Account: c.Account, Now: a.Now}
	if c.ClientSecretFile.IsSet() {
		client.Secret = c.ClientSecretFile.Read
	}
	var err error
	key := "ca_file"
	if c.CAFile != "" {
		client.Roots, err = moreCertificates(c.CAFile)
	}
	if err == nil && c.ServiceAccountFile.IsSet() {
		key = "service_account_file"
		client.Service, err = serviceAccount(c.ServiceAccountFile)
	}
	if e := (*config.Error)(nil); errors.As(err, &e) {
		return nil, e
	}
	if err != nil {
		return nil, cfg.Fault(name, 0, key, err)
	}
	return client, nil
}

// moreCertificates are the system's and those of a private CA: a broker of one's own
// may stand beside the provider's own servers.
func moreCertificates(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("has no certificate in PEM in it: %s", path)
	}
	return pool, nil
}

func serviceAccount(key config.Secret) (*oauth.ServiceAccount, error) {
	file, err := key.Read(context.Background()) // a file: there is nothing to wait for
	if err != nil {
		return nil, err
	}
	return oauth.ParseServiceAccount([]byte(file))
}

// accountServer is the provider's own mail server. Limits are the providers':
// https://support.google.com/a/answer/166852 (recipients of a message) and
// https://learn.microsoft.com/en-us/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits
// (three connections at once, thirty messages a minute).
func (a *cli) accountServer(cfg *config.Config, name string) (route.Server, error) {
	c := cfg.Account(name)
	client, err := a.client(cfg, name)
	if err != nil {
		return route.Server{}, err
	}
	s := route.Server{
		Server: smtpclient.Server{
			Name: name, Host: c.SMTPHost, Port: c.SMTPPort, TLS: smtpclient.TLSAuto,
			FindHello: a.FindHostname(cfg, true), Roots: client.Roots, Tokens: &oauth.Source{Client: client},
			Timeout: time.Minute, DataTimeout: 10 * time.Minute, Now: a.Now,
		},
		Connections: 3, MessagesPerConnection: 50, RecipientsPerMessage: 100,
	}
	s.RatePerMinute = ratePerMinute(name)
	return s, nil
}

// ratePerMinute is the provider's limit; 0: none.
func ratePerMinute(name string) int {
	if name == config.AuthMicrosoft {
		return 30
	}
	return 0
}

// tokens gives a [[server]] the tokens of its account instead of a password.
func (a *cli) tokens(cfg *config.Config, s *route.Server, name string) error {
	client, err := a.client(cfg, name)
	if err != nil {
		return err
	}
	s.Tokens = &oauth.Source{Client: client}
	if s.Roots == nil {
		s.Roots = client.Roots
	}
	return nil
}

// testable are all servers that are configured: those of the route, those that stand in
// the config beside it, and the accounts' own.
func (a *cli) testable(cfg *config.Config) ([]route.Server, error) {
	list, err := a.ownServers(cfg)
	for _, name := range beside(cfg) {
		s, e := a.accountServer(cfg, name)
		if err = cmp.Or(err, e); e == nil {
			list = append(list, s)
		}
	}
	return list, err
}

// beside are the accounts that are servers of their own: that mail goes through, or
// that no [[server]] stands for.
func beside(cfg *config.Config) []string {
	var list []string
	for _, name := range accountNames() {
		used := false
		for i := range cfg.Servers {
			used = used || cfg.Servers[i].Auth == name
		}
		if cfg.Delivery.Via == name || !used && cfg.Account(name).Usable() {
			list = append(list, name)
		}
	}
	return list
}

// signIn gives the sources of tokens the state in which the sign-in is kept, and the
// servers the name of the account. insist: a refusal of the last hour does not count.
func signIn(ctx context.Context, cfg *config.Config, servers []route.Server, state spool.State, insist bool) {
	for i := range servers {
		source, ok := servers[i].Tokens.(*oauth.Source)
		if !ok {
			continue
		}
		source.State, source.Insist = state, insist
		// Without a name no login would be tried, and nobody told that it is missing.
		servers[i].Login = cmp.Or(servers[i].Login, source.Login(ctx), cfg.Site.Address, "nobody")
	}
}

// keepAlive renews sign-ins that were not used for a month, once the mail is out.
// What goes wrong is told, and is no fault of the run.
func keepAlive(ctx context.Context, servers []route.Server, log *maillog.Log) {
	for i := range servers {
		if source, ok := servers[i].Tokens.(*oauth.Source); ok && ctx.Err() == nil {
			if err := source.KeepAlive(ctx); err != nil {
				log.Trouble("server "+servers[i].Name, err)
			}
		}
	}
}

// accountJSON is how a sign-in is, in status.
type accountJSON struct {
	Account   string     `json:"account"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"` // of the access token, which is renewed by itself
	Error     *string    `json:"error"`      // and what to run; null: all is well

	needsPerson bool // the error is for a person to mend; else it passes
}

// lookAccount is how the sign-in of that name is; nil: it is not configured.
func lookAccount(ctx context.Context, cfg *config.Config, name string, state spool.State) (*accountJSON, error) {
	c := cfg.Account(name)
	if !c.Usable() {
		return nil, nil
	}
	client := &oauth.Client{Provider: provider(name, c), Account: c.Account}
	if c.ServiceAccountFile.IsSet() {
		client.Service = &oauth.ServiceAccount{}
	}
	found, err := client.Look(ctx, state)
	if err != nil {
		return nil, err
	}
	j := &accountJSON{Account: found.Account, Scopes: found.Scopes, ExpiresAt: stamp(found.ExpiresAt)}
	if found.Error != nil {
		text := found.Error.Error()
		j.Error, j.needsPerson = &text, found.Error.NeedsPerson()
	}
	return j, nil
}
