// Command notices-queue is what is installed under the name notices: the commands
// that are called by the thousand, in a program that starts in half the time, and a
// door to the whole one for everything else.
//
// Most of an enqueue is the start of its process, and most of that are the pages
// that packages touch before main: TLS, HTTP, cobra. The whole program
// (cmd/notices) needs them for the other commands and cannot put them off, so it
// lies beside this one, as git's commands lie beside git. It can do all that this
// one does: what this one does not understand at first sight, a help or a mistake in
// the options too, it hands over as it stands, before it has read anything.
package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
)

// whole is where the whole program is to be installed, set by the build (-ldflags
// "-X main.whole=..."). One in the folder whole/ beside this program goes first, then one
// in the libexec beside the folder of this program, so that make install needs no build.
var whole string

func main() {
	p := app.New()
	if work := quick(p, app.Arguments(os.Args)); work != nil {
		os.Exit(finish(p, work()))
	}
	os.Exit(finish(p, handOver()))
}

func finish(p *app.Program, err error) int {
	if err == nil {
		return app.ExitOK
	}
	return p.Report(err)
}

// quick returns the work of a command line that this program can do; nil: it is for
// the whole one.
func quick(p *app.Program, args []string) func() error {
	switch name, at := command(args); name {
	case "enqueue":
		return enqueue(p, args)
	case "sendmail":
		return sendmail(p, slices.Concat(args[:at], args[at+1:]))
	case "version":
		if len(args) == 1 {
			return p.PrintVersion
		}
	}
	return nil
}

// command is the first argument that is no option that every command has, and its
// place.
func command(args []string) (name string, at int) {
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--config":
			i++ // its value
		case arg == "-v" || arg == "--verbose" || strings.HasPrefix(arg, "--config="):
		default:
			return arg, i
		}
	}
	return "", 0
}

func enqueue(p *app.Program, args []string) func() error {
	var e app.Enqueue
	f := pflag.NewFlagSet("notices", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	p.Options(f)
	e.Options(f)
	if f.Parse(args) != nil {
		return nil
	}
	return func() error { return e.Run(context.Background(), p, f.Args()[1:]) }
}

// sendmail is the queueing of a message and the nothing that newaliases does; a list,
// a flush and a conversation in SMTP are the whole program's, as is a mistake.
func sendmail(p *app.Program, args []string) func() error {
	s, err := p.Sendmail(args)
	if err != nil || s.Mode != app.SendmailQueue && s.Mode != app.SendmailAliases {
		return nil
	}
	return func() error { return s.Run(context.Background(), p) }
}

// handOver makes this process the whole program; it returns only if that fails.
func handOver() error {
	for _, path := range places() {
		err := unix.Exec(path, os.Args, os.Environ())
		if err != unix.ENOENT && err != unix.ENOTDIR {
			return app.Fail(app.ExitInternal, "%s: %w", path, err)
		}
	}
	return app.Fail(app.ExitInternal,
		"the program's second half is missing: it belongs at %s; make build or make install puts it there", strings.Join(places(), " or "))
}

func places() []string {
	var list []string
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		list = append(list, filepath.Join(dir, "whole", "notices"), filepath.Join(filepath.Dir(dir), "libexec", "notices", "notices"))
	}
	if whole != "" && !slices.Contains(list, whole) {
		list = append(list, whole)
	}
	return list
}
