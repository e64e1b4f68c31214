package mailfile

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
)

// Source opens a file. What can be read only once is read to its end first, into a file
// without a name: nothing of an mbox is queued before all of it was looked at. The error
// is an *app.Failure or ctx's.
func (f *File) Source(ctx context.Context, stdin io.Reader) (*os.File, error) {
	in := &Input{Context: ctx}
	switch {
	case f.Path == "-":
		f.Path, in.Reader = "standard input", stdin
	case !f.pipe:
		opened, err := f.open()
		if err != nil {
			return nil, app.Fail(app.ExitUnknown, "%s", Reason(err))
		}
		return opened, nil
	}
	kept, err := scratchFile()
	if err != nil {
		return nil, app.Fail(app.ExitIO, "no temporary file can be made for it: %w; set TMPDIR to a folder with room", err)
	}
	// A read from a terminal or a pipe may never return. If the run is stopped meanwhile, the
	// read ends with the process.
	copied := make(chan error, 1)
	go func() {
		if f.pipe {
			in.Reader, in.Err = f.openPipe()
		}
		err := in.Err
		if err == nil {
			_, err = io.Copy(kept, in)
		}
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err == nil {
		_, err = kept.Seek(0, io.SeekStart)
	}
	if err == nil {
		return kept, nil
	}
	kept.Close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case in.Err != nil:
		return nil, app.Fail(app.ExitIO, "reading it: %s", Reason(in.Err))
	}
	return nil, app.Fail(app.ExitIO, "writing it to a temporary file: %w; set TMPDIR to a folder with room", err)
}

// openPipe waits for a writer.
func (f *File) openPipe() (*os.File, error) {
	if f.opened == nil {
		return os.Open(f.Path)
	}
	// Root opened it without waiting.
	ready := []unix.PollFd{{Fd: int32(f.opened.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(ready, -1); err != unix.EINTR {
			return f.opened, err
		}
	}
}

// scratchFile makes a file without a name, in $TMPDIR, or in /var/tmp, which is on disk where
// /tmp may be memory.
func scratchFile() (*os.File, error) {
	dir := os.Getenv("TMPDIR")
	if dir == "" {
		dir = "/var/tmp"
	}
	f, err := os.CreateTemp(dir, "notices-mail-")
	if err != nil && os.Getenv("TMPDIR") == "" {
		f, err = os.CreateTemp("", "notices-mail-")
	}
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// Input is a file that is read. It ends when the run ends, keeps its own errors apart from
// those of the spool, and counts the octets.
type Input struct {
	io.Reader
	Context context.Context
	Octets  *int64 // nil: they are not counted
	Err     error
}

func (in *Input) Read(p []byte) (int, error) {
	if err := in.Context.Err(); err != nil {
		return 0, err
	}
	n, err := in.Reader.Read(p)
	if in.Octets != nil {
		*in.Octets += int64(n)
	}
	if err != nil && err != io.EOF && !errors.Is(err, context.Canceled) {
		in.Err = err
	}
	return n, err
}
