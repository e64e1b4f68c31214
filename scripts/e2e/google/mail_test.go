//go:build peers

package google

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestEightFlushes: eight real processes find the token expired at the same moment. One
// of them refreshes it; the provider ends the whole sign-in when a refresh token comes
// a second time.
func TestEightFlushes(t *testing.T) {
	s := newSite(t)
	s.signIn()
	s.enqueue(16)
	s.expire()
	old := s.token("refresh_token")
	grants, refused, before := op.count("grant refresh_token"), op.count("refused"), peer.arrived()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if r := s.run("", "flush"); r.code != 0 || r.stderr != "" {
				t.Errorf("%v", r)
			}
		})
	}
	wg.Wait()
	if n := op.count("grant refresh_token") - grants; n != 1 {
		t.Errorf("the token was refreshed %d times, want once\n%s", n, op.log())
	}
	if op.count("refused") != refused {
		t.Errorf("the provider refused something:\n%s", op.log())
	}
	if n := peer.arrived() - before; n != 16 {
		t.Errorf("%d messages came, want 16", n)
	}
	if out := s.must("", "list"); out != "" {
		t.Errorf("left in the queue:\n%s", out)
	}
	if s.token("refresh_token") == old {
		t.Error("the rotated refresh token was not kept")
	}
	s.expire()
	s.enqueue(1)
	if out := s.must("", "flush", "--json"); !strings.Contains(out, `"sent":1`) {
		t.Errorf("with the rotated token: %s", out)
	}
}

// TestA535: the server refuses a token that should still be good. One refresh, and the
// mail goes out.
func TestA535(t *testing.T) {
	s := newSite(t)
	s.signIn()
	post(t, op.url("/forget"), url.Values{"token": {s.token("access_token")}})
	if err := peer.login(t, library, s.token("access_token")); err == nil {
		t.Fatal("Dovecot takes a token that has ended")
	}
	grants := op.count("grant refresh_token")
	s.enqueue(2)
	if out := s.must("", "flush", "--json"); !strings.Contains(out, `"sent":2`) {
		t.Errorf("flush: %s\n%s\n%s", out, s.must("", "list", "--json"), read(file("dovecot.log")))
	}
	if n := op.count("grant refresh_token") - grants; n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// TestRevoked: the person ended the sign-in. The mail stays, no attempt is spent, every
// place that a person looks at says what to run, and after that it goes out.
func TestRevoked(t *testing.T) {
	s := newSite(t)
	s.signIn()
	post(t, op.url("/token/revocation"), url.Values{"client_id": {desktopApp}, "client_secret": {desktopSecret}, "token": {s.token("refresh_token")}})
	s.expire()
	s.enqueue(2)
	const run = "notices google-login"
	r := s.run("", "flush")
	if r.code != 0 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, run) || !strings.Contains(r.stderr, "invalid_grant") {
		t.Errorf("flush: %v", r)
	}
	google, queued, deferred := s.status()
	if google == nil || google.Error == nil || !strings.Contains(*google.Error, run) || queued+deferred != 2 {
		t.Errorf("status: %+v, %d queued, %d deferred", google, queued, deferred)
	}
	if out := s.must("", "status"); !strings.Contains(strings.Join(strings.Fields(out), " "), run) {
		t.Errorf("status: %s", out)
	}
	if out := s.must("", "list", "--json"); strings.Count(out, `"attempts":0`) != 2 || !strings.Contains(out, run) {
		t.Errorf("list: %s", out)
	}
	if r := s.run("", "test-server"); r.code != 69 || !strings.Contains(r.stdout, "Run: "+run) {
		t.Errorf("test-server: %v", r)
	}
	before := peer.arrived()
	s.signIn()
	s.must("", "retry", "--all")
	if out := s.must("", "flush", "--json"); !strings.Contains(out, `"sent":2`) || peer.arrived()-before != 2 {
		t.Errorf("flush after the new sign-in: %s", out)
	}
}

// TestNobodySignedIn: mail that is queued before the first sign-in waits for it.
func TestNobodySignedIn(t *testing.T) {
	s := newSite(t)
	s.enqueue(1)
	r := s.run("", "flush")
	if r.code != 0 || !strings.Contains(r.stderr, "nobody is signed in with Google; run: notices google-login") {
		t.Errorf("%v", r)
	}
	s.signIn()
	s.must("", "retry", "--all")
	if out := s.must("", "flush", "--json"); !strings.Contains(out, `"sent":1`) {
		t.Errorf("flush: %s", out)
	}
}

// TestLogout: the provider has forgotten the sign-in, and so has this machine.
func TestLogout(t *testing.T) {
	s := newSite(t)
	s.signIn()
	access, revoked := s.token("access_token"), op.count("revoked")
	if out := s.must("", "google-logout"); !strings.Contains(out, "Signed out: the sign-in of "+library) {
		t.Errorf("%s", out)
	}
	if s.kept("google") != "" || op.count("revoked") != revoked+1 {
		t.Errorf("kept %q, revoked %d times", s.kept("google"), op.count("revoked")-revoked)
	}
	if err := peer.login(t, library, access); err == nil {
		t.Error("the access token is still good")
	}
	if r := s.run("", "google-logout"); r.code != 0 || !strings.Contains(r.stderr, "nobody was signed in") {
		t.Errorf("%v", r)
	}
}

// web is HTTP with the provider, past notices.
func web() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots()}, DisableKeepAlives: true}}
}

func post(t *testing.T, address string, form url.Values) {
	t.Helper()
	answer, err := web().PostForm(address, form)
	check(t, err)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", address, answer.Status)
	}
}
