//go:build peers

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// sandbox is a copy of this machine in which a test may install what it likes: nothing
// of it is left when the test ends.
type sandbox struct {
	t          *testing.T
	pid        int      // of a process in it
	namespaces []string // those of that process that are not this machine's
	root       string   // as that process sees it
}

// newSandbox makes one in which nothing runs. Its network is this machine's.
func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	dir, pid := startElsewhere(t)
	return &sandbox{t, pid, []string{"mount"}, filepath.Join(dir, "root")}
}

// bootSandbox makes one in which systemd runs. Its network is the loopback interface.
func bootSandbox(t *testing.T) *sandbox {
	t.Helper()
	_, pid := startElsewhere(t, "boot")
	return &sandbox{t, pid, []string{"mount", "uts", "ipc", "net", "pid", "cgroup"}, "/"}
}

// startElsewhere returns the folder and a process that is in it.
func startElsewhere(t *testing.T, more ...string) (dir string, pid int) {
	t.Helper()
	dir = folder(t)
	output := filepath.Join(runtime, filepath.Base(dir)+".out") // dir itself is mounted over
	s := startServer(t, output, "unshare", append([]string{"--mount", "--propagation", "private",
		filepath.Join(root, "scripts/packaging/elsewhere"), dir}, more...)...)
	pid = s.PID()
	until(t, "a copy of this machine", func() bool {
		select {
		case <-s.Ended:
			t.Fatalf("no copy of this machine: it takes root, mount namespaces, overlayfs and cgroups\n%s", tail(output))
		default:
		}
		said, err := os.ReadFile(output)
		if err != nil || !strings.Contains(string(said), "ready") {
			return false
		}
		fmt.Sscanf(string(said), "ready %d", &pid) // one that runs names its first process
		return true
	})
	return dir, pid
}

// as runs a command there as a user.
func (m *sandbox) as(user, stdin, name string, args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	home := "/root"
	if user != "root" {
		home = "/nonexistent"
	}
	enter := []string{"--target=" + strconv.Itoa(m.pid), "--wd=/"}
	for _, space := range m.namespaces {
		enter = append(enter, "--"+space)
	}
	enter = append(enter, "--", "chroot", "--userspec="+user, m.root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME="+home,
		"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", name)
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs a command as root that has to go well.
func (m *sandbox) must(stdin, name string, args ...string) string {
	m.t.Helper()
	r := m.as("root", stdin, name, args...)
	if r.code != 0 {
		m.t.Fatalf("%s %v: %v", name, args, r)
	}
	return r.stdout
}

// want runs a command as a user and looks at its exit code.
func (m *sandbox) want(code int, user, stdin, name string, args ...string) result {
	m.t.Helper()
	r := m.as(user, stdin, name, args...)
	if r.code != code {
		m.t.Fatalf("%s: %s %v, want exit %d: %v", user, name, args, code, r)
	}
	return r
}

// write makes a file there.
func (m *sandbox) write(path, text, owner, mode string) {
	m.t.Helper()
	m.must(text, "sh", "-c", `cat >"$1" && chown "$2" "$1" && chmod "$3" "$1"`, "sh", path, owner, mode)
}

// modes looks at owner, group and mode of files: path and what stat(1) has to say.
func (m *sandbox) modes(want map[string]string) {
	m.t.Helper()
	for path, is := range want {
		if got := strings.TrimSpace(m.must("", "stat", "-c", "%U:%G %a", path)); got != is {
			m.t.Errorf("%s is %s, want %s", path, got, is)
		}
	}
}

// there reports whether there is a file of that name.
func (m *sandbox) there(path string) bool {
	m.t.Helper()
	return m.as("root", "", "test", "-e", path).code == 0
}

// bring copies a file of this machine, and returns its name there.
func (m *sandbox) bring(path string) string {
	m.t.Helper()
	text, err := os.ReadFile(path)
	check(m.t, err)
	to := fmt.Sprintf("/root/%s", filepath.Base(path))
	m.write(to, string(text), "root:root", "644")
	return to
}
