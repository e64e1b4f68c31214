package smtpclient

import (
	"slices"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/smtptest"
)

// authLines are the AUTH commands that a server was sent: the mechanisms.
func authLines(s *smtptest.Server) (names []string) {
	for _, c := range s.Commands() {
		if name, ok := strings.CutPrefix(c, "AUTH "); ok {
			names = append(names, strings.Fields(name)[0])
		}
	}
	return names
}

// Of what is offered the best is taken; one that is refused as such gives way.
func TestMechanisms(t *testing.T) {
	ca := smtptest.NewCA(t)
	refuse := func(names ...string) func(stage, line string) string {
		return func(stage, line string) string {
			if words := strings.Fields(line); stage == "AUTH" && len(words) > 1 && slices.Contains(names, words[1]) {
				return "504 5.5.4 not here"
			}
			return ""
		}
	}
	says := func(name, answer string) func(stage, line string) string {
		return func(stage, line string) string {
			if stage == "AUTH" && strings.HasPrefix(line, "AUTH "+name) {
				return answer
			}
			return ""
		}
	}
	all := []string{"CRAM-MD5", "LOGIN", "PLAIN", "SCRAM-SHA-256"}
	for name, c := range map[string]struct {
		offers []string
		clear  bool
		reply  func(stage, line string) string
		want   string
		err    string
	}{
		"all":                     {offers: all, want: "SCRAM-SHA-256"},
		"no SCRAM":                {offers: all[:3], want: "PLAIN"},
		"LOGIN and CRAM-MD5":      {offers: all[:2], want: "LOGIN"},
		"CRAM-MD5 alone":          {offers: all[:1], want: "CRAM-MD5"},
		"in clear":                {offers: all[:3], clear: true, want: "CRAM-MD5"},
		"in clear, all":           {offers: all, clear: true, want: "SCRAM-SHA-256"},
		"504 to PLAIN":            {offers: all[:3], reply: refuse("PLAIN"), want: "PLAIN LOGIN"},
		"504 to all but CRAM-MD5": {offers: all, reply: refuse("PLAIN", "LOGIN", "SCRAM-SHA-256"), want: "SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5"},
		"504 to all":              {offers: all, reply: refuse(all...), want: "SCRAM-SHA-256 PLAIN LOGIN CRAM-MD5", err: "deferred server auth 504"},
		"no such mechanism":       {offers: all[:3], reply: says("PLAIN", "535 5.7.8 Error: authentication failed: Invalid authentication mechanism"), want: "PLAIN LOGIN"},
		"no such type":            {offers: all[:3], reply: says("PLAIN", "535 5.7.8 Unrecognized authentication type"), want: "PLAIN LOGIN"},
		"too weak":                {offers: all[:3], reply: says("PLAIN", "534 5.7.9 too weak"), want: "PLAIN LOGIN"},
		"another password wanted": {offers: all[:3], reply: says("PLAIN", "534 5.7.9 Application-specific password required."), want: "PLAIN", err: "deferred server auth 534"},
		"wrong":                   {offers: all[:3], reply: says("PLAIN", "535 5.7.8 no"), want: "PLAIN", err: "deferred server auth 535"},
		"not now":                 {offers: all[:3], reply: says("PLAIN", "454 4.7.0 mechanism is down"), want: "PLAIN", err: "deferred server authwait 454"},
	} {
		t.Run(name, func(t *testing.T) {
			o := smtptest.Options{Users: map[string]string{"library": "hunter2"}, Mechanisms: c.offers, Reply: c.reply, ClearLogin: c.clear}
			if !c.clear {
				o.TLS = ca.TLS(t)
			}
			srv := smtptest.New(t, o)
			s := &Server{
				Name: "1", Host: srv.Host(), Port: srv.Port(), Roots: ca.Pool(), Login: "library", Password: password("hunter2"),
				AllowNonSecure: c.clear, AllowNonSecureLogin: c.clear,
			}
			conn, err := Open(t.Context(), s)
			if c.err != "" {
				wantError(t, err, c.err)
			} else if err != nil {
				t.Fatal(err)
			} else {
				wantOutcomes(t, deliver(t, conn, message(hello)), "delivered 250")
				conn.Quit()
			}
			if got := strings.Join(authLines(srv), " "); got != c.want {
				t.Errorf("AUTH %s, want %s", got, c.want)
			}
		})
	}
}

// A wrong password is one refused login, whatever the mechanism; so is a server that
// cannot show that it knows the password.
func TestMechanismsRefuse(t *testing.T) {
	ca := smtptest.NewCA(t)
	for _, name := range []string{"SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5", "impostor"} {
		t.Run(name, func(t *testing.T) {
			o := smtptest.Options{TLS: ca.TLS(t), Users: map[string]string{"library": "right"}, Mechanisms: []string{name}}
			wrong, code := "wrong", "535"
			if name == "impostor" {
				o.Mechanisms, o.Impostor, wrong, code = []string{"SCRAM-SHA-256"}, true, "right", "0"
			}
			srv := smtptest.New(t, o)
			s := &Server{Name: "1", Host: srv.Host(), Port: srv.Port(), Roots: ca.Pool(), Login: "library", Password: password(wrong)}
			_, err := Open(t.Context(), s)
			wantError(t, err, "deferred server auth "+code)
			if n := len(authLines(srv)); n != 1 {
				t.Errorf("AUTH %d times", n)
			}
		})
	}
}

// The example of RFC 2195.
func TestCramMD5(t *testing.T) {
	got, err := newMechanism(authCramMD5, "tim", "tanstaaftanstaaf").next([]byte("<1896.697170952@postoffice.reston.mci.net>"))
	if err != nil || string(got) != "tim b913a602c7eda7a495b4e6e7334d3890" {
		t.Errorf("%s, %v", got, err)
	}
}

// What a server asks for in SCRAM's first message is bounded, and a 235 without its
// signature is no login.
func TestScramBounds(t *testing.T) {
	begin := "> 220 hi\n< EHLO *\n> 250-hi\n> 250 AUTH SCRAM-SHA-256\n< AUTH SCRAM-SHA-256 *\n"
	for name, c := range map[string]struct{ script, want string }{
		"235 at once":     {begin + "> 235 welcome\neof", "deferred server auth 0"},
		"foreign nonce":   {begin + "> 334 " + b64("r=abc,s=c2FsdA==,i=4096") + "\neof", "deferred server protocol 0"},
		"endless work":    {begin + "> 334 " + b64("r=abc,s=c2FsdA==,i=2000000000") + "\neof", "deferred server protocol 0"},
		"no number":       {begin + "> 334 " + b64("r=abc,s=c2FsdA==,i=99999999999999999999") + "\neof", "deferred server protocol 0"},
		"an error, 535":   {begin + "> 334 " + b64("e=unknown-user") + "\n< \n> 535 5.7.8 no\neof", "deferred server auth 535"},
		"an error, 235":   {begin + "> 334 " + b64("e=other-error") + "\n< \n> 235 yes\neof", "deferred server auth 0"},
		"empty challenge": {begin + "> 334 \neof", "deferred server protocol 0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := inClear(smtptest.Script(t, c.script))
			s.Login, s.Password = "library", password("hunter2")
			_, err := Open(t.Context(), s)
			e := wantError(t, err, c.want)
			if e != nil && e.Outcome.Reason == spool.ReasonAuth && !e.Outcome.NeedsPerson() {
				t.Error("nobody is told")
			}
		})
	}
}
