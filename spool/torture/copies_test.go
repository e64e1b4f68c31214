package torture

import (
	"fmt"
	"path"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"notices/spool/internal/simfs"
	"notices/spool/maildir"
)

// cron is how many runs follow a fault, a hundred minutes apart.
const cron = 50

// fault is one step of the disk that fails, from its k-th step on.
type fault struct {
	err  error
	how  string     // "once"; "forever": that step of that file, in every run
	step simfs.Step // it
}

// stamps are the times in a sidecar's name: another time is the same file.
var stamps = regexp.MustCompile(`,\d{10}`)

func sameStep(a, b simfs.Step) bool {
	same := func(s simfs.Step) string { return s.Op + " " + stamps.ReplaceAllString(path.Clean(s.Name), "") }
	return same(a) == same(b)
}

// flushWith makes one flush; before is asked ahead of every step of the disk.
func (w *world) flushWith(before func(simfs.Step) error) {
	w.steps, w.stop, w.dead, w.open = 0, 0, false, ""
	p := w.disk.Open(before)
	s, err := maildir.Open("/spool", maildir.Options{FS: p})
	if err == nil {
		_ = w.flush(s)
		_ = s.Close()
	}
	w.disk.Kill(p)
}

// suffer lets step k of a flush go wrong, then flushes as cron does; forever is still so
// then. It reports whether there was a step k.
func (w *world) suffer(k int, f *fault) bool {
	n, hit := 0, false
	w.flushWith(func(s simfs.Step) error {
		n++
		switch {
		case n == k:
			hit, f.step = true, s
			return f.err
		case n > k && f.how == "forever" && sameStep(s, f.step):
			return f.err
		}
		return nil
	})
	for range cron {
		w.clock = w.clock.Add(100 * 60 * 1e9)
		w.flushWith(func(s simfs.Step) error {
			if f.how == "forever" && hit && sameStep(s, f.step) {
				return f.err
			}
			return nil
		})
	}
	return hit
}

// TestNoFaultSendsTwice: steps fail, once or in every run. Each recipient gets one copy at
// most, and exactly one once the disk works again.
func TestNoFaultSendsTwice(t *testing.T) {
	places := 0
	for before := range runs {
		for _, how := range []string{"once", "forever"} {
			for _, err := range []error{unix.EPERM, unix.EIO} {
				for k, hit := 1, true; hit; k++ {
					w := newWorld(t)
					accepted := w.fill()
					for range before {
						w.flushWith(nil)
						w.clock = w.clock.Add(100 * 60 * 1e9)
					}
					f := &fault{err: err, how: how}
					hit = w.suffer(k, f)
					if e := w.noCopies(); e != nil {
						t.Errorf("flush %d, %v %s at step %d (%s %s): %v", before+1, err, how, k, f.step.Op, f.step.Name, e)
					}
					w.settle()
					if e := w.check(accepted, lastRun); e != nil {
						t.Errorf("flush %d, %v %s at step %d (%s %s), and well again: %v", before+1, err, how, k, f.step.Op, f.step.Name, e)
					}
					if e := w.noCopies(); e != nil {
						t.Errorf("flush %d, %v %s at step %d (%s %s), and well again: %v", before+1, err, how, k, f.step.Op, f.step.Name, e)
					}
					places++
				}
			}
		}
	}
	t.Logf("%d faults", places)
}

func (w *world) noCopies() error {
	for key, n := range w.taken {
		if n > 1 {
			return fmt.Errorf("%s came %d times", key, n)
		}
	}
	return nil
}
