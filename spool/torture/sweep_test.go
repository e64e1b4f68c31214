package torture

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/simfs"
)

// lenience says who may be sent twice.
type lenience int

const (
	inFlight lenience = iota // killed: the message that the process died over
	lastRun                  // power cut: what the last second sent
)

// check holds the world against what it was given: accepted are the messages whose
// enqueue returned nil, the others may be there or not.
func (w *world) check(accepted map[spool.ID]bool, l lenience) error {
	waiting, failed := w.left()
	if len(waiting) > 0 {
		return fmt.Errorf("still waiting: %v", waiting)
	}
	if aside := w.disk.Names("aside"); len(aside) > 0 && l == inFlight {
		return fmt.Errorf("set aside: %v", aside)
	}
	for _, m := range w.messages {
		if err := w.checkMessage(m, accepted[m.id], failed, l); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) checkMessage(m testMessage, accepted bool, failed []spool.ID, l lenience) error {
	seen := 0
	for _, r := range m.recipients {
		if strings.HasPrefix(r, "gone") {
			continue
		}
		n := w.taken[string(m.id)+" "+r]
		seen += n
		if err := w.count(string(m.id), r, n, accepted, l); err != nil {
			return err
		}
	}
	if m.notify != "" && accepted {
		return w.checkReported(m, l)
	}
	if !strings.Contains(strings.Join(m.recipients, " "), "gone") {
		return nil
	}
	returns := w.returns(m)
	kept := strings.Count(fmt.Sprint(failed), string(m.id))
	switch {
	case !accepted && seen+returns+kept == 0:
		return nil
	case m.kept && (kept != 1 || returns != 0):
		return fmt.Errorf("%s has no sender: %d in failed/, %d returns", m.id, kept, returns)
	case !m.kept && m.sender == librarian && returns == 0:
		return fmt.Errorf("%s: its sender got no return", m.id)
	case !m.kept && m.sender != librarian && kept != 1:
		return fmt.Errorf("%s: its return, undeliverable, is %d times in failed/", m.id, kept)
	case returns > 1 && l == inFlight && !w.diedOver(m.id):
		return fmt.Errorf("%s: its sender got %d returns", m.id, returns)
	case returns > 2:
		return fmt.Errorf("%s: its sender got %d returns", m.id, returns)
	}
	return nil
}

// checkReported: its recipients are relayed one after the other, and each is reported to the
// sender once; but a report may be sent twice, as any message.
func (w *world) checkReported(m testMessage, l lenience) error {
	reports := w.returns(m)
	if reports == 0 || reports < len(m.recipients) && l == inFlight || reports > 2*len(m.recipients) {
		return fmt.Errorf("%s: its sender got %d reports that it was relayed", m.id, reports)
	}
	return nil
}

func (w *world) count(id, recipient string, n int, accepted bool, l lenience) error {
	switch {
	case n == 0 && accepted:
		return fmt.Errorf("%s to %s is lost", id, recipient)
	case n == 2 && l == inFlight && !w.again[id]:
		return fmt.Errorf("%s to %s came twice, and the process did not die over it", id, recipient)
	case n > 2:
		return fmt.Errorf("%s to %s came %d times", id, recipient, n)
	}
	return nil
}

// returns counts the reports on a message that the librarian got.
func (w *world) returns(m testMessage) (n int) {
	for key, times := range w.taken {
		id, to, _ := strings.Cut(key, " ")
		if to == m.sender && strings.HasPrefix(id, string(m.id)) && id != string(m.id) {
			n += times
		}
	}
	return n
}

func (w *world) diedOver(id spool.ID) bool {
	for a := range w.again {
		if strings.HasPrefix(a, string(id)) && a != string(id) {
			return true
		}
	}
	return false
}

// fill queues all messages undisturbed.
func (w *world) fill() map[spool.ID]bool {
	accepted := map[spool.ID]bool{}
	for _, m := range w.messages {
		if _, err := w.process(0, nil, w.put(m)); err != nil {
			w.t.Fatal(err)
		}
		accepted[m.id] = true
	}
	return accepted
}

// runs is how many flushes, hours apart, are swept: the first attempts, the
// deferred ones, and the end of what was uncertain.
const runs = 3

// broken queues all, runs before flushes undisturbed, and lets step k of the next
// go wrong. It returns how many steps that flush took.
func broken(t *testing.T, before, k int, wrong error) (w *world, accepted map[spool.ID]bool, steps int) {
	t.Helper()
	return brokenOver(t, messages, before, k, wrong)
}

// brokenOver is broken with those messages.
func brokenOver(t *testing.T, of []testMessage, before, k int, wrong error) (w *world, accepted map[spool.ID]bool, steps int) {
	t.Helper()
	w = newWorld(t)
	w.messages = of
	accepted = w.fill()
	for range before {
		if _, err := w.process(0, nil, w.flush); err != nil {
			t.Fatal(err)
		}
		w.clock = w.clock.Add(0).Add(100 * 60 * 1e9)
	}
	steps, _ = w.process(k, wrong, w.flush)
	return w, accepted, steps
}

func TestUndisturbed(t *testing.T) {
	w := newWorld(t)
	accepted := w.fill()
	w.settle()
	if err := w.check(accepted, inFlight); err != nil {
		t.Fatal(err)
	}
	for key, n := range w.taken {
		if n != 1 {
			t.Errorf("%s came %d times", key, n)
		}
	}
}

// TestKilledAtEveryStep holds notices to the promises of notices-spool(5) when a process is
// killed anywhere in a flush.
func TestKilledAtEveryStep(t *testing.T) {
	places := 0
	for before := range runs {
		_, _, steps := broken(t, before, 0, nil)
		for k := 1; k <= steps; k++ {
			w, accepted, _ := broken(t, before, k, simfs.ErrDead)
			w.settle()
			if err := w.check(accepted, inFlight); err != nil {
				t.Errorf("flush %d killed at step %d of %d: %v", before+1, k, steps, err)
			}
			places++
		}
	}
	t.Logf("%d places to die", places)
}

// TestFailingAtEveryStep: one step of a flush fails, as disks do.
func TestFailingAtEveryStep(t *testing.T) {
	places := 0
	for before := range runs {
		_, _, steps := broken(t, before, 0, nil)
		for _, wrong := range []error{unix.EIO, unix.ENOSPC, unix.EROFS, unix.EDQUOT, simfs.ErrShort} {
			for k := 1; k <= steps; k++ {
				w, accepted, _ := broken(t, before, k, wrong)
				w.settle()
				if err := w.check(accepted, lastRun); err != nil {
					t.Errorf("flush %d, %v at step %d of %d: %v", before+1, wrong, k, steps, err)
				}
				places++
			}
		}
	}
	t.Logf("%d failing steps", places)
}

// cuts is how often the dice are thrown for each place.
const cuts = 4

// TestPowerCutAtEveryStep is rules 1 and 3 for a machine that loses its power.
func TestPowerCutAtEveryStep(t *testing.T) {
	states := 0
	for before := range runs {
		_, _, steps := broken(t, before, 0, nil)
		for k := 1; k <= steps; k++ {
			for seed := range uint64(cuts) {
				w, accepted, _ := broken(t, before, k, simfs.ErrDead)
				w.disk = w.disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
				w.settle()
				if err := w.check(accepted, lastRun); err != nil {
					t.Errorf("flush %d, power cut at step %d of %d, seed %d: %v", before+1, k, steps, seed, err)
				}
				states++
			}
		}
	}
	t.Logf("%d states after a power cut", states)
}

// TestBrokenOverSuccess is all three for messages whose sender gets a report that they were
// handed on: each recipient, in a report of its attempt.
func TestBrokenOverSuccess(t *testing.T) {
	states := 0
	for before := range runs {
		_, _, steps := brokenOver(t, wantingReports, before, 0, nil)
		for k := 1; k <= steps; k++ {
			for _, wrong := range []error{simfs.ErrDead, unix.EIO, unix.ENOSPC} {
				w, accepted, _ := brokenOver(t, wantingReports, before, k, wrong)
				l := lastRun
				if wrong == simfs.ErrDead {
					l = inFlight
				}
				w.settle()
				if err := w.check(accepted, l); err != nil {
					t.Errorf("flush %d, %v at step %d of %d: %v", before+1, wrong, k, steps, err)
				}
				states++
			}
			for seed := range uint64(cuts) {
				w, accepted, _ := brokenOver(t, wantingReports, before, k, simfs.ErrDead)
				w.disk = w.disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
				w.settle()
				if err := w.check(accepted, lastRun); err != nil {
					t.Errorf("flush %d, power cut at step %d of %d, seed %d: %v", before+1, k, steps, seed, err)
				}
				states++
			}
		}
	}
	t.Logf("%d states", states)
}
