//go:build peers

package torture

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"notices/spool/smtptest"
)

var seed = flag.Uint64("seed", 0, "of the dice; 0: by the clock")

// fill queues messages subject-0, subject-1 ... by eight processes at a time.
func (s *site) fill(n int) {
	s.t.Helper()
	var wg sync.WaitGroup
	failures := make(chan string, n)
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				if out, err := s.command(message(fmt.Sprintf("m-%d", i)), nil, "enqueue").CombinedOutput(); err != nil {
					failures <- fmt.Sprintf("%v: %s", err, out)
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	for f := range failures {
		s.t.Fatal(f)
	}
}

// TestManyFlushesDie runs several flushes at once over one spool while they are
// killed, stopped for a while and ended, at random. In the end every message has
// arrived, and no more of them twice than were in flight when a flush was killed.
func TestManyFlushesDie(t *testing.T) {
	messages, deaths := 300, 12
	if *full {
		messages, deaths = 2000, 60
	}
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	dice := rand.New(rand.NewPCG(*seed, 0))
	s := newSite(t, smtptest.Options{Reply: slow})
	s.fill(messages)

	kills := 0
	for kills < deaths && len(s.files("cur")) > 0 {
		kills += s.round(dice, 2+dice.IntN(7))
	}
	s.run("", "flush", "--all")
	if left := s.files("cur"); len(left) > 0 {
		t.Fatalf("%d files left, such as %q", len(left), left[0])
	}
	got := arrived(s.server)
	twice := 0
	for i := range messages {
		n := got[fmt.Sprintf("m-%d patron@example.net", i)]
		if n == 0 {
			t.Errorf("m-%d is lost", i)
		}
		if n > 1 {
			twice += n - 1
		}
	}
	// connections = 4 by default, two messages on each.
	if most := kills * 8; twice > most {
		t.Errorf("%d messages came again after %d kills; at most %d were in flight", twice, kills, most)
	}
	t.Logf("%d messages, %d kills, %d came again", messages, kills, twice)
}

// slow keeps the flushes alive long enough to die: a server that thinks about each
// message.
func slow(stage, _ string) string {
	if stage == "dot" {
		time.Sleep(100 * time.Millisecond) // kills are to hit attempts; no check depends on how long it is
	}
	return ""
}

// round starts flushes, does something to each, and waits for all of them. It
// returns how many it killed.
func (s *site) round(dice *rand.Rand, flushes int) (kills int) {
	s.t.Helper()
	var running []*exec.Cmd
	for range flushes {
		cmd := s.command("", nil, "flush", "--all")
		if err := cmd.Start(); err != nil {
			s.t.Fatal(err)
		}
		running = append(running, cmd)
	}
	var stopped []*exec.Cmd
	for i, cmd := range running {
		// A random moment, so that flushes die at different steps; no check depends on it.
		time.Sleep(time.Duration(dice.IntN(60)) * time.Millisecond)
		switch {
		case i == 0 || dice.IntN(3) == 0:
			kills++
			cmd.Process.Kill()
		case dice.IntN(2) == 0:
			cmd.Process.Signal(syscall.SIGSTOP)
			stopped = append(stopped, cmd)
		default:
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	for _, cmd := range stopped {
		cmd.Process.Signal(syscall.SIGCONT)
		cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, cmd := range running {
		cmd.Wait()
	}
	return kills
}

// TestFullDisk lets a spool on a small tmpfs run full while it is filled and
// flushed. What was accepted arrives; what was not says so.
func TestFullDisk(t *testing.T) {
	s := newSite(t, server())
	s.mount("size=1m")
	big := message("big-%d") + strings.Repeat(strings.Repeat("x", 70)+"\n", 2000)
	accepted := map[string]bool{}
	for i := range 12 {
		subject := fmt.Sprintf("big-%d", i)
		out, err := s.command(fmt.Sprintf(big, i, i), nil, "enqueue").CombinedOutput()
		switch ended(err) {
		case 0:
			accepted[subject] = true
		case 75:
			if !strings.Contains(string(out), "full") && !strings.Contains(string(out), "space") {
				t.Errorf("the message does not say that the disk is full: %s", out)
			}
		default:
			t.Errorf("%v: %s", err, out)
		}
	}
	if len(accepted) == 0 || len(accepted) == 12 {
		t.Fatalf("%d of 12 were accepted: the disk was not run full", len(accepted))
	}
	if err := exec.Command("dd", "if=/dev/zero", "of="+filepath.Join(s.spool(), "ballast"), "bs=1k").Run(); err == nil {
		t.Fatal("dd did not run the disk full")
	}
	if out, err := s.command("", nil, "flush").CombinedOutput(); ended(err) != 75 {
		t.Errorf("flush on a full disk: %v: %s", err, out)
	}
	if n := len(s.server.Messages()); n > 0 {
		t.Errorf("%d messages were sent on a full disk", n)
	}
	os.Remove(filepath.Join(s.spool(), "ballast"))
	s.run("", "flush")
	for subject := range accepted {
		exactly(t, subject, arrived(s.server)[subject+" patron@example.net"], 1, 1)
	}
}

// TestReadOnlyDisk: nothing is sent whose outcome could not be written down.
func TestReadOnlyDisk(t *testing.T) {
	s := newSite(t, server())
	s.mount("size=10m")
	s.run(message("a"), "enqueue")
	s.remount("ro")
	for _, args := range [][]string{{"flush"}, {"enqueue"}} {
		if out, err := s.command(message("b"), nil, args...).CombinedOutput(); ended(err) != 75 {
			t.Errorf("%s: %v: %s", args[0], err, out)
		}
	}
	if n := len(s.server.Messages()); n > 0 {
		t.Errorf("%d messages were sent", n)
	}
	s.remount("rw")
	s.run("", "flush")
	exactly(t, "the message", arrived(s.server)["a patron@example.net"], 1, 1)
}

// mount puts a tmpfs under the spool, and takes it away at the end of the test.
func (s *site) mount(options string) {
	s.t.Helper()
	if err := os.Mkdir(s.spool(), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=700,"+options, "tmpfs", s.spool()).CombinedOutput(); err != nil {
		s.t.Fatalf("mount: %v: %s", err, out)
	}
	s.t.Cleanup(func() { exec.Command("umount", s.spool()).Run() })
}

func (s *site) remount(how string) {
	s.t.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+how, s.spool()).CombinedOutput(); err != nil {
		s.t.Fatalf("remount: %v: %s", err, out)
	}
}
