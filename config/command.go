package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	"notices/spool/printable"
)

// commandTime is how long a password_command may take. It must not ask a person: under
// cron there is nobody to answer.
const commandTime = 30 * time.Second

// run gives the command to sh -c and returns what it prints. Its standard error is
// shown when it fails; its standard output never is.
func run(ctx context.Context, command string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, said limitedBuffer
	out.most, said.most = maxSecret+2, 1<<10
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
		return "", fmt.Errorf("took longer than %s%s", limit, errorOutput(said.String()))
	}
	return "", fmt.Errorf("failed (%w)%s", err, errorOutput(said.String()))
}

// errorOutput is the standard error of a command, on one line.
func errorOutput(said string) string {
	if said = printable.Line(said); said == "" {
		return ""
	}
	return ": " + said
}

// limitedBuffer keeps the first octets that are written to it.
type limitedBuffer struct {
	bytes.Buffer
	most int
}

func (c *limitedBuffer) Write(p []byte) (int, error) {
	room := max(0, c.most-c.Len())
	c.Buffer.Write(p[:min(len(p), room)])
	return len(p), nil
}
