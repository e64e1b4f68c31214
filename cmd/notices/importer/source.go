package importer

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
)

// source opens a file. What can be read only once is read to its end first, into a file
// without a name: nothing of an mbox is queued before all of it was looked at.
func (m *importing) source(ctx context.Context, f *file) (*os.File, error) {
	in := &interruptible{ctx: ctx}
	switch {
	case f.path == "-":
		f.path, in.src = "standard input", m.p.Stdin
	case f.pipe:
		in.src = &lazyPipe{path: f.path, file: f.opened, waits: f.opened != nil}
	default:
		opened, err := f.open()
		if err != nil {
			return nil, app.Fail(app.ExitUnknown, "%s", reason(err))
		}
		return opened, nil
	}
	kept, err := scratchFile()
	if err != nil {
		return nil, app.Fail(app.ExitIO, "no file to keep it in until all of it is read: %w; set TMPDIR to a folder with room", err)
	}
	if _, err = io.Copy(kept, in); err == nil {
		_, err = kept.Seek(0, io.SeekStart)
	}
	if err == nil {
		return kept, nil
	}
	kept.Close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case in.err != nil:
		return nil, app.Fail(app.ExitIO, "reading it: %s", reason(in.err))
	}
	return nil, app.Fail(app.ExitIO, "keeping it until all of it is read: %w; set TMPDIR to a folder with room", err)
}

// scratchFile makes a file without a name, in $TMPDIR, or in /var/tmp, which is on disk where
// /tmp may be memory.
func scratchFile() (*os.File, error) {
	dir := os.Getenv("TMPDIR")
	if dir == "" {
		dir = "/var/tmp"
	}
	f, err := os.CreateTemp(dir, "notices-import-")
	if err != nil && os.Getenv("TMPDIR") == "" {
		f, err = os.CreateTemp("", "notices-import-")
	}
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// input is a file; it ends when the run ends, tells its own trouble from that of the spool,
// and counts what was read of it.
type input struct {
	io.Reader
	ctx    context.Context
	octets *int64
	err    error
}

func (in *input) Read(p []byte) (int, error) {
	if err := in.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := in.Reader.Read(p)
	*in.octets += int64(n)
	if err != nil && err != io.EOF && !errors.Is(err, context.Canceled) {
		in.err = err
	}
	return n, err
}

// late is a pipe that is opened when it is first read: that waits for a writer. It is
// closed by the end of the process.
type lazyPipe struct {
	path  string
	file  *os.File
	waits bool // file was opened without waiting
}

func (l *lazyPipe) Read(p []byte) (n int, err error) {
	if l.file == nil {
		if l.file, err = os.Open(l.path); err != nil {
			return 0, err
		}
	}
	if l.waits {
		l.waits = false
		ready := []unix.PollFd{{Fd: int32(l.file.Fd()), Events: unix.POLLIN}}
		for err = unix.EINTR; err == unix.EINTR; {
			_, err = unix.Poll(ready, -1)
		}
		if err != nil {
			return 0, err
		}
	}
	return l.file.Read(p)
}

// stoppable reads from what may never answer, a terminal or a pipe.
type interruptible struct {
	ctx   context.Context
	src   io.Reader
	buf   []byte // read and not yet taken
	err   error
	ready chan struct{} // a Read of src is under way
}

func (s *interruptible) Read(p []byte) (int, error) {
	if len(s.buf) == 0 && s.err == nil {
		if s.ready == nil {
			s.start()
		}
		select {
		case <-s.ready:
			s.ready = nil
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		}
	}
	n := copy(p, s.buf)
	if s.buf = s.buf[n:]; n > 0 {
		return n, nil
	}
	return 0, s.err
}

func (s *interruptible) start() {
	ready := make(chan struct{})
	s.ready = ready
	go func() {
		buf := make([]byte, 1<<16)
		n, err := s.src.Read(buf)
		s.buf, s.err = buf[:n], err
		close(ready)
	}()
}
