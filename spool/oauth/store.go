package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"notices/spool"
)

// StateName is the name of the value that keeps a provider's sign-in: "token-google".
const StateName = "token-"

// storedToken is that value. Times are UTC.
type storedToken struct {
	Account  string    `json:"account,omitempty"`
	Scopes   []string  `json:"scopes,omitempty"` // as granted
	Refresh  string    `json:"refresh_token,omitempty"`
	Access   string    `json:"access_token,omitempty"`
	IssuedAt time.Time `json:"issued_at,omitzero"`
	// ExpiresAt of Access; zero: the provider does not say.
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	SignedIn    time.Time `json:"signed_in_at,omitzero"`
	LastFailure *failure  `json:"trouble,omitempty"` // nil: the last renewal succeeded
	Lease       *lease    `json:"lease,omitempty"`   // somebody is renewing
}

// failure is a renewal that failed.
type failure struct {
	At        time.Time `json:"at"`
	Text      string    `json:"text"`
	Temporary bool      `json:"passes,omitempty"`
	Person    bool      `json:"person,omitempty"`
}

// lease is the right to renew, for one at a time.
type lease struct {
	Owner string    `json:"owner"`
	Until time.Time `json:"until"`
}

// leaseTime is longer than a renewal takes: one HTTP call and a write.
const leaseTime = callLimit + 10*time.Second

// live reports whether somebody is renewing. A lease that ends too late is of a wrong clock.
func (l *lease) live(now time.Time) bool {
	return l != nil && now.Before(l.Until) && l.Until.Sub(now) <= leaseTime
}

// tokenStore is where the value of a provider is kept.
type tokenStore struct {
	provider *Provider
	state    spool.State
}

func (c *Client) tokens(state spool.State) tokenStore { return tokenStore{&c.Provider, state} }

func (s tokenStore) name() string { return StateName + s.provider.Key }

// load reads the stored value. A damaged one is an error: a sign-in must not vanish
// silently.
func (s tokenStore) load(ctx context.Context) (*storedToken, error) {
	b, err := s.state.Load(ctx, s.name())
	if err != nil {
		return nil, fmt.Errorf("reading the sign-in with %s: %w", s.provider.Name, err)
	}
	return s.decode(b)
}

func (s tokenStore) decode(b []byte) (*storedToken, error) {
	k := new(storedToken)
	if len(b) == 0 {
		return k, nil
	}
	if json.Unmarshal(b, k) != nil || k.Access != "" && !wellFormed(k.Access) {
		return nil, errorf("what is stored of the sign-in with %s is damaged; run: %s", s.provider.Name, s.provider.login())
	}
	return k, nil
}

// errKeep leaves the stored value as it is.
var errKeep = errors.New("nothing to change")

// update changes the stored value atomically. change returns errKeep to leave it as it is.
func (s tokenStore) update(ctx context.Context, durable bool, change func(*storedToken) error) error {
	err := s.state.Update(ctx, s.name(), durable, func(old []byte) ([]byte, error) {
		k, err := s.decode(old)
		if err == nil {
			err = change(k)
		}
		if err != nil {
			return nil, err
		}
		return json.Marshal(k)
	})
	if errors.Is(err, errKeep) {
		return nil
	}
	return err
}

// put replaces the stored value, durably.
func (s tokenStore) put(ctx context.Context, k *storedToken) error {
	b, err := json.Marshal(k)
	if err == nil {
		err = s.state.Update(ctx, s.name(), true, func([]byte) ([]byte, error) { return b, nil })
	}
	if err != nil {
		return fmt.Errorf("the sign-in cannot be stored: %w", err)
	}
	return nil
}

// wellFormed reports whether it is a token of RFC 6750 2.1. Any other text could end the
// line of an SMTP command or a field of XOAUTH2.
func wellFormed(token string) bool {
	return token != "" && len(token) <= 16<<10 && strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// isFresh reports whether the access token can still be used. It is renewed early, for the
// time that a login takes: by a minute, or a tenth of a short life.
func (k *storedToken) isFresh(now time.Time) bool {
	switch {
	case k.Access == "":
		return false
	case k.ExpiresAt.IsZero():
		return true
	}
	early := min(time.Minute, k.ExpiresAt.Sub(k.IssuedAt)/10)
	return now.Before(k.ExpiresAt.Add(-early)) && k.ExpiresAt.Sub(now) < century
}

const century = 100 * 365 * 24 * time.Hour

// SignIn is what a person may see of a sign-in; it contains no secret.
type SignIn struct {
	Account   string
	Scopes    []string
	ExpiresAt time.Time // of the access token, which is renewed by itself
	// Error says what a person must do, or what went wrong the last time; nil: all is well.
	Error *Error
}

// Peek reads how the sign-in is without asking the provider.
func (c *Client) Peek(ctx context.Context, state spool.State) (SignIn, error) {
	k, err := c.tokens(state).load(ctx)
	if e := (*Error)(nil); errors.As(err, &e) {
		return SignIn{Scopes: []string{}, Error: e}, nil
	}
	if err != nil {
		return SignIn{}, err
	}
	s := SignIn{Account: c.accountOf(k), Scopes: append([]string{}, k.Scopes...), ExpiresAt: k.ExpiresAt, Error: c.whyUnusable(k)}
	if s.Error == nil && k.LastFailure != nil {
		s.Error = k.LastFailure.error()
	}
	return s, nil
}

// error repeats a failure.
func (f *failure) error() *Error {
	return &Error{text: f.Text, temporary: f.Temporary, person: f.Person}
}

// accountOf is the mailbox that sends.
func (c *Client) accountOf(k *storedToken) string { return cmp.Or(c.Account, k.Account) }

// whyUnusable tells why the stored value cannot be used at all; nil: it can.
func (c *Client) whyUnusable(k *storedToken) *Error {
	p := &c.Provider
	switch {
	case c.Service != nil:
		return nil
	case k.Refresh == "":
		return errorf("nobody is signed in with %s; run: %s", p.Name, p.login())
	case c.isOtherAccount(k.Account):
		return errorf("%s is signed in with %s, but [%s] account is %s; run: %s", k.Account, p.Name, p.Key, c.Account, p.login())
	}
	return nil
}

// isOtherAccount reports whether the config names another account than the one that
// signed in.
func (c *Client) isOtherAccount(account string) bool {
	return c.Provider.SameAccountOnly && c.Account != "" && account != "" && !strings.EqualFold(c.Account, account)
}

// Logout ends the sign-in: the provider is told to revoke it (RFC 7009), and what is
// stored is removed in any case. account is whose it was; "" if nobody was signed in.
// revoked is nil when the provider has forgotten it, else it says how a person ends it.
func (c *Client) Logout(ctx context.Context, state spool.State) (account string, revoked *Error, err error) {
	k, s := new(storedToken), c.tokens(state)
	err = state.Update(ctx, s.name(), true, func(old []byte) ([]byte, error) {
		if k, _ = s.decode(old); k == nil {
			k = &storedToken{Account: "an unknown account"} // it is damaged
		}
		return nil, nil
	})
	if err != nil {
		return "", nil, fmt.Errorf("the sign-in cannot be removed: %w", err)
	}
	if token := cmp.Or(k.Refresh, k.Access); token != "" {
		if why := c.revoke(ctx, token); why != "" {
			p := &c.Provider
			revoked = errorf("%s %s; to end the access of notices there too, go to %s", p.Name, why, p.AccountURL)
		}
	}
	return c.accountOf(k), revoked, nil
}

// revoke asks the provider to forget a grant; it returns why that failed. A token that the
// provider does not know counts as revoked.
func (c *Client) revoke(ctx context.Context, token string) (why string) {
	p := &c.Provider
	form := url.Values{"token": {token}}
	if c.Broker != nil {
		return revokeByBroker(ctx, c, form)
	}
	if p.RevokeURL == "" {
		return noRevokeText
	}
	if config, err := c.config(ctx); err == nil { // a broker may want to know who asks
		form.Set("client_id", config.ClientID)
		if config.ClientSecret != "" {
			form.Set("client_secret", config.ClientSecret)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.RevokeURL, strings.NewReader(form.Encode()))
	var answer *http.Response
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err = c.http(c.Roots).Do(r)
	}
	if err != nil {
		return fmt.Sprintf("could not be told (%s: %s)", host(p.RevokeURL), clean(noAnswerText(err), []string{token}))
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusBadRequest {
		return fmt.Sprintf("did not take it (HTTP status %d)", answer.StatusCode)
	}
	return ""
}

const noRevokeText = "does not let a program do that"

// revokeByBroker is revoke through the service that has the client.
func revokeByBroker(ctx context.Context, c *Client, form url.Values) (why string) {
	_, err := askBroker(ctx, c, http.MethodPost, "revoke", form.Encode())
	a := answerOf(err)
	switch {
	case err == nil, a != nil && a.status == http.StatusBadRequest && !a.challenged:
		return ""
	case a != nil && a.code == noRevoke:
		return noRevokeText
	}
	return "could not be told: " + c.refused(err, "", form.Get("token")).text
}
