package maildir

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"testing"

	"notices/spool"
	"notices/spool/internal/fsys"
	"notices/spool/internal/simfs"
)

// These tests hold how the cost grows with the number of messages, in calls and not
// in seconds: a clock would only measure the machine.

// counting is an FS that counts what is asked of it.
type counting struct {
	fsys.FS
	mu         sync.Mutex
	calls      map[string]int
	open, most int // files open now, and at most
}

func (c *counting) note(call string) {
	c.mu.Lock()
	c.calls[call]++
	c.mu.Unlock()
}

func (c *counting) opened(n int) {
	c.mu.Lock()
	c.open += n
	c.most = max(c.most, c.open)
	c.mu.Unlock()
}

// take returns the calls since the last time, and begins to count anew.
func (c *counting) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls, c.most = map[string]int{}, c.open
	return calls
}

func (c *counting) Open(name string, flags int, perm uint32) (fsys.File, error) {
	c.note("open")
	f, err := c.FS.Open(name, flags, perm)
	if err != nil {
		return nil, err
	}
	c.opened(1)
	return &countingFile{f, c}, nil
}

func (c *counting) Rename(from, to string) error {
	c.note("rename")
	return c.FS.Rename(from, to)
}

func (c *counting) Unlink(name string) error {
	c.note("unlink")
	return c.FS.Unlink(name)
}

func (c *counting) SyncDir(name string) error {
	c.note("syncdir")
	return c.FS.SyncDir(name)
}

func (c *counting) List(name string, yield func([]byte) bool) error {
	c.note("list")
	return c.FS.List(name, yield)
}

func (c *counting) Stat(name string) (fsys.Info, error) {
	c.note("stat")
	return c.FS.Stat(name)
}

type countingFile struct {
	fsys.File
	c *counting
}

func (f *countingFile) ReadAt(p []byte, off int64) (int, error) {
	f.c.note("read")
	return f.File.ReadAt(p, off)
}

func (f *countingFile) ReadOnce(p []byte, off int64) (int, error) {
	f.c.note("read")
	return f.File.ReadOnce(p, off)
}

func (f *countingFile) WriteAt(p []byte, off int64) (int, error) {
	f.c.note("write")
	return f.File.WriteAt(p, off)
}

func (f *countingFile) Chmod(mode uint32) error {
	f.c.note("chmod")
	return f.File.Chmod(mode)
}

func (f *countingFile) Stat() (fsys.Info, error) {
	f.c.note("fstat")
	return f.File.Stat()
}

func (f *countingFile) Sync() error {
	f.c.note("sync")
	return f.File.Sync()
}

func (f *countingFile) Lock(wait bool) error {
	f.c.note("lock")
	return f.File.Lock(wait)
}

func (f *countingFile) Allocate(size int64) error {
	f.c.note("allocate")
	return f.File.Allocate(size)
}

func (f *countingFile) Close() error {
	f.c.note("close")
	f.c.opened(-1)
	return f.File.Close()
}

// counted is a spool of n messages whose calls are counted from now on.
func counted(t *testing.T, n int) (*Store, *counting, *simfs.Disk) {
	t.Helper()
	disk := simfs.New()
	c := &counting{FS: disk.Open(nil), calls: map[string]int{}}
	s, err := Open("/spool", Options{FS: c})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	s.soon.batch = 100
	var drafts []spool.Draft
	for i := range n {
		d, err := s.New(t.Context(), spool.ID(fmt.Sprintf("0CKRP4W3R1A9%04d", i)))
		must(t, err)
		_, err = d.Write([]byte("text\r\n"))
		must(t, err)
		must(t, d.Seal(testEnvelope()))
		drafts = append(drafts, d)
	}
	_, err = s.Commit(t.Context(), drafts...)
	must(t, err)
	c.take()
	return s, c, disk
}

func listed(t *testing.T, s *Store) (all []spool.Entry) {
	t.Helper()
	must(t, s.Scan(t.Context(), func(e spool.Entry) bool { all = append(all, e); return true }))
	return all
}

// wantCalls compares calls; what is not named must not have happened.
func wantCalls(t *testing.T, what string, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestListingOpensNothing(t *testing.T) {
	for _, n := range []int{1, 1000} {
		s, c, _ := counted(t, n)
		if got := len(listed(t, s)); got != n {
			t.Fatalf("%d of %d are listed", got, n)
		}
		found, err := s.Repair(t.Context())
		if len(found) > 0 || err != nil {
			t.Fatal(found, err)
		}
		wantCalls(t, fmt.Sprintf("listing %d", n), c.take(), map[string]int{"list": 2}) // cur and tmp
	}
}

// TestLookReadsTheSidecarOnly: status and list do this to every message.
func TestLookReadsTheSidecarOnly(t *testing.T) {
	const n = 20
	s, c, _ := counted(t, n)
	all := listed(t, s)
	c.take()
	for _, e := range all {
		_, body, err := s.Peek(t.Context(), e)
		must(t, err)
		if body.Stored() <= body.Size() {
			t.Errorf("%s takes %d octets of %d", e.ID, body.Stored(), body.Size())
		}
		must(t, body.Close())
	}
	wantCalls(t, "looking", c.take(), map[string]int{"open": n, "read": n, "close": n}) // and no stat
}

// TestChangeOfManySharesItsSyncs: hold, release and retry.
func TestChangeOfManySharesItsSyncs(t *testing.T) {
	const n = 1200
	s, c, _ := counted(t, n)
	all := listed(t, s)
	c.take()
	for _, e := range all {
		m, err := s.Claim(t.Context(), e)
		must(t, err)
		must(t, m.Append(event(spool.Hold, 300), spool.Soon))
		must(t, m.Release())
	}
	must(t, s.Sync(t.Context()))
	fewOpen(t, s, c)
	wantCalls(t, "holding", c.take(), map[string]int{
		"open": 2 * n, "close": 2 * n, "lock": n, "fstat": n, "read": n, "write": n, "rename": n, "sync": n})
}

// fewOpen: a process may be allowed no more than 1,024 open files. Here the syncer
// thinks that it is 300; what is looked at by loneBatch comes to more.
func fewOpen(t *testing.T, s *Store, c *counting) {
	t.Helper()
	if c.most > max(3*s.soon.batch, orphanBatch+10) {
		t.Errorf("%d files were open at once", c.most)
	}
	if c.open > 1 { // the history's
		t.Errorf("%d files are still open", c.open)
	}
}

// TestRemovalOfManySharesItsSyncs: deliveries and remove, from either folder.
func TestRemovalOfManySharesItsSyncs(t *testing.T) {
	const n = 1200
	s, c, disk := counted(t, n)
	all := listed(t, s)
	for i := range all[:n/2] {
		m, err := s.Claim(t.Context(), all[i])
		must(t, err)
		must(t, m.Fail(event(spool.GiveUp, 300)))
		all[i] = m.Entry()
	}
	c.take()
	for _, e := range all {
		m, err := s.Claim(t.Context(), e)
		must(t, err)
		must(t, m.Remove(spool.Event{}, spool.Soon))
	}
	must(t, s.Sync(t.Context()))
	fewOpen(t, s, c)
	calls := c.take()
	if got := calls["syncdir"]; got < 2 || got > n/10 {
		t.Errorf("%d folder syncs for %d messages", got, n)
	}
	if got := calls["sync"]; got < 2 || got > n/10 {
		t.Errorf("%d syncs of the history for %d messages", got, n)
	}
	delete(calls, "syncdir")
	delete(calls, "sync")
	calls["fstat"] = calls["fstat"] / n * n // and one each time the history was synced
	wantCalls(t, "removing", calls, map[string]int{
		"open": 2 * n, "close": 2 * n, "lock": n, "fstat": n, "read": n, "chmod": n, "unlink": 2 * n})
	if left := append(disk.Names(curDir), disk.Names(failedDir)...); len(left) > 0 {
		t.Errorf("%d names are left", len(left))
	}
}

// TestRepairOfManyListsSeldom: what a kill left of many deliveries is swept with a few
// listings, not with one for each.
func TestRepairOfManyListsSeldom(t *testing.T) {
	const n, others = 1000, 300
	s, c, disk := counted(t, n+others)
	for _, e := range listed(t, s)[:n] {
		m, err := s.Claim(t.Context(), e)
		must(t, err)
		must(t, c.FS.Unlink(sidecarOf(m.Entry())))
		must(t, m.(*claim).body.Chmod(doneMode))
		must(t, m.Release())
	}
	c.take()
	if got := len(listed(t, s)); got != others {
		t.Fatalf("%d are listed", got)
	}
	found, err := s.Repair(context.Background())
	must(t, err)
	if len(found) != n {
		t.Errorf("%d were swept", len(found))
	}
	fewOpen(t, s, c)
	if calls := c.take(); calls["list"] > 10 || calls["syncdir"] > 10 || calls["open"] > n {
		t.Errorf("sweeping %d: %v", n, calls)
	}
	if left := disk.Names(curDir); len(left) != 2*others {
		t.Errorf("%d names are left, want %d", len(left), 2*others)
	}
}
