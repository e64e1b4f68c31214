package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"

	"notices/cmd/notices/fakesite"
)

// onTerminal WIDTH COMMAND ARG... runs a command whose standard output and error
// are a terminal of that width; what it shows is in the file "screen". The command
// must succeed.
func onTerminal(ts *testscript.TestScript, _ bool, args []string) {
	columns, err := strconv.Atoi(args[0])
	ts.Check(err)
	control, tty, err := fakesite.OpenTerminal(uint16(columns))
	ts.Check(err)
	defer control.Close()
	name, err := exec.LookPath(args[1])
	ts.Check(err)
	cmd := exec.Command(name, args[2:]...)
	cmd.Args[0] = args[1]
	cmd.Dir = ts.MkAbs(".")
	cmd.Stdout, cmd.Stderr = tty, tty
	cmd.Env = environment(ts.Getenv("HOME"))
	for _, key := range []string{"PATH", "NOTICES_CONFIG", "TZ", "CLOCK", "NO_COLOR"} {
		if value := ts.Getenv(key); value != "" {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, "TERM=xterm")
	ts.Check(cmd.Start())
	tty.Close()
	var screen bytes.Buffer
	io.Copy(&screen, control) // ends with EIO when the last writer has gone
	err = cmd.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("screen"), screen.Bytes(), 0o600))
	if err != nil {
		ts.Fatalf("on a terminal: %v\n%s", err, screen.Bytes())
	}
}
