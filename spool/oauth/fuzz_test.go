package oauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
)

// FuzzTokenAnswer: whatever a token server says, a token that comes out can go into an
// SMTP command, and an error can be shown.
func FuzzTokenAnswer(f *testing.F) {
	for _, body := range []string{
		tokenAnswer(nil), granted(nil), `{"error":"invalid_grant","error_description":"no\u0000"}`, `null`, `[]`, ``, `<html>`,
		`{"access_token":"a\r\nb","expires_in":"3600"}`, `{"access_token":"a","expires_in":1e300}`, `{"access_token":"a","expires_in":-5}`,
		`{"access_token":"a","token_type":"mac"}`, `{"access_token":"a","scope":["x"],"id_token":"a.b.c"}`,
	} {
		f.Add(200, body)
		f.Add(400, body)
	}
	f.Add(302, ``)
	f.Add(500, `{"error":{}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 599 {
			return
		}
		x := newFixture(t)
		x.signedIn(-time.Minute)
		x.p.says(tokenPath, status, body)
		token, err := x.source().Token(context.Background())
		if err == nil && !wellFormed(token) {
			t.Fatalf("token %q", token)
		}
		if err != nil {
			checkShown(t, err)
		}
		if _, err := x.client.Peek(context.Background(), x.state); err != nil {
			t.Fatal(err)
		}
		// The same as the answer to a sign-in.
		l := &Login{Client: x.client, State: x.state, Say: func(string) {}}
		a, err := l.begin(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		x.p.says(userinfoPath, status, body)
		got, err := a.finish(context.Background(), reply{code: "code-1", state: a.state})
		if err != nil {
			checkShown(t, err)
		} else if strings.ContainsAny(got.Account, "\r\n\x01 ") || got.Account == "" {
			t.Fatalf("account %q", got.Account)
		}
		l.page(got, err)
	})
}

func checkShown(t *testing.T, err error) {
	t.Helper()
	var own *Error
	var r *Refusal
	if !errors.As(err, &own) && !errors.As(err, &r) {
		t.Fatalf("%T: %v", err, err)
	}
	for _, secret := range secrets {
		if secret != "access-2" && strings.Contains(err.Error(), secret) {
			t.Fatalf("%q shows a secret", err)
		}
	}
	if strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
		t.Fatalf("%q", err)
	}
}

// FuzzDeviceAnswer: no answer to the request for a code ends the program.
func FuzzDeviceAnswer(f *testing.F) {
	f.Add(200, deviceAnswer(nil))
	f.Add(200, `null`)
	f.Add(200, `{"device_code":"d","user_code":"u","verification_uri":"v","interval":-1,"expires_in":-1}`)
	f.Add(400, `error=x`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 100 || status > 599 {
			return
		}
		x := newFixture(t)
		x.microsoft()
		x.p.says(devicePath, status, body)
		ctx, cancel := context.WithCancel(context.Background())
		said := ""
		l := &Login{Client: x.client, State: x.state, Say: func(text string) { said += text; cancel() }}
		if _, err := l.RunDevice(ctx); err == nil {
			t.Fatal("signed in")
		}
		cancel()
		if strings.ContainsAny(said, "\x00\x1b\r") {
			t.Fatalf("%q", said)
		}
	})
}

// FuzzIDToken: claims of any token are an address or nothing.
func FuzzIDToken(f *testing.F) {
	f.Add(idToken(map[string]any{"email": library}))
	f.Add(idToken(map[string]any{"email": "a@b\r\n", "preferred_username": "x"}))
	f.Add("a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		if a := readIDToken(token).address(); strings.ContainsAny(a, "\r\n\x00\x01") {
			t.Fatalf("%q", a)
		}
	})
}

// FuzzPasted: what a person pastes is an answer or none.
func FuzzPasted(f *testing.F) {
	f.Add("http://127.0.0.1:1/?code=a&state=b")
	f.Add(`"?error=access_denied&state=b#x"`)
	f.Add("code=%zz")
	f.Fuzz(func(t *testing.T, text string) {
		if r, ok := parsePasted(text); ok && (r.state == "" || r.code == "" && r.problem == "") {
			t.Fatalf("%+v", r)
		}
	})
}

// FuzzKept: a value that was tampered with or torn gives no token that could break out
// of a command.
func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"access_token":"a","refresh_token":"r","expires_at":"2026-11-24T13:00:00Z","issued_at":"2026-11-24T12:00:00Z"}`))
	f.Add([]byte(`{"access_token":"a\u0001b"}`))
	f.Add([]byte(`{"lease":{"until":"9999-01-01T00:00:00Z"},"refresh_token":"r"}`))
	f.Add([]byte(`{"trouble":{},"refresh_token":"r"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		x := newFixture(t)
		x.state.Update(context.Background(), "token-google", false, func([]byte) ([]byte, error) { return value, nil })
		x.p.on(tokenPath, func(url.Values) (int, string) { return 400, `{"error":"invalid_grant"}` })
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		token, err := x.source().Token(ctx)
		if err == nil && !wellFormed(token) {
			t.Fatalf("%q", token)
		}
		x.client.Peek(ctx, x.state)
		x.source().KeepAlive(ctx)
	})
}

// FuzzBroker: whatever a broker answers, no address in the clear is opened, and what is wrong is
// said on one line.
func FuzzBroker(f *testing.F) {
	f.Add(200, `{"client_id":"x","auth_url":"https://op.example/auth","device_url":"","scopes":["openid"]}`)
	f.Add(200, `{"client_id":"x","auth_url":"http://op.example/auth","scopes":["a b"]}`)
	f.Add(200, `{"client_id":"","auth_url":"https://op.example/auth","scopes":["openid"]}`)
	f.Add(200, `null`)
	f.Add(401, `{"error":"wrong_site_key","error_description":"\u001b[31m"}`)
	f.Add(502, `<h1>Bad Gateway</h1>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		b := newBrokered(t)
		b.answer = &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
		config, err := describe(t.Context(), b.client)
		if err == nil {
			for _, address := range []string{config.Endpoint.AuthURL, config.Endpoint.DeviceAuthURL} {
				if address != "" && !isSecure(address) {
					t.Errorf("the browser is sent to %q", address)
				}
			}
			if config.Endpoint.AuthURL == "" || config.ClientID == "" || len(config.Scopes) == 0 {
				t.Errorf("%+v", config)
			}
			return
		}
		text := b.client.refused(err, "").Error()
		if text == "" || strings.IndexFunc(text, unicode.IsControl) >= 0 || strings.Contains(text, siteKey) {
			t.Errorf("%q", text)
		}
	})
}
