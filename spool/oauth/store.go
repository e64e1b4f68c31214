package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"notices/spool"
)

// StateName is the name of the value that keeps a provider's sign-in: "token-google".
const StateName = "token-"

// kept is that value. Times are UTC.
type kept struct {
	Account  string    `json:"account,omitempty"`
	Scopes   []string  `json:"scopes,omitempty"` // as granted
	Refresh  string    `json:"refresh_token,omitempty"`
	Access   string    `json:"access_token,omitempty"`
	IssuedAt time.Time `json:"issued_at,omitzero"`
	// ExpiresAt of Access; zero: the provider does not say.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	SignedIn  time.Time `json:"signed_in_at,omitzero"`
	Trouble   *trouble  `json:"trouble,omitempty"` // the last renewal failed
	Lease     *lease    `json:"lease,omitempty"`   // somebody is renewing
}

// trouble is a renewal that failed.
type trouble struct {
	At     time.Time `json:"at"`
	Code   string    `json:"code,omitempty"`
	Text   string    `json:"text"`
	Passes bool      `json:"passes,omitempty"`
}

// lease is the right to renew, for one at a time.
type lease struct {
	Owner string    `json:"owner"`
	Until time.Time `json:"until"`
}

// leaseTime is longer than a renewal takes: one HTTP call and a write.
const leaseTime = callLimit + 10*time.Second

// live: somebody is at it. What lies further ahead than any lease is of another clock.
func (l *lease) live(now time.Time) bool {
	return l != nil && now.Before(l.Until) && l.Until.Sub(now) <= leaseTime
}

func (c *Client) stateName() string { return StateName + c.Provider.Key }

// recall reads what is kept. A damaged value is told of: a sign-in must not vanish
// without a word.
func (c *Client) recall(ctx context.Context, state spool.State) (*kept, error) {
	b, err := state.Load(ctx, c.stateName())
	if err != nil {
		return nil, fmt.Errorf("reading the sign-in with %s: %w", c.Provider.Name, err)
	}
	return c.decode(b)
}

func (c *Client) decode(b []byte) (*kept, error) {
	k := new(kept)
	if len(b) == 0 {
		return k, nil
	}
	if json.Unmarshal(b, k) != nil || k.Access != "" && !wellFormed(k.Access) {
		return nil, c.person("", "", fmt.Sprintf("what is kept of the sign-in with %s is damaged; run: %s", c.Provider.Name, c.Provider.login()))
	}
	return k, nil
}

// update changes what is kept, alone. change returns an error to leave it as it is.
func (c *Client) update(ctx context.Context, state spool.State, durable bool, change func(*kept) error) error {
	return state.Update(ctx, c.stateName(), durable, func(old []byte) ([]byte, error) {
		k, err := c.decode(old)
		if err != nil {
			return nil, err
		}
		if err := change(k); err != nil {
			return nil, err
		}
		return json.Marshal(k)
	})
}

// put replaces all that is kept, durably.
func (c *Client) put(ctx context.Context, state spool.State, k *kept) error {
	b, err := json.Marshal(k)
	if err == nil {
		err = state.Update(ctx, c.stateName(), true, func([]byte) ([]byte, error) { return b, nil })
	}
	if err != nil {
		return fmt.Errorf("the sign-in cannot be stored: %w", err)
	}
	return nil
}

// wellFormed: a token of RFC 6750 2.1. Anything else could end the line of an SMTP
// command or a field of XOAUTH2.
func wellFormed(token string) bool {
	return token != "" && len(token) <= 16<<10 && strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// usable reports whether the access token can still be used. It is renewed a little
// early, for the login takes its time: a minute, or a tenth of a short life.
func (k *kept) usable(now time.Time) bool {
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

// Account is what a person is shown of a sign-in: nothing of it is secret.
type Account struct {
	Account   string
	Scopes    []string
	ExpiresAt time.Time // of the access token, which is renewed by itself
	// Error says what a person must do, or what went wrong the last time; nil: all is well.
	Error *Error
}

// Look reads how the sign-in is without asking the provider.
func (c *Client) Look(ctx context.Context, state spool.State) (Account, error) {
	k, err := c.recall(ctx, state)
	if own := (*Error)(nil); errors.As(err, &own) {
		return Account{Scopes: []string{}, Error: own}, nil
	}
	if err != nil {
		return Account{}, err
	}
	a := Account{Account: c.accountOf(k), Scopes: k.Scopes, ExpiresAt: k.ExpiresAt}
	if a.Scopes == nil {
		a.Scopes = []string{}
	}
	if a.Error = c.usableFor(k); a.Error == nil && k.Trouble != nil {
		a.Error = c.troubled(k)
	}
	return a, nil
}

// accountOf is whose mailbox sends.
func (c *Client) accountOf(k *kept) string {
	if c.Account != "" {
		return c.Account
	}
	return k.Account
}

// troubled repeats the trouble that is kept.
func (c *Client) troubled(k *kept) *Error {
	return &Error{Provider: c.Provider.Key, Account: c.accountOf(k), Code: k.Trouble.Code, text: k.Trouble.Text, passes: k.Trouble.Passes}
}

// usableFor tells why what is kept cannot be used at all; nil: it can.
func (c *Client) usableFor(k *kept) *Error {
	switch {
	case c.Service != nil:
		return nil
	case k.Refresh == "":
		return c.notSignedIn()
	case c.otherThan(k.Account):
		return c.person(k.Account, "", fmt.Sprintf("%s is signed in with %s, but [%s] account is %s; run: %s",
			k.Account, c.Provider.Name, c.Provider.Key, c.Account, c.Provider.login()))
	}
	return nil
}

// otherThan: the config names another account than the one that signed in.
func (c *Client) otherThan(account string) bool {
	return c.Provider.OwnAccount && c.Account != "" && account != "" && !strings.EqualFold(c.Account, account)
}
