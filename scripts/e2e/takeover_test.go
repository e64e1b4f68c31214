//go:build peers

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// connections is a server's default; behind each final dot the next message may
// already be on its way, so that twice as many are in flight.
const (
	connections = 4
	inFlight    = 2 * connections
)

// fill queues n messages, each to a patron of its own, and returns the ids by
// Message-ID.
func (s *site) fill(n int) map[string]string {
	s.t.Helper()
	ids := make([]string, n)
	errs := make(chan error, connections)
	for worker := range connections {
		go func() {
			for i := worker; i < n; i += connections {
				r, err := s.execute(numbered(i), "enqueue", fmt.Sprintf("patron%d@example.net", i))
				if err == nil && r.code != 0 {
					err = fmt.Errorf("enqueue: %v", r)
				}
				if err != nil {
					errs <- err
					return
				}
				ids[i] = strings.TrimSpace(r.stdout)
			}
			errs <- nil
		}()
	}
	for range connections {
		check(s.t, <-errs)
	}
	byMessageID := make(map[string]string, n)
	for i, id := range ids {
		byMessageID[numberedID(i)] = id
	}
	return byMessageID
}

func numberedID(i int) string { return fmt.Sprintf("<overdue-%d@example.org>", i) }

func numbered(i int) string {
	return fmt.Sprintf("From: Springfield Public Library <library@example.org>\nTo: patron%d@example.net\n"+
		"Date: Tue, 24 Nov 2026 09:00:00 +0000\nMessage-ID: %s\nSubject: Overdue: %d\n\n"+
		"The book number %d is overdue.\n", i, numberedID(i), i, i)
}

// copies counts how often each message was handed to a server. That Postfix, cut off
// itself, may put one into the mailbox twice is not counted: its queue id tells.
func copies(arrived ...[]mail) map[string]int {
	count, seen := make(map[string]int), make(map[string]bool)
	for _, mails := range arrived {
		for _, m := range mails {
			key := m.messageID() + m.recipient + m.queueID
			if m.queueID == "" || !seen[key] {
				count[m.messageID()]++
			}
			seen[key] = true
		}
	}
	return count
}

// checkOnce fails unless each message arrived, and none twice but those in doubt.
func checkOnce(t *testing.T, ids map[string]string, count map[string]int, inDoubt map[string]bool) {
	t.Helper()
	for messageID, id := range ids {
		switch n := count[messageID]; {
		case n == 0:
			t.Errorf("%s (%s) is lost", messageID, id)
		case n > 1 && !inDoubt[id]:
			t.Errorf("%s (%s) was sent %d times", messageID, id, n)
		}
	}
	if len(inDoubt) > inFlight {
		t.Errorf("%d messages in doubt, at most %d can have been in flight", len(inDoubt), inFlight)
	}
}

// TestBackupTakesOver loses Server 1 in the middle of a flush. What it had taken is
// not sent again, the rest goes to Server 2, and only what waited for its answer to
// the final dot is in doubt.
func TestBackupTakesOver(t *testing.T) {
	for _, c := range []struct {
		name       string
		lose, mend func(*testing.T, *postfix)
	}{
		{"killed", func(_ *testing.T, p *postfix) { p.kill() }, func(t *testing.T, p *postfix) { p.start(t) }},
		{"frozen", func(_ *testing.T, p *postfix) { p.freeze() }, func(_ *testing.T, p *postfix) { p.thaw() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, m := startPostfix(t), startMailpit(t)
			s := newSite(t, p.config(goodPassword), m.config(goodPassword))
			ids := s.fill(250)

			flushed := make(chan result, 1)
			go func() { r, _ := s.execute("", "flush", "--json"); flushed <- r }()
			until(t, "the first messages to leave", func() bool { return s.waiting() <= len(ids)-25 })
			c.lose(t, p)
			if r := <-flushed; r.code != 0 {
				t.Fatalf("flush: %v", r)
			}
			inDoubt := s.ids()
			took := len(m.arrived(t))
			if took == 0 {
				t.Error("Server 2 got nothing")
			}
			t.Logf("Server 2 took %d, %d in doubt", took, len(inDoubt))

			c.mend(t, p)
			s.drain()
			until(t, "Postfix's own queue to empty", func() bool { return p.queueLength(t) == 0 })
			checkOnce(t, ids, copies(p.arrived(t), m.arrived(t)), inDoubt)
		})
	}
}

// TestKilledFlush kills the program itself: what was in flight, and nothing else, may
// arrive twice.
func TestKilledFlush(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	s := newSite(t, p.config(goodPassword))
	ids := s.fill(200)

	flush := exec.Command(binary, "--config", s.path("notices.toml"), "flush")
	flush.Env = s.environment()
	flush.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	check(t, flush.Start())
	until(t, "the first messages to leave", func() bool { return s.waiting() <= len(ids)-25 })
	check(t, flush.Process.Signal(syscall.SIGKILL))
	flush.Wait()
	if len(s.ids()) == 0 {
		t.Error("the flush had ended before it was killed")
	}

	s.drain()
	until(t, "Postfix's own queue to empty", func() bool { return p.queueLength(t) == 0 })
	count := copies(p.arrived(t))
	inDoubt := make(map[string]bool)
	for messageID, n := range count {
		if n > 1 {
			inDoubt[ids[messageID]] = true
		}
	}
	checkOnce(t, ids, count, inDoubt)
}

// TestFlushesSideBySide runs three at once, as an impatient cron does.
func TestFlushesSideBySide(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	s := newSite(t, p.config(goodPassword))
	ids := s.fill(120)
	results := make(chan result)
	for range 3 {
		go func() { r, _ := s.execute("", "flush"); results <- r }()
	}
	for range 3 {
		if r := <-results; r.code != 0 || r.stdout+r.stderr != "" {
			t.Errorf("flush beside others: %v", r)
		}
	}
	if left := s.ids(); len(left) > 0 {
		t.Errorf("%d messages left", len(left))
	}
	until(t, "Postfix's own queue to empty", func() bool { return p.queueLength(t) == 0 })
	checkOnce(t, ids, copies(p.arrived(t)), nil)
}

// ids are what is left in the queue.
func (s *site) ids() map[string]bool {
	s.t.Helper()
	left := make(map[string]bool)
	for _, m := range s.list() {
		left[m.ID] = true
	}
	return left
}

// waiting counts the sidecars: it is quicker than list, and looks at a flush under way.
func (s *site) waiting() int {
	sidecars, _ := filepath.Glob(s.path("spool/cur/.*,q"))
	return len(sidecars)
}

// drain flushes all until nothing is left.
func (s *site) drain() {
	s.t.Helper()
	until(s.t, "the queue to empty", func() bool {
		s.flush("--all")
		return len(s.ids()) == 0
	})
}

// queueLength counts the messages in Postfix's queue. A file that is not executable
// was not complete when Postfix was cut off: it never was a message.
func (p *postfix) queueLength(t *testing.T) int {
	t.Helper()
	n := 0
	for _, name := range []string{"incoming", "active", "deferred", "hold", "corrupt"} {
		files, err := os.ReadDir(p.path("queue/" + name))
		check(t, err)
		for _, file := range files {
			if info, err := file.Info(); err == nil && info.Mode()&0o100 != 0 {
				n++
			}
		}
	}
	return n
}
