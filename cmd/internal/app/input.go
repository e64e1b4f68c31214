package app

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// input is standard input; it tells its own trouble from that of the spool.
type input struct {
	io.Reader
	n   int64
	err error
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.n += int64(n)
	if err == io.EOF && in.n == 0 && wasClosed(in.Reader) {
		err = unix.EBADF // an empty message is one thing, none another
	}
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// explain gives an error of reading its code: 66 when there was nothing to read
// from, 74 when reading failed.
func (in *input) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(in.err, unix.EBADF), errors.Is(in.err, unix.EISDIR):
		return Fail(ExitUnknown, "standard input cannot be read: the message belongs there, as in: ... < message.eml")
	case in.err != nil:
		return Fail(ExitIO, "reading standard input: %w; nothing was queued", in.err)
	}
	return err
}

// wasClosed reports whether the program was started with a closed standard input.
// The Go runtime then opens /dev/null there, for reading and writing, as nobody
// else does.
func wasClosed(stdin io.Reader) bool {
	f, ok := stdin.(*os.File)
	if !ok {
		return false
	}
	var st, null unix.Stat_t
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR && unix.Fstat(int(f.Fd()), &st) == nil &&
		st.Mode&unix.S_IFMT == unix.S_IFCHR && unix.Stat(os.DevNull, &null) == nil && st.Rdev == null.Rdev
}
