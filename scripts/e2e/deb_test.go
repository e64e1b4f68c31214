//go:build peers

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

const notice = "From: desk@example.org\nTo: patron@example.net\nSubject: Overdue\n\nPlease bring it back.\n"

// sendmailAsCron is how Debian's cron calls sendmail.
var sendmailAsCron = []string{"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"}

// install installs packages of ours, in the place of an MTA that may be there.
func (m *sandbox) install(names ...string) {
	m.t.Helper()
	args := []string{"--force-unsafe-io", "--install"}
	for _, name := range names {
		args = append(args, m.bring(packaged(m.t, name)))
	}
	if slices.Contains(names, "notices-mta") {
		m.removeMTA()
	}
	m.must("", "dpkg", args...)
}

func (m *sandbox) removeMTA() {
	m.t.Helper()
	for line := range strings.Lines(m.must("", "dpkg-query", "-W", "-f", "${Package} ${Provides}\n")) {
		if name, provides, _ := strings.Cut(line, " "); name != "notices-mta" && strings.Contains(provides, "mail-transport-agent") {
			m.must("", "dpkg", "--force-depends", "--remove", name)
		}
	}
}

// configure lets it send through Mailpit, as an administrator would.
func (m *sandbox) configure(pit *mailpit) {
	m.t.Helper()
	ca, err := os.ReadFile(certs.ca)
	check(m.t, err)
	m.write("/etc/notices/ca.pem", string(ca), "root:root", "644")
	m.write("/etc/notices/server1.password", password+"\n", "notices:notices", "600")
	m.write("/etc/notices/notices.toml", fmt.Sprintf(`[site]
name = "Springfield Public Library"
address = "library@example.org"

[[server]]
host = "127.0.0.1"
port = %d
tls = "starttls"
ca_file = "ca.pem"
login = %q
password_file = "server1.password"
`, pit.smtp, login), "root:root", "644")
}

// TestDebInstalled follows a machine from the packages to the first mail: between
// them nothing is lost and nobody is bothered.
func TestDebInstalled(t *testing.T) {
	t.Parallel()
	m, pit := newSandbox(t), startMailpit(t)

	m.install("notices")
	m.modes(map[string]string{
		"/etc/notices": "root:root 755", "/var/spool/notices": "notices:notices 711",
		"/var/spool/notices/drop": "notices:notices 3733", "/var/log/notices": "notices:notices 750",
		"/usr/bin/notices": "root:root 755", "/etc/cron.d/notices": "root:root 644",
	})
	if m.there("/etc/notices/notices.toml") {
		t.Error("the package notices configures something")
	}
	if !m.there("/etc/systemd/system/timers.target.wants/notices-flush.timer") {
		t.Error("the timer is not enabled")
	}
	m.silentCron()

	// An MTA from the first minute, before anybody has configured anything.
	m.install("notices-mta")
	m.modes(map[string]string{"/etc/notices/notices.toml": "root:root 644"})
	m.want(0, "nobody:nogroup", "Subject: Cron\n\nout\n", "/usr/sbin/sendmail", sendmailAsCron...)
	m.want(0, "root:root", notice, "/usr/lib/sendmail", "-t", "-i")
	m.want(0, "root:root", "", "newaliases")
	if r := m.want(78, "notices:notices", "", "notices", "flush"); !strings.Contains(r.stderr, "/etc/notices/notices.toml") {
		t.Errorf("flush does not say what is missing: %v", r)
	}
	m.silentCron()

	m.configure(pit)
	id := strings.TrimSpace(m.want(0, "notices:notices", notice, "notices", "enqueue").stdout)
	if r := m.want(0, "notices:notices", "", "mailq"); !strings.Contains(r.stdout, id) {
		t.Errorf("mailq lacks %s: %v", id, r)
	}
	m.cron()
	if got := len(pit.arrived(t)); got != 3 {
		t.Errorf("%d messages arrived, want 3: %v", got, m.as("notices:notices", "", "notices", "list"))
	}
	m.silentUnits()
	m.write("/var/log/notices/notices.log", "x\n", "notices:notices", "640")
	m.must("", "logrotate", "--force", "/etc/logrotate.d/notices")
	if !m.there("/var/log/notices/notices.log.1") {
		t.Error("logrotate did not rotate the log")
	}
}

// TestDebUsers: a user of the machine hands in mail, and sees nobody else's.
func TestDebUsers(t *testing.T) {
	t.Parallel()
	m, pit := newSandbox(t), startMailpit(t)
	m.install("notices")
	m.must("", "notices", "init", "--template")
	was := m.must("", "sha256sum", "/etc/notices/notices.toml")
	m.install("notices-mta")
	if is := m.must("", "sha256sum", "/etc/notices/notices.toml"); is != was {
		t.Error("notices-mta replaced the configuration")
	}
	m.configure(pit)
	m.want(0, "nobody:nogroup", notice, "sendmail", "-t")
	m.want(0, "www-data:www-data", notice, "notices", "enqueue")
	for _, denied := range []string{
		"ls /var/spool/notices/drop", "cat /var/spool/notices/drop/*", "ls /var/spool/notices/cur", "cat /etc/notices/server1.password",
		"rm -f /var/spool/notices/drop/x; mv /var/spool/notices/drop /tmp/x",
	} {
		if r := m.as("nobody:nogroup", "", "sh", "-c", denied); r.code == 0 {
			t.Errorf("a user may: %s: %v", denied, r)
		}
	}
	m.want(0, "notices:notices", "", "notices", "flush")
	if got := len(pit.arrived(t)); got != 2 {
		t.Errorf("%d messages arrived, want 2", got)
	}
}

// TestDebRemoved: what the packages leave behind, and when.
func TestDebRemoved(t *testing.T) {
	t.Parallel()
	m := newSandbox(t)
	m.install("notices", "notices-mta")
	m.configure(&mailpit{smtp: freePort(t)})
	id := strings.TrimSpace(m.want(0, "notices:notices", notice, "notices", "enqueue").stdout)

	m.install("notices") // an upgrade
	m.must("", "dpkg", "--force-depends", "--remove", "notices-mta", "notices")
	for path, kept := range map[string]bool{
		"/var/spool/notices/cur/" + id: true, "/etc/notices/notices.toml": true, "/etc/notices/server1.password": true,
		"/usr/bin/notices": false, "/usr/libexec/notices": false, "/usr/sbin/sendmail": false,
	} {
		if m.there(path) != kept {
			t.Errorf("removed: %s: there %v, want %v", path, !kept, kept)
		}
	}
	m.silentCron()
	m.install("notices")
	if r := m.want(0, "notices:notices", "", "notices", "list"); !strings.Contains(r.stdout, id) {
		t.Errorf("installed again, it lost %s: %v", id, r)
	}

	// Purged with mail left in it.
	r := m.want(0, "root:root", "", "dpkg", "--force-depends", "--purge", "notices-mta", "notices")
	if !m.there("/var/spool/notices/cur/"+id) || !strings.Contains(r.stdout+r.stderr, "mail left in /var/spool/notices") {
		t.Errorf("purged, the queue is gone, or not spoken of: %v", r)
	}
	if m.there("/etc/notices/notices.toml") || !m.there("/etc/notices/server1.password") {
		t.Error("purged: notices.toml is to go, what others put beside it to stay")
	}
	// And with none.
	m.must("", "sh", "-c", "rm -f /var/spool/notices/cur/* /var/spool/notices/cur/.[!.]* /etc/notices/*")
	m.install("notices")
	m.must("", "systemctl", "enable", "notices-smtp.socket", "notices-serve.socket", "notices-serve.service")
	m.must("", "dpkg", "--purge", "notices")
	for _, path := range []string{
		"/var/spool/notices", "/etc/notices", "/etc/cron.d/notices", "/etc/logrotate.d/notices", "/var/log/notices",
		"/etc/systemd/system/sockets.target.wants/notices-smtp.socket", "/etc/systemd/system/sockets.target.wants/notices-serve.socket",
		"/etc/systemd/system/multi-user.target.wants/notices-serve.service",
	} {
		if m.there(path) {
			t.Errorf("purged, %s is still there", path)
		}
	}
}

// cron runs the line of /etc/cron.d/notices as cron would, but without the random wait.
func (m *sandbox) cron() result {
	m.t.Helper()
	for line := range strings.Lines(m.must("", "cat", "/etc/cron.d/notices")) {
		if command, ok := strings.CutPrefix(line, "* * * * * notices "); ok {
			return m.want(0, "notices:notices", "", "sh", "-c", strings.Replace(command, "--splay 30s", "", 1))
		}
	}
	m.t.Fatal("there is no line in /etc/cron.d/notices")
	return result{}
}

// silentCron: cron makes a mail of what is printed.
func (m *sandbox) silentCron() {
	m.t.Helper()
	if r := m.cron(); r.stdout+r.stderr != "" {
		m.t.Errorf("cron would mail: %v", r)
	}
}

// silentUnits: systemd takes the units as they are, and finds them hardened.
func (m *sandbox) silentUnits() {
	m.t.Helper()
	r := m.want(0, "root:root", "", "systemd-analyze", "verify", "notices-flush.timer", "notices-smtp.socket", "notices-smtp@1.service", "notices-serve.socket", "notices-serve.service")
	if r.stdout+r.stderr != "" {
		m.t.Errorf("systemd-analyze verify: %v", r)
	}
	// 20 is an exposure of 2.0, of 10.
	m.want(0, "root:root", "", "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=20",
		"/usr/lib/systemd/system/notices-flush.service", "/usr/lib/systemd/system/notices-smtp@.service", "/usr/lib/systemd/system/notices-serve.service")
}

// TestRPMInstalled: the scripts of the other kind do the same. It is Debian's rpm that
// runs them, so what the packages depend on is not looked at.
func TestRPMInstalled(t *testing.T) {
	t.Parallel()
	m := newSandbox(t)
	m.must("", "rm", "-f", "/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases") // Debian's
	for _, name := range []string{"notices", "notices-mta"} {
		m.must("", "rpm", "--install", "--nodeps", m.bring(packagedRPM(t, name)))
	}
	m.modes(map[string]string{
		"/etc/notices": "root:root 755", "/var/spool/notices": "notices:notices 711", "/var/spool/notices/drop": "notices:notices 3733",
	})
	m.want(0, "nobody:nogroup", notice, "/usr/sbin/sendmail", "-t")
	id := strings.TrimSpace(m.want(0, "notices:notices", notice, "notices", "enqueue").stdout)
	if r := m.want(0, "notices:notices", "", "mailq"); !strings.Contains(r.stdout, id) {
		t.Errorf("mailq lacks %s: %v", id, r)
	}
	m.must("", "rpm", "--erase", "notices-mta", "notices")
	if !m.there("/var/spool/notices/cur/"+id) || m.there("/usr/sbin/sendmail") || m.there("/usr/bin/notices") {
		t.Error("erased: the queue is to stay, the programs to go")
	}
}
