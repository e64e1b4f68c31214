package alert

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// FileState is a spool.State that keeps one value in one file. It is for when there is no
// spool. All users may be able to write to the folder, so a link, or a file of another
// user, is refused.
type FileState struct{ Path string }

const maxFile = 1 << 20 // the longest value, in octets

// Load implements spool.State.
func (s FileState) Load(context.Context, string) ([]byte, error) {
	f, err := s.open(os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// Update implements spool.State. When the value is removed, an empty file remains.
func (s FileState) Update(_ context.Context, _ string, _ bool, change func([]byte) ([]byte, error)) error {
	f, err := s.open(os.O_RDWR | os.O_CREATE)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	old, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return err
	}
	value, err := change(old)
	if err != nil {
		return err
	}
	if err = f.Truncate(0); err == nil {
		_, err = f.WriteAt(value, 0)
	}
	return err
}

// open opens the file if it is a regular file that only this user can use.
func (s FileState) open(flags int) (*os.File, error) {
	f, err := os.OpenFile(s.Path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o077 != 0 || int(st.Uid) != os.Geteuid() || st.Nlink != 1) {
		err = &fs.PathError{Op: "open", Path: s.Path, Err: fs.ErrPermission}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
