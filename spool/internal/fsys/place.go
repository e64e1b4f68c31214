package fsys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// MakeDir makes a folder and what is missing above it, durably, with mode 0700.
func MakeDir(dir string) error {
	err := unix.Mkdir(dir, 0o700)
	if errors.Is(err, unix.ENOENT) {
		if err = MakeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = unix.Mkdir(dir, 0o700)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil {
		return pathError("mkdir", dir, err)
	}
	return syncParent(dir)
}

func syncParent(dir string) error {
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}

// Shared names the kind of a file system that other machines may have mounted too; "" for a
// local one. flock(2) there is missing, local to each machine, or turned into something else.
func Shared(dir string) (string, error) {
	var st unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return "", pathError("statfs", dir, err)
	}
	return sharedKind(&st), nil
}

// OpenFiles is how many files this process may have open at once; 0: not known.
func OpenFiles() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<30))
}

// WriteFile replaces a small file by way of tmp, a name beside it that the caller
// owns. sync: durable before it returns.
func WriteFile(d FS, name, tmp string, content []byte, sync bool) error {
	f, err := d.Open(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && sync {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = d.Replace(tmp, name)
	}
	if err == nil && sync {
		err = d.SyncDir(filepath.Dir(name))
	}
	return err
}

// ReadFile reads a file of at most limit octets; nil if it does not exist.
func ReadFile(d FS, name string, limit int64) ([]byte, error) {
	f, err := d.Open(name, unix.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Regular || st.Size > limit {
		return nil, &foreignError{name, limit}
	}
	b := make([]byte, st.Size)
	n, err := f.ReadAt(b, 0)
	if n == len(b) {
		err = nil
	}
	return b[:n], err
}

// foreignError is fs.ErrInvalid: the name is not that of a small file of ours.
type foreignError struct {
	name  string
	limit int64
}

func (e *foreignError) Error() string {
	return fmt.Sprintf("%s is not a file of at most %d octets, as notices makes it: look at it, then move it away or remove it", e.name, e.limit)
}

func (e *foreignError) Is(target error) bool { return target == fs.ErrInvalid }
