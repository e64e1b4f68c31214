package smtpclient

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/smtptest"
)

// tokens is a TokenSource that counts.
type tokens struct {
	current, next string
	err           error
	refreshed     []string
}

func (s *tokens) Token(context.Context) (string, error) { return s.current, s.err }

func (s *tokens) Refresh(_ context.Context, stale string) (string, error) {
	s.refreshed = append(s.refreshed, stale)
	return s.next, s.err
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// The exchange of each mechanism, octet for octet.
func TestAuthOnTheWire(t *testing.T) {
	long := strings.Repeat("t", 1500)
	login := func(offer, exchange string) string {
		return "> 220 hi\n< EHLO *\n> 250-hi\n> 250-" + offer + "\n> 250 PIPELINING\n" + exchange + quit
	}
	for name, c := range map[string]struct {
		script string
		tokens *tokens
	}{
		"PLAIN":              {login("AUTH LOGIN PLAIN", "< AUTH PLAIN "+b64("\x00library\x00hunter2")+"\n> 235 ok\n"), nil},
		"LOGIN":              {login("AUTH CRAM-MD5 LOGIN", "< AUTH LOGIN\n> 334 VXNlcm5hbWU6\n< "+b64("library")+"\n> 334 UGFzc3dvcmQ6\n< "+b64("hunter2")+"\n> 235 ok\n"), nil},
		"LOGIN, odd prompts": {login("auth login", "< AUTH LOGIN\n> 334\n< "+b64("library")+"\n> 334 "+b64("the secret word please")+"\n< "+b64("hunter2")+"\n> 235 ok\n"), nil},
		"old form of offer":  {login("AUTH=PLAIN LOGIN", "< AUTH PLAIN *\n> 235 ok\n"), nil},
		"offered twice":      {login("AUTH CRAM-MD5\n> 250-AUTH=PLAIN", "< AUTH PLAIN *\n> 235 ok\n"), nil},
		"XOAUTH2":            {login("AUTH PLAIN XOAUTH2", "< AUTH XOAUTH2 "+b64("user=library\x01auth=Bearer tok\x01\x01")+"\n> 235 ok\n"), &tokens{current: "tok"}},
		"XOAUTH2, long":      {login("AUTH XOAUTH2", "< AUTH XOAUTH2\n> 334 \n< "+b64("user=library\x01auth=Bearer "+long+"\x01\x01")+"\n> 235 ok\n"), &tokens{current: long}},
	} {
		t.Run(name, func(t *testing.T) {
			// XOAUTH2 needs TLS, the exchange is the same within it.
			ca := smtptest.NewCA(t)
			p := smtptest.ScriptTLS(t, ca.TLS(t), "tls\n"+c.script)
			s, _ := watched(p)
			s.TLS, s.Roots, s.Login, s.Password = TLSImplicit, ca.Pool(), "library", password("hunter2")
			if c.tokens != nil {
				s.Tokens = c.tokens
			}
			open(t, s).Quit()
		})
	}
}

func TestAuthRefused(t *testing.T) {
	offer := "> 220 hi\n< EHLO *\n> 250-hi\n> 250 AUTH PLAIN\n"
	for name, c := range map[string]struct{ script, want string }{
		"535":                  {offer + "< AUTH *\n> 535 5.7.8 wrong\neof", "deferred server auth 535"},
		"534":                  {offer + "< AUTH *\n> 534-5.7.9 please\n> 534 5.7.9 log in\neof", "deferred server auth 534"},
		"530":                  {offer + "< AUTH *\n> 530 5.7.0 no\neof", "deferred server auth 530"},
		"454":                  {offer + "< AUTH *\n> 454 4.7.0 later\neof", "deferred server authwait 454"},
		"432":                  {offer + "< AUTH *\n> 432 4.3.2 too many\neof", "deferred server limit 432"},
		"421":                  {offer + "< AUTH *\n> 421 4.7.0 bye\neof", "deferred server shutdown 421"},
		"hangs up":             {offer + "< AUTH *\ndrop", "deferred server connect 0"},
		"nonsense":             {offer + "< AUTH *\n> OK\neof", "deferred server protocol 0"},
		"challenge for PLAIN":  {offer + "< AUTH *\n> 334 aGVsbG8=\neof", "deferred server protocol 0"},
		"challenge, no base64": {offer + "< AUTH *\n> 334 %%%\neof", "deferred server protocol 0"},
		"no AUTH":              {"> 220 hi\n< EHLO *\n> 250 hi\neof", "deferred server auth 0"},
		"other mechanisms":     {"> 220 hi\n< EHLO *\n> 250-hi\n> 250 AUTH NTLM GSSAPI\neof", "deferred server auth 0"},
		"endless LOGIN":        {"> 220 hi\n< EHLO *\n> 250-hi\n> 250 AUTH LOGIN\n< AUTH LOGIN\n> 334\n< *\n> 334\n< *\n> 334\n< *\n> 334\neof", "deferred server protocol 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := inClear(smtptest.Script(t, c.script))
			s.Login, s.Password = "library", password("hunter2")
			_, err := Open(t.Context(), s)
			wantError(t, err, c.want)
		})
	}
}

// Without a secret no server is dialled.
func TestSecretMissing(t *testing.T) {
	gone := errors.New("/etc/notices/server1.password: no such file")
	for name, change := range map[string]func(*Server){
		"password": func(s *Server) { s.Password = func(context.Context) (string, error) { return "", gone } },
		"empty":    func(s *Server) { s.Password = password("") },
		"token":    func(s *Server) { s.Tokens = &tokens{err: gone} },
	} {
		t.Run(name, func(t *testing.T) {
			s := inClear(smtptest.Nobody(t))
			s.Login = "library"
			change(s)
			_, err := Open(t.Context(), s)
			e := wantError(t, err, "deferred server secret 0")
			if name != "empty" && !errors.Is(err, gone) || !e.Outcome.NeedsPerson() {
				t.Errorf("%v", err)
			}
		})
	}
}

// 535 to a token: one refresh, one more try, over a fresh connection.
func TestTokenRefresh(t *testing.T) {
	ca := smtptest.NewCA(t)
	for name, c := range map[string]struct {
		source      tokens
		want        string
		connections int
	}{
		"refreshed":       {tokens{current: "old", next: "good"}, "", 2},
		"refused again":   {tokens{current: "old", next: "older"}, "deferred server auth 535", 2},
		"nothing fresher": {tokens{current: "old", next: "old"}, "deferred server auth 535", 1},
		"good at once":    {tokens{current: "good", next: "other"}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			srv := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Tokens: map[string]string{"library": "good"}})
			s, _ := watched(srv)
			s.Roots, s.Login, s.Tokens = ca.Pool(), "library", &c.source
			conn, err := Open(t.Context(), s)
			if c.want != "" {
				wantError(t, err, c.want)
			} else if err != nil {
				t.Fatal(err)
			} else {
				conn.Quit()
			}
			if n := srv.Counts().Connections; n != c.connections {
				t.Errorf("%d connections, want %d", n, c.connections)
			}
			if len(c.source.refreshed) > 1 {
				t.Errorf("refreshed %v", c.source.refreshed)
			}
		})
	}
}

// What the server echoes of a secret is shown nowhere: not in the error, what it wraps,
// the steps, nor the outcome of a message.
func TestSecretsStaySecret(t *testing.T) {
	plain := b64("\x00library\x00hunter2")
	for name, echo := range map[string]string{
		"raw":       "535 5.7.8 library hunter2 is wrong",
		"base64":    "535 cannot decode " + plain,
		"password":  "535 cannot decode " + b64("hunter2"),
		"nonsense":  "your password hunter2 is " + plain,
		"cut short": "535 line begins with " + plain[:16],
	} {
		t.Run(name, func(t *testing.T) {
			s := inClear(smtptest.Script(t, "> 220 hi\n< EHLO *\n> 250-hi\n> 250 AUTH PLAIN\n< AUTH *\n> "+echo+"\neof"))
			var shown strings.Builder
			s.Observe = func(step Step) { fmt.Fprintf(&shown, "%s %s %v %+v\n", step.Stage, step.Detail, step.Err, step) }
			s.Login, s.Password = "library", password("hunter2")
			_, err := Open(t.Context(), s)
			for e := err; e != nil; e = errors.Unwrap(e) {
				fmt.Fprintf(&shown, "%v %+v %#v\n", e, e, e)
			}
			for _, secret := range []string{"hunter2", plain[:16], b64("hunter2")} {
				if strings.Contains(shown.String(), secret) {
					t.Errorf("%q is shown:\n%s", secret, shown.String())
				}
			}
			if !strings.Contains(shown.String(), "***") {
				t.Errorf("no mask:\n%s", shown.String())
			}
		})
	}
	t.Run("in a message's outcome", func(t *testing.T) {
		s := inClear(smtptest.Script(t, "> 220 hi\n< EHLO *\n> 250-hi\n> 250-PIPELINING\n> 250 AUTH PLAIN\n< AUTH *\n> 235 ok\n"+flight+
			"> 550 hunter2 may not send\n> 503 x\n> 503 x\nsilent"))
		s.Login, s.Password = "library", password("hunter2")
		r := deliver(t, open(t, s), message(hello))
		if got := r.Outcomes[0].Reply.Text; got != "*** may not send" {
			t.Errorf("shown: %q", got)
		}
	})
}

// notNow is a token that the provider does not give for the moment.
type notNow struct{ error }

func (notNow) Temporary() bool { return true }

// A token that cannot be had for now needs no person; one that cannot be had does.
func TestNoTokenForNow(t *testing.T) {
	for _, c := range []struct {
		err    error
		reason spool.Reason
	}{{notNow{errors.New("the provider is away")}, spool.ReasonToken}, {errors.New("revoked"), spool.ReasonSecret}} {
		s := &Server{Name: "google", Host: "127.0.0.1", Port: 1, Login: "library", Tokens: &tokens{err: c.err}}
		_, err := Open(context.Background(), s)
		var e *Error
		if !errors.As(err, &e) || e.Outcome.Reason != c.reason || e.Outcome.NeedsPerson() != (c.reason == spool.ReasonSecret) {
			t.Errorf("%v: %+v", c.err, e)
		}
	}
}
