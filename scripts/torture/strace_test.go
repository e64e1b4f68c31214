//go:build peers

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"notices/spool/smtptest"
)

// syscalls are the steps that change a disk, a lock or a connection.
var syscalls = []string{
	"openat", "write", "writev", "pwrite64", "fallocate", "fdatasync", "fsync", "sync_file_range",
	"renameat2", "renameat", "unlinkat", "mkdirat", "flock", "close", "connect",
}

// story is a command that is cut short, and what must be true after later flushes.
type story struct {
	name    string
	queued  []string // recipients of the message that is in the spool before; nil: none
	stdin   string
	command []string // ID is replaced by the message's
	// done: the command said that it worked.
	check func(t *testing.T, done bool, got map[string]int, failed int)
}

func exactly(t *testing.T, what string, n, low, high int) {
	t.Helper()
	if n < low || n > high {
		t.Errorf("%s: %d times, want %d to %d", what, n, low, high)
	}
}

var stories = []story{
	{"enqueue", nil, message("a"), []string{"enqueue"}, func(t *testing.T, done bool, got map[string]int, failed int) {
		low := 0
		if done {
			low = 1
		}
		exactly(t, "the message", got["a patron@example.net"], low, 1)
	}},
	{"deliver", []string{"patron@example.net"}, "", []string{"flush"}, func(t *testing.T, done bool, got map[string]int, failed int) {
		high := 2 // killed between the 250 and its record
		if done {
			high = 1
		}
		exactly(t, "the message", got["a patron@example.net"], 1, high)
	}},
	{"defer", []string{"later@example.net"}, "", []string{"flush"}, func(t *testing.T, done bool, got map[string]int, failed int) {
		exactly(t, "the message", got["a later@example.net"], 1, 1)
	}},
	{"bounce", []string{"patron@example.net", "gone@example.net"}, "", []string{"flush"}, func(t *testing.T, done bool, got map[string]int, failed int) {
		exactly(t, "the message", got["a patron@example.net"], 1, 2)
		exactly(t, "the return", got["return of a library@example.org"], 1, 2)
	}},
	{"remove", []string{"patron@example.net"}, "", []string{"remove", "ID"}, func(t *testing.T, done bool, got map[string]int, failed int) {
		high := 1
		if done {
			high = 0
		}
		exactly(t, "the message", got["a patron@example.net"], 0, high)
		exactly(t, "a return", got["return of a library@example.org"], 0, 0)
	}},
	{"return", []string{"patron@example.net"}, "", []string{"return", "ID"}, func(t *testing.T, done bool, got map[string]int, failed int) {
		message, returned := got["a patron@example.net"], got["return of a library@example.org"]
		exactly(t, "the message or its return", message+returned, 1, 2)
		if done {
			exactly(t, "the return", returned, 1, 2)
			exactly(t, "the message", message, 0, 0)
		}
	}},
}

// server defers what is for later@ once, and refuses gone@ for ever.
func server() smtptest.Options {
	deferred := false
	return smtptest.Options{Reply: func(stage, line string) string {
		switch {
		case stage == "RCPT" && strings.Contains(line, "gone@"):
			return "550 5.1.1 no such user"
		case stage == "RCPT" && strings.Contains(line, "later@") && !deferred:
			deferred = true
			return "451 4.2.0 come back"
		}
		return ""
	}}
}

// sweep cuts the story short at one system call after another. It returns how many
// places there were.
func sweep(t *testing.T, st story, syscall, what string, stride int) (places int) {
	for n := 1; n < 400; n += stride {
		reached := true
		t.Run(fmt.Sprintf("%s/%s/%s/%d", st.name, syscall, what, n), func(t *testing.T) {
			reached = tell(t, st, fmt.Sprintf("inject=%s:%s:when=%d", syscall, what, n))
		})
		if !reached || t.Failed() {
			return places
		}
		places++
	}
	return places
}

// tell runs the story once. It reports whether the place was reached.
func tell(t *testing.T, st story, inject string) bool {
	t.Helper()
	s := newSite(t, server())
	command := append([]string(nil), st.command...)
	if st.queued != nil {
		id := strings.TrimSpace(s.run(message("a"), append([]string{"enqueue"}, st.queued...)...))
		for i := range command {
			command[i] = strings.ReplaceAll(command[i], "ID", id)
		}
	}
	trace := filepath.Join(t.TempDir(), "trace")
	syscall, _, _ := strings.Cut(strings.TrimPrefix(inject, "inject="), ":")
	cmd := s.command(st.stdin, []string{"strace", "-qq", "-f", "-o", trace, "-e", "trace=" + syscall, "-e", inject}, command...)
	out, err := cmd.CombinedOutput()
	if ended(err) == -2 {
		t.Fatal(err)
	}
	log, readErr := os.ReadFile(trace)
	if readErr != nil {
		t.Fatalf("%v: %v\n%s", readErr, err, out)
	}
	reached := strings.Contains(string(log), "INJECTED") || strings.Contains(string(log), "killed by SIGKILL")
	for range 4 {
		s.run("", "flush", "--all")
	}
	if left := len(s.files("cur")) + len(s.files("tmp")); left > 0 {
		t.Errorf("left in the spool: %q %q", s.files("cur"), s.files("tmp"))
	}
	st.check(t, err == nil, arrived(s.server), len(s.files("failed"))/2)
	if t.Failed() {
		t.Logf("%s ended with %v\n%s\n%s", strings.Join(cmd.Args, " "), err, out, tail(string(log)))
	}
	return reached
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

func stride() int {
	if *full {
		return 1
	}
	return 4
}

// TestKilledAtEverySystemCall: no message lost, none twice but in flight, whatever
// system call was the last.
func TestKilledAtEverySystemCall(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal(err)
	}
	places := 0
	for _, st := range stories {
		for _, call := range syscalls {
			places += sweep(t, st, call, "signal=KILL", stride())
		}
	}
	t.Log(strconv.Itoa(places) + " places to die")
}

// TestEverySystemCallFails: as disks do when they are full, over quota, read-only or
// broken.
func TestEverySystemCallFails(t *testing.T) {
	errors := []string{"ENOSPC"}
	if *full {
		errors = []string{"EIO", "ENOSPC", "EROFS", "EDQUOT"}
	}
	calls := []string{"write", "pwrite64", "fallocate", "fdatasync", "fsync", "renameat2", "unlinkat"}
	places := 0
	for _, st := range stories {
		for _, e := range errors {
			for _, call := range calls {
				places += sweep(t, st, call, "error="+e, stride())
			}
		}
	}
	t.Log(strconv.Itoa(places) + " failing system calls")
}
