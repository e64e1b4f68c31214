package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// commandTime is how long a password_command may take. It is for a program, not
// for a person who is asked something: under cron nobody is there.
const commandTime = 30 * time.Second

// answer is what a command gave. Connections that open at the same time ask for the
// same password: the command runs once, and the others wait for it.
type answer struct {
	turn chan struct{} // holds one token while nobody runs the command
	text string
	have bool
}

// get runs the command, unless it was run.
func (a *answer) get(ctx context.Context, command string) (string, error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if a.have {
		return a.text, nil
	}
	text, err := run(ctx, command, commandTime)
	if err == nil {
		a.text, a.have = text, true
	}
	return text, err
}

func (a *answer) forget() {
	a.turn <- struct{}{}
	a.text, a.have = "", false
	<-a.turn
}

// run gives the command to sh -c and returns what it prints. What it says on
// standard error is shown when it fails; what it printed never is.
func run(ctx context.Context, command string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out, said capped
	out.most, said.most = maxSecret+1, 1<<10
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdout, cmd.Stderr = &out, &said
	// A process group of its own, so that what the shell started ends with it; and no
	// waiting for a grandchild that keeps the pipes open.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it did well; a grandchild kept the pipe
		return out.String(), nil
	case ctx.Err() == context.DeadlineExceeded:
		return "", fmt.Errorf("took longer than %s%s", limit, tail(said.String()))
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return "", fmt.Errorf("failed (%s)%s", exitWord(err), tail(said.String()))
}

// exitWord is "exit status 2" and the like, or why nothing ran.
func exitWord(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.Error()
	}
	return reason(err)
}

// tail is what a command said, on one line.
func tail(said string) string {
	said = strings.Join(strings.FieldsFunc(said, unicode.IsControl), " ")
	said = strings.TrimSpace(strings.ToValidUTF8(said, "?"))
	if said == "" {
		return ""
	}
	return ": " + said
}

// capped keeps the first octets that are written to it.
type capped struct {
	bytes.Buffer
	most int
}

func (c *capped) Write(p []byte) (int, error) {
	room := max(0, c.most-c.Len())
	c.Buffer.Write(p[:min(len(p), room)])
	return len(p), nil
}
