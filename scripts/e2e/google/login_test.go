//go:build peers

package google

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	openid = "openid"
	email  = "email"
	gmail  = "https://mail.google.com/"
	send   = "https://outlook.office.com/SMTP.Send"
)

// signIn ticks every box, without a browser where that is not what a test is about.
func (s *site) signIn() {
	s.t.Helper()
	d := s.begin(nil, "google-login")
	page, err := web().Get(elsewhere(s.t, d.address(op.url("/auth")), openid, email, gmail))
	check(s.t, err)
	page.Body.Close()
	if r := d.end(); r.code != 0 {
		s.t.Fatalf("%v", r)
	}
}

func (s *site) signInWithMicrosoft() {
	s.t.Helper()
	d := s.begin(nil, "microsoft-login")
	w := newWindow(s.t)
	w.logIn(d.address(op.url("/auth")), library)
	w.consent(send)
	w.lastPage("microsoft", "Signed in with Microsoft")
	if r := d.end(); r.code != 0 {
		s.t.Fatalf("%v", r)
	}
}

// TestEveryBox: the browser is opened, the sign-in goes through, the token is kept as
// it should be, and mail goes out with it.
func TestEveryBox(t *testing.T) {
	s := newSite(t)
	opened := s.path("opened")
	opener := s.path("browser")
	check(t, os.WriteFile(opener, []byte("#!/bin/sh\nprintf %s \"$1\" >"+opened+"\n"), 0o755))
	d := s.begin([]string{"BROWSER=" + opener}, "google-login")
	address := d.address(op.url("/auth"))
	until(t, "the browser to be opened", func() bool { return read(opened) == address })

	w := newWindow(t)
	w.logIn(address, library)
	boxes, err := chromedp.Run(w.ctx, chromedp.Evaluate[int](`document.querySelectorAll("input[type=checkbox]").length`))
	if err != nil || boxes != 3 {
		t.Errorf("%d boxes, %v", boxes, err)
	}
	w.consent(openid, email, gmail)
	w.lastPage("signed-in", "Signed in with Google", library, "notices test-server google")
	r := d.end()
	if r.code != 0 || !strings.Contains(r.stdout, "Signed in with Google: mail is sent as "+library) || !strings.Contains(r.stderr, "tick every box") {
		t.Errorf("%v", r)
	}
	info, err := os.Stat(s.path("spool/state/token-google"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v", info, err)
	}
	for _, secret := range []string{s.token("access_token"), s.token("refresh_token"), desktopSecret} {
		if secret == "" || strings.Contains(r.stdout+r.stderr, secret) {
			t.Errorf("a secret is missing or shown: %v", r)
		}
	}
	google, _, _ := s.status()
	if google == nil || google.Account != library || len(google.Scopes) != 3 || google.ExpiresAt == "" || google.Error != nil {
		t.Errorf("status shows %+v", google)
	}

	before := peer.arrived()
	if out := s.must("", "test-server", "google"); !strings.Contains(out, "Server google works") || !strings.Contains(out, library+" is logged in") {
		t.Errorf("test-server: %s", out)
	}
	s.enqueue(3)
	if out := s.must("", "flush", "--json"); !strings.Contains(out, `"sent":3`) {
		t.Errorf("flush: %s", out)
	}
	if n := peer.arrived() - before; n != 4 {
		t.Errorf("%d messages came through Dovecot, want 4", n)
	}
}

// TestABoxLeftOut: one of the three, each in turn. The box is named on the page and
// in the terminal, and the earlier sign-in stays and works.
func TestABoxLeftOut(t *testing.T) {
	s := newSite(t)
	s.signIn()
	before := s.kept("google")
	for _, c := range []struct {
		name   string
		ticked []string
		says   []string
	}{
		{"no-mail", []string{openid, email}, []string{"Read, compose, send, and permanently delete all your email from Gmail", "to send mail through Gmail"}},
		{"no-email", []string{openid, gmail}, []string{"See your primary Google Account email address", "the address that mail is sent from"}},
		{"only-openid", []string{openid}, []string{"Read, compose, send", "See your primary Google Account email address"}},
	} {
		d := s.begin(nil, "google-login")
		w := newWindow(t)
		w.logIn(d.address(op.url("/auth")), library)
		w.consent(c.ticked...)
		says := append(c.says, "Not every box was ticked", "tick every box", "Nothing was changed", "notices google-login")
		w.lastPage(c.name, says...)
		r := d.end()
		for _, want := range says {
			if r.code != 69 || !strings.Contains(r.stderr, want) {
				t.Errorf("%s: not %q in %v", c.name, want, r)
			}
		}
		if s.kept("google") != before {
			t.Errorf("%s: the earlier sign-in was changed", c.name)
		}
	}
	s.enqueue(1)
	if out := s.must("", "flush", "--json"); !strings.Contains(out, `"sent":1`) {
		t.Errorf("flush: %s", out)
	}
}

func TestCancel(t *testing.T) {
	s := newSite(t)
	d := s.begin(nil, "google-login")
	w := newWindow(t)
	w.logIn(d.address(op.url("/auth")), library)
	w.do(chromedp.Click(chromedp.CSS("#cancel")), chromedp.WaitVisible(chromedp.CSS("main")))
	w.lastPage("cancelled", "The sign-in was cancelled", "Nothing was changed", "notices google-login")
	if r := d.end(); r.code != 69 || !strings.Contains(r.stderr, "The sign-in was cancelled") {
		t.Errorf("%v", r)
	}
	if s.kept("google") != "" {
		t.Error("something was kept")
	}
}

// TestPaste: the browser is on another machine, which the provider's last redirect does
// not lead back from. The person pastes where it was sent.
func TestPaste(t *testing.T) {
	s := newSite(t)
	d := s.begin(nil, "google-login", "--no-browser")
	back := elsewhere(t, d.address(op.url("/auth")), openid, email, gmail)
	if _, err := d.stdin.Write([]byte("not an address\n" + back + "\n")); err != nil {
		t.Fatal(err)
	}
	if r := d.end(); r.code != 0 || !strings.Contains(r.stderr, "paste it here") || !strings.Contains(r.stderr, "Paste it whole") {
		t.Errorf("%v", r)
	}
	check(t, peer.login(t, library, s.token("access_token")))
}

// TestPagesAreHTML has every kind of last page judged, as it is sent.
func TestPagesAreHTML(t *testing.T) {
	s := newSite(t)
	for name, boxes := range map[string][]string{"signed in": {openid, email, gmail}, "a box left out": {openid}, "cancelled": nil} {
		d := s.begin(nil, "google-login")
		answer, err := web().Get(elsewhere(t, d.address(op.url("/auth")), boxes...))
		check(t, err)
		page, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		check(t, err)
		if r := d.end(); (r.code == 0) != (len(boxes) == 3) {
			t.Errorf("%s: %v", name, r)
		}
		if answer.Header.Get("Content-Type") != "text/html; charset=utf-8" || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, answer.Header)
		}
		tidy(t, string(page))
	}
}

// elsewhere goes through the provider's pages, ticks these boxes (none: cancels), and
// returns the address that it is sent to at the end.
func elsewhere(t *testing.T, address string, boxes ...string) string {
	t.Helper()
	client := web()
	client.Jar, _ = cookiejar.New(nil)
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Scheme == "http" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	page, err := client.Get(address)
	check(t, err)
	page.Body.Close()
	decision := url.Values{"scope": boxes, "do": {"continue"}}
	if boxes == nil {
		decision.Set("do", "cancel")
	}
	for _, form := range []url.Values{{"account": {library}, "do": {"login"}}, decision} {
		page, err = client.PostForm(page.Request.URL.String(), form)
		check(t, err)
		page.Body.Close()
	}
	return page.Header.Get("Location")
}

// TestDevice: a code, entered in a browser that knows nothing of this machine.
func TestDevice(t *testing.T) { newSite(t).signInByCode() }

func (s *site) signInByCode() {
	s.t.Helper()
	d := s.begin(nil, "microsoft-login", "--device")
	address := d.address(op.url("/device"))
	code := ""
	until(s.t, "the code", func() bool {
		_, rest, _ := strings.Cut(d.stderr.String(), "enter this code there: ")
		code, _, _ = strings.Cut(rest, "\n")
		return code != ""
	})
	w := newWindow(s.t)
	w.do(chromedp.Navigate(address), chromedp.SendKeys(chromedp.CSS("input[name=user_code]"), code),
		chromedp.Click(chromedp.CSS("#enter")), chromedp.WaitVisible(chromedp.CSS("#confirm")), chromedp.Click(chromedp.CSS("#confirm")),
		chromedp.SendKeys(chromedp.CSS("#account"), library), chromedp.Click(chromedp.CSS("#login")),
		chromedp.WaitVisible(chromedp.CSS("#continue")), chromedp.Click(box(send)), chromedp.Click(chromedp.CSS("#continue")),
		chromedp.WaitVisible(chromedp.CSS("#done")))
	if r := d.end(); r.code != 0 || !strings.Contains(r.stdout, "Signed in with Microsoft: mail is sent as "+library) {
		s.t.Errorf("%v\n%s", r, op.log())
	}
	if s.tokenOf("microsoft", "refresh_token") == "" {
		s.t.Error("no refresh token is kept")
	}
}
