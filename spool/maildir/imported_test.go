package maildir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/simfs"
	"notices/spool/maildir/imports"
	"notices/spool/maildir/lines"
	"notices/spool/maildir/sidecar"
	"notices/spool/storetest"
)

// importIDs are the messages of the tests: the first ones in a batch of before, the
// others in the one that is disturbed.
var importIDs = []spool.ID{"0CKRP4W3R1A9B8C0", "0CKRP4W3R1A9B8C1", "0CKRP4W3R1A9B8C2", "0CKRP4W3R1A9B8C3"}

// disturbed imports the first message, and then the others, of which step k goes wrong.
func disturbed(t *testing.T, k int, wrong error) (disk *simfs.Disk, steps int, told error) {
	t.Helper()
	disk, steps, _, told = disturbedBatch(t, k, wrong)
	return disk, steps, told
}

// disturbedBatch tells too which messages were told to be queued.
func disturbedBatch(t *testing.T, k int, wrong error) (disk *simfs.Disk, steps int, queued []spool.ID, told error) {
	t.Helper()
	disk = simfs.New()
	undisturbed(t, disk, imported(t, importIDs[0]))
	process := disk.Open(func(simfs.Step) error {
		if steps++; steps == k {
			return wrong
		}
		return nil
	})
	s, err := Open("/spool", Options{FS: process})
	if err != nil {
		t.Fatal(err)
	}
	queued, told = storetest.Import(t.Context(), s, importIDs...)
	disk.Kill(process)
	return disk, steps, queued, told
}

// imported is an import that must go well.
func imported(t *testing.T, ids ...spool.ID) func(*Store) error {
	return func(s *Store) error {
		_, err := storetest.Import(t.Context(), s, ids...)
		return err
	}
}

func undisturbed(t *testing.T, disk *simfs.Disk, do func(*Store) error) {
	t.Helper()
	s, err := Open("/spool", Options{FS: disk.Open(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(do(s), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// sendAll takes every message out of the spool, and counts it.
func sendAll(t *testing.T, disk *simfs.Disk, sent map[spool.ID]int) {
	t.Helper()
	undisturbed(t, disk, func(s *Store) error { return storetest.Send(t.Context(), s, sent) })
}

// onceEach goes on with an import that was disturbed, with a flush before it or not,
// and checks that each message is sent exactly once and nothing is left over.
func onceEach(t *testing.T, disk *simfs.Disk, flushFirst bool) {
	t.Helper()
	sent := map[spool.ID]int{}
	if flushFirst {
		sendAll(t, disk, sent)
	}
	undisturbed(t, disk, imported(t, importIDs...))
	sendAll(t, disk, sent)
	sendAll(t, disk, sent)
	undisturbed(t, disk, imported(t, importIDs...))
	sendAll(t, disk, sent)
	for _, id := range importIDs {
		if sent[id] != 1 {
			t.Errorf("%s was sent %d times", id, sent[id])
		}
	}
	for _, dir := range []string{tmpDir, curDir, failedDir, asideDir} {
		if left := disk.Names(dir); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	}
	for _, name := range disk.Names(imports.Dir) {
		if strings.HasPrefix(name, imports.Dir+"/.") {
			t.Errorf("left over: %s", name)
		}
	}
}

// TestImportDiesAnywhere: whatever the step at which it is killed, run again it queues
// nothing twice and loses nothing, even if all was sent in between.
func TestImportDiesAnywhere(t *testing.T) {
	_, steps, err := disturbed(t, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k := 1; k <= steps && !t.Failed(); k++ {
		for _, flushFirst := range []bool{false, true} {
			disk, _, told := disturbed(t, k, simfs.ErrDead)
			if onceEach(t, disk, flushFirst); t.Failed() {
				t.Fatalf("killed at step %d of %d (%v), flush first: %v", k, steps, told, flushFirst)
			}
		}
	}
	t.Logf("%d places to die", steps)
}

func TestImportFailsAnywhere(t *testing.T) {
	_, steps, _ := disturbed(t, 0, nil)
	for _, wrong := range []error{unix.EIO, unix.ENOSPC, simfs.ErrShort} {
		for k := 1; k <= steps && !t.Failed(); k++ {
			disk, _, told := disturbed(t, k, wrong)
			if onceEach(t, disk, k%2 == 0); t.Failed() {
				t.Fatalf("%v at step %d of %d (%v)", wrong, k, steps, told)
			}
		}
	}
}

func TestImportLosesPowerAnywhere(t *testing.T) {
	_, steps, _ := disturbed(t, 0, nil)
	states := 0
	for k := 1; k <= steps+1; k++ {
		for seed := range uint64(powerCuts) {
			disk, _, told := disturbed(t, k, simfs.ErrDead)
			states++
			disk = disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
			if onceEach(t, disk, seed%2 == 0); t.Failed() {
				t.Fatalf("power cut at step %d of %d (%v), seed %d", k, steps, told, seed)
			}
		}
	}
	t.Logf("%d states after a power cut", states)
}

// TestImportDiesDuringRepair: a flush has swept tmp when an import is killed beside it, and
// then finds bodies in cur. They are not lost mail.
func TestImportDiesDuringRepair(t *testing.T) {
	_, steps, _ := disturbed(t, 0, nil)
	swept := 0
	for k := 1; k <= steps; k++ {
		disk, _, _ := disturbed(t, k, simfs.ErrDead)
		undisturbed(t, disk, func(s *Store) error {
			listed(t, s)
			r := &repair{folders: s.folders}
			r.dir(t.Context(), curDir, s.unbalancedCur.Swap(nil))
			for _, a := range r.found {
				if swept++; a.Moved != "" {
					t.Errorf("killed at step %d of %d: %+v", k, steps, a)
				}
			}
			return r.err
		})
		onceEach(t, disk, k%2 == 0)
	}
	if swept == 0 {
		t.Error("no body was found in cur")
	}
}

// TestImportMakesRoom: where a step finds the disk full, a batch is tried again with
// fewer messages. What is told to be queued then is as durable as ever, and the rest can
// be queued later.
func TestImportMakesRoom(t *testing.T) {
	_, steps, _ := disturbed(t, 0, nil)
	most := 0
	for k := 1; k <= steps; k++ {
		disk, _, queued, told := disturbedBatch(t, k, unix.ENOSPC)
		if told != nil && len(queued) > 0 {
			most++
		}
		disk = disk.PowerCut(rand.New(rand.NewPCG(7, uint64(k))))
		sent := map[spool.ID]int{}
		undisturbed(t, disk, func(s *Store) error {
			err := storetest.Send(t.Context(), s, sent)
			if errors.Is(told, spool.ErrUnsure) { // of what may be queued a part may come back
				return nil
			}
			return err
		})
		for _, id := range queued {
			if sent[id] != 1 {
				t.Errorf("full at step %d of %d (%v): %s was told to be queued, and is there %d times", k, steps, told, id, sent[id])
			}
		}
	}
	if most == 0 {
		t.Error("no batch was ever made smaller")
	}
}

// TestImportTrustsNoSecondSync: where a sync fails, what was to be written may be lost
// though the next one succeeds. So nothing is queued any more by that import.
func TestImportTrustsNoSecondSync(t *testing.T) {
	count := func(disk *simfs.Disk, fail int) (syncs int, queued []spool.ID) {
		failed, later := false, 0
		s, err := Open("/spool", Options{FS: disk.Open(func(step simfs.Step) error {
			if step.Op == "sync" || step.Op == "syncdir" {
				syncs++
			}
			if failed && step.Op == "rename" && strings.HasPrefix(step.Name, curDir) {
				later++
			}
			if fail > 0 && syncs == fail && !failed {
				failed = true
				return unix.ENOSPC
			}
			return nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		queued, err = storetest.Import(t.Context(), s, importIDs[1:]...)
		if failed && (err == nil || len(queued) > 0 || later > 0) {
			t.Errorf("sync %d failed, and then %d were queued: %v", fail, len(queued), err)
		}
		return syncs, queued
	}
	first := func() *simfs.Disk {
		disk := simfs.New()
		undisturbed(t, disk, imported(t, importIDs[0]))
		return disk
	}
	syncs, queued := count(first(), 0)
	if syncs < 9 || len(queued) != 3 {
		t.Fatalf("%d syncs, queued %v", syncs, queued)
	}
	for k := 1; k <= syncs; k++ {
		disk := first()
		count(disk, k)
		onceEach(t, disk, k%2 == 0)
	}
}

// TestFirstEnqueueDies: where the first message of a spool dies, the next one is queued
// all the same.
func TestFirstEnqueueDies(t *testing.T) {
	for k := 1; ; k++ {
		disk, steps, _ := run(t, stories[0], k, simfs.ErrDead)
		if k > steps {
			break
		}
		undisturbed(t, disk, func(s *Store) error {
			if err := putIt(s); !errors.Is(err, spool.ErrExists) {
				return err
			}
			return nil
		})
	}
}

// unlisted imports messages and removes the lines of the journal that say so.
func unlisted(t *testing.T, disk *simfs.Disk, ids ...spool.ID) {
	t.Helper()
	long := time.Unix(1e6, 0)
	journalNow(t, disk, long, imported(t, ids...))
	undisturbed(t, disk, func(s *Store) error {
		keys, release, err := s.Imported(t.Context(), long.AddDate(1, 0, 0))
		if len(keys) != len(ids) || len(disk.Names(imports.Dir)) > 1 {
			t.Fatalf("%d keys and %q", len(keys), disk.Names(imports.Dir))
		}
		return errors.Join(err, release())
	})
}

// TestRemovalKeepsTheKey: whatever happens while imported messages leave, by a kill, an error
// or a power cut at any step, an import that is run again queues none of them.
func TestRemovalKeepsTheKey(t *testing.T) {
	// leave takes all messages out, of which step k goes wrong.
	leave := func(d spool.Durability, k int, wrong error) (disk *simfs.Disk, steps int) {
		disk = simfs.New()
		unlisted(t, disk, importIDs...)
		process := disk.Open(func(simfs.Step) error {
			if steps++; steps == k {
				return wrong
			}
			return nil
		})
		s, err := Open("/spool", Options{FS: process})
		must(t, err)
		for i, e := range listed(t, s) {
			c, err := s.Claim(t.Context(), e)
			if err != nil {
				continue
			}
			if i == 0 {
				_ = c.Fail(event(spool.GiveUp, 300))
			} else {
				_ = c.Remove(spool.Event{}, d)
			}
			_ = c.Release()
		}
		_ = s.Sync(t.Context())
		disk.Kill(process)
		return disk, steps
	}
	states := 0
	check := func(disk *simfs.Disk, flushFirst bool, format string, args ...any) {
		states++
		if flushFirst {
			undisturbed(t, disk, func(s *Store) error {
				// A power cut may take back the mark of a body: then it is set aside.
				_ = storetest.Send(t.Context(), s, map[spool.ID]int{})
				return nil
			})
		}
		undisturbed(t, disk, func(s *Store) error {
			if queued, err := storetest.Import(t.Context(), s, importIDs...); err != nil || len(queued) > 0 {
				t.Errorf(format+": %q are queued again, %v", append(args, queued, err)...)
			}
			return nil
		})
	}
	for _, d := range []spool.Durability{spool.Soon, spool.Now} {
		_, steps := leave(d, 0, nil)
		for k := 1; k <= steps+1 && !t.Failed(); k++ {
			for _, wrong := range []error{simfs.ErrDead, unix.EIO, unix.ENOSPC, simfs.ErrShort} {
				disk, _ := leave(d, k, wrong)
				for seed := range uint64(powerCuts / 3) {
					cut := disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
					check(cut, seed%2 == 0, "%v at step %d of %d, then a power cut, seed %d", wrong, k, steps, seed)
				}
				check(disk, k%2 == 0, "%v at step %d of %d", wrong, k, steps)
			}
		}
	}
	t.Logf("%d states", states)
}

// TestFullDiskLetsMessagesLeave: the keys of messages that left while the journal could not
// be written wait in their sidecars.
func TestFullDiskLetsMessagesLeave(t *testing.T) {
	disk := simfs.New()
	unlisted(t, disk, importIDs...)
	full, err := Open("/spool", Options{FS: disk.Open(func(s simfs.Step) error {
		if s.Op == "write" {
			return unix.ENOSPC
		}
		return nil
	})})
	must(t, err)
	must(t, storetest.Send(t.Context(), full, map[spool.ID]int{}))
	must(t, full.Close())
	if left := disk.Names(curDir); len(left) > 0 {
		t.Errorf("left in cur: %q", left)
	}
	onceEachLeft(t, disk)
}

// onceEachLeft: all messages were sent, and an import knows that.
func onceEachLeft(t *testing.T, disk *simfs.Disk) {
	t.Helper()
	for range 2 { // the second time by the journal
		undisturbed(t, disk, func(s *Store) error {
			queued, err := storetest.Import(t.Context(), s, importIDs...)
			if len(queued) > 0 {
				t.Errorf("queued again: %q", queued)
			}
			return err
		})
		for _, name := range disk.Names(imports.Dir) {
			if strings.HasPrefix(name, imports.Dir+"/.") {
				t.Errorf("left over: %s", name)
			}
		}
	}
}

// journalNow is a store of which messages leave at that time.
func journalNow(t *testing.T, disk *simfs.Disk, now time.Time, do func(*Store) error) {
	t.Helper()
	s, err := Open("/spool", Options{FS: disk.Open(nil), Now: func() time.Time { return now }})
	must(t, err)
	must(t, errors.Join(do(s), s.Close()))
}

// TestJournalGoesWithTime: days that nobody needs any more go from the disk.
func TestJournalGoesWithTime(t *testing.T) {
	disk, day := simfs.New(), time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC)
	unlisted(t, disk, importIDs...)
	for _, id := range importIDs[:3] {
		journalNow(t, disk, day, func(s *Store) error {
			e, err := spool.FindOne(t.Context(), s, id)
			must(t, err)
			c, err := s.Claim(t.Context(), e)
			must(t, err)
			return c.Remove(spool.Event{}, spool.Now)
		})
		day = day.Add(20 * time.Hour)
	}
	for since, want := range map[string]int{"2026-11-24T23:30:00Z": 3, "2026-11-24T23:30:01Z": 2, "2026-11-26T00:00:00Z": 1, "2026-12-01T00:00:00Z": 0} {
		at, err := time.Parse(time.RFC3339, since)
		must(t, err)
		copied := disk.PowerCut(rand.New(rand.NewPCG(1, 2)))
		undisturbed(t, copied, func(s *Store) error {
			keys, release, err := s.Imported(t.Context(), at)
			if len(keys) != want+1 { // and one that is still queued
				t.Errorf("since %s %d keys are known, want %d", since, len(keys), want+1)
			}
			return errors.Join(err, release())
		})
		days := 0
		for _, name := range copied.Names(imports.Dir) {
			if strings.Contains(name, "/2026-") {
				days++
			}
		}
		if kept := map[int]int{3: 3, 2: 3, 1: 1, 0: 0}[want]; days != kept {
			t.Errorf("since %s there are files of %d days, want %d", since, days, kept)
		}
	}
}

// TestJournalDamaged: of a damaged file the good lines count, and what is added behind a
// torn one.
func TestJournalDamaged(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const name = imports.Dir + "/2026-11-24"
	made := simfs.New()
	unlisted(t, made, importIDs[:3]...)
	journalNow(t, made, now, func(s *Store) error { return storetest.Send(t.Context(), s, map[spool.ID]int{}) })
	whole := made.Read(name)
	line := (len(whole) - 1) / 3
	for what, damage := range map[string]func([]byte) []byte{
		"torn":     func(b []byte) []byte { return b[:len(b)-5] },
		"changed":  func(b []byte) []byte { b[line+lines.SumDigits+3] ^= 1; return b },
		"NULs":     func(b []byte) []byte { return append(b[line+1:], make([]byte, 1<<17)...) },
		"foreign":  func(b []byte) []byte { return append([]byte("what is this?\n"), b[line+1:]...) },
		"no space": func(b []byte) []byte { return append(bytes.ReplaceAll(b[:line+1], []byte(" "), nil), b[line+1:]...) },
	} {
		disk := simfs.New()
		unlisted(t, disk, importIDs[3])
		disk.Write(name, damage(bytes.Clone(whole)))
		journalNow(t, disk, now, func(s *Store) error { return storetest.Send(t.Context(), s, map[spool.ID]int{}) })
		undisturbed(t, disk, func(s *Store) error {
			keys, release, err := s.Imported(t.Context(), now)
			if len(keys) != 3 {
				t.Errorf("%s: %d keys are known, want all but one", what, len(keys))
			}
			return errors.Join(err, release())
		})
	}
}

// TestNotesOfAnOlderVersion: what it imported is known for its 30 days, but for what it died
// over.
func TestNotesOfAnOlderVersion(t *testing.T) {
	disk := simfs.New()
	undisturbed(t, disk, imported(t)) // makes the folders
	var notes []byte
	for i, id := range importIDs {
		notes = imports.Line{Keys: []spool.ImportKey{storetest.KeyOf(id)}, At: int64(100 + i), ID: id}.Append(notes)
	}
	disk.Write(imports.Dir+"/"+imports.NotesName, notes)
	line, _, err := sidecar.New(testEnvelope())
	must(t, err)
	disk.Write(imports.Path(importIDs[3]), line)
	for _, step := range []struct{ since, keys, files int }{{100, 3, 3}, {102, 1, 3}, {200, 0, 1}, {200, 0, 1}} {
		undisturbed(t, disk, func(s *Store) error {
			keys, release, err := s.Imported(t.Context(), time.Unix(int64(step.since), 0))
			if files := disk.Names(imports.Dir); len(keys) != step.keys || len(files) != step.files {
				t.Errorf("since %d: %d keys, files %q", step.since, len(keys), files)
			}
			return errors.Join(err, release())
		})
	}
}

// TestImportedMissesNoneThatMoves: keys are gathered while every message is renamed, moved,
// or leaves.
func TestImportedMissesNoneThatMoves(t *testing.T) {
	const n = 300
	s := open(t)
	var ids []spool.ID
	for i := range n {
		ids = append(ids, spool.ID(fmt.Sprintf("0CKRP4W3R1A9%04d", i)))
	}
	s.soon.journal.Now = func() time.Time { return time.Unix(1e6, 0) } // its lines are too old to help
	_, err := storetest.Import(t.Context(), s, ids...)
	must(t, err)
	s.soon.journal.Now = time.Now // Imported writes lines, too
	mover, err := Open(s.folders.dir, Options{})
	must(t, err)
	t.Cleanup(func() { mover.Close() })
	var wg sync.WaitGroup
	wg.Go(func() {
		for round := range 4 {
			for i, id := range ids {
				e, err := spool.FindOne(context.Background(), mover, id)
				if err != nil {
					continue
				}
				c, err := mover.Claim(context.Background(), e)
				if err != nil {
					t.Error(err)
					return
				}
				later := event(spool.Retry, 200)
				later.Next = unixTime(int64(1000*round + i))
				switch {
				case round == 3:
					err = c.Remove(spool.Event{}, spool.Soon)
				case (round+i)%3 == 0 && e.State == spool.StateFailed:
					err = c.Revive(later)
				case (round+i)%3 == 0:
					err = c.Fail(later)
				default:
					err = c.Append(later, spool.Lazy)
				}
				if err = errors.Join(err, c.Release()); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	for i := 0; i < 40 && !t.Failed(); i++ {
		keys, release, err := s.Imported(t.Context(), time.Unix(1e9, 0))
		must(t, err)
		must(t, release())
		if len(keys) != n {
			t.Errorf("%d keys of %d", len(keys), n)
		}
	}
	wg.Wait()
}

// TestTornJournalHidesNoKey: of a message that is queued all keys are known, wherever its
// line in the journal is torn.
func TestTornJournalHidesNoKey(t *testing.T) {
	disk := simfs.New()
	env := testEnvelope()
	env.ImportKeys = []spool.ImportKey{{1}, {2}}
	day := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	journalNow(t, disk, day, func(s *Store) error {
		d, err := s.New(t.Context(), theID)
		must(t, err)
		must(t, d.Seal(env))
		_, err = s.Commit(t.Context(), d)
		return err
	})
	const name = imports.Dir + "/2026-11-24"
	whole := disk.Read(name)
	if len(whole) < 80 {
		t.Fatalf("the journal is %q", whole)
	}
	for cut := range len(whole) + 1 {
		disk.Write(name, bytes.Clone(whole[:cut]))
		undisturbed(t, disk, func(s *Store) error {
			keys, release, err := s.Imported(t.Context(), day)
			if len(keys) != 2 {
				t.Errorf("cut at %d of %d: %d keys", cut, len(whole), len(keys))
			}
			return errors.Join(err, release())
		})
	}
}
