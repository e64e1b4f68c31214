//go:build !linux

package main

import (
	"github.com/rogpeppe/go-internal/testscript"
)

func mount(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("only the tests on Linux mount disks of their own")
}

func remount(ts *testscript.TestScript, neg bool, args []string) { mount(ts, neg, args) }
