//go:build peers

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What all tests share.
var (
	root    string // of the repository
	binary  string // the real notices
	runtime string // folder that every user may enter: Postfix drops its privileges
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer os.RemoveAll(runtime)
	return m.Run()
}

func prepare() (err error) {
	if os.Getuid() != 0 {
		return fmt.Errorf("these tests start Postfix, which needs root")
	}
	if root, err = filepath.Abs("../.."); err != nil {
		return err
	}
	// Short: the path of a Unix socket has at most 107 octets.
	if runtime, err = os.MkdirTemp("/tmp", "notices-e2e-"); err != nil {
		return err
	}
	if err := os.Chmod(runtime, 0o755); err != nil {
		return err
	}
	if err := writeCertificates(runtime); err != nil {
		return err
	}
	binary = filepath.Join(runtime, "notices")
	build := exec.Command(filepath.Join(root, "scripts/build"), binary)
	// Tests put the small program elsewhere, without the full one beside it.
	build.Env = append(os.Environ(), "FULL="+filepath.Join(runtime, "notices-full"))
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/build: %w\n%s", err, out)
	}
	return nil
}

// folder makes a folder for one test that every user may enter.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(runtime, "t")
	check(t, err)
	check(t, os.Chmod(dir, 0o755))
	return dir
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, []byte(text), 0o644))
}
