//go:build peers

package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"notices/spool/smtptest"
)

// mbox is a file of messages m-0, m-1 ...
func mbox(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("From library@example.org Tue Nov 24 09:30:00 2026\n" + message(fmt.Sprintf("m-%d", i)) + "\n")
	}
	return b.String()
}

// onceEach goes on with an import that was cut short, with a flush before it or not,
// and wants each message sent exactly once and nothing left over.
func (s *site) onceEach(n int, box string, flushFirst bool) {
	s.t.Helper()
	if flushFirst {
		s.run("", "flush", "--all")
	}
	s.run(box, "import", "-")
	s.run("", "flush", "--all")
	s.run(box, "import", "-")
	s.run("", "flush", "--all")
	got := arrived(s.server)
	for i := range n {
		exactly(s.t, fmt.Sprintf("m-%d", i), got[fmt.Sprintf("m-%d patron@example.net", i)], 1, 1)
	}
	for _, folder := range []string{"tmp", "cur", "failed", "aside", "import"} {
		for _, name := range s.files(folder) {
			if folder != "import" || strings.HasPrefix(name, ".") {
				s.t.Errorf("left over: %s/%s", folder, name)
			}
		}
	}
}

// cutShort runs an import of three messages that strace cuts short. It reports whether
// the place was reached.
func cutShort(t *testing.T, inject string, flushFirst bool) bool {
	t.Helper()
	s := newSite(t, smtptest.Options{})
	call, _, _ := strings.Cut(strings.TrimPrefix(inject, "inject="), ":")
	trace := filepath.Join(t.TempDir(), "trace")
	box := mbox(3)
	cmd := s.command(box, []string{"strace", "-qq", "-f", "-o", trace, "-e", "trace=" + call, "-e", inject}, "import", "-")
	out, err := cmd.CombinedOutput()
	if ended(err) == -2 {
		t.Fatal(err)
	}
	log, readErr := os.ReadFile(trace)
	if readErr != nil {
		t.Fatalf("%v: %v\n%s", readErr, err, out)
	}
	s.onceEach(3, box, flushFirst)
	if t.Failed() {
		t.Logf("%s ended with %v\n%s\n%s", strings.Join(cmd.Args, " "), err, out, tail(string(log)))
	}
	return strings.Contains(string(log), "INJECTED") || strings.Contains(string(log), "killed by SIGKILL")
}

func sweepImport(t *testing.T, calls []string, what string) {
	t.Helper()
	places := 0
	for _, call := range calls {
		for n := 1; n < 400; n += stride() {
			reached := true
			t.Run(fmt.Sprintf("%s/%s/%d", call, what, n), func(t *testing.T) {
				reached = cutShort(t, fmt.Sprintf("inject=%s:%s:when=%d", call, what, n), n/stride()%2 == 0)
			})
			if !reached || t.Failed() {
				break
			}
			places++
		}
	}
	t.Logf("%d places", places)
}

// TestImportKilledAtEverySystemCall: run again, it queues nothing twice and loses
// nothing, even if all that it had queued was sent meanwhile.
func TestImportKilledAtEverySystemCall(t *testing.T) { sweepImport(t, syscalls, "signal=KILL") }

func TestImportEverySystemCallFails(t *testing.T) {
	errors := []string{"ENOSPC"}
	if *full {
		errors = []string{"EIO", "ENOSPC", "EROFS", "EDQUOT"}
	}
	for _, e := range errors {
		sweepImport(t, []string{"write", "pwrite64", "fdatasync", "fsync", "renameat2", "unlinkat", "ftruncate"}, "error="+e)
	}
}

// TestImportDiesAgainAndAgain kills and ends an import of many at random, while a flush
// sends what is there.
func TestImportDiesAgainAndAgain(t *testing.T) {
	messages, deaths := 2000, 10
	if *full {
		messages, deaths = 10000, 60
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	dice := rand.New(rand.NewPCG(*seed, 0))
	s := newSite(t, smtptest.Options{})
	box := mbox(messages)
	for range deaths {
		cmd := s.command(box, nil, "import", "-")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(dice.IntN(1000)) * time.Millisecond) // where it dies is up to chance
		if dice.IntN(4) == 0 {
			cmd.Process.Signal(syscall.SIGTERM)
		} else {
			cmd.Process.Kill()
		}
		if dice.IntN(2) == 0 {
			s.run("", "flush", "--all") // while the import ends, too
		}
		cmd.Wait()
	}
	s.onceEach(messages, box, true)
}
