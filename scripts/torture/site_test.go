//go:build peers

package torture

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"notices/spool/smtptest"
)

var (
	full   = flag.Bool("full", false, "every place, not a sample")
	binary string
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "notices-torture-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "notices")
	build := exec.Command("go", "build", "-o", binary, "notices/cmd/notices")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", out, err)
		return 1
	}
	return m.Run()
}

// site is a configured spool and the server that it sends to.
type site struct {
	t      *testing.T
	dir    string
	server *smtptest.Server
}

func newSite(t *testing.T, o smtptest.Options) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), server: smtptest.New(t, o)}
	config := fmt.Sprintf(`[site]
name = "Library"
address = "library@example.org"
hostname = "mail.example.org"
[[server]]
host = "%s"
port = %d
allow_non_secure = true
[spool]
dir = "%s"
`, s.server.Host(), s.server.Port(), s.spool())
	if err := os.WriteFile(s.config(), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) config() string { return filepath.Join(s.dir, "notices.toml") }
func (s *site) spool() string  { return filepath.Join(s.dir, "spool") }

// command is the program on this site, with wrapper (strace ...) before it.
func (s *site) command(stdin string, wrapper []string, args ...string) *exec.Cmd {
	argv := append(append(wrapper, binary, "--config", s.config()), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "NOTICES_CONFIG=" + s.config(), "NOTICES_ALIASES=" + filepath.Join(s.dir, "aliases")}
	return cmd
}

// run expects success and returns what was printed.
func (s *site) run(stdin string, args ...string) string {
	s.t.Helper()
	out, err := s.command(stdin, nil, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("notices %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// ended tells how a process ended: its exit code, or -1 for a signal.
func ended(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -2
}

// message is a notice whose subject tells it from all others.
func message(subject string) string {
	return "From: Library <library@example.org>\nTo: Patron <patron@example.net>\nSubject: " + subject +
		"\nMessage-ID: <" + subject + "@example.org>\n\nYour book is due.\n"
}

// arrived counts by "SUBJECT recipient" what the server has taken. Returns have the
// subject "return of SUBJECT".
func arrived(s *smtptest.Server) map[string]int {
	got := map[string]int{}
	for _, m := range s.Messages() {
		for _, r := range m.Recipients {
			got[subjectOf(m.Data)+" "+r]++
		}
	}
	return got
}

func subjectOf(data []byte) string {
	var subjects []string
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		if s, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("Subject: ")); ok {
			subjects = append(subjects, string(bytes.TrimSpace(s)))
		}
	}
	if len(subjects) > 1 {
		return "return of " + subjects[len(subjects)-1]
	}
	return strings.Join(subjects, "")
}

// files lists the names in a folder of the spool; none when it is missing.
func (s *site) files(folder string) (names []string) {
	list, err := os.ReadDir(filepath.Join(s.spool(), folder))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}
