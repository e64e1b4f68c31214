package smtpclient

import (
	"cmp"
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"notices/spool/smtpreply"
	"notices/spool/smtptest"
)

// watched is a server with an Observe that notes every step.
func watched(p peer) (*Server, *[]Step) {
	s := inClear(p)
	s.AllowNonSecure, s.AllowNonSecureLogin = false, false
	var steps []Step
	s.Observe = func(step Step) { steps = append(steps, step) }
	return s, &steps
}

func stages(steps []Step) string {
	var names []string
	for _, s := range steps {
		name := string(s.Stage)
		if s.Err != nil {
			name += "!"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func TestVerifiedTLS(t *testing.T) {
	ca := smtptest.NewCA(t)
	for name, implicit := range map[string]bool{"STARTTLS": false, "implicit": true} {
		t.Run(name, func(t *testing.T) {
			srv := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t), Implicit: implicit, Users: map[string]string{"library": "hunter2"}})
			s, steps := watched(srv)
			s.Roots, s.Login, s.Password = ca.Pool(), "library", password("hunter2")
			want := "connect greeting ehlo starttls tls ehlo auth dot"
			if implicit {
				s.TLS, want = TLSImplicit, "connect tls greeting ehlo auth dot"
			}
			c := open(t, s)
			wantOutcomes(t, deliver(t, c, message(hello)), "delivered 250")
			if got := stages(*steps); got != want {
				t.Errorf("steps %q, want %q", got, want)
			}
			if c.Notice() != "" {
				t.Errorf("notice %q", c.Notice())
			}
			for _, step := range *steps {
				if step.Stage == smtpreply.StageTLS && (step.TLS == nil || step.TLS.Version != tls.VersionTLS13) {
					t.Errorf("%+v", step)
				}
			}
			m := srv.Messages()
			if len(m) != 1 || !m[0].TLS || m[0].Login != "library" {
				t.Errorf("%+v", m)
			}
		})
	}
}

// Everything that keeps TLS from being made or verified.
func insecure(t *testing.T, ca *smtptest.CA) map[string]smtptest.Options {
	refuse := func(stage, answer string) func(string, string) string {
		return func(s, _ string) string {
			if s == stage {
				return answer
			}
			return ""
		}
	}
	other := smtptest.NewCA(t)
	return map[string]smtptest.Options{
		"expired":            {TLS: ca.Expired(t)},
		"wrong name":         {TLS: ca.TLS(t, "other.example.org")},
		"unknown CA":         {TLS: other.TLS(t)},
		"TLS 1.1":            {TLS: ca.Old(t)},
		"not offered":        {},
		"refused":            {TLS: ca.TLS(t), Reply: refuse("STARTTLS", "454 4.7.0 TLS not available")},
		"hangs up":           {TLS: ca.TLS(t), Reply: refuse("STARTTLS", "220 go\n"+smtptest.Drop)},
		"no TLS behind 220":  {TLS: ca.TLS(t), Reply: refuse("STARTTLS", "220 go")},
		"implicit, expired":  {TLS: ca.Expired(t), Implicit: true},
		"implicit, TLS 1.1":  {TLS: ca.Old(t), Implicit: true},
		"implicit, in clear": {Implicit: true},
	}
}

// allow_non_secure = false: no verified TLS, no mail, no password, not a byte.
func TestWithoutTLSNothing(t *testing.T) {
	ca := smtptest.NewCA(t)
	for name, o := range insecure(t, ca) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Users, o.ClearLogin = map[string]string{"library": "hunter2"}, true
			srv := smtptest.New(t, o)
			s, steps := watched(srv)
			s.Roots, s.Login, s.Password, s.Timeout = ca.Pool(), "library", password("hunter2"), long
			if o.Implicit {
				s.TLS = TLSImplicit
			}
			_, err := Open(t.Context(), s)
			code := map[string]string{"refused": "454"}[name]
			e := wantError(t, err, "deferred server tls "+cmp.Or(code, "0"))
			if got := stages(*steps); !strings.Contains(got, "!") || strings.Contains(got, "step down") {
				t.Errorf("steps %q: %v", got, e)
			}
			for _, command := range srv.Commands() {
				if verb, _, _ := strings.Cut(command, " "); slices.Contains([]string{"AUTH", "MAIL", "RCPT", "DATA", "HELO"}, verb) {
					t.Errorf("it sent %q", command)
				}
			}
			if srv.Counts().Logins+srv.Counts().LoginErrors > 0 || len(srv.Messages()) > 0 {
				t.Errorf("%+v", srv.Counts())
			}
			most := 1
			if name == "hangs up" { // as some do who know only old ciphers
				most = 2
			}
			if srv.Counts().Connections > most {
				t.Errorf("%d connections", srv.Counts().Connections)
			}
		})
	}
}

// allow_non_secure = true: level after level, each step down noted. The password goes along
// only with allow_non_secure_login.
func TestLadder(t *testing.T) {
	ca := smtptest.NewCA(t)
	notices := map[string]string{"expired": "unverified TLS", "wrong name": "unverified TLS", "unknown CA": "unverified TLS", "implicit, expired": "unverified TLS"}
	for name, o := range insecure(t, ca) {
		if o.Implicit && o.TLS != nil && name != "implicit, expired" {
			continue // the last rung is another server's there, see TestLadderImplicit
		}
		for _, login := range []string{"none", "allowed", "forbidden"} {
			t.Run(name+"/"+login, func(t *testing.T) {
				t.Parallel()
				srv := smtptest.New(t, o)
				s, steps := watched(srv)
				s.Roots, s.AllowNonSecure, s.Timeout = ca.Pool(), true, long
				if o.Implicit {
					s.TLS = TLSImplicit
				}
				if login != "none" {
					srv.Set(func(o *smtptest.Options) { o.Users, o.ClearLogin = map[string]string{"library": "hunter2"}, true })
					s.Login, s.Password, s.AllowNonSecureLogin = "library", password("hunter2"), login == "allowed"
				}
				c, err := Open(t.Context(), s)
				if login == "forbidden" {
					if err == nil || !strings.Contains(err.Error(), "allow_non_secure_login") {
						t.Errorf("Open gave %v", err)
					}
					if srv.Counts().Logins+srv.Counts().LoginErrors > 0 {
						t.Error("it logged in")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				wantOutcomes(t, deliver(t, c, message(hello)), "delivered 250")
				want := notices[name]
				if want == "" {
					want = "no TLS"
				}
				if !strings.HasPrefix(c.Notice(), want) || !strings.Contains(stages(*steps), "step down") {
					t.Errorf("notice %q, steps %q", c.Notice(), stages(*steps))
				}
				if m := srv.Messages(); len(m) != 1 || m[0].TLS != (want == "unverified TLS") {
					t.Errorf("%+v", m)
				}
			})
		}
	}
}

// Verified TLS is the first rung: where it can be had nothing else is tried.
func TestLadderBeginsAtTheTop(t *testing.T) {
	ca := smtptest.NewCA(t)
	srv := smtptest.New(t, smtptest.Options{TLS: ca.TLS(t)})
	s, steps := watched(srv)
	s.Roots, s.AllowNonSecure = ca.Pool(), true
	c := open(t, s)
	if c.Notice() != "" || slices.ContainsFunc(*steps, func(s Step) bool { return s.Stage == smtpreply.StageStepDown || s.Err != nil }) {
		t.Errorf("notice %q, steps %q", c.Notice(), stages(*steps))
	}
}

// A token never travels without verified TLS, whatever is allowed for passwords.
func TestTokenNeedsTLS(t *testing.T) {
	ca := smtptest.NewCA(t)
	for name, o := range insecure(t, ca) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o.Tokens, o.ClearLogin = map[string]string{"library": "ya29.x"}, true
			srv := smtptest.New(t, o)
			s, _ := watched(srv)
			s.Roots, s.Login, s.Tokens, s.Timeout = ca.Pool(), "library", &tokens{current: "ya29.x"}, long
			s.AllowNonSecure, s.AllowNonSecureLogin = true, true
			if o.Implicit {
				s.TLS = TLSImplicit
			}
			if _, err := Open(t.Context(), s); err == nil || !strings.Contains(err.Error(), "a token is never sent") {
				t.Errorf("Open gave %v", err)
			}
			if srv.Counts().Logins+srv.Counts().LoginErrors > 0 {
				t.Error("it logged in")
			}
		})
	}
}

// What comes in clear behind the answer to STARTTLS was put there by somebody else
// (CVE-2011-0411). No step down leads around that.
func TestSTARTTLSInjection(t *testing.T) {
	for _, injected := range []string{"250 hello\\r\\n", "x"} {
		p := smtptest.Script(t, "> 220 hi\n< EHLO *\n> 250-hi\n> 250 starttls\n< STARTTLS\n> \"220 go\\r\\n"+injected+"\"\neof")
		s := inClear(p)
		_, err := Open(t.Context(), s)
		wantError(t, err, "deferred server protocol 0")
		p.Close()
		if p.Connections() != 1 {
			t.Errorf("%d connections", p.Connections())
		}
	}
}

// The port decides where the configuration leaves it open.
func TestImplicitPort(t *testing.T) {
	for _, c := range []struct {
		mode TLSMode
		port int
		want bool
	}{
		{"", 465, true}, {TLSAuto, 465, true}, {TLSAuto, 587, false}, {TLSAuto, 25, false},
		{TLSImplicit, 2465, true}, {TLSStart, 465, false},
	} {
		if got := (&Server{TLS: c.mode, Port: c.port}).implicit(); got != c.want {
			t.Errorf("%q at %d: %v", c.mode, c.port, got)
		}
	}
}
