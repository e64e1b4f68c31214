package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// person sits before a sign-in: sees what is said, and sends answers back.
type person struct {
	*fixture
	login *Login
	asked chan url.Values // the query of the printed address, once
	said  *strings.Builder
	ended chan outcome
}

// asks starts a sign-in and waits until it has printed its address.
func (f *fixture) asks(change func(*Login)) *person {
	f.t.Helper()
	p := &person{fixture: f, asked: make(chan url.Values, 1), said: &strings.Builder{}, ended: make(chan outcome, 1)}
	p.login = &Login{Client: f.client, State: f.state, Limit: 20 * time.Second, Say: func(text string) {
		p.said.WriteString(text + "\n")
		for line := range strings.Lines(text) {
			if u, err := url.Parse(strings.TrimSpace(line)); err == nil && strings.HasPrefix(line, f.client.Provider.AuthURL+"?") {
				p.asked <- u.Query()
			}
		}
	}}
	if change != nil {
		change(p.login)
	}
	go func() {
		a, err := p.login.Run(context.Background())
		p.ended <- outcome{a, err}
	}()
	return p
}

// end waits for the end of the sign-in.
func (p *person) end() (SignIn, error) {
	p.t.Helper()
	o := <-p.ended
	return o.signIn, o.err
}

// comesBack has the browser come back with these parameters; it returns the last page.
func (p *person) comesBack(asked url.Values, answer url.Values) string {
	p.t.Helper()
	r, err := http.Get(asked.Get("redirect_uri") + "?" + answer.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	page, _ := io.ReadAll(r.Body)
	if ct := r.Header.Get("Content-Type"); ct != "text/html; charset=utf-8" || r.StatusCode != http.StatusOK {
		p.t.Errorf("%d %s", r.StatusCode, ct)
	}
	return string(page)
}

// refused wants a Refusal that says so, on the page too if there was one, and that
// nothing was changed.
func (p *person) refused(page string, says ...string) {
	p.t.Helper()
	_, err := p.end()
	var r *Refusal
	if !errors.As(err, &r) {
		p.t.Fatalf("ended with %v (%T)", err, err)
	}
	says = append(says, "Nothing was changed", "notices google-login")
	p.wantSays(err.Error(), says...)
	if page != "" {
		p.wantSays(textOf(page), says...)
	}
}

// textOf drops the tags.
func textOf(page string) string {
	_, page, _ = strings.Cut(page, "<body")
	var b strings.Builder
	depth := 1
	for _, r := range page {
		switch {
		case r == '<':
			depth++
		case r == '>':
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&amp;", "&").Replace(b.String())), " ")
}

func goodAnswer(asked url.Values) url.Values {
	return url.Values{"code": {"code-1"}, "state": {asked.Get("state")}, "scope": {"email openid"}}
}

// granted is what Google answers when all is granted: another order, another spelling.
func granted(fields map[string]any) string {
	all := map[string]any{
		"refresh_token": "refresh-2", "id_token": idToken(map[string]any{"email": library, "email_verified": true}),
		"scope": "https://mail.google.com/ https://www.googleapis.com/auth/userinfo.email openid",
	}
	for k, v := range fields {
		all[k] = v
	}
	return tokenAnswer(all)
}

func TestLogin(t *testing.T) {
	f := newFixture(t)
	f.p.says(tokenPath, 200, granted(nil))
	p := f.asks(nil)
	q := <-p.asked
	for key, want := range map[string]string{
		"response_type": "code", "client_id": "client-1", "scope": "openid email https://mail.google.com/",
		"access_type": "offline", "prompt": "consent", "code_challenge_method": "S256",
	} {
		if q.Get(key) != want {
			t.Errorf("asked with %s=%q, want %q", key, q.Get(key), want)
		}
	}
	if !strings.HasPrefix(q.Get("redirect_uri"), "http://127.0.0.1:") || len(q.Get("state")) < 32 {
		t.Errorf("asked with %v", q)
	}
	page := p.comesBack(q, goodAnswer(q))
	f.wantSays(textOf(page), "Signed in with Google", library, "notices test-server google")
	a, err := p.end()
	if err != nil || a.Account != library || !a.ExpiresAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v, %v", a, err)
	}
	form := f.p.last(t, tokenPath).form
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(sum[:]) != q.Get("code_challenge") {
		t.Error("the verifier is not that of the challenge")
	}
	for key, want := range map[string]string{"grant_type": "authorization_code", "code": "code-1", "client_secret": clientSecret, "redirect_uri": q.Get("redirect_uri")} {
		if form.Get(key) != want {
			t.Errorf("exchanged with %s=%q, want %q", key, form.Get(key), want)
		}
	}
	k := f.stored()
	if k.Refresh != "refresh-2" || k.Access != "access-2" || k.Account != library || len(k.Scopes) != 3 {
		t.Errorf("stored %+v", k)
	}
	f.wantToken("access-2")
	f.wantSays(p.said.String(), "tick every box")
}

// What is granted against what was asked, in all the ways it comes back.
func TestGrantedScopes(t *testing.T) {
	const mail, email = "Read, compose, send, and permanently delete all your email from Gmail", "See your primary Google Account email address"
	for _, c := range []struct {
		scope any // nil: no such field
		lacks []string
	}{
		{nil, nil},
		{"openid email https://mail.google.com/", nil},
		{"https://mail.google.com/ openid email", nil},
		{"openid  https://www.googleapis.com/auth/userinfo.email https://mail.google.com/ https://www.googleapis.com/auth/drive", nil},
		{"openid email", []string{mail, "to send mail through Gmail"}},
		{"openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/gmail.send", []string{mail}},
		{"openid https://mail.google.com/", []string{email, "the address that mail is sent from"}},
		{"openid", []string{mail, email}},
		{"", []string{mail, email}},
		{"https://mail.google.com", []string{mail}},
	} {
		t.Run(fmt.Sprint(c.scope), func(t *testing.T) {
			f := newFixture(t)
			f.signedIn(time.Hour)
			before := f.raw()
			f.p.says(tokenPath, 200, granted(map[string]any{"scope": c.scope}))
			p := f.asks(nil)
			q := <-p.asked
			page := p.comesBack(q, goodAnswer(q))
			if c.lacks == nil {
				if _, err := p.end(); err != nil || f.stored().Refresh != "refresh-2" || len(f.stored().Scopes) < 3 {
					t.Errorf("%v, stored %+v", err, f.stored())
				}
				return
			}
			p.refused(page, append(c.lacks, "tick every box", "Not every box was ticked")...)
			if f.raw() != before {
				t.Error("the earlier sign-in was changed")
			}
			if f.p.count(revokePath) != 0 {
				t.Error("revoking the half grant would revoke the good one, too")
			}
		})
	}
}

// Every other way to come back without a sign-in: a clear word, nothing changed.
func TestLoginRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(url.Values)
		status int
		body   string
		says   []string
	}{
		{"cancelled", func(v url.Values) { v.Del("code"); v.Set("error", "access_denied") }, 0, "", []string{"cancelled"}},
		{"refused", func(v url.Values) {
			v.Del("code")
			v.Set("error", "invalid_scope")
			v.Set("error_description", "<script>alert(1)</script>\x1b[0m")
		}, 0, "", []string{"Google refused the sign-in", "invalid_scope: <script>"}},
		{"no refresh token", nil, 200, granted(map[string]any{"refresh_token": nil}), []string{"No lasting permission", "myaccount.google.com"}},
		{"code used", nil, 400, `{"error":"invalid_grant","error_description":"Malformed auth code code-1."}`, []string{"gave no token", "Malformed auth code ***"}},
		{"client", nil, 401, `{"error":"invalid_client"}`, []string{"refuses the client", "client_secret_file", "notices-google(7)"}},
		{"down", nil, 500, ``, []string{"gave no token", "HTTP status 500"}},
		{"page", nil, 200, `<html>`, []string{"cannot be reached now", "cannot be understood"}},
		{"bad token", nil, 200, granted(map[string]any{"access_token": "a b"}), []string{"no token that can be used"}},
		{"nobody", nil, 200, granted(map[string]any{"id_token": nil}), []string{"Whose account this is cannot be known", "account in [google]"}},
		{"odd address", nil, 200, granted(map[string]any{"id_token": idToken(map[string]any{"email": "a@b\r\nRCPT"})}), []string{"cannot be known"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			f.signedIn(time.Hour)
			before := f.raw()
			if c.status > 0 {
				f.p.says(tokenPath, c.status, c.body)
			}
			p := f.asks(nil)
			q := <-p.asked
			answer := goodAnswer(q)
			if c.answer != nil {
				c.answer(answer)
			}
			page := p.comesBack(q, answer)
			if strings.Contains(page, "<script") {
				t.Error("the page has foreign code in it")
			}
			p.refused(page, c.says...)
			if f.raw() != before {
				t.Error("the earlier sign-in was changed")
			}
			if c.status == 0 && f.p.count(tokenPath) != 0 {
				t.Error("a token was asked for")
			}
		})
	}
}

func TestWrongAccount(t *testing.T) {
	f := newFixture(t)
	f.client.Account = "branch@example.org"
	f.p.says(tokenPath, 200, granted(nil))
	p := f.asks(nil)
	q := <-p.asked
	if q.Get("login_hint") != "branch@example.org" {
		t.Errorf("asked with %v", q)
	}
	p.refused(p.comesBack(q, goodAnswer(q)), "another account", "signed in as "+library, "[google] account is branch@example.org")
	if f.raw() != "" {
		t.Error("something was stored")
	}
}

// Without an id token the userinfo endpoint tells who it is.
func TestUserinfo(t *testing.T) {
	f := newFixture(t)
	f.p.says(tokenPath, 200, granted(map[string]any{"id_token": nil}))
	f.p.says(userinfoPath, 200, `{"sub":"1","email":"`+library+`"}`)
	p := f.asks(nil)
	q := <-p.asked
	p.comesBack(q, goodAnswer(q))
	if a, err := p.end(); err != nil || a.Account != library {
		t.Errorf("%+v, %v", a, err)
	}
	if got := f.p.last(t, userinfoPath).header.Get("Authorization"); got != "Bearer access-2" {
		t.Errorf("asked with %q", got)
	}
}
