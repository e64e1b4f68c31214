package maildir

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/simfs"
	"notices/spool/storetest"
)

// notedIDs are the messages of the tests: the first ones in a batch of before, the
// others in the one that is disturbed.
var notedIDs = []spool.ID{"0CKRP4W3R1A9B8C0", "0CKRP4W3R1A9B8C1", "0CKRP4W3R1A9B8C2", "0CKRP4W3R1A9B8C3"}

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
	undisturbed(t, disk, imports(t, notedIDs[0]))
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
	queued, told = storetest.Import(t.Context(), s, notedIDs...)
	disk.Kill(process)
	return disk, steps, queued, told
}

// imports is an import that must go well.
func imports(t *testing.T, ids ...spool.ID) func(*Store) error {
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
	undisturbed(t, disk, imports(t, notedIDs...))
	sendAll(t, disk, sent)
	sendAll(t, disk, sent)
	undisturbed(t, disk, imports(t, notedIDs...))
	sendAll(t, disk, sent)
	for _, id := range notedIDs {
		if sent[id] != 1 {
			t.Errorf("%s was sent %d times", id, sent[id])
		}
	}
	for _, dir := range []string{tmpDir, curDir, failedDir, asideDir} {
		if left := disk.Names(dir); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
	}
	for _, name := range disk.Names(importDir) {
		if name != notesName && name != notesLock && name != notesNew {
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
		sendAll(t, disk, sent)
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
		queued, err = storetest.Import(t.Context(), s, notedIDs[1:]...)
		if failed && (err == nil || len(queued) > 0 || later > 0) {
			t.Errorf("sync %d failed, and then %d were queued: %v", fail, len(queued), err)
		}
		return syncs, queued
	}
	first := func() *simfs.Disk {
		disk := simfs.New()
		undisturbed(t, disk, imports(t, notedIDs[0]))
		return disk
	}
	syncs, queued := count(first(), 0)
	if syncs < 5 || len(queued) != 3 {
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

// TestNotesGoWithTime: what is forgotten goes from the disk too when the file is written anew.
func TestNotesGoWithTime(t *testing.T) {
	disk := simfs.New()
	undisturbed(t, disk, imports(t, notedIDs...))
	long := len(disk.Read(notesName))
	undisturbed(t, disk, func(s *Store) error {
		book, err := s.Notebook(t.Context(), time.Now())
		if err != nil {
			return err
		}
		return book.Close()
	})
	if now := len(disk.Read(notesName)); now != 0 || long == 0 {
		t.Errorf("%d octets of notes, %d after their time", long, now)
	}
}

// TestNotesDamaged: of a damaged file the good lines count.
func TestNotesDamaged(t *testing.T) {
	disk := simfs.New()
	undisturbed(t, disk, imports(t, notedIDs...))
	whole := disk.Read(notesName)
	line := len(whole) / len(notedIDs)
	for name, damage := range map[string]func([]byte) []byte{
		"torn":     func(b []byte) []byte { return b[:len(b)-5] },
		"changed":  func(b []byte) []byte { b[line+sumDigits+3] ^= 1; return b },
		"NULs":     func(b []byte) []byte { return append(b[line:], make([]byte, 1<<17)...) },
		"foreign":  func(b []byte) []byte { return append([]byte("what is this?\n"), b[line:]...) },
		"no space": func(b []byte) []byte { return append(bytes.ReplaceAll(b[:line], []byte(" "), nil), b[line:]...) },
	} {
		disk.Write(notesName, damage(append([]byte(nil), whole...)))
		undisturbed(t, disk, func(s *Store) error {
			book, err := s.Notebook(t.Context(), time.Time{})
			if err != nil {
				return err
			}
			known := 0
			for _, id := range notedIDs {
				if book.Has(storetest.NoteOf(id)) {
					known++
				}
			}
			if known != len(notedIDs)-1 {
				t.Errorf("%s: %d notes are known, want all but one", name, known)
			}
			return book.Close()
		})
		if n := bytes.Count(disk.Read(notesName), []byte("\n")); n != len(notedIDs)-1 {
			t.Errorf("%s: %d lines are left", name, n)
		}
	}
}

func FuzzNotes(f *testing.F) {
	f.Add(notedMessage{storetest.NoteOf(theID), 100, theID}.append(nil))
	f.Add([]byte("0123456789abcdef 00 1 A\n"))
	f.Fuzz(func(t *testing.T, line []byte) {
		n, ok := parseNoted(line)
		if !ok {
			return
		}
		if again, ok := parseNoted(n.append(nil)); !ok || again != n || !n.id.Valid() {
			t.Errorf("%q is %v, and then %v", line, n, again)
		}
	})
}
