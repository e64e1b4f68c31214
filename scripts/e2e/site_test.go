//go:build peers

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// site is a library with a configuration and a spool of its own.
type site struct {
	t       *testing.T
	dir     string
	program string // that it runs; empty: binary
}

const siteConfig = `[site]
name = "Springfield Public Library"
address = "library@example.org"
hostname = "desk.example.org"

[spool]
dir = "{dir}/spool"

[log]
to = "{dir}/notices.log"
`

// serverConfig is a [[server]] whose password is in the file passwordFile(secret).
func serverConfig(port int, tls, secret string) string {
	return fmt.Sprintf(`
[[server]]
host = "127.0.0.1"
port = %d
tls = %q
ca_file = %q
login = %q
password_file = "{dir}/%s"
timeout = "5s"
data_timeout = "5s"
`, port, tls, certs.ca, login, secret)
}

// goodPassword is a file that every site has.
const goodPassword = "password"

func newSite(t *testing.T, servers ...string) *site {
	t.Helper()
	s := &site{t: t, dir: folder(t)}
	s.configure(servers...)
	s.password(goodPassword, password)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the site's log:\n%s", tail(s.path("notices.log")))
		}
	})
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) configure(servers ...string) {
	s.t.Helper()
	text := strings.ReplaceAll(siteConfig+strings.Join(servers, ""), "{dir}", s.dir)
	write(s.t, s.path("notices.toml"), text)
}

func (s *site) password(name, secret string) {
	s.t.Helper()
	check(s.t, os.WriteFile(s.path(name), []byte(secret+"\n"), 0o600))
}

// result is what a command printed and how it ended.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\nstdout:\n%s\nstderr:\n%s", r.code, r.stdout, r.stderr)
}

// run runs the real binary.
func (s *site) run(stdin string, args ...string) result {
	s.t.Helper()
	r, err := s.execute(stdin, args...)
	check(s.t, err)
	return r
}

// environment is the program's: nothing that is installed or set up on this machine is to
// be found.
func (s *site) environment() []string {
	return []string{"PATH=/usr/bin:/bin", "HOME=" + s.dir, "NOTICES_CONFIG=" + s.path("notices.toml"), "NOTICES_ALIASES=" + s.path("aliases")}
}

// execute is run for goroutines.
func (s *site) execute(stdin string, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, cmp.Or(s.program, binary), append([]string{"--config", s.path("notices.toml")}, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	cmd.Env = s.environment()
	err := cmd.Run()
	if ctx.Err() != nil {
		return result{}, fmt.Errorf("notices %v: not ended after %v", args, 2*patience)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return result{}, err
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, nil
}

// must is run that has to end with 0; it returns the standard output.
func (s *site) must(stdin string, args ...string) string {
	s.t.Helper()
	r := s.run(stdin, args...)
	if r.code != 0 {
		s.t.Fatalf("notices %v: %v", args, r)
	}
	return r.stdout
}

// enqueue queues a message and returns its id.
func (s *site) enqueue(text string, args ...string) string {
	s.t.Helper()
	return strings.TrimSpace(s.must(text, append([]string{"enqueue"}, args...)...))
}

// flush runs a flush that has to go well, and returns its counts.
func (s *site) flush(args ...string) tally {
	s.t.Helper()
	var counts tally
	s.decode(&counts, append([]string{"flush", "--json"}, args...)...)
	return counts
}

func (s *site) decode(into any, args ...string) {
	s.t.Helper()
	out := s.must("", args...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		s.t.Fatalf("notices %v: %v\n%s", args, err, out)
	}
}

// The output of --json, as far as the tests look at it.
type (
	tally  struct{ Sent, Deferred, Returned, Failed int }
	queued struct {
		ID, State  string
		Recipients []struct{ Address, State, Reply string }
		Attempts   int
		LastError  string `json:"last_error"`
		Ref        string
	}
	status struct {
		Queued, Deferred, Held, Failed int
		Servers                        []struct {
			Name           string
			LastTestedOn   string `json:"last_tested_on"`
			LastTestResult string `json:"last_test_result"`
			LastTestDetail string `json:"last_test_detail"`
			DownUntil      string `json:"down_until"`
		}
	}
)

func (s *site) list(args ...string) []queued {
	s.t.Helper()
	var messages []queued
	s.decode(&messages, append([]string{"list", "--json"}, args...)...)
	return messages
}

func (s *site) status() status {
	s.t.Helper()
	var now status
	s.decode(&now, "status", "--json")
	return now
}

// stored reads the message as it lies in the spool.
func (s *site) stored(id string) mail {
	s.t.Helper()
	text, err := os.ReadFile(s.path("spool/cur/" + id))
	check(s.t, err)
	return parseMail(s.t, text)
}
