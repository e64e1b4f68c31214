//go:build peers

package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
)

// TestContainerRoot runs what a container has in it, under chroot, as its user: both
// programs, and the certificates that it trusts without being told; flush as cron calls it, and
// serve.
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
	containerServes(t, dir, pit, notices)
}

// containerServes runs `notices serve` in the container: a site hands mail in, which goes out
// signed, and the container is asked from outside how it is.
func containerServes(t *testing.T, dir string, pit *mailpit, notices func(stdin string, args ...string) string) {
	t.Helper()
	submission, https, plain := freePort(t), freePort(t), freePort(t)
	for name, from := range map[string]string{"cert.pem": certs.cert, "key.pem": certs.key} {
		text, err := os.ReadFile(from)
		check(t, err)
		to := filepath.Join(dir, "etc/notices", name)
		check(t, os.WriteFile(to, text, 0o600))
		check(t, os.Chown(to, 65532, 65532))
	}
	config := filepath.Join(dir, "etc/notices/notices.toml")
	text, err := os.ReadFile(config)
	check(t, err)
	write(t, config, string(text)+fmt.Sprintf(`
[serve]
listen_tls = ["127.0.0.1:%d"]
listen_starttls = []
listen_https = ["127.0.0.1:%d"]
listen_metrics = ["127.0.0.1:%d"]
cert_file = "cert.pem"
key_file = "key.pem"
address = "noreply@service.example"
[dkim]
domain = "service.example"
key_file = "/var/spool/notices/dkim.key"
`, submission, https, plain))
	record := notices("", "dkim-key", "--type", "ed25519")
	_, record, _ = strings.Cut(record, "value: ")
	record, _, _ = strings.Cut(record, "\n")
	words := strings.Fields(notices("", "service-key", "add", "springfield", "--name", "Springfield Public Library", "--address", "desk@library.example"))
	key := words[len(words)-1]

	cmd := exec.Command("chroot", "--userspec=65532:65532", dir, "/usr/bin/notices", "serve")
	cmd.Env = []string{"HOME=/var/spool/notices"}
	var said lines
	cmd.Stderr = &said
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	until(t, "the service", func() bool { return greets(submission, true) })

	conn, err := tls.Dial("tcp", address(submission), &tls.Config{InsecureSkipVerify: true}) // what it shows is for TestPeers and others
	check(t, err)
	c, err := smtp.NewClient(conn, "127.0.0.1")
	check(t, err)
	check(t, c.Auth(smtp.PlainAuth("", "springfield", key, "127.0.0.1")))
	check(t, c.Mail("desk@library.example"))
	check(t, c.Rcpt("patron@example.net"))
	w, err := c.Data()
	check(t, err)
	_, err = w.Write([]byte(strings.ReplaceAll(notice, "\n", "\r\n")))
	check(t, err)
	check(t, w.Close())
	check(t, c.Quit())
	until(t, "the mail", func() bool { return len(pit.arrived(t)) == 2 })
	wantSigned(t, pit, record)

	insecure := http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	if body := fetch(t, &insecure, "https://"+address(https)+"/healthz"); body != "ok\n" {
		t.Errorf("/healthz says %q", body)
	}
	body := fetch(t, &insecure, "http://"+address(plain)+"/metrics")
	for _, want := range []string{"notices_serve_messages_total 1\n", "notices_serve_spool_ok 1\n", "notices_serve_sent_seconds_count 1\n", "notices_messages{state=\"queued\"} 0\n", "notices_serve_commit_messages_sum 1\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("/metrics lacks %q:\n%s", want, body)
		}
	}
	check(t, cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("serve: %v\n%s", err, said.String())
		}
	case <-time.After(patience):
		t.Errorf("it does not end: %s", said.String())
	}
}

// lines is what a process said, while it runs.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// wantSigned wants the newest message at Mailpit to be the service's, with a signature that verifies
// by that record.
func wantSigned(t *testing.T, pit *mailpit, record string) {
	t.Helper()
	raw := string(pit.get(t, "/api/v1/message/latest/raw"))
	if !strings.Contains(raw, "From: \"Springfield Public Library\" <noreply@service.example>") {
		t.Errorf("it comes from another address:\n%s", raw)
	}
	found, err := dkim.VerifyWithOptions(strings.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return map[string][]string{"notices._domainkey.service.example": {record}}[name], nil
	}})
	if err != nil || len(found) != 1 || found[0].Err != nil {
		t.Errorf("the signature: %v %v\n%s", found, err, raw)
	}
}

func fetch(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	response, err := c.Get(url)
	check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(t, err)
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", url, response.Status)
	}
	return string(body)
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
