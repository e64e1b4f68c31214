//go:build peers

package google

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const library = "library@example.org"

// site is a library that sends through Google, with a spool of its own.
type site struct {
	t   *testing.T
	dir string
}

const siteConfig = `[site]
name = "Springfield Public Library"
address = "library@example.org"
hostname = "desk.example.org"

[delivery]
via = "google"

[google]
client_id = "{desktop}"
client_secret_file = "{dir}/secret"
{endpoints}
smtp_host = "127.0.0.1"
smtp_port = {starttls}
ca_file = "{work}/ca.pem"

[microsoft]
client_id = "{public}"
account = "library@example.org"
{endpoints}
smtp_host = "127.0.0.1"
smtp_port = {starttls}
ca_file = "{work}/ca.pem"

[spool]
dir = "{dir}/spool"
`

func endpoints() string {
	return fmt.Sprintf("auth_url = %q\ndevice_url = %q\ntoken_url = %q\nuserinfo_url = %q\nrevoke_url = %q",
		op.url("/auth"), op.url("/device/auth"), op.url("/token"), op.url("/me"), op.url("/token/revocation"))
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	text := strings.NewReplacer("{dir}", s.dir, "{work}", work, "{desktop}", desktopApp, "{public}", publicApp, "{endpoints}", endpoints(),
		"{starttls}", fmt.Sprint(peer.starttls)).Replace(siteConfig)
	check(t, os.WriteFile(s.path("notices.toml"), []byte(text), 0o600))
	check(t, os.WriteFile(s.path("secret"), []byte(desktopSecret+"\n"), 0o600))
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, append([]string{"--config", s.path("notices.toml")}, args...)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + s.dir, "NOTICES_CONFIG=" + s.path("notices.toml"), "NOTICES_ALIASES=" + s.path("aliases")}
	cmd.WaitDelay = time.Second
	return cmd
}

// result is what a command printed and how it ended.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\nstdout:\n%s\nstderr:\n%s", r.code, r.stdout, r.stderr)
}

func (s *site) run(stdin string, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := s.command(ctx, args...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		s.t.Errorf("notices %v: %v, %v", args, err, ctx.Err())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must is run that has to end with 0; it returns the standard output.
func (s *site) must(stdin string, args ...string) string {
	s.t.Helper()
	r := s.run(stdin, args...)
	if r.code != 0 {
		s.t.Fatalf("notices %v: %v\nDovecot:\n%s\nprovider:\n%s", args, r, read(file("dovecot.log")), op.log())
	}
	return r.stdout
}

func (s *site) enqueue(n int) {
	s.t.Helper()
	for i := range n {
		s.must(fmt.Sprintf("To: patron%d@example.net\nSubject: Due back soon\n\nYour book is due. Caf\xc3\xa9 Springfield.\n", i), "enqueue")
	}
}

// tokenOf reads a field of what is kept of a sign-in.
func (s *site) tokenOf(name, field string) string {
	s.t.Helper()
	var kept map[string]any
	check(s.t, json.Unmarshal([]byte(s.kept(name)), &kept))
	value, _ := kept[field].(string)
	return value
}

func (s *site) token(field string) string { return s.tokenOf("google", field) }

func (s *site) kept(name string) string { return read(s.path("spool/state/token-" + name)) }

// expire makes the access token one that ended an hour ago.
func (s *site) expire() {
	s.t.Helper()
	var kept map[string]any
	check(s.t, json.Unmarshal([]byte(s.kept("google")), &kept))
	kept["expires_at"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	text, err := json.Marshal(kept)
	check(s.t, err)
	check(s.t, os.WriteFile(s.path("spool/state/token-google"), text, 0o600))
}

// account is status's word on the sign-in.
type account struct {
	Account   string
	Scopes    []string
	ExpiresAt string `json:"expires_at"`
	Error     *string
}

func (s *site) status() (google *account, queued, deferred int) {
	s.t.Helper()
	var now struct {
		Google           *account
		Queued, Deferred int
	}
	out := s.must("", "status", "--json")
	if err := json.Unmarshal([]byte(out), &now); err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	return now.Google, now.Queued, now.Deferred
}

// dialogue is a sign-in under way.
type dialogue struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdin          io.WriteCloser
	stdout, stderr *buffer
	ended          chan struct{}
}

// buffer is written by one and read by another.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// begin starts a command that talks with a person.
func (s *site) begin(env []string, args ...string) *dialogue {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	d := &dialogue{t: s.t, cmd: s.command(ctx, args...), stdout: &buffer{}, stderr: &buffer{}, ended: make(chan struct{})}
	d.cmd.Env = append(d.cmd.Env, env...)
	d.cmd.Stdout, d.cmd.Stderr = d.stdout, d.stderr
	var err error
	d.stdin, err = d.cmd.StdinPipe()
	check(s.t, err)
	check(s.t, d.cmd.Start())
	go func() {
		d.cmd.Wait()
		close(d.ended)
	}()
	s.t.Cleanup(func() {
		cancel()
		<-d.ended
	})
	return d
}

// address waits for the address that is printed for the browser.
func (d *dialogue) address(prefix string) string {
	d.t.Helper()
	found := ""
	until(d.t, "the address", func() bool {
		for line := range strings.Lines(d.stderr.String()) {
			if strings.HasPrefix(line, prefix) && strings.HasSuffix(line, "\n") {
				found = strings.TrimSpace(line)
			}
		}
		select {
		case <-d.ended:
			return true
		default:
			return found != ""
		}
	})
	if found == "" {
		d.t.Fatalf("ended without an address:\n%s", d.stderr)
	}
	return found
}

// end waits for the end.
func (d *dialogue) end() result {
	d.t.Helper()
	<-d.ended
	return result{d.cmd.ProcessState.ExitCode(), d.stdout.String(), d.stderr.String()}
}
