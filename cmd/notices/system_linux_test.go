package main

import (
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// mount SIZE DIR mounts a disk of that size. A machine where that is not possible
// fails the test: a full disk is what this program must stand.
func mount(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(dir, 0o755))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755,size="+args[0]); err != nil {
		ts.Fatalf("mount a small disk on %s: %v (run the tests as root, with CAP_SYS_ADMIN)", dir, err)
	}
	ts.Defer(func() { ts.Check(syscall.Unmount(dir, syscall.MNT_DETACH)) })
}

// remount ro|rw DIR.
func remount(ts *testscript.TestScript, _ bool, args []string) {
	flags := uintptr(syscall.MS_REMOUNT)
	if !slices.Contains([]string{"ro", "rw"}, args[0]) {
		ts.Fatalf("usage: remount ro|rw DIR")
	}
	if args[0] == "ro" {
		flags |= syscall.MS_RDONLY
	}
	ts.Check(syscall.Mount("tmpfs", ts.MkAbs(args[1]), "tmpfs", flags, ""))
}

// openTerminal opens a pseudo-terminal, pty(7).
func openTerminal(columns uint16) (control, tty *os.File, err error) {
	control, err = os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(control.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 24})
	}
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		control.Close()
	}
	return control, tty, err
}
