package historyfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
)

// inFolder is a log in a real folder, with an entry of yesterday and one of today.
func inFolder(t *testing.T) (l *Log, dir string) {
	t.Helper()
	dir = t.TempDir()
	folder, err := fsys.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	l, _, now := newLog()
	l.FS, l.Dir = folder, dir
	*now = today.AddDate(0, 0, -1)
	add(t, l, "A")
	*now = today
	add(t, l, "B")
	return l, dir
}

// odd makes things that stand where a file or folder is expected, and are neither.
var odd = map[string]func(string) error{
	"a link":            func(path string) error { return os.Symlink("/etc/hostname", path) },
	"a link to nowhere": func(path string) error { return os.Symlink("/nowhere", path) },
	"a pipe":            func(path string) error { return unix.Mkfifo(path, 0o600) },
	"a folder":          func(path string) error { return os.MkdirAll(path+"/x", 0o700) },
	"a socket":          func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) },
}

// TestOddThingInPlaceOfADay: it is told with what to do, the other days are read, and written.
func TestOddThingInPlaceOfADay(t *testing.T) {
	for what, lay := range odd {
		for _, day := range []string{"2026-02-20", "2026-03-02"} {
			l, dir := inFolder(t)
			path := filepath.Join(dir, Dir, day)
			if err := errors.Join(os.RemoveAll(path), lay(path)); err != nil {
				t.Fatal(err)
			}
			advice := "it is not a file (a link is not followed); run: mv " + path + " " + path + ".old"
			ids, damage := find(t, l, spool.HistoryQuery{})
			if want := map[string]string{"2026-02-20": "A B", "2026-03-02": "A"}[day]; strings.Join(ids, " ") != want {
				t.Errorf("%s as %s: found %q", what, day, ids)
			}
			if len(damage) != 1 || damage[0].Name != Dir+"/"+day || !strings.HasSuffix(damage[0].Why, advice) {
				t.Errorf("%s as %s: told %v", what, day, damage)
			}
			if err := l.Check(); err == nil || !strings.HasSuffix(err.Error(), day+": "+advice) {
				t.Errorf("%s as %s: Check: %v", what, day, err)
			}
			again := &Log{FS: l.FS, Now: l.Now, Dir: dir}
			err := again.Add([]spool.HistoryEntry{{ID: "C"}})
			if writes := day == "2026-02-20"; writes != (err == nil) || !writes && !strings.HasSuffix(again.Err().Error(), advice) {
				t.Errorf("%s as %s: Add: %v", what, day, err)
			}
			if err := os.Rename(path, path+".old"); err != nil {
				t.Fatal(err)
			}
			if err := l.Check(); err != nil {
				t.Errorf("moved away: %v", err)
			}
		}
	}
}

// TestOddThingIsNotForgotten: a folder that has the name of an old day does not keep the other
// days, and is told until somebody has moved it.
func TestOddThingIsNotForgotten(t *testing.T) {
	l, dir := inFolder(t)
	path := filepath.Join(dir, Dir, "2025-01-01")
	if err := odd["a folder"](path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Forget(t.Context(), today.AddDate(0, 0, 2)); err == nil || !strings.HasSuffix(err.Error(), "run: mv "+path+" "+path+".old") {
			t.Errorf("Forget: %v", err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, Dir)); err != nil || len(left) != 1 || left[0].Name() != "2025-01-01" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestNoFolder: whatever is in the place of the folder, a search says what to do, and is no error.
func TestNoFolder(t *testing.T) {
	for what, lay := range odd {
		if what == "a folder" {
			continue
		}
		l, dir := inFolder(t)
		path := filepath.Join(dir, Dir)
		if err := errors.Join(os.RemoveAll(path), lay(path)); err != nil {
			t.Fatal(err)
		}
		ids, damage := find(t, l, spool.HistoryQuery{})
		if len(ids) > 0 || len(damage) != 1 || damage[0].Name != Dir || !strings.HasSuffix(damage[0].Why, "run: mv "+path+" "+path+".old") {
			t.Errorf("%s: found %q, told %v", what, ids, damage)
		}
		for _, err := range []error{l.Check(), l.Forget(t.Context(), today), (&Log{FS: l.FS, Now: l.Now, Dir: dir}).Add(nil)} {
			if err == nil || !strings.Contains(err.Error(), "run: mv "+path) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	l, dir := inFolder(t)
	if err := os.RemoveAll(filepath.Join(dir, Dir)); err != nil {
		t.Fatal(err)
	}
	if ids, damage := find(t, l, spool.HistoryQuery{}); len(ids)+len(damage) > 0 || l.Check() != nil {
		t.Errorf("nothing was kept yet: %q, %v, %v", ids, damage, l.Check())
	}
}

// locked does not let some names be opened.
type locked struct {
	fsys.FS
	err   error
	after int // from so many calls on
	names []string
}

func (f *locked) Open(name string, flags int, perm uint32) (fsys.File, error) {
	for _, n := range f.names {
		if n != name {
			continue
		}
		if f.after--; f.after < 0 {
			return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
		}
	}
	return f.FS.Open(name, flags, perm)
}

// TestUnreadableDay: a file that cannot be read is told, once, and the others are read; also if
// that shows only when its lines are read again.
func TestUnreadableDay(t *testing.T) {
	for _, cause := range []error{unix.EACCES, unix.EIO, unix.EMFILE} {
		for after := range 2 {
			l, _ := inFolder(t)
			add(t, l, "C")
			l.FS = &locked{l.FS, cause, after, []string{Dir + "/2026-03-02"}}
			l.Repair = func(err error, names ...string) error {
				return errors.Join(err, errors.New("repair "+strings.Join(names, " ")))
			}
			ids, damage := find(t, l, spool.HistoryQuery{})
			if strings.Join(ids, " ") != "A" || len(damage) != 1 || !strings.Contains(damage[0].Why, cause.Error()) || !strings.HasSuffix(damage[0].Why, "repair history history/2026-03-02") {
				t.Errorf("%v, %d: found %q, told %v", cause, after, ids, damage)
			}
		}
	}
}
