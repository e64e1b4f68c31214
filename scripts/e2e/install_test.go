//go:build peers

package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall installs into an empty folder, runs what is there, and takes it away again.
func TestInstall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := func(name string) {
		t.Helper()
		cmd := exec.Command(filepath.Join(root, "scripts", name))
		cmd.Env = append(os.Environ(), "DESTDIR="+dir, "PREFIX=/usr")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	script("install")
	if out, err := exec.Command(filepath.Join(dir, "usr/bin/notices"), "version").Output(); err != nil || len(out) == 0 {
		t.Errorf("the installed program says %q: %v", out, err)
	}
	for name, want := range map[string]string{
		"share/man/man1/notices.1":                     ".Dd",
		"share/man/man5/notices.toml.5":                ".Dd",
		"share/bash-completion/completions/notices":    "complete",
		"share/zsh/site-functions/_notices":            "compdef",
		"share/fish/vendor_completions.d/notices.fish": "complete",
		"share/doc/notices/notices.cron":               "/usr/bin/notices flush",
		"lib/systemd/system/notices-flush.service":     "ExecStart=/usr/bin/notices flush",
		"lib/systemd/system/notices-flush.timer":       "OnCalendar=",
	} {
		text, err := os.ReadFile(filepath.Join(dir, "usr", name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: no %q in it (%v)", name, want, err)
		}
	}
	script("uninstall")
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	check(t, err)
}
