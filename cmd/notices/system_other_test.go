//go:build !linux

package main

import (
	"errors"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

func mount(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only the tests on Linux mount disks of their own")
}

func remount(ts *testscript.TestScript, neg bool, args []string) { mount(ts, neg, args) }

func openTerminal(uint16) (control, tty *os.File, err error) {
	return nil, nil, errors.New("only the tests on Linux open terminals of their own")
}
