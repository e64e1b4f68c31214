package oauth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func deviceAnswer(fields map[string]any) string {
	all := map[string]any{"access_token": nil, "token_type": nil, "expires_in": 900, "device_code": "device-code-1",
		"user_code": "ABCD-EFGH", "verification_uri": "https://microsoft.com/devicelogin", "interval": 5}
	for k, v := range fields {
		all[k] = v
	}
	return tokenAnswer(all)
}

// inTime runs a sign-in by code, with time that takes none.
func (f *fixture) byCode() (said string, a SignIn, err error) {
	f.client.Now = time.Now
	f.clock = time.Now()
	l := &Login{Client: f.client, State: f.state, Say: func(text string) { said += text + "\n" }}
	a, err = l.RunDevice(context.Background())
	return said, a, err
}

func TestDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.microsoft()
		f.client.Account = "notices@school.example"
		f.p.says(devicePath, 200, deviceAnswer(nil))
		answers := []string{`{"error":"authorization_pending"}`, `{"error":"slow_down"}`, ""}
		f.p.on(tokenPath, func(url.Values) (int, string) {
			next := answers[0]
			answers = answers[1:]
			if next != "" {
				return 400, next
			}
			return 200, tokenAnswer(map[string]any{"refresh_token": "refresh-2", "scope": "https://outlook.office.com/SMTP.Send"})
		})
		said, a, err := f.byCode()
		if err != nil || a.Account != "notices@school.example" {
			t.Errorf("%+v, %v", a, err)
		}
		f.wantSays(said, "https://microsoft.com/devicelogin", "ABCD-EFGH", "on any device")
		if scope := f.p.last(t, devicePath).form.Get("scope"); scope != "https://outlook.office.com/SMTP.Send offline_access" {
			t.Errorf("asked for %q", scope)
		}
		if k := f.stored(); k.Refresh != "refresh-2" {
			t.Errorf("stored %+v", k)
		}
	})
}

func TestDeviceRefused(t *testing.T) {
	pending := `{"error":"authorization_pending"}`
	for _, c := range []struct {
		name, device string
		status       int // of device
		token        string
		says         string
	}{
		{"cancelled", deviceAnswer(nil), 200, `{"error":"access_denied"}`, "cancelled"},
		{"declined", deviceAnswer(nil), 200, `{"error":"authorization_declined"}`, "cancelled"},
		{"expired", deviceAnswer(nil), 200, `{"error":"expired_token"}`, "The code is too old"},
		{"short", deviceAnswer(map[string]any{"expires_in": 30}), 200, pending, "The code is too old"},
		{"too long", deviceAnswer(nil), 200, pending, "The time is over"},
		{"not allowed", `{"error":"invalid_client","error_description":"AADSTS7000218"}`, 401, "", "refuses the client"},
		{"empty", `{}`, 200, "", "gave no code"},
		{"null", `null`, 200, "", "cannot be understood"},
		{"odd interval", deviceAnswer(map[string]any{"interval": -5}), 200, `{"error":"access_denied"}`, "cancelled"},
		{"huge interval", deviceAnswer(map[string]any{"interval": int64(1 << 62)}), 200, `{"error":"access_denied"}`, "cancelled"},
		{"down", ``, 503, "", "HTTP status 503"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t)
				f.microsoft()
				f.p.says(devicePath, c.status, c.device)
				f.p.says(tokenPath, 400, c.token)
				_, _, err := f.byCode()
				var r *Refusal
				if !errors.As(err, &r) {
					t.Fatalf("%v (%T)", err, err)
				}
				f.wantSays(err.Error(), c.says, "Nothing was changed", "notices microsoft-login")
				if f.raw() != "" {
					t.Error("something was stored")
				}
			})
		})
	}
}

// Microsoft names neither openid nor offline_access among what it granted; whose
// mailbox it is stands in preferred_username. A configured account may be a mailbox
// that the signed-in person shares.
func TestMicrosoft(t *testing.T) {
	for _, account := range []string{"", "shared@school.example"} {
		f := newFixture(t)
		f.microsoft()
		f.client.Account = account
		f.p.says(tokenPath, 200, tokenAnswer(map[string]any{"refresh_token": "refresh-2", "scope": "https://outlook.office.com/SMTP.Send",
			"id_token": idToken(map[string]any{"preferred_username": "me@school.example"})}))
		p := f.asks(nil)
		q := <-p.asked
		want, scope := account, "https://outlook.office.com/SMTP.Send offline_access"
		if account == "" {
			want, scope = "me@school.example", scope+" openid email profile"
		}
		if q.Get("scope") != scope || !strings.HasPrefix(q.Get("redirect_uri"), "http://localhost:") {
			t.Errorf("asked with %v", q)
		}
		p.comesBack(q, goodAnswer(q))
		if a, err := p.end(); err != nil || a.Account != want {
			t.Errorf("%+v, %v", a, err)
		}
		f.wantToken("access-2")
	}
}

func TestTenant(t *testing.T) {
	if got := Microsoft("").TokenURL; got != "https://login.microsoftonline.com/common/oauth2/v2.0/token" {
		t.Error(got)
	}
	if got := Microsoft("school.example").AuthURL; got != "https://login.microsoftonline.com/school.example/oauth2/v2.0/authorize" {
		t.Error(got)
	}
	if got := Microsoft("../../x?").TokenURL; strings.Contains(got, "?") || strings.Contains(got, "..//") {
		t.Error(got)
	}
}

func TestLogout(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int // of the revocation; 0: no connection
		says   string
	}{
		{"revoked", 200, ""},
		{"unknown there", 400, ""},
		{"down", 503, "HTTP status 503"},
		{"away", 0, "no route to host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.signedIn(time.Hour)
			if c.status > 0 {
				f.p.says(revokePath, c.status, `{}`)
			}
			account, revoked, err := f.client.Logout(context.Background(), f.state)
			if err != nil || account != library || (revoked != nil) != (c.says != "") {
				t.Errorf("%q, %v, %v", account, revoked, err)
			}
			if revoked != nil {
				f.wantSays(revoked.Error(), c.says, "myaccount.google.com/connections")
			}
			if f.raw() != "" {
				t.Errorf("stored %s", f.raw())
			}
			if got := f.p.last(t, revokePath).form.Get("token"); got != "refresh-1" {
				t.Errorf("revoked %q", got)
			}
		})
	}
}

func TestLogoutOfNobody(t *testing.T) {
	f := newFixture(t)
	account, revoked, err := f.client.Logout(context.Background(), f.state)
	if account != "" || revoked != nil || err != nil || len(f.p.calls) != 0 {
		t.Errorf("%q, %v, %v", account, revoked, err)
	}
}

func TestLogoutOfMicrosoft(t *testing.T) {
	f := newFixture(t)
	f.microsoft()
	f.signedIn(time.Hour)
	_, revoked, err := f.client.Logout(context.Background(), f.state)
	if err != nil || revoked == nil || f.raw() != "" {
		t.Errorf("%v, %v, stored %q", revoked, err, f.raw())
	}
	f.wantSays(revoked.Error(), "myapps.microsoft.com")
}

// keyFile makes the file of a service account.
func keyFile(t *testing.T, fields map[string]any) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"type": "service_account", "client_email": "notices@p.iam.gserviceaccount.com", "client_id": "1066",
		"private_key_id": "k1", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
	for k, v := range fields {
		all[k] = v
	}
	b, _ := json.Marshal(all)
	return b
}

func TestServiceAccount(t *testing.T) {
	f := newFixture(t)
	var err error
	if f.client.Service, err = ParseServiceAccount(keyFile(t, nil)); err != nil {
		t.Fatal(err)
	}
	_, err = f.source().Token(context.Background())
	f.wantError(err, true, "[google] account is not set")
	f.client.Account = library
	f.p.says(tokenPath, 200, tokenAnswer(nil))
	s := f.source()
	s.IgnoreRefusals = true
	for range 2 {
		if got, err := s.Token(context.Background()); err != nil || got != "access-2" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := f.p.count(tokenPath); n != 1 {
		t.Errorf("%d calls: the token is not shared", n)
	}
	form := f.p.last(t, tokenPath).form
	var claims map[string]any
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(form.Get("assertion"), ".")[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		t.Fatalf("%v", form)
	}
	for key, want := range map[string]string{"iss": "notices@p.iam.gserviceaccount.com", "sub": library, "scope": MailScope, "aud": f.client.Provider.TokenURL} {
		if claims[key] != want {
			t.Errorf("%s is %v, want %s", key, claims[key], want)
		}
	}
	if s.Login(context.Background()) != library {
		t.Error("login is not the account")
	}
}

func TestServiceAccountRefused(t *testing.T) {
	f := newFixture(t)
	f.client.Service, _ = ParseServiceAccount(keyFile(t, nil))
	f.client.Account = library
	f.p.says(tokenPath, 401, `{"error":"unauthorized_client","error_description":"Client is unauthorized to retrieve access tokens using this method."}`)
	_, err := f.source().Token(context.Background())
	f.wantError(err, true, "unauthorized_client: Client is unauthorized", "Domain-wide delegation", "client 1066", MailScope, "notices test-server google")
	if strings.Contains(err.Error(), "google-login") {
		t.Errorf("%v: nobody can sign in for a service account", err)
	}
	if _, err := (&Login{Client: f.client, State: f.state}).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "needs no sign-in") {
		t.Errorf("signing in: %v", err)
	}
}

func TestServiceAccountFiles(t *testing.T) {
	for _, c := range []struct{ file, says string }{
		{"", "not a JSON"},
		{"-----BEGIN PRIVATE KEY-----", "not a JSON"},
		{`{"installed":{"client_id":"x"}}`, "not a key of a service account"},
		{`{"type":"authorized_user"}`, "not a key of a service account"},
		{`{"type":"service_account"}`, "client_email"},
		{string(keyFile(t, map[string]any{"private_key": "nonsense"})), "private_key"},
		{string(keyFile(t, map[string]any{"token_uri": "http://evil.example/"})), "token_uri"},
	} {
		if _, err := ParseServiceAccount([]byte(c.file)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%.40s: %v", c.file, err)
		}
	}
	s, err := ParseServiceAccount(keyFile(t, map[string]any{"token_uri": "http://127.0.0.1:1/token"}))
	if err != nil || (&Client{Service: s}).tokenURL() != "http://127.0.0.1:1/token" {
		t.Errorf("%v", err)
	}
}

func TestPeek(t *testing.T) {
	f := newFixture(t)
	ctx := context.Background()
	a, err := f.client.Peek(ctx, f.state)
	if err != nil || a.Error == nil || a.Scopes == nil {
		t.Errorf("%+v, %v", a, err)
	}
	f.signedIn(time.Hour)
	a, err = f.client.Peek(ctx, f.state)
	if err != nil || a.Account != library || len(a.Scopes) != 3 || !a.ExpiresAt.Equal(noon.Add(time.Hour)) || a.Error != nil {
		t.Errorf("%+v, %v", a, err)
	}
}
