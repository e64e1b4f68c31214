//go:build peers

package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/smtp"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"notices/spool/smtptest"
)

// TestSystemd lets systemd run the units of the package: what two programs hand in, one
// by SMTP and one through drop/, is sent by the timer, as confined as the units are, with
// a password from a shell command, to the address that /etc/aliases has, and told to
// syslog. Nobody can bring the socket down, and it goes with the package.
func TestSystemd(t *testing.T) {
	t.Parallel()
	m := bootSandbox(t)
	m.install("notices")
	m.active("notices-flush.timer", true)
	m.active("notices-smtp.socket", false)
	// It must work from the moment there is a configuration, whichever comes first.
	m.must("", "systemctl", "enable", "--now", "notices-smtp.socket")
	server := m.configureConfined()
	m.hurryTimer()

	m.inside(func() {
		pesterPort25(t)
		until(t, "the greeting of the socket", func() bool { return greets(25, false) })
		text := strings.ReplaceAll(notice, "\n", "\r\n")
		check(t, smtp.SendMail(address(25), nil, "desk@example.org", []string{"root"}, []byte(text)))
	})
	m.want(0, "nobody:nogroup", notice, "notices", "enqueue")
	until(t, "the timer's flush", func() bool { return len(server.Messages()) == 2 })
	var to []string
	for _, message := range server.Messages() {
		to = append(to, message.Recipients...)
	}
	slices.Sort(to)
	if got := strings.Join(to, " "); got != "head@example.org patron@example.net" {
		t.Errorf("sent to %s", got)
	}
	until(t, "the log", func() bool { return strings.Contains(m.journal(), "run sent=") })
	for _, event := range []string{"handed-in", "user=nobody", "to=head@example.org", "to=patron@example.net"} {
		if log := m.journal(); !strings.Contains(log, event) {
			t.Errorf("syslog has no %s:\n%s", event, log)
		}
	}
	if failed := m.must("", "systemctl", "list-units", "--failed", "--plain", "--no-legend", "notices*"); failed != "" {
		t.Errorf("failed units: %s", failed)
	}

	m.must("", "dpkg", "--remove", "notices")
	m.active("notices-smtp.socket", false)
	m.active("notices-flush.timer", false)
	m.install("notices")
	m.active("notices-smtp.socket", true)
	m.active("notices-flush.timer", true)
}

// configureConfined sets it up to use what the hardening of the units could forbid.
func (m *sandbox) configureConfined() (server *smtptest.Server) {
	m.t.Helper()
	pair, err := tls.LoadX509KeyPair(certs.cert, certs.key)
	check(m.t, err)
	m.inside(func() {
		server = smtptest.New(m.t, smtptest.Options{
			TLS: &tls.Config{Certificates: []tls.Certificate{pair}}, Users: map[string]string{login: password},
		})
	})
	ca, err := os.ReadFile(certs.ca)
	check(m.t, err)
	m.write("/etc/notices/ca.pem", string(ca), "root:root", "644")
	m.write("/etc/notices/server1.password", password+"\n", "notices:notices", "600")
	m.write("/etc/aliases", "root: head@example.org\n", "root:root", "644")
	m.write("/etc/notices/notices.toml", fmt.Sprintf(`[site]
name = "Springfield Public Library"
address = "library@example.org"

[[server]]
host = "localhost"
port = %d
ca_file = "ca.pem"
login = %q
password_command = "head -n 1 /etc/notices/server1.password | cat"

[log]
to = "syslog"
`, server.Port(), login), "root:root", "644")
	return server
}

// hurryTimer makes minutes of the timer seconds, as an administrator would change it.
func (m *sandbox) hurryTimer() {
	m.t.Helper()
	m.must("", "mkdir", "-p", "/etc/systemd/system/notices-flush.timer.d")
	m.write("/etc/systemd/system/notices-flush.timer.d/override.conf",
		"[Timer]\nOnCalendar=\nOnCalendar=*:*:0/3\nRandomizedDelaySec=0\n", "root:root", "644")
	m.must("", "systemctl", "daemon-reload")
	m.must("", "systemctl", "restart", "notices-flush.timer")
}

// pesterPort25 connects more often in a second than systemd by default lets a socket be.
func pesterPort25(t *testing.T) {
	t.Helper()
	for range 250 {
		conn, err := net.Dial("tcp", address(25))
		if err != nil {
			t.Errorf("the socket is gone: %v", err)
			return
		}
		conn.Close()
	}
}

// inside calls f on a thread that has the sandbox's network: what f opens is there.
func (m *sandbox) inside(f func()) {
	m.t.Helper()
	done := make(chan error)
	go func() {
		defer close(done)        // also when f ends the test
		goruntime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		space, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", m.pid))
		if err == nil {
			defer space.Close()
			err = unix.Setns(int(space.Fd()), unix.CLONE_NEWNET)
		}
		if err != nil {
			done <- err
			return
		}
		f()
	}()
	check(m.t, <-done)
	if m.t.Failed() {
		m.t.FailNow()
	}
}

// active looks at whether a unit is.
func (m *sandbox) active(unit string, want bool) {
	m.t.Helper()
	if r := m.as("root", "", "systemctl", "is-active", unit); (r.code == 0) != want {
		m.t.Errorf("%s is %v", unit, r)
	}
}

// journal is what the program told syslog.
func (m *sandbox) journal() string {
	m.t.Helper()
	return m.must("", "journalctl", "--no-pager", "--output=cat", "--identifier=notices")
}
