package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"notices/cmd/internal/app"
	"notices/config"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/intake"
	"notices/spool/probe"
)

// TestExitCodes: the exit codes of notices(1), by what went wrong. Scripts branch on them.
func TestExitCodes(t *testing.T) {
	system := func(errno unix.Errno) error {
		return fmt.Errorf("queueing: %w", &fs.PathError{Op: "write", Path: "cur/x", Err: errno})
	}
	unreadable := &config.Error{Msg: "cannot be read", Err: fs.ErrPermission}
	cases := map[string]struct {
		err  error
		want int
	}{
		"done":                     {nil, 0},
		"usage":                    {app.UsageError("notices flush", errors.New("unknown flag")), 64},
		"malformed argument":       {&intake.Error{Kind: intake.BadUsage}, 64},
		"bad message":              {fmt.Errorf("x: %w", &intake.Error{Kind: intake.BadMessage}), 65},
		"unknown id":               {fmt.Errorf("x: %w", spool.ErrGone), 66},
		"unknown ids":              {&flush.UnknownError{IDs: []spool.ID{"x"}}, 66},
		"server":                   {errors.Join(&probe.Error{}, system(unix.EIO)), 69},
		"a bug":                    {errors.New("what is this"), 70},
		"the spool is a file":      {fmt.Errorf("%w: %w", spool.ErrNoSpool, system(unix.ENOTDIR)), 73},
		"I/O":                      {system(unix.EIO), 74},
		"nobody knows":             {fmt.Errorf("%w: %w", spool.ErrUnsure, system(unix.EIO)), 74},
		"nobody knows, disk full":  {fmt.Errorf("%w: %w", spool.ErrUnsure, system(unix.ENOSPC)), 74},
		"disk full":                {system(unix.ENOSPC), 75},
		"quota":                    {system(unix.EDQUOT), 75},
		"read-only":                {system(unix.EROFS), 75},
		"gone away":                {system(unix.ENOENT), 75},
		"in flight":                {spool.ErrBusy, 75},
		"told to stop":             {context.Canceled, 75},
		"flush cannot write":       {fmt.Errorf("%w: %w", flush.ErrSpool, system(unix.EIO)), 75},
		"the database is away":     {fmt.Errorf("x: %w", spool.ErrUnreachable), 75},
		"a claim was lost":         {fmt.Errorf("x: %w", spool.ErrClaimLost), 75},
		"an import was overtaken":  {fmt.Errorf("x: %w", spool.ErrLockLost), 75},
		"the database is newer":    {fmt.Errorf("x: %w", spool.ErrMisconfigured), 78},
		"permission":               {system(unix.EACCES), 77},
		"config not ours to read":  {unreadable, 77},
		"config":                   {&config.Error{Msg: "bad"}, 78},
		"config, several":          {config.Problems{{Msg: "bad"}, {Msg: "worse"}}, 78},
		"a key that enqueue needs": {&intake.Error{Kind: intake.BadConfig}, 78},
	}
	for name, c := range cases {
		if got := app.ExitCode(withExitCode(c.err)); got != c.want {
			t.Errorf("%s (%v): exit %d, want %d", name, c.err, got, c.want)
		}
	}
}

// TestUnsureSaysSo: where nobody can know whether a message is queued, the person
// is told to look.
func TestUnsureSaysSo(t *testing.T) {
	var said strings.Builder
	a := &cli{Program: &app.Program{Stderr: &said}}
	code := a.Report(fmt.Errorf("%w: fsync: input/output error", spool.ErrUnsure))
	if code != 74 || !strings.Contains(said.String(), "may be queued") || !strings.Contains(said.String(), "notices list") {
		t.Errorf("exit %d: %s", code, said.String())
	}
}
