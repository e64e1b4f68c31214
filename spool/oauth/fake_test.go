package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// provider plays the token server and its neighbours: each path has a handler that
// sees the form and says status and body.
type provider struct {
	mu      sync.Mutex
	handler map[string]func(form url.Values) (int, string)
	calls   []call
}

type call struct {
	path   string
	form   url.Values
	header http.Header
}

const (
	tokenPath    = "/token"
	revokePath   = "/revoke"
	userinfoPath = "/userinfo"
	devicePath   = "/device"
)

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	form := url.Values{}
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(b))
	}
	p.mu.Lock()
	p.calls = append(p.calls, call{r.URL.Path, form, r.Header})
	h := p.handler[r.URL.Path]
	p.mu.Unlock()
	if h == nil {
		return nil, errors.New("dial tcp 203.0.113.1:443: connect: no route to host")
	}
	status, body := h(form)
	if status == 0 { // never answers
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

// says sets what a path answers.
func (p *provider) says(path string, status int, body string) {
	p.on(path, func(url.Values) (int, string) { return status, body })
}

func (p *provider) on(path string, h func(url.Values) (int, string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.handler == nil {
		p.handler = map[string]func(url.Values) (int, string){}
	}
	p.handler[path] = h
}

func (p *provider) count(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.calls {
		if c.path == path {
			n++
		}
	}
	return n
}

func (p *provider) last(t *testing.T, path string) call {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.calls) - 1; i >= 0; i-- {
		if p.calls[i].path == path {
			return p.calls[i]
		}
	}
	t.Fatalf("%s was not called", path)
	return call{}
}

// fixture is a client of a provider, a state, and a clock.
type fixture struct {
	t      *testing.T
	p      *provider
	client *Client
	state  spool.State
	clock  time.Time
}

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const (
	clientSecret = "GOCSPX-very-secret"
	library      = "library@example.org"
)

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, p: &provider{}, state: maildirtest.State(), clock: noon}
	google := Google()
	google.AuthURL, google.DeviceURL, google.TokenURL = "https://op.example/auth", "https://op.example"+devicePath, "https://op.example"+tokenPath
	google.UserinfoURL, google.RevokeURL = "https://op.example"+userinfoPath, "https://op.example"+revokePath
	f.client = &Client{
		Provider: google, ID: "client-1", Secret: func(context.Context) (string, error) { return clientSecret, nil },
		Now: func() time.Time { return f.clock }, Transport: f.p,
	}
	return f
}

// microsoft makes it a client of Microsoft's.
func (f *fixture) microsoft() {
	m := Microsoft("")
	m.AuthURL, m.DeviceURL, m.TokenURL = "https://op.example/auth", "https://op.example"+devicePath, "https://op.example"+tokenPath
	m.UserinfoURL = "https://op.example" + userinfoPath
	f.client.Provider, f.client.Secret = m, nil
}

func (f *fixture) source() *Source { return &Source{Client: f.client, State: f.state} }

// signedIn keeps a sign-in whose access token has so much time left.
func (f *fixture) signedIn(left time.Duration) {
	f.t.Helper()
	f.store(&storedToken{Account: library, Scopes: []string{"openid", "email", MailScope}, Refresh: "refresh-1", Access: "access-1",
		IssuedAt: f.clock.Add(left - time.Hour), ExpiresAt: f.clock.Add(left), SignedIn: f.clock})
}

func (f *fixture) store(k *storedToken) {
	f.t.Helper()
	if err := f.client.tokens(f.state).put(context.Background(), k); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) stored() *storedToken {
	f.t.Helper()
	k, err := f.client.tokens(f.state).load(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	return k
}

// raw is the value as it is stored.
func (f *fixture) raw() string {
	b, err := f.state.Load(context.Background(), f.client.tokens(f.state).name())
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

func (f *fixture) wantToken(want string) {
	f.t.Helper()
	got, err := f.source().Token(context.Background())
	if err != nil || got != want {
		f.t.Errorf("token %q, %v; want %q", got, err, want)
	}
}

// wantError wants an error that says all of these, and no secret.
func (f *fixture) wantError(err error, person bool, says ...string) *Error {
	f.t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		f.t.Fatalf("error %v (%T)", err, err)
	}
	if e.Temporary() == person {
		f.t.Errorf("needs a person: %v, want %v: %v", !e.Temporary(), person, e)
	}
	f.wantSays(e.Error(), says...)
	return e
}

var secrets = []string{clientSecret, "refresh-1", "refresh-2", "access-1", "access-2", "code-1", "device-code-1"}

func (f *fixture) wantSays(text string, says ...string) {
	f.t.Helper()
	for _, want := range says {
		if !strings.Contains(text, want) {
			f.t.Errorf("%q does not say %q", text, want)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			f.t.Errorf("%q shows a secret", text)
		}
	}
	if strings.ContainsAny(text, "\x00\x01\x1b") {
		f.t.Errorf("%q has control characters", text)
	}
}

// tokenAnswer is a good answer; fields replace or add.
func tokenAnswer(fields map[string]any) string {
	a := map[string]any{"access_token": "access-2", "token_type": "Bearer", "expires_in": 3600}
	for k, v := range fields {
		if v == nil {
			delete(a, k)
			continue
		}
		a[k] = v
	}
	b, _ := json.Marshal(a)
	return string(b)
}

// idToken is an unsigned one.
func idToken(claims map[string]any) string {
	b, _ := json.Marshal(claims)
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"none"}`)) + "." + enc(b) + "." + enc([]byte("signature"))
}
