//go:build peers

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// installed is a machine on which notices runs: a configuration in /etc/notices and
// another in the home of who runs the tests, each with a spool that nobody may touch. It
// has mounts of its own: the real machine's files stay as they are.
type installed struct {
	t       *testing.T
	dir     string
	watched int // inotify(7): who opens one of the files
}

func newInstalled(t *testing.T) *installed {
	t.Helper()
	m := &installed{t: t, dir: folder(t)}
	if out, err := exec.Command("sh", "-c", `cp -a /etc "$0/etc" && rm -rf "$0/etc/notices" && mkdir -p "$0/spool/notices"`, m.dir).CombinedOutput(); err != nil {
		t.Fatalf("cp /etc: %v\n%s", err, out)
	}
	var err error
	m.watched, err = unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	check(t, err)
	t.Cleanup(func() { unix.Close(m.watched) })
	for _, name := range []string{"etc/notices/notices.toml", "home/.config/notices/notices.toml", "xdg/notices/notices.toml", "named.toml"} {
		write(t, m.path(name), fmt.Sprintf("[site]\naddress = \"library@example.org\"\n[spool]\ndir = %q\n[log]\nto = %q\n[[server]]\nhost = \"127.0.0.1\"\nport = 9\n",
			m.path("live"), m.path("live.log")))
		_, err := unix.InotifyAddWatch(m.watched, m.path(name), unix.IN_OPEN)
		check(t, err)
	}
	return m
}

func (m *installed) path(name string) string { return filepath.Join(m.dir, name) }

// run runs a command there, in the repository, with an environment that names all that
// is installed.
func (m *installed) run(more []string, command ...string) string {
	m.t.Helper()
	const mounts = `mount --bind "$0/etc" /etc; mount --bind "$0/spool" /var/spool; exec "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "sh", "-ec", mounts, m.dir}, command...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "HOME="+m.path("home"), "XDG_CONFIG_HOME="+m.path("xdg"), "XDG_STATE_HOME="+m.path("state"))
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} { // they are in the real home
		cmd.Env = append(cmd.Env, name+"="+strings.TrimSpace(output(m.t, "go", "env", name)))
	}
	cmd.Env = append(cmd.Env, more...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Errorf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return string(out)
}

// opened reports whether one of the configurations was opened since the last call.
func (m *installed) opened() bool {
	n, err := unix.Read(m.watched, make([]byte, 4096))
	return err == nil && n > 0
}

// untouched wants nothing in the spools and no log.
func (m *installed) untouched(by string) {
	m.t.Helper()
	if m.opened() {
		m.t.Errorf("%s opened a configuration that is not its own", by)
	}
	for _, name := range []string{"live", "live.log", "state", "spool/notices/cur"} {
		if _, err := os.Lstat(m.path(name)); err == nil {
			m.t.Errorf("%s made %s", by, name)
		}
	}
}

// readmeShows wants every line of README.md's example in what the demo printed, but for
// ids, ports and dates.
func readmeShows(t *testing.T, demo string) {
	t.Helper()
	changing := regexp.MustCompile(`\b(1[0-9A-Z]{15}|\d{5}|\d{4}-\d\d-\d\d)\b`)
	printed := map[string]bool{}
	for line := range strings.Lines(demo) {
		printed[changing.ReplaceAllString(strings.TrimSpace(line), "_")] = true
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	check(t, err)
	example := strings.Split(string(readme), "```\n")[1]
	for line := range strings.Lines(example) {
		if line = strings.TrimSpace(line); !printed[changing.ReplaceAllString(line, "_")] {
			t.Errorf("README.md shows a line that the demo does not print: %s", line)
		}
	}
}

// TestInstalledIsLeftAlone runs the quick tests and the demo where notices is installed:
// they pass, and open none of its configurations and none of its spools.
func TestInstalledIsLeftAlone(t *testing.T) {
	t.Parallel()
	m := newInstalled(t)
	named := []string{"NOTICES_CONFIG=" + m.path("named.toml")}
	m.run(named, "go", "test", "-count=1", "./cmd/...", "./config/...", "./man", "./spool/drop", "./spool/intake")
	m.untouched("a test")
	readmeShows(t, m.run(named, "scripts/demo"))
	m.untouched("the demo")

	// Now one that is to be found, or the watch is blind.
	for _, env := range [][]string{named, {"XDG_CONFIG_HOME="}, {"XDG_CONFIG_HOME=", "HOME=/nonexistent"}, nil} {
		m.run(env, binary, "list")
		if !m.opened() {
			t.Errorf("with %v the program opened no configuration", env)
		}
	}
	if _, err := os.Lstat(m.path("live")); err != nil {
		t.Error(err)
	}
}
