package app

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool"
	"notices/spool/intake"
)

// Queue queues what is on standard input as r says and prints the queue id. Without
// recipients in r they are those of the message's header. An error means that nothing was
// queued, or says that this is not known.
func (p *Program) Queue(ctx context.Context, r intake.Request) error {
	in := &input{Reader: p.Stdin}
	r.Body = in
	id, err := queue(ctx, p, in, r)
	if err != nil {
		return err
	}
	// The message is queued: nothing from here on may end in another code than 0.
	if err := p.PrintBare(string(id) + "\n"); err != nil {
		p.Say("queued as %s, but the id could not be printed: %s", id, err)
	}
	return nil
}

// queue queues r, whose Body reads in. It reads only a part of the config, so that a broken
// server does not lose mail. The end of the process closes the store.
func queue(ctx context.Context, p *Program, in *input, r intake.Request) (spool.ID, error) {
	cfg, err := p.Load(config.Intake)
	if err != nil {
		return "", err
	}
	store, log, err := p.OpenIntake(cfg)
	if err != nil {
		return "", err
	}
	if _, ok := Terminal(p.Stdin); ok {
		p.Say("type or paste the message: its header, an empty line, its text; end with Ctrl-D on a line of its own")
	}
	id, err := p.Intake(cfg, store, log).Accept(ctx, r)
	return id, in.explain(err)
}

// input is standard input; it keeps its own errors apart from those of the spool.
type input struct {
	io.Reader
	n   int64
	err error
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.n += int64(n)
	if err == io.EOF && in.n == 0 && wasClosed(in.Reader) {
		err = unix.EBADF // a closed standard input is not an empty message
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
