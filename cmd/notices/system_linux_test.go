package main

import (
	"os"
	"slices"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
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
