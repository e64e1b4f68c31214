//go:build peers

package e2e

import (
	"strings"
	"testing"
)

// Dovecot checks what each mechanism sends, and with SCRAM proves that it knows the
// password; a wrong password it refuses by each of them.
func TestMechanisms(t *testing.T) {
	for _, name := range []string{"SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"} {
		t.Run(name, func(t *testing.T) {
			p := startPostfix(t, "smtpd_sasl_mechanism_filter = "+strings.ToLower(name))
			s := newSite(t, p.config(goodPassword))
			out := s.must("", "test-server", "1", "--to", "patron@example.com")
			if !strings.Contains(out, "logged in: "+name+": 235") {
				t.Errorf("not by %s:\n%s", name, out)
			}
			s.password("wrong", "wrong-horse")
			s.configure(p.config("wrong"))
			if r := s.run("", "test-server", "1"); r.code != 69 || !strings.Contains(r.stdout, "535") {
				t.Errorf("a wrong password by %s: %v", name, r)
			}
		})
	}
}
