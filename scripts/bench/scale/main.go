//go:build linux

// Command scale shows how time and memory of the program grow with the spool. It fills
// spools, runs the real binary on them and prints a line for each run.
//
//	scale -notices FILE [-dir FOLDER] [-max N] [ROW...]    all rows of the folder, or these
//	scale fill [options] FOLDER                            only fills a spool
//	scale names FOLDER                                     reads a folder's names, for comparison
//	scale measure COMMAND...                               runs it and prints time and memory
//	scale repeat N FILE COMMAND...                         runs it N times, with that input
//	scale insert URL N FILE                                inserts it N times into a table, for comparison
//
// scripts/bench/scale/run builds the program and calls it. Compare only figures of one run;
// the growth from row to row says more than a single figure.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func command(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "names":
		return names(args[1])
	case len(args) > 1 && args[0] == "measure":
		return measure(args[1], args[2:]...)
	case len(args) > 3 && args[0] == "repeat":
		return repeat(args[1], args[2], args[3], args[4:]...)
	case len(args) == 4 && args[0] == "insert":
		return insert(args[1], args[2], args[3])
	case len(args) > 0 && args[0] == "fill":
		return fillCommand(args[1:])
	}
	return rowsCommand(args)
}

// names reads the names of a folder and does nothing with them.
func names(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		if err != nil || n == 0 {
			return err
		}
	}
}

func fillCommand(args []string) error {
	var f filling
	var in time.Duration
	flags := flag.NewFlagSet("fill", flag.ExitOnError)
	flags.IntVar(&f.messages, "n", 1000, "`MESSAGES`")
	flags.IntVar(&f.recipients, "recipients", 1, "of each message")
	flags.IntVar(&f.size, "size", 1000, "`OCTETS` of each message")
	flags.DurationVar(&in, "in", 0, "from now to the next send")
	flags.BoolVar(&f.tried, "tried", false, "deferred once, not new")
	flags.BoolVar(&f.hollow, "hollow", false, "empty files, where nothing is to be opened")
	_ = flags.Parse(args)
	if flags.NArg() != 1 {
		return errors.New("fill: which folder?")
	}
	f.next = time.Now().Add(in)
	return fill(flags.Arg(0), f)
}

func rowsCommand(args []string) error {
	b := &bench{out: os.Stdout}
	flags := flag.NewFlagSet("scale", flag.ExitOnError)
	flags.StringVar(&b.binary, "notices", "bin/notices", "the program, a `FILE`")
	flags.StringVar(&b.base, "dir", "/var/tmp", "where the spools are made: a `FOLDER` on a disk")
	flags.IntVar(&b.max, "max", 1_000_000, "no row with more than `MESSAGES`")
	flags.DurationVar(&b.limit, "limit", 5*time.Minute, "longest time that one run of the program may take")
	_ = flags.Parse(args)
	binary, err := filepath.Abs(b.binary)
	if err != nil {
		return err
	}
	b.binary = binary
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.base, err = os.MkdirTemp(b.base, "notices-scale-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.base)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-stop
		os.RemoveAll(b.base)
		os.Exit(1)
	}()
	return b.rows(flags.Args())
}
