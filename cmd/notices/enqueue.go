package main

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"notices/config"
	"notices/spool/intake"
)

type enqueueOptions struct {
	Sender     *string // nil: [site] address; "" or "<>": the null sender
	Ref        string
	Expires    time.Duration // 0: give_up decides
	Recipients []string
}

func (a *app) enqueueCommand() *cobra.Command {
	var (
		o       enqueueOptions
		sender  optional
		expires duration
	)
	var cmd *cobra.Command
	cmd = &cobra.Command{
		Use:   "enqueue [-f SENDER] [--ref TEXT] [--expires DURATION] [RECIPIENT...] < message",
		Short: "Queue one message from standard input and print its queue id",
		RunE: a.does(func(ctx context.Context, args []string) error {
			o.Recipients, o.Sender, o.Expires = args, sender.value, time.Duration(expires)
			if cmd.Flags().Changed("expires") && o.Expires <= 0 {
				return usageError("notices enqueue", errors.New("--expires takes a time that leaves room for an attempt, such as 4h"))
			}
			return a.enqueue(ctx, o)
		}),
	}
	f := cmd.Flags()
	f.VarP(&sender, "sender", "f", "the envelope `SENDER`; default: [site] address; <> is the null sender")
	f.StringVar(&o.Ref, "ref", "", "a `TEXT` of your own, e.g. a patron's number; it comes back in returns and lists")
	f.Var(&expires, "expires", "give up after this `DURATION` instead of [retry] give_up")
	return cmd
}

// enqueue queues what is on standard input. Of the config it reads what it needs,
// so that a broken server does not lose mail. An error means that nothing was
// queued, or says that this is not known.
func (a *app) enqueue(ctx context.Context, o enqueueOptions) error {
	cfg, err := a.load(config.Intake)
	if err != nil {
		return err
	}
	store, err := a.openStore(cfg)
	if err != nil {
		return err
	}
	log := a.openLog(cfg)
	if _, ok := terminal(a.stdin); ok {
		a.say("type or paste the message: its header, an empty line, its text; end with Ctrl-D on a line of its own")
	}
	in := &input{Reader: a.stdin}
	id, err := a.intake(cfg, store, log).Accept(ctx, intake.Request{
		Sender:     o.Sender,
		Recipients: o.Recipients,
		Ref:        o.Ref,
		Expires:    o.Expires,
		Body:       in,
	})
	if err != nil {
		return in.explain(err)
	}
	// The message is queued: nothing from here on may end in another code than 0, and
	// the store is left to the end of the process.
	if err := a.printBare(string(id) + "\n"); err != nil {
		a.say("queued as %s, but the id could not be printed: %s", id, err)
	}
	return nil
}

// printBare writes to standard output past package os, which ends the program when
// a pipe's reader is gone.
func (a *app) printBare(s string) error {
	f, ok := a.stdout.(*os.File)
	if !ok {
		_, err := io.WriteString(a.stdout, s)
		return err
	}
	_, err := unix.Write(int(f.Fd()), []byte(s))
	return err
}

// input is standard input; it tells its own trouble from that of the spool.
type input struct {
	io.Reader
	n   int64
	err error
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.Reader.Read(p)
	in.n += int64(n)
	if err != nil && err != io.EOF {
		in.err = err
	}
	return n, err
}

// explain gives an error of reading its code: 66 when there was nothing to read
// from, 74 when reading failed.
func (in *input) explain(err error) error {
	switch {
	case errors.Is(in.err, unix.EBADF), errors.Is(in.err, unix.EISDIR), in.n == 0 && wasClosed(in.Reader):
		return fail(exitUnknown, "standard input cannot be read: give the message there, as in: notices enqueue < message.eml")
	case in.err != nil:
		return fail(exitIO, "reading standard input: %w; nothing was queued", in.err)
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
	var st unix.Stat_t
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR && unix.Fstat(int(f.Fd()), &st) == nil &&
		st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}
