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

// TestContainer runs what a container has in it, as its user: both programs, and the certificates
// that it trusts without being told; flush as cron calls it, and serve. Once under chroot, and once
// as an image that podman builds by the last part of scripts/Containerfile. What that file does
// before, building the program on an image from a registry, is not tried.
func TestContainer(t *testing.T) {
	t.Parallel()
	files := folder(t)
	out, err := exec.Command(filepath.Join(root, "scripts/packaging/container-root"), filepath.Join(files, "root-of-container")).CombinedOutput()
	if err != nil {
		t.Fatalf("container-root: %v\n%s", err, out)
	}
	t.Run("image", func(t *testing.T) { imageContainer(t, files).works(t) })
	t.Run("root", func(t *testing.T) { rootContainer(filepath.Join(files, "root-of-container")).works(t) })
}

// container is a way to run notices in one.
type container struct {
	etc     string // the folder that is /etc/notices in it
	trusted string // the file that is its list of certificate authorities
	run     func(args ...string) *exec.Cmd
	exec    func(args ...string) *exec.Cmd // while notices serve runs in it
}

// rootContainer runs it under chroot.
func rootContainer(dir string) *container {
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command("chroot", append([]string{"--userspec=65532:65532", dir, "/usr/bin/notices"}, args...)...)
		cmd.Env = []string{"HOME=/var/spool/notices"}
		return cmd
	}
	return &container{filepath.Join(dir, "etc/notices"), filepath.Join(dir, "etc/ssl/certs/ca-certificates.crt"), run, run}
}

// imageContainer builds an image of files, and runs it with podman as scripts/Containerfile describes,
// but on the network of the host.
func imageContainer(t *testing.T, files string) *container {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "scripts/Containerfile"))
	check(t, err)
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found {
		t.Fatal("scripts/Containerfile has no part FROM scratch")
	}
	write(t, filepath.Join(files, "Containerfile"), "FROM scratch\n"+strings.ReplaceAll(strings.ReplaceAll(last, "--from=build ", ""), " /root-of-container/", " root-of-container/"))
	dir := folder(t)
	podman := func(args ...string) *exec.Cmd {
		// It leaves nothing in this machine's own store of images. runc works whatever the control
		// groups of the machine are.
		return exec.Command("podman", append([]string{"--root", filepath.Join(dir, "store"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs",
			"--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc"}, args...)...)
	}
	if out, err := podman("build", "-q", "--isolation", "chroot", "-t", "notices", files).CombinedOutput(); err != nil {
		t.Fatalf("podman build: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := podman("rm", "--all", "--force", "--time", "0").CombinedOutput(); err != nil {
			t.Errorf("podman rm: %v\n%s", err, out)
		}
	})
	c := &container{etc: filepath.Join(dir, "etc"), trusted: filepath.Join(dir, "trusted.pem")}
	for _, name := range []string{c.etc, filepath.Join(dir, "spool")} {
		check(t, os.Mkdir(name, 0o755))
	}
	check(t, os.Chown(filepath.Join(dir, "spool"), 65532, 65532))
	write(t, c.trusted, "")
	c.run = func(args ...string) *exec.Cmd {
		name := "another"
		if args[0] == "serve" {
			name = "service"
		}
		return podman(append([]string{"run", "--rm", "-i", "--name", name, "--network", "host", "--read-only", "--cap-drop", "all",
			"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "-v", filepath.Join(dir, "spool") + ":/var/spool/notices",
			"-v", c.etc + ":/etc/notices:ro", "-v", c.trusted + ":/etc/ssl/certs/ca-certificates.crt:ro", "notices"}, args...)...)
	}
	c.exec = func(args ...string) *exec.Cmd {
		return podman(append([]string{"exec", "service", "notices"}, args...)...)
	}
	return c
}

// notices runs it to its end.
func (c *container) notices(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	cmd := c.run(args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("notices %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// own writes a file that the container's user can read.
func (c *container) own(t *testing.T, name, text string) {
	t.Helper()
	to := filepath.Join(c.etc, name)
	check(t, os.WriteFile(to, []byte(text), 0o600))
	check(t, os.Chown(to, 65532, 65532))
}

func (c *container) works(t *testing.T) {
	t.Helper()
	pit := startMailpit(t)
	trust(t, c.trusted, certs.ca)
	config := fmt.Sprintf(`[site]
name = "Springfield Public Library"
address = "library@example.org"
hostname = "container.example.org"
[[server]]
host = "127.0.0.1"
port = %d
login = %q
password_file = "server1.password"
`, pit.smtp, login)
	write(t, filepath.Join(c.etc, "notices.toml"), config)
	c.own(t, "server1.password", password)
	c.notices(t, "", "version")
	c.notices(t, "", "check")
	c.notices(t, notice, "enqueue")
	if said := c.notices(t, "", "flush"); said != "" {
		t.Errorf("flush says %s", said)
	}
	if got := len(pit.arrived(t)); got != 1 {
		t.Errorf("%d messages arrived, want 1", got)
	}
	c.serves(t, config, pit)
}

// serves runs `notices serve` in the container: a site hands mail in, which goes out signed, and the
// container is asked from outside how it is.
func (c *container) serves(t *testing.T, config string, pit *mailpit) {
	t.Helper()
	submission, https, plain := freePort(t), freePort(t), freePort(t)
	for name, from := range map[string]string{"cert.pem": certs.cert, "key.pem": certs.key} {
		text, err := os.ReadFile(from)
		check(t, err)
		c.own(t, name, string(text))
	}
	write(t, filepath.Join(c.etc, "notices.toml"), config+fmt.Sprintf(`
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
	record := c.notices(t, "", "dkim-key", "--type", "ed25519")
	_, record, _ = strings.Cut(record, "value: ")
	record, _, _ = strings.Cut(record, "\n")

	cmd := c.run("serve")
	var said lines
	cmd.Stderr = &said
	check(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	until(t, "the service", func() bool { return greets(submission, true) })
	out, err := c.exec("service-key", "add", "springfield", "--name", "Springfield Public Library", "--address", "desk@library.example").Output()
	check(t, err)
	words := strings.Fields(string(out))
	submit(t, submission, words[len(words)-1])
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
	check(t, cmd.Process.Signal(syscall.SIGHUP))
	until(t, "the configuration to be reloaded", func() bool { return strings.Contains(said.String(), "was reloaded") })
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

// submit hands in a message as the site springfield.
func submit(t *testing.T, port int, key string) {
	t.Helper()
	conn, err := tls.Dial("tcp", address(port), &tls.Config{InsecureSkipVerify: true}) // what it shows is for TestPeers and others
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
