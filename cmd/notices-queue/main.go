// Command notices-queue is the small program that is installed as notices. It queues
// messages (enqueue and sendmail) and prints the version. Every other command, a help, a
// command line that it does not understand and a spool that is a database are for the full program (cmd/notices), which
// can do all that this one does: the process then becomes the full program, before it has
// read anything.
//
// A program that queues is started for each message, and most of its time is that start:
// what packages do, and which pages they touch, before main. So it links only what it
// needs: no TLS, no HTTP, no cobra (TestIsLean has the list).
//
//go:debug updatemaxprocs=0
package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/spool/intake"
)

// The setting of package runtime above saves a goroutine, and so a thread, that would
// follow changes of the CPU limit: this process has ended by then.

// fullPath is where the full program will be installed, set by the build (-ldflags
// "-X main.fullPath=..."). One that lies beside this program is preferred.
var fullPath string

func main() {
	p := app.New()
	run := command(p, app.Arguments(os.Args))
	if run == nil {
		run = execFull
	}
	err := run()
	if errors.Is(err, app.ErrDatabase) { // nothing was read yet
		err = execFull()
	}
	if err != nil {
		os.Exit(p.Report(err))
	}
}

// command returns what a command line asks for; nil: it is for the full program.
func command(p *app.Program, args []string) func() error {
	args = p.Leading(args)
	if len(args) == 0 {
		return nil
	}
	switch args[0] {
	case "enqueue":
		if r, ok := request(p, args[1:]); ok {
			return func() error { return p.Queue(context.Background(), r) }
		}
	case "sendmail":
		return sendmail(p, args[1:])
	case "version":
		if len(args) == 1 {
			return func() error { return p.PrintBare(app.VersionText() + "\n") }
		}
	}
	return nil
}

// request reads the arguments of enqueue. It knows the usual forms of its options,
// "-f SENDER", "--sender SENDER" and "--sender=SENDER"; not ok: others are there.
func request(p *app.Program, args []string) (r intake.Request, ok bool) {
	for args = p.Leading(args); len(args) > 0; args = p.Leading(args) {
		name, value, hasValue := args[0], "", false
		args = args[1:]
		if !strings.HasPrefix(name, "-") {
			r.Recipients = append(r.Recipients, name)
			continue
		}
		if strings.HasPrefix(name, "--") {
			name, value, hasValue = strings.Cut(name, "=")
		}
		if !hasValue {
			if len(args) == 0 {
				return r, false
			}
			value, args = args[0], args[1:]
		}
		if !setOption(&r, name, value) {
			return r, false
		}
	}
	return r, true
}

// setOption puts an option into the request; false: it is unknown or malformed.
func setOption(r *intake.Request, name, value string) bool {
	switch name {
	case "-f", "--sender":
		r.Sender = &value
	case "--ref":
		r.Ref = value
	case "--expires":
		var d app.Duration
		if d.Set(value) != nil || d <= 0 {
			return false
		}
		r.Expires = time.Duration(d)
	default:
		return false
	}
	return true
}

// sendmail queues a message or does what newaliases does, which is nothing. To list, to
// flush, to speak SMTP and to explain a mistake is for the full program.
func sendmail(p *app.Program, args []string) func() error {
	s, err := p.Sendmail(args)
	if err != nil || s.Mode != app.SendmailQueue && s.Mode != app.SendmailAliases {
		return nil
	}
	return func() error { return s.Run(context.Background(), p) }
}

// execFull makes this process the full program. It returns only if that fails.
func execFull() error {
	paths := fullPaths()
	for _, path := range paths {
		err := unix.Exec(path, os.Args, os.Environ())
		if err != unix.ENOENT && err != unix.ENOTDIR {
			return app.Fail(app.ExitInternal, "%s: %w", path, err)
		}
	}
	return app.Fail(app.ExitInternal,
		"the full program is missing; it belongs at %s; make build or make install puts it there", strings.Join(paths, " or "))
}

// fullPaths are the places of the full program: beside this one after make build, in the
// libexec beside the folder of this one after make install, and what the build was told.
func fullPaths() []string {
	var paths []string
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		paths = append(paths, filepath.Join(dir, "notices-full"), filepath.Join(filepath.Dir(dir), "libexec", "notices", "notices"))
	}
	if fullPath != "" && (len(paths) == 0 || fullPath != paths[1]) {
		paths = append(paths, fullPath)
	}
	return paths
}
