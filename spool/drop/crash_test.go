package drop

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/internal/simfs"
)

// sent counts what later flushes attempt: until nothing is left, three of them.
func sent(t *testing.T, disk *simfs.Disk, log *strings.Builder) map[spool.ID]int {
	t.Helper()
	counts := map[spool.ID]int{}
	for days := range 3 { // what dead writers left is old on the last one
		p := disk.Open(nil)
		must(t, flushAt(t.Context(), noon.AddDate(0, 0, days), p, log, func(id spool.ID, body string) {
			counts[id]++
			if !strings.HasSuffix(body, "\r\n\r\nPlease bring it back.\r\n") {
				t.Errorf("%s was changed: %q", id, body)
			}
		}))
		disk.Kill(p)
	}
	return counts
}

// stopAt fails step k with wrong, and counts.
func stopAt(k int, wrong error) (before func(simfs.Step) error, steps *int) {
	steps = new(int)
	return func(simfs.Step) error {
		if *steps++; *steps == k {
			return wrong
		}
		return nil
	}, steps
}

// TestHandInCanDieAtEveryStep: what was answered for is sent once, what was not is
// sent once or never, and none of it goes to aside/.
func TestHandInCanDieAtEveryStep(t *testing.T) {
	for _, wrong := range []error{simfs.ErrDead, unix.EIO, unix.ENOSPC, simfs.ErrShort} {
		for k, last := 0, 1; k <= last; k++ {
			disk := newDisk(t)
			before, steps := stopAt(k, wrong)
			p := disk.Open(before)
			id, err := handIn(p, plainRequest())
			last = max(last, *steps)
			disk.Kill(p)
			for seed := range uint64(20) { // the first is no power cut
				after := disk
				if seed > 0 {
					after = disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
				}
				if seed == 0 && errors.Is(wrong, simfs.ErrDead) {
					continue // the disk is looked at after all cuts: flushes change it
				}
				judgeHandIn(t, after, fmt.Sprintf("%v at step %d of %d, cut %d", wrong, k, last, seed), id, err)
				if seed == 0 {
					break // one that lives cleans up: then cuts are of no more interest
				}
			}
			if errors.Is(wrong, simfs.ErrDead) {
				judgeHandIn(t, disk, fmt.Sprintf("%v at step %d of %d", wrong, k, last), id, err)
			}
		}
	}
}

func judgeHandIn(t *testing.T, disk *simfs.Disk, when string, id spool.ID, answer error) {
	t.Helper()
	var log strings.Builder
	counts := sent(t, disk, &log)
	total := 0
	for _, n := range counts {
		total += n
	}
	switch {
	case answer == nil && (counts[id] != 1 || total != 1):
		t.Errorf("%s: answered for, and sent: %v", when, counts)
	case answer != nil && total > 1:
		t.Errorf("%s: sent: %v", when, counts)
	case len(disk.Names(asideDir))+len(disk.Names(Name)) > 0:
		t.Errorf("%s: left: %q %q\n%s", when, disk.Names(Name), disk.Names(asideDir), &log)
	}
}

// prepared is a disk onto which three messages were handed in.
func prepared(t *testing.T) (*simfs.Disk, []spool.ID) {
	t.Helper()
	disk := newDisk(t)
	var ids []spool.ID
	for range 3 {
		id, err := handIn(disk.Open(nil), plainRequest())
		must(t, err)
		ids = append(ids, id)
	}
	return disk, ids
}

// TestTakeoverCanDieAtEveryStep: a flush dies at some step of its taking over, or in
// its listing; then, perhaps, the power is cut; then others come. Each message is sent
// once. And when a flush attempts a message that message has left the drop for good:
// cutting the power at that moment does not bring it back.
func TestTakeoverCanDieAtEveryStep(t *testing.T) {
	for k, last := 1, 1; k <= last; k++ {
		disk, ids := prepared(t)
		before, steps := stopAt(k, simfs.ErrDead)
		p := disk.Open(before)
		err := flush(p, nil, nil)
		last = max(last, *steps+1)
		disk.Kill(p)
		if err == nil {
			last = k // the whole of it
		}
		for seed := range uint64(6) {
			dice := rand.New(rand.NewPCG(seed, uint64(k)))
			after := disk.PowerCut(dice)
			everyOnce(t, after, ids, fmt.Sprintf("killed at step %d, cut %d", k, seed), true)
			// Or one more run comes before the cut, which takes over and attempts nothing.
			after = disk.PowerCut(dice)
			must(t, flush(after.Open(nil), nil, nil))
			everyOnce(t, after.PowerCut(dice), ids, fmt.Sprintf("killed at step %d, cut, taken over, cut %d", k, seed), true)
		}
		waiting := disk.Open(nil)
		must(t, flush(waiting, nil, nil))
		disk.Kill(waiting)
		for seed := range uint64(6) {
			after := disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
			everyOnce(t, after, ids, fmt.Sprintf("killed at step %d, taken over, cut %d", k, seed), true)
		}
		everyOnce(t, disk, ids, fmt.Sprintf("killed at step %d", k), false)
	}
}

func everyOnce(t *testing.T, disk *simfs.Disk, ids []spool.ID, when string, cut bool) {
	t.Helper()
	counts := map[spool.ID]int{}
	for range 4 {
		p := disk.Open(nil)
		must(t, flush(p, nil, func(id spool.ID, _ string) {
			counts[id]++
			for seed := range uint64(4) {
				if disk.PowerCut(rand.New(rand.NewPCG(seed, 1))).Read(path(string(id))) != nil {
					t.Errorf("%s: %s is attempted, and a power cut would bring it back", when, id)
				}
			}
		}))
		disk.Kill(p)
	}
	for _, id := range ids {
		if counts[id] != 1 {
			t.Errorf("%s: %s was sent %d times", when, id, counts[id])
		}
	}
	left := disk.Names(Name)
	if !cut { // a power cut may leave half of what was being stored: shown to a person
		left = append(left, disk.Names(asideDir)...)
	}
	if len(left) > 0 || len(counts) != len(ids) {
		t.Errorf("%s: left over: %q, sent %v", when, left, counts)
	}
}

// TestTakeoverCanFailAtEveryStep: the disk gives an error at some step, and the run
// goes on as it must. It may attempt what it listed only if that has left the drop.
func TestTakeoverCanFailAtEveryStep(t *testing.T) {
	places := 0
	for _, wrong := range []error{unix.EIO, unix.ENOSPC, unix.EROFS} {
		for k, last := 0, 1; k <= last; k++ { // with 0 nothing fails
			disk, ids := prepared(t)
			counts := map[spool.ID]int{}
			before, steps := stopAt(k, wrong)
			places++
			p := disk.Open(before)
			_ = flush(p, nil, func(id spool.ID, _ string) { counts[id]++ })
			last = max(last, *steps)
			disk.Kill(p)
			after := disk.PowerCut(rand.New(rand.NewPCG(uint64(k), 0)))
			for id, n := range sent(t, after, &strings.Builder{}) {
				counts[id] += n
			}
			for _, id := range ids {
				// The failing step may be the very one that takes the message out of the store.
				if n := counts[id]; n < 1 || n > 1 && after.Read(path(string(id))) != nil {
					t.Errorf("%v at step %d: %s was sent %d times", wrong, k, id, n)
				}
			}
		}
	}
	t.Logf("%d failing steps", places)
}

// TestFullStoreKeepsNothingElseBack: the store takes nothing more, a run was killed
// over a message that it had stored, and the others wait.
func TestFullStoreKeepsNothingElseBack(t *testing.T) {
	disk, ids := prepared(t)
	killed := disk.Open(func(s simfs.Step) error {
		if s.Op == "unlink" && strings.HasPrefix(s.Name, Name+"/") {
			return simfs.ErrDead
		}
		return nil
	})
	if err := flush(killed, nil, nil); !errors.Is(err, simfs.ErrDead) {
		t.Fatal(err)
	}
	disk.Kill(killed)
	late, err := handIn(disk.Open(nil), plainRequest())
	must(t, err)
	full := disk.Open(func(s simfs.Step) error {
		if s.Op == "write" && strings.HasPrefix(s.Name, "tmp/") {
			return unix.ENOSPC
		}
		return nil
	})
	counts := map[spool.ID]int{}
	count := func(id spool.ID, _ string) { counts[id]++ }
	var log strings.Builder
	must(t, flush(full, &log, count))
	for _, id := range ids {
		if counts[id] != 1 || disk.Read(path(string(id))) != nil {
			t.Errorf("%s, stored before, was sent %d times", id, counts[id])
		}
	}
	if counts[late] != 0 || disk.Read(path(string(late))) == nil || !strings.Contains(log.String(), "trouble") {
		t.Errorf("what cannot be stored: sent %v, log: %s", counts, &log)
	}
	disk.Kill(full)
	must(t, flush(disk.Open(nil), nil, count))
	if counts[late] != 1 {
		t.Errorf("later: %v", counts)
	}
}

var _ fsys.FS = (*simfs.Process)(nil)

// TestTakeoverTrustsNoSecondSync: a sync fails, the system forgets what it could not write, and
// the next sync of the same file succeeds (fsync(2)). Nothing is lost: what could not be
// synced is written anew from the drop.
func TestTakeoverTrustsNoSecondSync(t *testing.T) {
	for k, last := 1, 1; k <= last; k++ {
		disk, ids := prepared(t)
		f := &forgetful{FS: disk.Open(nil), at: k}
		must(t, flush(f, nil, nil))
		last = f.syncs
		for seed := range uint64(6) {
			after := disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
			counts := sent(t, after, &strings.Builder{})
			for _, id := range ids {
				if counts[id] != 1 {
					t.Errorf("sync %d failed, cut %d: %s was sent %d times", k, seed, id, counts[id])
				}
			}
		}
		if left := disk.Names(Name); len(left) > 0 {
			t.Errorf("sync %d failed, and the next one did not: %q wait", k, left)
		}
	}
}

// forgetful is a disk that fails to sync one file, and then no longer knows that there is
// something of it to write.
type forgetful struct {
	fsys.FS
	at int

	mu    sync.Mutex
	syncs int
}

func (d *forgetful) Open(name string, flags int, perm uint32) (fsys.File, error) {
	f, err := d.FS.Open(name, flags, perm)
	if err != nil {
		return nil, err
	}
	return &forgetfulFile{File: f, disk: d}, nil
}

type forgetfulFile struct {
	fsys.File
	disk   *forgetful
	forgot bool
}

func (f *forgetfulFile) Sync() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.disk.syncs++; f.disk.syncs == f.disk.at {
		f.forgot = true
		return unix.EIO
	}
	if f.forgot {
		return nil
	}
	return f.File.Sync()
}
