package smtptest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

// The client is the standard library's: nothing here is tested against itself.
func dial(t *testing.T, s *Server) *smtp.Client {
	t.Helper()
	c, err := smtp.Dial(fmt.Sprintf("%s:%d", s.Host(), s.Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func deliver(c *smtp.Client, to ...string) error {
	if err := c.Mail("a@example.org"); err != nil {
		return err
	}
	for _, r := range to {
		if err := c.Rcpt(r); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte("Subject: x\r\n\r\n.dot\r\n")); err != nil {
		return err
	}
	return w.Close()
}

func code(err error) int {
	var e *textproto.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestServerRecords(t *testing.T) {
	ca := NewCA(t)
	s := New(t, Options{TLS: ca.TLS(t), Users: map[string]string{"library": "hunter2"}})
	c := dial(t, s)
	if ok, _ := c.Extension("AUTH"); ok {
		t.Error("AUTH is offered in clear")
	}
	if err := c.StartTLS(&tls.Config{RootCAs: ca.Pool(), ServerName: "mail.example.org"}); err != nil {
		t.Fatal(err)
	}
	if err := deliver(c, "b@example.org"); code(err) != 530 {
		t.Errorf("without AUTH: %v", err)
	}
	if err := c.Auth(smtp.PlainAuth("", "library", "wrong", "127.0.0.1")); code(err) != 535 {
		t.Errorf("wrong password: %v", err)
	}
	c = dial(t, s) // net/smtp gives up after a failed AUTH
	if err := c.StartTLS(&tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(smtp.PlainAuth("", "library", "hunter2", "127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	if err := deliver(c, "b@example.org", "c@example.org"); err != nil {
		t.Fatal(err)
	}
	m := s.Messages()
	if len(m) != 1 || m[0].Sender != "a@example.org" || !slices.Equal(m[0].Recipients, []string{"b@example.org", "c@example.org"}) ||
		string(m[0].Data) != "Subject: x\r\n\r\n.dot\r\n" || m[0].Login != "library" || !m[0].TLS || m[0].Connection != 2 {
		t.Errorf("%+v", m)
	}
	if n := s.Counts(); n.Connections != 2 || n.Logins != 1 || n.LoginErrors != 1 {
		t.Errorf("%+v", n)
	}
	for _, line := range s.Commands() {
		if strings.HasPrefix(line, "AUTH") && line != "AUTH PLAIN ***" {
			t.Errorf("the secret is kept: %q", line)
		}
	}
}

func TestServerOffersWhatItIsTold(t *testing.T) {
	s := New(t, Options{NoPipelining: true, No8BitMIME: true, SMTPUTF8: true, Size: 1000})
	c := dial(t, s)
	for name, want := range map[string]bool{"PIPELINING": false, "8BITMIME": false, "SMTPUTF8": true, "SIZE": true, "STARTTLS": false, "AUTH": false, "CHUNKING": false} {
		if ok, _ := c.Extension(name); ok != want {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

func TestServerLimits(t *testing.T) {
	s := New(t, Options{MaxRecipients: 1, MaxConnections: 2, MaxMessages: 1})
	one, two := dial(t, s), dial(t, s)
	one.Noop()
	two.Noop()
	if _, err := smtp.Dial(fmt.Sprintf("%s:%d", s.Host(), s.Port())); code(err) != 421 {
		t.Errorf("a third connection: %v", err)
	}
	if err := deliver(one, "b@example.org", "c@example.org"); code(err) != 452 {
		t.Errorf("a second recipient: %v", err)
	}
	if err := deliver(two, "b@example.org"); err != nil {
		t.Errorf("%v", err)
	}
	if err := deliver(two, "b@example.org"); code(err) != 421 {
		t.Errorf("a second message: %v", err)
	}
	if n := s.Counts(); n.Peak != 2 || n.Connections != 3 {
		t.Errorf("%+v", n)
	}
}

func TestServerMisbehaves(t *testing.T) {
	s := New(t, Options{})
	for _, c := range []struct {
		stage, answer string
		code          int
		recorded      bool
	}{
		{"MAIL", "550 5.1.8 no", 550, false},
		{"RCPT", "450-busy\n450 4.2.1 later", 450, false},
		{"DATA", "451 no", 451, false},
		{"body", "552 too big\n" + Drop, 0, false},
		{"dot", "554 spam", 554, false},
		{"dot", Drop, 0, false},
		{"dot", Reset, 0, false},
		{"dot", "250 ok\n" + Drop, 0, true},
	} {
		s.Set(func(o *Options) {
			o.Reply = func(stage, _ string) string { return map[string]string{c.stage: c.answer}[stage] }
		})
		before := len(s.Messages())
		err := deliver(dial(t, s), "b@example.org")
		if (err == nil) != c.recorded || c.code != 0 && code(err) != c.code {
			t.Errorf("%s %q: %v", c.stage, c.answer, err)
		}
		if got := len(s.Messages()) > before; got != c.recorded {
			t.Errorf("%s %q: recorded %v", c.stage, c.answer, got)
		}
	}
}

// spy is a TB that notes failures.
type spy struct {
	TB
	failed chan string
}

func (s *spy) Errorf(format string, args ...any) { s.failed <- fmt.Sprintf(format, args...) }

func TestNobodyAndScriptsComplain(t *testing.T) {
	for name, start := range map[string]func(TB) *Peer{
		"Nobody":             Nobody,
		"a wrong line":       func(t TB) *Peer { return Script(t, "> 220 hi\n< HELO *\n") },
		"no such step":       func(t TB) *Peer { return Script(t, "what?\n") },
		"a hang-up":          func(t TB) *Peer { return Script(t, "> 220 hi\n< EHLO *\n> 250 hi\n< MAIL *\n") },
		"something, not eof": func(t TB) *Peer { return Script(t, "> 220 hi\neof\n") },
	} {
		spied := &spy{TB: t, failed: make(chan string, 10)}
		p := start(spied)
		if c, err := smtp.Dial(fmt.Sprintf("%s:%d", p.Host(), p.Port())); err == nil {
			c.Hello("me.example.org")
			c.Close()
		}
		p.Close()
		if len(spied.failed) == 0 {
			t.Errorf("%s: no complaint", name)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, line string
		want          bool
	}{
		{"QUIT", "QUIT", true}, {"QUIT", "QUIT ", false}, {"*", "", true}, {"A *", "A b/c[d", true}, {"A *c", "A bcc", true},
		{"A *c", "A bcd", false}, {"*b*", "abc", true}, {"a*a", "a", false},
	} {
		if matches(c.pattern, c.line) != c.want {
			t.Errorf("%q, %q", c.pattern, c.line)
		}
	}
}
