//go:build peers

package e2e

import (
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestContainerRoot runs what a container has in it, under chroot, as its user: both
// programs, and the certificates that it trusts without being told.
func TestContainerRoot(t *testing.T) {
	t.Parallel()
	dir, pit := folder(t), startMailpit(t)
	out, err := exec.Command(filepath.Join(root, "scripts/packaging/container-root"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("container-root: %v\n%s", err, out)
	}
	trust(t, filepath.Join(dir, "etc/ssl/certs/ca-certificates.crt"), certs.ca)
	write(t, filepath.Join(dir, "etc/notices/notices.toml"), fmt.Sprintf(`[site]
name = "Springfield Public Library"
address = "library@example.org"
[[server]]
host = "127.0.0.1"
port = %d
login = %q
password_file = "server1.password"
`, pit.smtp, login))
	secret := filepath.Join(dir, "etc/notices/server1.password")
	check(t, os.WriteFile(secret, []byte(password), 0o600))
	check(t, os.Chown(secret, 65532, 65532))

	notices := func(stdin string, args ...string) string {
		t.Helper()
		cmd := exec.Command("chroot", append([]string{"--userspec=65532:65532", dir, "/usr/bin/notices"}, args...)...)
		cmd.Env = []string{"HOME=/var/spool/notices"}
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("notices %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	notices("", "version")
	notices("", "check")
	notices(notice, "enqueue")
	if said := notices("", "flush"); said != "" {
		t.Errorf("flush says %s", said)
	}
	if got := len(pit.arrived(t)); got != 1 {
		t.Errorf("%d messages arrived, want 1", got)
	}
}

// trust adds a certificate authority to a list of them.
func trust(t *testing.T, list, ca string) {
	t.Helper()
	more, err := os.ReadFile(ca)
	check(t, err)
	f, err := os.OpenFile(list, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.Write(more)
	check(t, err)
	check(t, f.Close())
}

// TestSMTPSocket: what notices-smtp.socket makes of the program takes mail from a client
// that knows nothing but SMTP. systemd's own tool stands in for systemd.
func TestSMTPSocket(t *testing.T) {
	t.Parallel()
	s, port := newSite(t), freePort(t)
	startServer(t, s.path("socket.out"), "systemd-socket-activate", "--accept", "--inetd", "--listen", address(port),
		binary, "--config", s.path("notices.toml"), "sendmail", "-bs")
	until(t, "the socket", func() bool { return greets(port, false) })
	text := strings.ReplaceAll(notice, "\n", "\r\n")
	check(t, smtp.SendMail(address(port), nil, "desk@example.org", []string{"patron@example.net"}, []byte(text)))
	if list := s.list(); len(list) != 1 || list[0].Recipients[0].Address != "patron@example.net" {
		t.Errorf("queued: %v", list)
	}
}
