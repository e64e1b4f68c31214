package oauth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"
)

// Broker is a hosted service that keeps the client of many sites, as one of them sees it. The
// person's browser goes to the provider itself; the calls that need the client's secret go to
// the service, which knows the site by its name and key.
type Broker struct {
	URL   string // https, without a path
	Site  string
	Key   func(context.Context) (string, error)
	Roots *x509.CertPool // of the service's certificate; nil: the system's
}

// brokerURL is the address of a call of the broker.
func brokerURL(c *Client, call string) string {
	return c.Broker.URL + "/" + c.Provider.Key + "/" + call
}

// tokenClient is the client as the token endpoint knows it: with a broker, the site.
func (c *Client) tokenClient(ctx context.Context) (*oauth2.Config, error) {
	if c.Broker == nil {
		return c.config(ctx)
	}
	key, err := brokerKey(ctx, c)
	if err != nil {
		return nil, err
	}
	// HTTP Basic authentication, and neither of the two in the form (RFC 6749 2.3.1).
	endpoint := oauth2.Endpoint{TokenURL: brokerURL(c, "token"), AuthStyle: oauth2.AuthStyleInHeader}
	return &oauth2.Config{ClientID: c.Broker.Site, ClientSecret: key, Endpoint: endpoint}, nil
}

// brokerKey reads the site's key.
func brokerKey(ctx context.Context, c *Client) (string, error) {
	key, err := c.Broker.Key(ctx)
	if err != nil {
		return "", &Error{text: err.Error(), err: err, temporary: true, person: true}
	}
	return key, nil
}

// forTokens hands x/oauth2 the HTTP client for calls of the token endpoint.
func (c *Client) forTokens(ctx context.Context) context.Context {
	if c.Broker == nil {
		return c.with(ctx)
	}
	return context.WithValue(ctx, oauth2.HTTPClient, c.http(c.Broker.Roots))
}

// askBroker makes a call of the broker that x/oauth2 has no method for. An answer with another
// status than 200 is an *oauth2.RetrieveError.
func askBroker(ctx context.Context, c *Client, method, call, body string) ([]byte, error) {
	key, err := brokerKey(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, brokerURL(c, call), strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.SetBasicAuth(c.Broker.Site, key)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	got, err := c.http(c.Broker.Roots).Do(r)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	said, err := io.ReadAll(got.Body)
	if err == nil && got.StatusCode != http.StatusOK {
		err = &oauth2.RetrieveError{Response: got, Body: said}
	}
	return said, err
}

// describe asks the broker for the client that the person's browser shows to the provider.
func describe(ctx context.Context, c *Client) (*oauth2.Config, error) {
	said, err := askBroker(ctx, c, http.MethodGet, "client", "")
	if err != nil {
		return nil, err
	}
	var d description
	if json.Unmarshal(said, &d) != nil || !wellFormed(d.ClientID) || !isSecure(d.AuthURL) || d.DeviceURL != "" && !isSecure(d.DeviceURL) ||
		len(d.Scopes) == 0 || slices.ContainsFunc(d.Scopes, func(s string) bool { return !wellFormed(s) }) {
		return nil, errAnswer
	}
	return &oauth2.Config{
		ClientID: d.ClientID, Scopes: brokerScopes(c, d.Scopes),
		Endpoint: oauth2.Endpoint{AuthURL: d.AuthURL, DeviceAuthURL: d.DeviceURL, AuthStyle: oauth2.AuthStyleInParams},
	}, nil
}

// brokerScopes lists what is asked for: what the service's client may, without what only says
// whose account it is where that is known; and what only this site needs.
func brokerScopes(c *Client, offered []string) []string {
	named := func(list []Scope, name string) bool {
		return slices.ContainsFunc(list, func(s Scope) bool { return s.Name == name })
	}
	p := &c.Provider
	asked := slices.DeleteFunc(slices.Clone(offered), func(name string) bool {
		return c.Account != "" && named(p.Identify, name) && !named(p.Scopes, name)
	})
	for _, s := range p.Scopes {
		if s.Mailbox && !slices.Contains(asked, s.Name) {
			asked = append(asked, s.Name)
		}
	}
	return asked
}

// scopesOf are the scopes of those names, with what the provider's table has of them.
func scopesOf(p *Provider, list []string) []Scope {
	known := append(append([]Scope{}, p.Scopes...), p.Identify...)
	found := make([]Scope, len(list))
	for i, name := range list {
		found[i] = Scope{Name: name}
		if n := slices.IndexFunc(known, func(s Scope) bool { return s.Name == name }); n >= 0 {
			found[i] = known[n]
		}
	}
	return found
}

// brokerError is an error that is about the broker and not about the sign-in; else nil.
func brokerError(c *Client, err error, secrets []string) *Error {
	if c.Broker == nil {
		return nil
	}
	service, p := host(c.Broker.URL), &c.Provider
	a, what := answerOf(err), noAnswerText(err)
	if a != nil {
		what = a.String()
	}
	what = clean(what, secrets)
	person := func(format string, args ...any) *Error {
		return &Error{text: fmt.Sprintf(format, args...), temporary: true, person: true}
	}
	switch {
	case a != nil && a.challenged:
		return person("the service %s refuses the key of site %s; check site and key_file in [service], or ask the service for a new key", service, c.Broker.Site)
	case a == nil || a.isTemporary():
		e := errorf("the service %s gives no token of %s now (%s)%s; if it lasts, check broker in [%s] and whether this machine reaches it", service, p.Name, what, triedAgain, p.Key)
		e.temporary = true
		return e
	case a.status == http.StatusNotFound:
		return person("the service %s does not sign in with %s (%s); check broker in [%s], or ask whoever runs the service", service, p.Name, what, p.Key)
	case slices.Contains(clientCodes, a.code):
		return person("%s refuses the client of the service %s (%s); tell whoever runs the service", p.Name, service, what)
	}
	return nil
}

const triedAgain = "; it is tried again"

// brokerFailed says what is wrong at the service that has the client.
func (l *Login) brokerFailed(e *Error) *Refusal {
	text := strings.Replace(e.text, triedAgain, "", 1)
	r := l.refuse("The service that signs in for this site did not help", text+".")
	r.err = e
	return r
}
