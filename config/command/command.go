// Package command runs the shell commands that a config names, such as password_command.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"notices/spool/printable"
)

// MaxTime is how long a password_command may take. It must not ask a person: under cron
// there is nobody to answer.
const MaxTime = 30 * time.Second

// Run gives the command to sh -c and returns what it prints, at most so many octets. Its
// standard error is shown when it fails. Its standard output never is, not even where the standard
// error repeats it.
func Run(ctx context.Context, command string, limit time.Duration, most int) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, said limitedBuffer
	out.most, said.most = most, max(most, mostSaid)
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdout, cmd.Stderr = &out, &said
	// A new process group, so that the children of the shell end with it; and no wait for a
	// grandchild that keeps the pipes open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it succeeded; a grandchild kept the pipe
		return out.String(), nil
	case ctx.Err() != nil:
		return "", fmt.Errorf("took longer than %s%s", limit, errorOutput(said.String(), out.String()))
	}
	return "", fmt.Errorf("failed (%w)%s", err, errorOutput(said.String(), out.String()))
}

// mostSaid is how much of its standard error is shown, in octets.
const mostSaid = 1 << 10

// errorOutput is the standard error of a command, on one line. What the command printed is masked in
// it: sh -x, for example, repeats it there.
func errorOutput(said, printed string) string {
	for line := range strings.Lines(printed) {
		if line = strings.TrimSpace(line); line != "" {
			said = strings.ReplaceAll(said, line, "***")
		}
	}
	said = said[:min(len(said), mostSaid)]
	if said = printable.Line(said); said == "" {
		return ""
	}
	return ": " + said
}

// limitedBuffer keeps the first octets that are written to it. The buffer is no embedded
// field: its ReadFrom would keep all.
type limitedBuffer struct {
	buffer bytes.Buffer
	most   int
}

func (c *limitedBuffer) Write(p []byte) (int, error) {
	room := max(0, c.most-c.buffer.Len())
	c.buffer.Write(p[:min(len(p), room)])
	return len(p), nil
}

func (c *limitedBuffer) String() string { return c.buffer.String() }
