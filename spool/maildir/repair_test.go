package maildir

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/maildir/sidecar"
)

const otherID = spool.ID("0CKRP4W3R1A9B8C8")

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestForeignThingsGoAside puts into the message folder what people and programs
// leave in folders. All of it is moved and reported, nothing is deleted, and the
// message beside it is not touched.
func TestForeignThingsGoAside(t *testing.T) {
	side := "." + string(otherID) + ",1900000000,q"
	for name, make := range map[string]func(path string) error{
		"README":         func(p string) error { return os.WriteFile(p, []byte("mine"), 0o600) },
		"1234.M5P6.host": func(p string) error { return os.WriteFile(p, []byte("a Maildir file"), 0o600) },
		".hidden":        func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"folder":         func(p string) error { return os.Mkdir(p, 0o700) },
		"link":           func(p string) error { return os.Symlink("/etc/passwd", p) },
		"fifo":           func(p string) error { return unix.Mkfifo(p, 0o600) },
		"readonly":       func(p string) error { return os.WriteFile(p, []byte("nobody shall change it"), 0o400) },
		"two words":      func(p string) error { return os.WriteFile(p, nil, 0o600) },
		string(otherID):  func(p string) error { return os.Symlink("/etc/passwd", p) },
		side:             func(p string) error { return os.WriteFile(p, []byte("no body"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			put(t, s, theID, theBody)
			must(t, make(filepath.Join(s.folders.dir, curDir, name)))
			must(t, s.Scan(context.Background(), func(spool.Entry) bool { return true }))
			found, err := s.Repair(context.Background())
			must(t, err)
			if len(found) != 1 || found[0].Moved != "aside/"+name || found[0].Why == "" {
				t.Fatalf("found %+v", found)
			}
			if _, err := os.Lstat(filepath.Join(s.folders.dir, found[0].Moved)); err != nil {
				t.Fatal(err)
			}
			if e, err := spool.FindOne(context.Background(), s, theID); err != nil || e.ID != theID {
				t.Fatal(e, err)
			}
		})
	}
}

// TestTornPairsGoAside damages a message in ways that only opening it shows.
func TestTornPairsGoAside(t *testing.T) {
	for name, damage := range map[string]func(body, side string) error{
		"torn sidecar":     func(_, side string) error { return os.Truncate(side, 40) },
		"empty sidecar":    func(_, side string) error { return os.Truncate(side, 0) },
		"foreign sidecar":  func(_, side string) error { return os.WriteFile(side, []byte("hello\n"), 0o600) },
		"sidecar a fifo":   func(_, side string) error { return replace(side, func() error { return unix.Mkfifo(side, 0o600) }) },
		"sidecar a folder": func(_, side string) error { return replace(side, func() error { return os.Mkdir(side, 0o700) }) },
		"sidecar a link": func(_, side string) error {
			return replace(side, func() error { return os.Symlink("/etc/passwd", side) })
		},
		"body cut":   func(body, _ string) error { return os.Truncate(body, 10) },
		"body grown": func(body, _ string) error { return os.Truncate(body, 1<<20) },
		"body a link": func(body, _ string) error {
			return replace(body, func() error { return os.Symlink("/etc/passwd", body) })
		},
		"body a folder": func(body, _ string) error { return replace(body, func() error { return os.Mkdir(body, 0o700) }) },
		"body a fifo":   func(body, _ string) error { return replace(body, func() error { return unix.Mkfifo(body, 0o600) }) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			put(t, s, theID, theBody)
			e, err := spool.FindOne(context.Background(), s, theID)
			must(t, err)
			must(t, damage(filepath.Join(s.folders.dir, bodyPath(curDir, theID)), filepath.Join(s.folders.dir, curDir, sidecar.Name(e))))
			if _, err := s.Claim(context.Background(), e); !errors.Is(err, spool.ErrDamaged) || !strings.Contains(err.Error(), string(theID)) {
				t.Fatalf("Claim: %v", err)
			}
			left, err := os.ReadDir(filepath.Join(s.folders.dir, asideDir))
			must(t, err)
			if len(left) != 2 {
				t.Fatalf("aside holds %v, want body and sidecar", left)
			}
			if _, err := s.Claim(context.Background(), e); !errors.Is(err, spool.ErrGone) {
				t.Fatalf("Claim again: %v", err)
			}
		})
	}
}

func replace(path string, with func() error) error {
	return errors.Join(os.Remove(path), with())
}

// TestLostSidecar: a message whose sidecar somebody removed is no mail any more, but
// it is not deleted.
func TestLostSidecar(t *testing.T) {
	s := open(t)
	put(t, s, theID, theBody)
	e, err := spool.FindOne(context.Background(), s, theID)
	must(t, err)
	must(t, os.Remove(filepath.Join(s.folders.dir, curDir, sidecar.Name(e))))
	must(t, os.WriteFile(filepath.Join(s.folders.dir, tmpDir, "junk"), nil, 0o600))
	must(t, s.Scan(context.Background(), func(spool.Entry) bool { return true }))
	found, err := s.Repair(context.Background())
	must(t, err)
	if len(found) != 2 || found[0].Moved != "aside/junk" || found[1].Moved != "aside/"+string(theID) {
		t.Fatalf("found %+v", found)
	}
}

// TestRenameCutShort: where a rename is a link and an unlink, a kill between them leaves a
// sidecar two names. One goes, unless the renamer lives.
func TestRenameCutShort(t *testing.T) {
	s := open(t)
	put(t, s, theID, theBody)
	e, err := spool.FindOne(context.Background(), s, theID)
	must(t, err)
	later := e
	later.Next = later.Next.Add(time.Hour)
	name := func(e spool.Entry) string { return filepath.Join(s.folders.dir, curDir, sidecar.Name(e)) }
	must(t, os.Link(name(e), name(later)))
	repair := func() (names int) {
		must(t, s.Scan(context.Background(), func(spool.Entry) bool { return true }))
		found, err := s.Repair(context.Background())
		must(t, err)
		if len(found) != 0 {
			t.Fatalf("found %+v", found)
		}
		left, err := filepath.Glob(filepath.Join(s.folders.dir, curDir, "."+string(theID)+",*"))
		must(t, err)
		return len(left)
	}
	renamer, err := s.folders.Open(bodyPath(curDir, theID), unix.O_RDONLY, 0)
	must(t, err)
	must(t, renamer.Lock(false))
	if n := repair(); n != 2 {
		t.Errorf("%d names while the renamer lives, want both", n)
	}
	must(t, renamer.Close())
	if n := repair(); n != 1 {
		t.Errorf("%d names, want one", n)
	}
}

func TestAsideNeverReplaces(t *testing.T) {
	s := open(t)
	put(t, s, theID, theBody)
	for range 3 {
		must(t, os.WriteFile(filepath.Join(s.folders.dir, curDir, "README"), nil, 0o600))
		must(t, s.Scan(context.Background(), func(spool.Entry) bool { return true }))
		if _, err := s.Repair(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.folders.dir, asideDir))
	must(t, err)
	if len(left) != 3 {
		t.Fatalf("aside holds %v", left)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if _, err := Open(file, Options{}); !errors.Is(err, spool.ErrNoSpool) {
		t.Errorf("a file: %v", err)
	}
	loose := filepath.Join(t.TempDir(), "loose")
	must(t, os.Mkdir(loose, 0o700))
	must(t, os.Chmod(loose, 0o777))
	if _, err := Open(loose, Options{}); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "chmod") {
		t.Errorf("a folder that others may write: %v", err)
	}
	under := filepath.Join(file, "spool")
	if _, err := Open(under, Options{}); !errors.Is(err, spool.ErrNoSpool) {
		t.Errorf("a folder under a file: %v", err)
	}
}

// TestFilesArePrivate: whatever the umask, only the owner can read mail.
func TestFilesArePrivate(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	s := open(t)
	put(t, s, theID, theBody)
	must(t, s.State().Update(context.Background(), "value", true, func([]byte) ([]byte, error) { return []byte("x"), nil }))
	must(t, filepath.WalkDir(s.folders.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if st, err := d.Info(); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v (%v)", path, st.Mode(), err)
		}
		return nil
	}))
}

// TestCountAside: what a person has to look at, a message and its sidecar being one.
func TestCountAside(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	count := func(want int, names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.MkdirAll(filepath.Join(dir, "aside"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "aside", name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, _, err := s.CountAside(context.Background()); got != want || err != nil {
			t.Errorf("%d, %v; want %d", got, err, want)
		}
	}
	count(0)
	count(1, "1K0WSE1DCR0RRWKC", ".1K0WSE1DCR0RRWKC,1790000000,q")
	count(2, "1K0WSE1DCR0RRWKC.1", ".1K0WSE1DCR0RRWKC,1790000000,q.1")
	count(3, ".2K0WSE1DCR0RRWKC,1790000000,h")
	count(4, "foreign", "drop-1000-x y")
	if _, fromDrop, err := s.CountAside(context.Background()); fromDrop != 1 || err != nil {
		t.Errorf("%d of the drop, %v", fromDrop, err)
	}
}
