//go:build peers

package secretfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// These tests need root.

// known is what a test says of a file: whose it is, its mode, whose the spool is (-1: it does not exist).
type known struct {
	file  int
	mode  fs.FileMode
	spool int
}

func (k known) make(t *testing.T) File {
	t.Helper()
	dir := t.TempDir()
	f := File{Path: filepath.Join(dir, "password"), Private: true, Spool: filepath.Join(dir, "spool")}
	err := os.WriteFile(f.Path, []byte("s3cret\n"), 0o600)
	if k.spool >= 0 {
		err = errors.Join(err, os.Mkdir(f.Spool, 0o700), os.Chown(f.Spool, k.spool, k.spool))
	}
	if err = errors.Join(err, os.Chown(f.Path, k.file, k.file), os.Chmod(f.Path, k.mode)); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestOneCommand: what is wrong with mode and owner is said at once, with one command that mends both.
// It names the user who sends the mail, and never takes a file from that user.
func TestOneCommand(t *testing.T) {
	const nobody, other, me = 65534, 65533, 0
	for _, c := range []struct {
		known
		want string
	}{
		{known{nobody, 0o600, nobody}, ""},
		{known{me, 0o600, me}, ""},
		{known{nobody, 0o644, nobody}, "names a file that others can read or change; run: chmod 600 PATH"},
		{known{me, 0o644, nobody}, "names a file that others can read or change; run as root: chown nobody PATH && chmod 600 PATH"},
		{known{other, 0o640, nobody}, "names a file that others can read or change; run as root: chown nobody PATH && chmod 600 PATH"},
		{known{nobody, 0o644, -1}, "names a file that others can read or change; run: chmod 600 PATH"},
		{known{me, 0o644, -1}, "names a file that others can read or change; run: chmod 600 PATH"},
	} {
		f, got := c.make(t), ""
		if err := f.Check(); err != nil {
			got = strings.ReplaceAll(err.Error(), f.Path, "PATH")
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.known, got, c.want)
		}
	}
}

// TestDenied: a file that the sender of the mail cannot read is a mistake. One that only another user
// cannot read is a matter of permissions.
func TestDenied(t *testing.T) {
	const nobody, other, root = 65534, 65533, 0
	for _, c := range []struct {
		known
		as         int
		want       string
		permission bool
	}{
		{known{root, 0o600, nobody}, nobody, "names PATH, which belongs to root and cannot be read by nobody, who sends the mail; run as root: chown nobody PATH && chmod 600 PATH", false},
		{known{root, 0o600, -1}, nobody, "names PATH, which belongs to root and cannot be read by nobody, who sends the mail; run as root: chown nobody PATH && chmod 600 PATH", false},
		{known{root, 0o600, nobody}, other, "names PATH, which belongs to root and cannot be read by nobody, who sends the mail; run as root: chown nobody PATH && chmod 600 PATH", true},
		{known{nobody, 0o600, nobody}, other, "names PATH, which this user may not read: run notices as the owner of the file", true},
		{known{nobody, 0o600, -1}, other, "names PATH, which this user may not read: run notices as the owner of the file", true},
		{known{nobody, 0o000, nobody}, nobody, "names PATH, which its owner may not read; run: chmod 600 PATH", false},
	} {
		f := c.make(t)
		for dir := filepath.Dir(f.Path); dir != "/"; dir = filepath.Dir(dir) {
			if info, err := os.Stat(dir); err != nil || info.Mode()&0o001 == 0 && os.Chmod(dir, info.Mode()|0o011) != nil {
				t.Fatal(dir, err)
			}
		}
		err := as(c.as, func() error { _, err := f.Read(); return err })
		if err == nil {
			t.Errorf("%+v: it was read", c)
			continue
		}
		if got := strings.ReplaceAll(err.Error(), f.Path, "PATH"); got != c.want || errors.Is(err, fs.ErrPermission) != c.permission {
			t.Errorf("%+v: %q (%v), want %q", c, got, errors.Is(err, fs.ErrPermission), c.want)
		}
	}
}

// as runs f as another user.
func as(uid int, f func() error) error {
	if err := syscall.Setresuid(-1, uid, -1); err != nil {
		return err
	}
	defer func() { _ = syscall.Setresuid(-1, 0, -1) }()
	return f()
}
