package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// onTerminal WIDTH COMMAND ARG... runs a command whose standard output and error
// are a terminal of that width; what it shows is in the file "screen". The command
// must succeed.
func onTerminal(ts *testscript.TestScript, _ bool, args []string) {
	columns, err := strconv.Atoi(args[0])
	ts.Check(err)
	control, tty, err := openTerminal(uint16(columns))
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
