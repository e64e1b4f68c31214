//go:build peers

package e2e

import (
	"strings"
	"testing"
)

// refused is what Postfix logs for a wrong password.
const refused = "SASL SCRAM-SHA-256 authentication failed"

// TestWrongPasswordPauses: a wrong password costs one login, not one for each message
// and run, no message is returned for it, and the right one in its file is enough.
func TestWrongPasswordPauses(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	s := newSite(t, p.config("changed"))
	s.password("changed", "wrong")
	ids := s.fill(20)
	s.flush()
	until(t, "Postfix's log", func() bool { return p.logged(t, refused) > 0 })
	logins := p.logged(t, refused)
	if logins > connections {
		t.Errorf("%d logins with a wrong password for 20 messages", logins)
	}
	if now := s.status(); len(now.Servers) != 1 || now.Servers[0].DownUntil == "" {
		t.Errorf("status does not show Server 1 as paused: %+v", now)
	}

	s.must("", "retry", "--all")
	s.flush()
	if again := p.logged(t, refused); again != logins {
		t.Errorf("%d more logins in the second run, although the password is still the same", again-logins)
	}
	if n := len(s.list()); n != len(ids) {
		t.Fatalf("%d of %d messages in the queue", n, len(ids))
	}

	s.password("changed", password)
	s.must("", "retry", "--all")
	if got := s.flush(); got != (tally{Sent: len(ids)}) {
		t.Errorf("with the right password flush says %+v", got)
	}
	until(t, "all messages", func() bool { return p.count() == len(ids) })
	checkOnce(t, ids, copies(p.arrived(t)), nil)
}

// TestTestServer asks for each kind of trouble whether a librarian is told what to do.
func TestTestServer(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	closed := freePort(t)
	for _, c := range []struct {
		name, config string
		code         int
		says         []string // in what is printed, in lower case
		kept         string   // last_test_result
	}{
		{"well, STARTTLS", p.config(goodPassword), 0, []string{"tls 1.3", "250 2.0.0"}, "ok"},
		{"well, implicit TLS", serverConfig(p.implicit, "implicit", goodPassword), 0, []string{"tls 1.3", "250 2.0.0"}, "ok"},
		{"wrong password", p.config("wrong"), 69, []string{"535 5.7.8", "password"}, "error"},
		{"nothing listens", serverConfig(closed, "starttls", goodPassword), 69, []string{"refused", "port", "587"}, "error"},
		{"TLS from the start where STARTTLS is spoken", serverConfig(p.starttls, "implicit", goodPassword), 69, []string{"starttls"}, "error"},
		{"unknown CA", strings.Replace(p.config(goodPassword), certs.ca, "", 1), 69, []string{"certificate", "ca_file"}, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, c.config)
			s.password("wrong", "wrong")
			r := s.run("", "test-server", "1")
			if r.code != c.code {
				t.Errorf("exit %d, want %d", r.code, c.code)
			}
			printed := strings.ToLower(r.stdout + r.stderr)
			for _, text := range c.says {
				if !strings.Contains(printed, text) {
					t.Errorf("does not say %q", text)
				}
			}
			if strings.Contains(printed, password) {
				t.Error("prints the password")
			}
			now := s.status()
			if len(now.Servers) != 1 || now.Servers[0].LastTestResult != c.kept || now.Servers[0].LastTestedOn == "" {
				t.Errorf("status remembers %+v", now.Servers)
			}
		})
	}
}

// TestTestServerSends sees the test message arrive.
func TestTestServerSends(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	s := newSite(t, p.config(goodPassword))
	s.must("", "test-server")
	s.must("", "test-server", "1", "--to", "patron@example.net")
	until(t, "two test messages", func() bool { return p.count() == 2 })
	if len(p.to(t, "library@example.org")) != 1 || len(p.to(t, "patron@example.net")) != 1 {
		t.Errorf("arrived: %v", p.arrived(t))
	}
}
