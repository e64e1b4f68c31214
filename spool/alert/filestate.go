package alert

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Spare is a spool.State of one value in one file, for when there is no spool to keep it
// in. It may stand in a folder that all users can write to: a file that is not this
// user's own, or a link, is refused.
type FileState struct{ Path string }

// maxSpare is the longest value, in octets.
const maxFile = 1 << 20

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

// Update implements spool.State. The file stays, empty, when the value is removed.
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

// open opens the file if it is a plain one of this user alone.
func (s FileState) open(flags int) (*os.File, error) {
	f, err := os.OpenFile(s.Path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o077 != 0 || int(st.Uid) != os.Geteuid() || st.Nlink != 1 {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: s.Path, Err: fs.ErrPermission}
	}
	return f, nil
}
