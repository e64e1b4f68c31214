package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"notices/spool"
)

// Logout ends the sign-in: the provider is told to revoke it (RFC 7009), and what is
// kept is removed in any case. account is whose it was; empty: nobody was signed in.
// revoked is nil when the provider has forgotten it, else it says how a person ends it.
func (c *Client) Logout(ctx context.Context, state spool.State) (account string, revoked *Error, err error) {
	k := new(kept)
	err = state.Update(ctx, c.stateName(), true, func(old []byte) ([]byte, error) {
		if k, _ = c.decode(old); k == nil {
			k = &kept{Account: "an unknown account"} // damaged: away with it
		}
		return nil, nil
	})
	if err != nil {
		return "", nil, fmt.Errorf("the sign-in cannot be removed: %w", err)
	}
	account = c.accountOf(k)
	if k.Refresh == "" && k.Access == "" {
		return account, nil, nil
	}
	return account, c.revoke(ctx, k), nil
}

// revoke asks the provider to forget a grant. A token that it does not know any more is
// as good as revoked.
func (c *Client) revoke(ctx context.Context, k *kept) *Error {
	p := &c.Provider
	by := fmt.Sprintf("to end the access of notices there too, go to %s", p.AccountURL)
	if p.RevokeURL == "" {
		return c.person(k.Account, "", fmt.Sprintf("%s takes no word of it from a program; %s", p.Name, by))
	}
	token := k.Refresh
	if token == "" {
		token = k.Access
	}
	form := url.Values{"token": {token}}
	if config, err := c.config(ctx); err == nil { // a broker may want to know who asks
		form.Set("client_id", config.ClientID)
		if config.ClientSecret != "" {
			form.Set("client_secret", config.ClientSecret)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.RevokeURL, strings.NewReader(form.Encode()))
	if err != nil {
		return c.person(k.Account, "", by)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.http().Do(r)
	if err != nil {
		return c.person(k.Account, "", fmt.Sprintf("%s could not be told (%s: %s); %s", p.Name, host(p.RevokeURL), clean(unheard(err), []string{token}), by))
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusBadRequest {
		return c.person(k.Account, "", fmt.Sprintf("%s did not take it (HTTP status %d); %s", p.Name, answer.StatusCode, by))
	}
	return nil
}
