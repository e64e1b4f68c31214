package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool/broker"
)

const siteKey = "site-key-31337"

// brokered makes the client that of a site, which a service with a broker serves. The service
// has the client that the fixture had.
type brokered struct {
	*fixture
	handler *broker.Handler
	key     string // that the site uses
	away    bool
	answer  *http.Response // in place of the broker's, if set
	bodies  []string       // that the site sent to the broker
}

func newBrokered(t *testing.T) *brokered {
	b := &brokered{fixture: newFixture(t), key: siteKey}
	shared := *b.client
	b.handler = &broker.Handler{
		Clients: map[string]broker.Client{"google": Shared{Client: &shared}, "microsoft": Shared{Client: &shared}},
		Count:   func(context.Context, string) (time.Duration, bool, error) { return 0, false, nil },
		Authenticate: func(_ context.Context, site, key string) (string, error) {
			if key != siteKey {
				site = ""
			}
			return site, nil
		},
	}
	// Of the provider, the site knows nothing.
	b.client.Provider.AuthURL, b.client.Provider.DeviceURL, b.client.Provider.TokenURL, b.client.Provider.RevokeURL = "", "", "", ""
	b.client.ID, b.client.Secret, b.client.Transport = "", nil, b
	b.client.Broker = &Broker{URL: "https://submit.example.net:8443", Site: "springfield", Key: func(context.Context) (string, error) { return b.key, nil }}
	return b
}

// RoundTrip is the network between site, broker and provider.
func (b *brokered) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "submit.example.net:8443" {
		return b.p.RoundTrip(r)
	}
	if b.away {
		return nil, errors.New("connection refused")
	}
	if b.answer != nil {
		return b.answer, nil
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, _ := io.ReadAll(r.Body)
	b.bodies = append(b.bodies, string(body))
	served := r.Clone(r.Context())
	served.Body, served.TLS = io.NopCloser(strings.NewReader(string(body))), &tls.ConnectionState{}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, served)
	return w.Result(), nil
}

// A sign-in by the browser: it goes to the provider with the service's client, and the code comes
// back to the site, which has it changed for a token by the broker.
func TestLoginByBroker(t *testing.T) {
	b := newBrokered(t)
	b.p.says(tokenPath, 200, granted(nil))
	b.client.Provider.AuthURL = "https://op.example/auth" // for asks to find it
	p := b.asks(nil)
	asked := <-p.asked
	if asked.Get("client_id") != "client-1" || asked.Get("scope") != "openid email "+MailScope || asked.Get("code_challenge_method") != "S256" {
		t.Errorf("asked for %v", asked)
	}
	p.comesBack(asked, goodAnswer(asked))
	a, err := p.end()
	if err != nil || a.Account != library {
		t.Fatalf("%+v, %v", a, err)
	}
	form := b.p.last(t, tokenPath).form
	for name, want := range map[string]string{"client_id": "client-1", "client_secret": clientSecret, "code": "code-1",
		"grant_type": "authorization_code", "redirect_uri": asked.Get("redirect_uri")} {
		if form.Get(name) != want {
			t.Errorf("the provider got %s = %q, want %q", name, form.Get(name), want)
		}
	}
	if len(form.Get("code_verifier")) < 43 {
		t.Errorf("PKCE does not go through: %v", form)
	}
	for _, body := range b.bodies {
		if strings.Contains(body, "client_") || strings.Contains(body, siteKey) {
			t.Errorf("the site sent %s", body)
		}
	}
	if kept := b.raw(); strings.Contains(kept, clientSecret) || strings.Contains(kept, siteKey) {
		t.Errorf("kept: %s", kept)
	}
}

// A box that is missing is named as without a broker.
func TestMissingBoxByBroker(t *testing.T) {
	b := newBrokered(t)
	b.p.says(tokenPath, 200, granted(map[string]any{"scope": "openid email"}))
	b.client.Provider.AuthURL = "https://op.example/auth"
	p := b.asks(nil)
	asked := <-p.asked
	page := p.comesBack(asked, goodAnswer(asked))
	p.refused(page, "Not every box was ticked", "Read, compose, send, and permanently delete all your email from Gmail", "to send mail through Gmail")
}

func TestRefreshByBroker(t *testing.T) {
	b := newBrokered(t)
	b.signedIn(-time.Minute)
	b.p.says(tokenPath, 200, tokenAnswer(nil))
	b.wantToken("access-2")
	if form := b.p.last(t, tokenPath).form; form.Get("client_secret") != clientSecret || form.Get("refresh_token") != "refresh-1" {
		t.Errorf("%v", form)
	}
	if len(b.bodies) != 1 || b.bodies[0] != "grant_type=refresh_token&refresh_token=refresh-1" {
		t.Errorf("the site sent %q", b.bodies)
	}
}

// What goes wrong on the way to a token: whose fault it is, and what is to be done.
func TestBrokerTroubles(t *testing.T) {
	answers := func(status int, header http.Header, body string) func(*brokered) {
		return func(b *brokered) {
			b.answer = &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Proto: "HTTP/1.1"}
		}
	}
	provider := func(status int, body string) func(*brokered) {
		return func(b *brokered) { b.p.says(tokenPath, status, body) }
	}
	for name, c := range map[string]struct {
		set       func(*brokered)
		temporary bool // it is asked again in a while
		person    bool
		says      []string
	}{
		"away": {func(b *brokered) { b.away = true }, true, false,
			[]string{"the service submit.example.net:8443 gives no token of Google now (connection refused); it is tried again", "check broker in [google]"}},
		"wrong key":   {func(b *brokered) { b.key = "site-key-old" }, true, true, []string{"refuses the key of site springfield", "key_file in [service]"}},
		"too often":   {answers(429, http.Header{}, `{"error":"slow_down"}`), true, false, []string{"(slow_down)"}},
		"broken":      {answers(500, http.Header{}, "<h1>oops</h1>"), true, false, []string{"(HTTP status 500)"}},
		"a page":      {answers(200, http.Header{}, "<h1>welcome</h1>"), true, false, []string{"cannot be understood"}},
		"not there":   {func(b *brokered) { b.handler.Clients = nil }, true, true, []string{"does not sign in with Google (no_client", "check broker in [google]"}},
		"no broker":   {answers(404, http.Header{}, "<h1>not found</h1>"), true, true, []string{"does not sign in with Google (HTTP status 404)"}},
		"its client":  {provider(401, `{"error":"invalid_client"}`), true, true, []string{"Google refuses the client of the service submit.example.net:8443", "tell whoever runs the service"}},
		"Google away": {provider(0, ""), true, false, []string{"gives no token of Google now (temporarily_unavailable"}},
		"Google busy": {provider(503, ""), true, false, []string{"(HTTP status 503)"}},
		"revoked":     {provider(400, `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`), false, true, []string{"no longer accepts the sign-in of library@example.org", "notices google-login"}},
		"no key file": {func(b *brokered) {
			b.client.Broker.Key = func(context.Context) (string, error) {
				return "", errors.New("key_file names a file that does not exist")
			}
		}, true, true, []string{"key_file names a file that does not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBrokered(t)
				b.signedIn(-time.Minute)
				c.set(b)
				_, err := b.source().Token(context.Background())
				e := b.wantError(err, !c.temporary, c.says...)
				peeked, _ := b.client.Peek(context.Background(), b.state)
				if e.NeedsPerson() != c.person || peeked.Error == nil || peeked.Error.NeedsPerson() != c.person || strings.Contains(e.Error(), b.key) {
					t.Errorf("needs a person: %v, kept as %v", e.NeedsPerson(), peeked.Error)
				}
				// What can be repaired here is asked again at once; the sign-in is still there.
				b.answer, b.away, b.key = nil, false, siteKey
				if k := b.stored(); k.Refresh != "refresh-1" {
					t.Error("the sign-in is gone")
				}
				if name == "wrong key" || name == "away" {
					b.p.says(tokenPath, 200, tokenAnswer(nil))
					b.clock = b.clock.Add(time.Second)
					b.wantToken("access-2")
				}
			})
		})
	}
}

// At a sign-in the same is said to the person, and nothing is changed.
func TestLoginWithoutBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrokered(t)
		b.key = "site-key-old"
		p := b.asks(nil)
		p.refused("", "The service that signs in for this site did not help", "the key of site springfield")
		b.away = true
		b.asks(nil).refused("", "gives no token of Google now (connection refused); if it lasts")
		b.away = false
		// A broker that names an address in the clear would send the person's password there.
		b.answer = &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"client_id":"x","auth_url":"http://op.example/auth","scopes":["openid"]}`))}
		b.asks(nil).refused("", "cannot be understood")
	})
}

// What a provider, or a proxy before it, answers otherwise than in JSON is not passed on.
func TestSharedAnswersInJSON(t *testing.T) {
	b := newBrokered(t)
	shared := b.handler.Clients["google"]
	for body, want := range map[string]string{"": "{}", "<h1>Bad Gateway</h1>": "{}", ` {"error":"x"} `: `{"error":"x"}`} {
		b.p.says(tokenPath, 502, body)
		status, answer, err := shared.Token(t.Context(), url.Values{"grant_type": {"refresh_token"}})
		if status != 502 || string(answer) != want || err != nil {
			t.Errorf("%q: %d %q, %v", body, status, answer, err)
		}
	}
}

// A site that reads a mailbox asks for that too, and once, whether the service reads one or not.
func TestMailboxByBroker(t *testing.T) {
	const imap, smtp = "https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"
	client := &Client{Provider: Microsoft("").WithIMAP()}
	for _, offered := range [][]string{{smtp}, {smtp, imap}} {
		if got := brokerScopes(client, offered); !slices.Equal(got, []string{smtp, imap}) {
			t.Errorf("of %v, it asks for %v", offered, got)
		}
	}
}

func TestDeviceByBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBrokered(t)
		own := newFixture(t)
		own.microsoft()
		own.client.Transport, own.client.Secret = b.p, b.handler.Clients["google"].(Shared).Client.Secret
		b.handler.Clients["microsoft"] = Shared{Client: own.client}
		b.client.Provider = Microsoft("")
		b.client.Provider.DeviceURL, b.client.Account = "", "notices@school.example"
		b.p.says(devicePath, 200, deviceAnswer(nil))
		answers := []string{`{"error":"authorization_pending"}`, ""}
		b.p.on(tokenPath, func(url.Values) (int, string) {
			next := answers[0]
			answers = answers[1:]
			if next != "" {
				return 400, next
			}
			return 200, tokenAnswer(map[string]any{"refresh_token": "refresh-2", "scope": "https://outlook.office.com/SMTP.Send"})
		})
		said, a, err := b.byCode()
		if err != nil || a.Account != "notices@school.example" {
			t.Errorf("%+v, %v", a, err)
		}
		b.wantSays(said, "ABCD-EFGH")
		device, token := b.p.last(t, devicePath).form, b.p.last(t, tokenPath).form
		if device.Get("client_id") != "client-1" || device.Get("scope") != "https://outlook.office.com/SMTP.Send offline_access" || device.Has("client_secret") {
			t.Errorf("asked for a code with %v", device)
		}
		if token.Get("client_secret") != clientSecret || token.Get("device_code") != "device-code-1" {
			t.Errorf("%v", token)
		}
	})
}

func TestLogoutByBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			set  func(*brokered)
			says string
		}{
			"revoked":    {func(b *brokered) { b.p.says(revokePath, 200, "") }, ""},
			"unknown":    {func(b *brokered) { b.p.says(revokePath, 400, `{"error":"invalid_token"}`) }, ""},
			"away":       {func(b *brokered) { b.away = true }, "Google could not be told: the service submit.example.net:8443"},
			"wrong key":  {func(b *brokered) { b.key = "x" }, "refuses the key of site springfield"},
			"no address": {func(b *brokered) { b.handler.Clients["google"].(Shared).Client.Provider.RevokeURL = "" }, "Google does not let a program do that"},
		} {
			b := newBrokered(t)
			b.signedIn(time.Hour)
			c.set(b)
			account, revoked, err := b.client.Logout(context.Background(), b.state)
			if err != nil || account != library || (revoked == nil) != (c.says == "") {
				t.Errorf("%s: %q, %v, %v", name, account, revoked, err)
			}
			if revoked != nil {
				b.wantSays(revoked.Error(), c.says)
			} else if form := b.p.last(t, revokePath).form; form.Get("token") != "refresh-1" || form.Get("client_secret") != clientSecret {
				t.Errorf("%s: %v", name, form)
			}
			if b.stored().Refresh != "" {
				t.Errorf("%s: it is still signed in", name)
			}
		}
	})
}

// Over a network, with a certificate of the service's own authority, and no other.
func TestBrokerCertificate(t *testing.T) {
	b := newBrokered(t)
	b.p.says(tokenPath, 200, tokenAnswer(nil))
	server := httptest.NewUnstartedServer(b.handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	server.StartTLS()
	defer server.Close()
	b.client.Transport, b.client.Broker.URL = nil, server.URL
	b.signedIn(-time.Minute)
	_, err := b.source().Token(context.Background())
	b.wantError(err, false, "gives no token of Google now", "certificate")
	b.client.Broker.Roots = x509.NewCertPool()
	b.client.Broker.Roots.AddCert(server.Certificate())
	b.clock = b.clock.Add(time.Second)
	b.wantToken("access-2")
}
