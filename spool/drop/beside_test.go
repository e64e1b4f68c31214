package drop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/internal/simfs"
)

// watched calls at before every step of an FS and of its files, reading ones too.
type watched struct {
	fsys.FS
	at func()
}

// watch lets one step at a time through: a store syncs many files at once.
func watch(d fsys.FS, at func()) watched {
	var one sync.Mutex
	return watched{d, func() {
		one.Lock()
		defer one.Unlock()
		at()
	}}
}

func (w watched) Open(name string, flags int, perm uint32) (fsys.File, error) {
	w.at()
	f, err := w.FS.Open(name, flags, perm)
	if err != nil {
		return nil, err
	}
	return watchedFile{f, w.at}, nil
}

func (w watched) Rename(from, to string) error { w.at(); return w.FS.Rename(from, to) }
func (w watched) Unlink(name string) error     { w.at(); return w.FS.Unlink(name) }
func (w watched) SyncDir(name string) error    { w.at(); return w.FS.SyncDir(name) }

func (w watched) List(name string, yield func([]byte) bool) error {
	w.at()
	return w.FS.List(name, yield)
}

func (w watched) Stat(name string) (fsys.Info, error) { w.at(); return w.FS.Stat(name) }

type watchedFile struct {
	fsys.File
	at func()
}

func (f watchedFile) ReadAt(p []byte, off int64) (int, error) { f.at(); return f.File.ReadAt(p, off) }
func (f watchedFile) Lock(wait bool) error                    { f.at(); return f.File.Lock(wait) }
func (f watchedFile) Sync() error                             { f.at(); return f.File.Sync() }

// meanwhile runs a second flush until ctx ends its wait for the first one.
func meanwhile(disk *simfs.Disk, counts map[spool.ID]int) error {
	p := disk.Open(nil)
	defer disk.Kill(p)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	return flushAt(ctx, noon, p, nil, func(id spool.ID, _ string) { counts[id]++ })
}

// TestSecondFlushAtEveryStep: while one flush stands at some step, another one runs,
// or waits in vain; then the first goes on, or dies. Each message is sent once, and
// none that a power cut would bring back.
func TestSecondFlushAtEveryStep(t *testing.T) {
	for _, dies := range []bool{false, true} {
		waited := 0
		for k, last := 1, 1; k <= last; k++ {
			disk, ids := prepared(t)
			counts := map[spool.ID]int{}
			n, dead := 0, false
			p := disk.Open(func(simfs.Step) error {
				if dead {
					return simfs.ErrDead
				}
				return nil
			})
			first := watch(p, func() {
				if n++; n != k {
					return
				}
				if err := meanwhile(disk, counts); errors.Is(err, context.DeadlineExceeded) {
					waited++
				} else if err != nil {
					t.Errorf("the second flush, at step %d: %v", k, err)
				}
				dead = dies
			})
			count := func(id spool.ID, _ string) { counts[id]++ }
			if dies { // over a message that it sends, that may be sent again
				count = nil
			}
			err := flush(first, nil, count)
			if last = max(last, n); !dies && err != nil {
				t.Errorf("the first flush, with another at step %d: %v", k, err)
			}
			disk.Kill(p)
			atMostOnce(t, disk, counts, fmt.Sprintf("another at step %d of %d, dies %v", k, last, dies))
			for id, n := range sent(t, disk, &strings.Builder{}) {
				counts[id] += n
			}
			for _, id := range ids {
				if n := counts[id]; n != 1 {
					t.Errorf("another at step %d of %d, dies %v: %s was sent %d times", k, last, dies, id, n)
				}
			}
		}
		if waited < 20 {
			t.Errorf("the second flush had to wait at %d steps only", waited)
		}
	}
}

// atMostOnce: what was sent stays away from the drop, also when the power is cut now.
func atMostOnce(t *testing.T, disk *simfs.Disk, counts map[spool.ID]int, when string) {
	t.Helper()
	for id := range counts {
		for seed := range uint64(8) {
			if disk.PowerCut(rand.New(rand.NewPCG(seed, 3))).Read(path(string(id))) != nil {
				t.Errorf("%s: %s was sent, and a power cut would bring it back", when, id)
			}
		}
	}
}

// TestManyAtOnce: on a real disk, many hand in while many flush.
func TestManyAtOnce(t *testing.T) {
	dir := realSpool(t)
	const givers, each = 3, 12
	var (
		mu       sync.Mutex
		accepted = map[spool.ID]bool{}
		counts   = map[spool.ID]int{}
		hands    sync.WaitGroup
		flushes  sync.WaitGroup
	)
	done := make(chan struct{})
	for range 3 {
		flushes.Go(func() {
			for last := false; !last; {
				select {
				case <-done:
					last = true // one more, for what came meanwhile
				default:
				}
				realFlush(t, dir, func(id spool.ID, _ string) {
					mu.Lock()
					counts[id]++
					mu.Unlock()
				})
			}
		})
	}
	for range givers {
		hands.Go(func() {
			for range each {
				d, err := fsys.Enter(dir)
				if err == nil {
					var id spool.ID
					id, err = handIn(d, plainRequest())
					mu.Lock()
					accepted[id] = true
					mu.Unlock()
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	hands.Wait()
	close(done)
	flushes.Wait()
	if len(accepted) != givers*each {
		t.Fatalf("%d messages were handed in", len(accepted))
	}
	for id := range accepted {
		if counts[id] != 1 {
			t.Errorf("%s was sent %d times", id, counts[id])
		}
	}
	for _, sub := range []string{Name, "cur", "tmp", asideDir} {
		if left, _ := os.ReadDir(filepath.Join(dir, sub)); len(left) > 0 {
			t.Errorf("%d files are left in %s", len(left), sub)
		}
	}
}

// realSpool is a spool on disk with a drop.
func realSpool(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"tmp", "cur", "failed", asideDir, "state"} {
		must(t, os.Mkdir(filepath.Join(dir, sub), 0o700))
	}
	must(t, os.Mkdir(filepath.Join(dir, Name), 0o700))
	must(t, os.Chmod(filepath.Join(dir, Name), os.ModeSetgid|os.ModeSticky|0o733))
	return dir
}

func realFlush(t *testing.T, dir string, attempt func(spool.ID, string)) {
	t.Helper()
	d, err := fsys.Open(dir)
	if err != nil {
		t.Error(err)
		return
	}
	defer d.Close()
	if err := flushAt(context.Background(), time.Now(), d, nil, attempt); err != nil {
		t.Error(err)
	}
}
