package durable

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

// TestRootGivesToTheOwner: what root makes in somebody else's folder is theirs.
func TestRootGivesToTheOwner(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Fatal("this test needs root, to work in the folder of another user")
	}
	const nobody = 65534
	dir := t.TempDir()
	must(t, os.Chown(dir, nobody, nobody))
	d, err := Open(dir)
	must(t, err)
	defer d.Close()
	must(t, d.Mkdir("folder", 0o700))
	must(t, WriteFile(d, "file", ".file", []byte("x"), false))
	for _, name := range []string{"folder", "file"} {
		var st unix.Stat_t
		must(t, unix.Lstat(filepath.Join(dir, name), &st))
		if st.Uid != nobody || st.Gid != nobody {
			t.Errorf("%s belongs to %d:%d", name, st.Uid, st.Gid)
		}
	}
}
