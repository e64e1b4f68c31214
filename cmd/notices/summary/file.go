package summary

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
)

// writePage writes the page to a file, which is replaced as a whole, or to standard output. A
// new file is its owner's alone, because the addresses of patrons are in it; one that exists
// keeps its mode.
func (s *Summary) writePage(path string, page []byte) error {
	if path == "-" {
		_, err := s.Program.Stdout.Write(page)
		return err
	}
	err := replace(path, page)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EROFS):
		return err // which has advice of its own
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENAMETOOLONG):
		return app.Fail(app.ExitCannotMake, "--html: %w; name a file in a folder that %s may write to, or run: notices report --html - > FILE", err, thisUser())
	}
	return app.Fail(app.ExitIO, "--html: %w; to see the report all the same, run: notices report", err)
}

// thisUser is who writes the file: root's report runs as the owner of the spool.
func thisUser() string {
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		return "the user " + u.Username
	}
	return "this user"
}

func replace(path string, page []byte) error {
	mode := fs.FileMode(0o600)
	switch old, err := os.Stat(path); {
	case err == nil && old.IsDir():
		return &fs.PathError{Op: "write", Path: path, Err: unix.EISDIR}
	case err == nil && !old.Mode().IsRegular(): // a pipe or a device
		return writeTo(path, page)
	case err == nil:
		mode = old.Mode().Perm()
		if whole, err := filepath.EvalSymlinks(path); err == nil {
			path = whole // not the link
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".notices-report-")
	if err != nil {
		var why *fs.PathError
		if errors.As(err, &why) {
			why.Path = path // not the temporary name
		}
		return err
	}
	defer os.Remove(f.Name()) // gone by then, unless something went wrong
	_, err = f.Write(page)
	if err = cmp.Or(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeTo(path string, page []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(page)
	return cmp.Or(err, f.Close())
}
