package oauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// callLimit is how long one HTTP call may take in all. x/oauth2 sets none.
const callLimit = 20 * time.Second

// maxAnswer is the longest answer that is read, in octets.
const maxAnswer = 256 << 10

// Client is this program as the provider knows it, and how the two communicate. This
// package does not change it, and many goroutines may use it.
type Client struct {
	Provider Provider
	ID       string // client_id; empty: it stands in the file that Secret gives
	// Secret gives the client's secret, or the whole JSON file that Google's console
	// offers. nil: a client without a secret.
	Secret func(context.Context) (string, error)
	// Broker has id and secret in place of this program; nil: ID and Secret are its own.
	Broker *Broker
	// Account is the address that the config names; empty: whoever signs in.
	Account string
	// Service stands in for a person; nil: a person signs in.
	Service *ServiceAccount
	Roots   *x509.CertPool   // of the provider's certificates; nil: the system's
	Now     func() time.Time // Peek and Logout need none

	// Transport is how HTTP is done; nil: net/http's own. For tests.
	Transport http.RoundTripper
}

func (c *Client) now() time.Time { return c.Now().UTC() }

// credentials are the client's id and secret.
func (c *Client) credentials(ctx context.Context) (id, secret string, err error) {
	if c.Secret != nil {
		if secret, err = c.Secret(ctx); err != nil {
			return "", "", &Error{text: err.Error(), err: err}
		}
	}
	id = c.ID
	if strings.HasPrefix(strings.TrimSpace(secret), "{") {
		if id, secret, err = c.fromConsole(secret); err != nil {
			return "", "", err
		}
	}
	if id == "" {
		return "", "", errorf("[%s] client_id is not set: notices-google(7) tells how to get one", c.Provider.Key)
	}
	return id, secret, nil
}

// fromConsole reads the file that Google's console offers for download.
func (c *Client) fromConsole(text string) (id, secret string, err error) {
	type client struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	var file struct{ Installed, Web *client }
	err = json.Unmarshal([]byte(text), &file)
	var wrong string
	switch {
	case err != nil || file.Installed == nil && file.Web == nil:
		wrong = "is neither a secret nor the JSON file of an OAuth client"
	case file.Installed == nil:
		wrong = `is of a client of type "Web application": create one of type "Desktop app"`
	case c.ID != "" && c.ID != file.Installed.ID:
		wrong = "is of another client than client_id"
	default:
		return file.Installed.ID, file.Installed.Secret, nil
	}
	return "", "", errorf("[%s] client_secret_file %s", c.Provider.Key, wrong)
}

// config is the client for x/oauth2, as the person's browser shows it to the provider. AuthStyle
// is set, because probing would use up a code that can be used only once.
func (c *Client) config(ctx context.Context) (*oauth2.Config, error) {
	if c.Broker != nil {
		return describe(ctx, c)
	}
	id, secret, err := c.credentials(ctx)
	if err != nil {
		return nil, err
	}
	p := &c.Provider
	return &oauth2.Config{
		ClientID: id, ClientSecret: secret, Scopes: names(c.requestedScopes()),
		Endpoint: oauth2.Endpoint{AuthURL: p.AuthURL, DeviceAuthURL: p.DeviceURL, TokenURL: p.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}, nil
}

// http is a client for one exchange: with a time limit, without redirects.
func (c *Client) http(roots *x509.CertPool) *http.Client {
	rt := c.Transport
	if rt == nil {
		rt = &http.Transport{
			Proxy:             http.ProxyFromEnvironment,
			TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true,
			ForceAttemptHTTP2: true,
		}
	}
	return &http.Client{
		Transport: strictTransport{rt},
		// A redirect would carry code, secret or token to another address.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// with hands x/oauth2 the HTTP client.
func (c *Client) with(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, c.http(c.Roots))
}

// errAnswer is an answer that cannot be of an OAuth server.
var errAnswer = errors.New("its answer cannot be understood")

// strictTransport reads answers before x/oauth2 does, which trusts them too much: it
// dereferences a nil pointer for the answer `null`, and reads any page as a form.
type strictTransport struct{ next http.RoundTripper }

// RoundTrip reads the whole answer, so that one time limit covers the whole call. That of
// http.Client needs callers that close the answer, and x/oauth2 does not for device codes.
func (s strictTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	answer, err := s.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errAnswer
	}
	body = bytes.TrimSpace(body)
	good := answer.StatusCode >= 200 && answer.StatusCode < 300
	if good && len(body) > 0 && (body[0] != '{' || !json.Valid(body)) {
		return nil, errAnswer
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if good {
		answer.Header.Set("Content-Type", "application/json") // it is; some say text/plain
	}
	return answer, nil
}
