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

// script runs one of the scripts with an environment of its own, in which there is no Go.
func script(t *testing.T, name string, env ...string) {
	t.Helper()
	if out, err := tryScript(name, env...); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func tryScript(name string, env ...string) (string, error) {
	cmd := exec.Command(filepath.Join(root, "scripts", name))
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// built is a folder with programs for a PREFIX, as make build leaves them.
func built(t *testing.T, prefix string) string {
	t.Helper()
	dir := folder(t)
	cmd := exec.Command(filepath.Join(root, "scripts/build"), filepath.Join(dir, "notices"))
	cmd.Env = append(os.Environ(), "PREFIX="+prefix)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// TestInstall installs into an empty folder, as who makes a package does, and takes it
// away again.
func TestInstall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, err := tryScript("install", "DESTDIR="+dir, "PREFIX=/usr", "BUILT="+dir); err == nil || !strings.Contains(out, "make build") || len(filesBelow(t, dir)) > 0 {
		t.Errorf("nothing was built, and install says %q, %v", out, err)
	}
	script(t, "install", "DESTDIR="+dir, "PREFIX=/usr", "BUILT="+built(t, "/usr"))
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
		"lib/systemd/system/notices-serve.socket":      "ListenStream=465",
		"lib/systemd/system/notices-serve.service":     "ExecStart=/usr/bin/notices serve",
		"share/man/man8/notices-serve.8":               ".Dt NOTICES-SERVE 8",
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

// TestInstallSendmail: SENDMAIL=1 gives the names of sendmail, writes over nobody else's
// and takes away only its own.
func TestInstallSendmail(t *testing.T) {
	t.Parallel()
	prefix := filepath.Join(folder(t), "prefix")
	sendmail := filepath.Join(prefix, "sbin/sendmail")
	env := []string{"PREFIX=" + prefix, "BUILT=" + built(t, prefix), "SENDMAIL=1"}
	write(t, sendmail, "another's")
	if out, err := tryScript("install", env...); err == nil || !strings.Contains(out, sendmail+" belongs to another program") || len(filesBelow(t, prefix)) != 1 {
		t.Errorf("over another's sendmail install says %q, %v", out, err)
	}
	check(t, os.Remove(sendmail))
	script(t, "install", env...)
	script(t, "install", env...)
	s := newSite(t)
	s.program = filepath.Join(prefix, "bin/notices")
	cmd := exec.Command(sendmail, "-i", "patron@example.net")
	cmd.Env, cmd.Stdin = s.environment(), strings.NewReader(notice)
	if out, err := cmd.CombinedOutput(); err != nil || s.status().Queued != 1 {
		t.Errorf("sendmail: %v\n%s", err, out)
	}
	cmd = exec.Command(filepath.Join(prefix, "bin/mailq"))
	cmd.Env = s.environment()
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "patron@example.net") {
		t.Errorf("mailq: %v\n%s", err, out)
	}
	check(t, os.Remove(sendmail))
	write(t, sendmail, "another's")
	script(t, "uninstall", "PREFIX="+prefix)
	if left := filesBelow(t, prefix); len(left) != 1 || left[0] != "sbin/sendmail" {
		t.Errorf("left behind: %v", left)
	}
}

// TestInstalledPrefix: the two programs find each other where they were
// installed, whatever PREFIX they were built for, and nowhere else.
func TestInstalledPrefix(t *testing.T) {
	t.Parallel()
	prefix := filepath.Join(folder(t), "prefix")
	script(t, "install", "DESTDIR=", "PREFIX="+prefix, "BUILT="+built(t, "/nonexistent"))
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
	s.enqueue(notice) // needs the small program alone
	if r := s.run("", "status"); r.code != 70 || !strings.Contains(r.stderr, prefix+"/libexec/notices/notices") {
		t.Errorf("without its other half it says %v", r)
	}
	script(t, "uninstall", "DESTDIR=", "PREFIX="+prefix)
	if left := filesBelow(t, prefix); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
