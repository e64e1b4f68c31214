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

// script runs one of the scripts with an environment of its own.
func script(t *testing.T, name string, env ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(root, "scripts", name))
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// TestInstall installs into an empty folder, as who makes a package does, and takes it
// away again.
func TestInstall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script(t, "install", "DESTDIR="+dir, "PREFIX=/usr")
	if out, err := exec.Command(filepath.Join(dir, "usr/bin/notices"), "version").Output(); err != nil || len(out) == 0 {
		t.Errorf("the installed program says %q: %v", out, err)
	}
	for name, want := range map[string]string{
		"bin/notices":                                  "/usr/libexec/notices/notices",
		"libexec/notices/notices":                      "ELF",
		"libexec/notices/setup":                        "useradd",
		"share/man/man1/notices.1":                     ".Dd",
		"share/man/man5/notices.toml.5":                ".Dd",
		"share/man/man7/notices-install.7":             ".Dd",
		"share/bash-completion/completions/notices":    "complete",
		"share/zsh/site-functions/_notices":            "compdef",
		"share/fish/vendor_completions.d/notices.fish": "complete",
		"share/doc/notices/notices.cron":               "/usr/bin/notices flush",
		"lib/systemd/system/notices-flush.service":     "ExecStart=/usr/bin/notices flush",
		"lib/systemd/system/notices-flush.timer":       "OnCalendar=",
		"lib/systemd/system/notices-smtp.socket":       "ListenStream=",
		"lib/systemd/system/notices-smtp@.service":     "ExecStart=-/usr/bin/notices sendmail -bs",
	} {
		text, err := os.ReadFile(filepath.Join(dir, "usr", name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: no %q in it (%v)", name, want, err)
		}
	}
	// What belongs to the site, not to the program.
	kept := []string{"etc/notices/notices.toml", "var/spool/notices/cur/x"}
	for _, name := range kept {
		write(t, filepath.Join(dir, name), "x")
	}
	script(t, "uninstall", "DESTDIR="+dir, "PREFIX=/usr")
	if left := filesBelow(t, dir); strings.Join(left, " ") != strings.Join(kept, " ") {
		t.Errorf("uninstalled, there is %v, want %v", left, kept)
	}
}

func filesBelow(t *testing.T, dir string) (names []string) {
	t.Helper()
	check(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, path)
		}
		return err
	}))
	return names
}

// TestInstalledPrefix: both halves of the program find each other where they were
// installed, and nowhere else.
func TestInstalledPrefix(t *testing.T) {
	t.Parallel()
	prefix := filepath.Join(folder(t), "prefix")
	script(t, "install", "DESTDIR=", "PREFIX="+prefix)
	s := newSite(t)
	s.program = filepath.Join(prefix, "bin/notices")
	id := s.enqueue(notice)
	if got := s.status(); got.Queued != 1 {
		t.Errorf("status: %+v, want one queued", got)
	}
	if list := s.list(); len(list) != 1 || list[0].ID != id {
		t.Errorf("list: %v, want %s", list, id)
	}
	if err := os.Remove(filepath.Join(prefix, "libexec/notices/notices")); err != nil {
		t.Fatal(err)
	}
	s.enqueue(notice) // needs the front alone
	if r := s.run("", "status"); r.code != 70 || !strings.Contains(r.stderr, prefix+"/libexec/notices/notices") {
		t.Errorf("without its other half it says %v", r)
	}
	script(t, "uninstall", "DESTDIR=", "PREFIX="+prefix)
	if left := filesBelow(t, prefix); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
