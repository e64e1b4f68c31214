package drop

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/internal/simfs"
)

// slow is a message whose writer was last heard of two days ago.
func slow(t *testing.T) (disk *simfs.Disk, clock *time.Time, finish func() error) {
	t.Helper()
	disk = newDisk(t)
	now := noon
	disk.Clock = func() int64 { return now.Unix() }
	f, err := open(disk.Open(nil), "/spool")
	must(t, err)
	d, err := f.New(t.Context(), spool.NewID(noon))
	must(t, err)
	_, err = d.Write([]byte("From: a@example.org\r\nTo: b@example.net\r\nDate: x\r\n\r\nPlease bring it back.\r\n"))
	must(t, err)
	now = noon.AddDate(0, 0, 2)
	return disk, &now, func() error {
		err := d.Seal(spool.Envelope{Sender: "a@example.org", Recipients: []string{"b@example.net"}, QueuedAt: noon})
		if err == nil {
			_, err = f.Commit(t.Context(), d)
		}
		if err != nil {
			d.Abort()
		}
		return err
	}
}

// TestOldFilesAreSwept: what a dead writer left goes after a day, and not before.
func TestOldFilesAreSwept(t *testing.T) {
	disk, clock, finish := slow(t)
	must(t, flush(disk.Open(nil), nil, nil))
	if names := disk.Names(Name); len(names) != 1 {
		t.Fatalf("a fresh file: %q", names)
	}
	must(t, flushAt(t.Context(), *clock, disk.Open(nil), nil, nil))
	if left := append(disk.Names(Name), disk.Names(asideDir)...); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if err := finish(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a writer whose file was swept: %v", err)
	}
}

var errNever = errors.New("the writer never came back")

// TestWriterAndSweeperMeet: at every step of the run that sweeps, the writer comes back
// and finishes. What it answers for is sent, once.
func TestWriterAndSweeperMeet(t *testing.T) {
	kept, refused := 0, 0
	for k, last := 1, 1; k <= last; k++ {
		disk, clock, finish := slow(t)
		n, answer := 0, errNever
		sweeper := watch(disk.Open(nil), func() {
			if n++; n == k {
				answer = finish()
			}
		})
		counts := map[spool.ID]int{}
		count := func(id spool.ID, _ string) { counts[id]++ }
		must(t, flushAt(t.Context(), *clock, sweeper, nil, count))
		last = max(last, n)
		for days := range 3 {
			must(t, flushAt(t.Context(), clock.AddDate(0, 0, days), disk.Open(nil), nil, count))
		}
		total := 0
		for _, sent := range counts {
			total += sent
		}
		if (answer == nil) != (total == 1) || total > 1 {
			t.Errorf("back at step %d of %d: %v, and sent %d times", k, last, answer, total)
		}
		if answer == nil {
			kept++
		} else {
			refused++
		}
		if left := append(disk.Names(Name), disk.Names(asideDir)...); len(left) > 0 {
			t.Errorf("back at step %d: left: %q", k, left)
		}
	}
	if kept == 0 || refused == 0 {
		t.Errorf("%d came back in time, %d too late", kept, refused)
	}
}

// TestSweeperDies: a run dies over a file that it had taken the name from.
func TestSweeperDies(t *testing.T) {
	for _, finished := range []bool{false, true} {
		disk, clock, finish := slow(t)
		dying := disk.Open(func(s simfs.Step) error {
			if s.Op == "unlink" {
				return simfs.ErrDead
			}
			return nil
		})
		if err := flushAt(t.Context(), *clock, dying, nil, nil); !errors.Is(err, simfs.ErrDead) {
			t.Fatal(err)
		}
		disk.Kill(dying)
		if finished {
			if err := finish(); err == nil {
				t.Fatal("a file without its name is handed in")
			}
		}
		must(t, flushAt(t.Context(), clock.AddDate(0, 0, 2), disk.Open(nil), nil, func(id spool.ID, _ string) { t.Errorf("%s is sent", id) }))
		if left := append(disk.Names(Name), disk.Names(asideDir)...); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
}
