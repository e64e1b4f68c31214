package fsys

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) (FS, string) {
	t.Helper()
	dir := t.TempDir()
	d, err := Open(dir)
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d, dir
}

func TestFile(t *testing.T) {
	d, dir := open(t)
	f, err := d.Open("x", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	must(t, err)
	_, err = f.Write([]byte("hello "))
	must(t, err)
	_, err = f.Write([]byte("world"))
	must(t, err)
	_, err = f.WriteAt([]byte("W"), 6)
	must(t, err)
	must(t, f.Allocate(100))
	must(t, f.Sync())
	st, err := f.Stat()
	must(t, err)
	if st.Size != 100 || st.Links != 1 || !st.Regular || st.Mode != 0o600 {
		t.Errorf("Stat: %+v", st)
	}
	p := make([]byte, 200)
	n, err := f.ReadAt(p, 0)
	if want := append([]byte("hello World"), make([]byte, 89)...); err != io.EOF || !bytes.Equal(p[:n], want) {
		t.Errorf("read %q, %v", p[:n], err)
	}
	must(t, f.Truncate(5))
	_, err = f.Write([]byte("!"))
	must(t, err)
	must(t, f.Close())
	must(t, f.Close())
	if got, _ := os.ReadFile(filepath.Join(dir, "x")); string(got) != "hello!" {
		t.Errorf("on disk: %q", got)
	}
	if _, err := d.Open("x", unix.O_CREAT|unix.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("exclusive open of what exists: %v", err)
	}
}

func TestNoLinkIsFollowedAndNoFifoBlocks(t *testing.T) {
	d, dir := open(t)
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	if _, err := d.Open("link", unix.O_RDONLY, 0); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link: %v", err)
	}
	f, err := d.Open("fifo", unix.O_RDONLY, 0) // would wait for a writer
	must(t, err)
	if st, _ := f.Stat(); st.Regular {
		t.Error("a fifo is taken for a file")
	}
	f.Close()
}

func TestLockIsHeldByTheOpenFile(t *testing.T) {
	d, _ := open(t)
	f, err := d.Open("x", unix.O_RDWR|unix.O_CREAT, 0o600)
	must(t, err)
	must(t, f.Lock(false))
	g, err := d.Open("x", unix.O_RDONLY, 0)
	must(t, err)
	if err := g.Lock(false); !errors.Is(err, ErrLocked) {
		t.Errorf("second lock: %v", err)
	}
	must(t, f.Close())
	must(t, g.Lock(false))
	must(t, g.Close())
}

func TestNames(t *testing.T) {
	d, dir := open(t)
	var want []string
	for i := range 5000 { // more than one buffer
		name := string(rune('a'+i%26)) + string(bytes.Repeat([]byte{'x'}, 1+i/26))
		want = append(want, name)
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	var got []string
	must(t, d.List(".", func(name []byte) bool { got = append(got, string(name)); return true }))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listed %d names of %d", len(got), len(want))
	}
	seen := 0
	must(t, d.List(".", func([]byte) bool { seen++; return seen < 7 }))
	if seen != 7 {
		t.Errorf("the listing went on after false: %d", seen)
	}
}

func TestRenameAndReplace(t *testing.T) {
	d, dir := open(t)
	must(t, WriteFile(d, "a", ".a", []byte("1"), true))
	must(t, WriteFile(d, "b", ".b", []byte("2"), false))
	if err := d.Rename("a", "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Rename onto a file: %v", err)
	}
	must(t, d.Replace("a", "b"))
	got, err := ReadFile(d, "b", 10)
	if err != nil || string(got) != "1" {
		t.Errorf("b is %q, %v", got, err)
	}
	if got, err := ReadFile(d, "a", 10); got != nil || err != nil {
		t.Errorf("a is %q, %v", got, err)
	}
	if _, err := ReadFile(d, "b", 0); err == nil {
		t.Error("a file over the limit was read")
	}
	must(t, d.Unlink("b"))
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestMakeDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	must(t, MakeDir(dir))
	must(t, MakeDir(dir))
	st, err := os.Stat(dir)
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st, err)
	}
	if kind, err := Shared(dir); kind != "" || err != nil {
		t.Errorf("a local folder is %q, %v", kind, err)
	}
}

// TestNoLinkedFolderIsUsed: a link in the place of a folder leads nowhere, whatever is
// done in it, and what it points to stays as it is.
func TestNoLinkedFolderIsUsed(t *testing.T) {
	d, dir := open(t)
	outside := t.TempDir()
	must(t, os.WriteFile(filepath.Join(outside, "theirs"), []byte("theirs"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "ours"), []byte("ours"), 0o600))
	must(t, os.Symlink(outside, filepath.Join(dir, "cur")))
	for what, do := range map[string]func() error{
		"open":         func() error { _, err := d.Open("cur/theirs", unix.O_RDONLY, 0); return err },
		"create":       func() error { _, err := d.Open("cur/new", unix.O_WRONLY|unix.O_CREAT, 0o600); return err },
		"rename into":  func() error { return d.Rename("ours", "cur/ours") },
		"rename out":   func() error { return d.Rename("cur/theirs", "theirs") },
		"replace into": func() error { return d.Replace("ours", "cur/theirs") },
		"unlink":       func() error { return d.Unlink("cur/theirs") },
		"mkdir":        func() error { return d.Mkdir("cur/new", 0o700) },
		"sync":         func() error { return d.SyncDir("cur") },
		"stat":         func() error { _, err := d.Stat("cur/theirs"); return err },
		"list":         func() error { return d.List("cur", func([]byte) bool { return true }) },
		"write":        func() error { return WriteFile(d, "cur/theirs", "cur/new", []byte("x"), true) },
		"three parts":  func() error { _, err := d.Stat("cur/a/b"); return err },
	} {
		if err := do(); err == nil {
			t.Errorf("%s: went through the link", what)
		}
	}
	if st, err := d.Stat("cur"); err != nil || st.Dir {
		t.Errorf("the link itself: %+v, %v", st, err)
	}
	left, _ := os.ReadDir(outside)
	content, _ := os.ReadFile(filepath.Join(outside, "theirs"))
	if len(left) != 1 || string(content) != "theirs" {
		t.Errorf("outside: %v, %q", left, content)
	}
}

// TestFolderMadeAnew: an open folder that was removed is not used on.
func TestFolderMadeAnew(t *testing.T) {
	d, dir := open(t)
	must(t, d.Mkdir("tmp", 0o700))
	must(t, WriteFile(d, "tmp/a", "tmp/.a", []byte("1"), true))
	must(t, os.RemoveAll(filepath.Join(dir, "tmp")))
	if _, err := d.Open("tmp/b", unix.O_WRONLY|unix.O_CREAT, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("in a folder that is gone: %v", err)
	}
	must(t, d.Mkdir("tmp", 0o700))
	must(t, WriteFile(d, "tmp/a", "tmp/.a", []byte("2"), true))
	if got, err := os.ReadFile(filepath.Join(dir, "tmp", "a")); err != nil || string(got) != "2" {
		t.Errorf("%q, %v", got, err)
	}
}
