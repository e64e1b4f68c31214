package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// description is what a site has to know of a client that is not its own: the answer to
// GET /google/client of a broker.
type description struct {
	ClientID  string   `json:"client_id"`
	AuthURL   string   `json:"auth_url"`
	DeviceURL string   `json:"device_url"`
	Scopes    []string `json:"scopes"`
}

// Shared is a client that a broker uses for its sites (package broker): its secret stays here.
type Shared struct{ Client *Client }

// Describe returns what a site has to know to begin a sign-in, as JSON. Scopes are all that a
// sign-in may ask for.
func (s Shared) Describe(ctx context.Context) ([]byte, error) {
	id, _, err := s.Client.credentials(ctx)
	if err != nil {
		return nil, err
	}
	p := &s.Client.Provider
	return json.Marshal(description{id, p.AuthURL, p.DeviceURL, append(names(p.Scopes), names(p.Identify)...)})
}

// Token adds the client's id and secret to a form of the token endpoint and returns the
// provider's answer, whatever its status. The error contains no secret.
func (s Shared) Token(ctx context.Context, form url.Values) (status int, answer []byte, err error) {
	return s.post(ctx, s.Client.tokenURL(), form)
}

// Revoke is Token for the endpoint of RFC 7009. A provider without one answers 404.
func (s Shared) Revoke(ctx context.Context, form url.Values) (status int, answer []byte, err error) {
	if s.Client.Provider.RevokeURL == "" {
		return http.StatusNotFound, []byte(`{"error":"` + noRevoke + `"}`), nil
	}
	return s.post(ctx, s.Client.Provider.RevokeURL, form)
}

// noRevoke is the code for a provider that lets no program revoke.
const noRevoke = "no_revocation"

func (s Shared) post(ctx context.Context, address string, form url.Values) (status int, answer []byte, err error) {
	id, secret, err := s.Client.credentials(ctx)
	if err != nil {
		return 0, nil, err
	}
	form.Set("client_id", id)
	if secret != "" {
		form.Set("client_secret", secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, errorf("%s is no address that can be asked", host(address))
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	got, err := s.Client.http(s.Client.Roots).Do(r)
	if err == nil {
		defer got.Body.Close()
		answer, err = io.ReadAll(got.Body)
	}
	if err != nil {
		return 0, nil, errorf("%s: %s", host(address), noAnswerText(err))
	}
	if len(answer) == 0 || !json.Valid(answer) { // Google's to a revocation, or a proxy's page
		answer = []byte("{}")
	}
	return got.StatusCode, bytes.TrimSpace(answer), nil
}
