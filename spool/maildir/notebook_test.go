package maildir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/simfs"
)

// notedIDs are the messages of the tests: the first ones in a batch of before, the
// others in the one that is disturbed.
var notedIDs = []spool.ID{"0CKRP4W3R1A9B8C0", "0CKRP4W3R1A9B8C1", "0CKRP4W3R1A9B8C2", "0CKRP4W3R1A9B8C3"}

func noteOf(id spool.ID) (n spool.Note) {
	copy(n[:], id)
	return n
}

var longAgo = time.Unix(0, 0)

// importThem does what an import does: it queues in one batch what has no note.
func importThem(s *Store, ids ...spool.ID) error {
	ctx := context.Background()
	book, err := s.Notebook(ctx, longAgo)
	if err != nil {
		return err
	}
	defer book.Close()
	var drafts []spool.Draft
	var notes []spool.Note
	defer func() {
		for _, d := range drafts {
			d.Abort()
		}
	}()
	for _, id := range ids {
		if book.Has(noteOf(id)) {
			continue
		}
		d, err := book.New(ctx, id)
		if err != nil {
			return err
		}
		drafts, notes = append(drafts, d), append(notes, noteOf(id))
		env := testEnvelope()
		env.QueuedAt = unixTime(100)
		if _, err = d.Write(theBody); err == nil {
			err = d.Seal(env)
		}
		if err != nil {
			return err
		}
	}
	n, err := book.Commit(ctx, notes, drafts...)
	if err == nil && n != len(drafts) {
		err = fmt.Errorf("%d of %d are queued, and no error", n, len(drafts))
	}
	return err
}

// disturbed imports the first message, and then the others, of which step k goes wrong.
func disturbed(t *testing.T, k int, wrong error) (disk *simfs.Disk, steps int, told error) {
	t.Helper()
	disk = simfs.New()
	undisturbed(t, disk, func(s *Store) error { return importThem(s, notedIDs[0]) })
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
	told = importThem(s, notedIDs...)
	disk.Kill(process)
	return disk, steps, told
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

// sendAll takes every message out of the spool, as a flush does that delivers it, and
// counts it. What is damaged or set aside fails the test.
func sendAll(t *testing.T, disk *simfs.Disk, sent map[spool.ID]int) {
	t.Helper()
	undisturbed(t, disk, func(s *Store) error {
		var all []spool.Entry
		err := s.Scan(t.Context(), func(e spool.Entry) bool { all = append(all, e); return true })
		for _, e := range all {
			c, err := s.Claim(t.Context(), e)
			if err != nil {
				return err
			}
			got := make([]byte, c.Body().Size())
			if _, err := c.Body().ReadAt(got, 0); err != nil || !bytes.Equal(got, theBody) {
				t.Errorf("%s changed: %d octets, %v", e.ID, len(got), err)
			}
			sent[e.ID]++
			if err := c.Remove(spool.Now); err != nil {
				return err
			}
		}
		found, err2 := s.Repair(t.Context())
		for _, a := range found {
			if a.Moved != "" {
				t.Errorf("set aside: %+v", a)
			}
		}
		return errors.Join(err, err2)
	})
}

// onceEach goes on with an import that was disturbed, with a flush before it or not,
// and checks that each message is sent exactly once and nothing is left over.
func onceEach(t *testing.T, disk *simfs.Disk, flushFirst bool) {
	t.Helper()
	sent := map[spool.ID]int{}
	if flushFirst {
		sendAll(t, disk, sent)
	}
	undisturbed(t, disk, func(s *Store) error { return importThem(s, notedIDs...) })
	sendAll(t, disk, sent)
	sendAll(t, disk, sent)
	undisturbed(t, disk, func(s *Store) error { return importThem(s, notedIDs...) })
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

// TestNotesExpire: what is too old is forgotten, and in time the file is written anew.
func TestNotesExpire(t *testing.T) {
	disk := simfs.New()
	sent := map[spool.ID]int{}
	undisturbed(t, disk, func(s *Store) error { return importThem(s, notedIDs...) })
	long := len(disk.Read(notesName))
	sendAll(t, disk, sent)
	has := func(since time.Time) (known int) {
		undisturbed(t, disk, func(s *Store) error {
			book, err := s.Notebook(t.Context(), since)
			if err != nil {
				return err
			}
			for _, id := range notedIDs {
				if book.Has(noteOf(id)) {
					known++
				}
			}
			return book.Close()
		})
		return known
	}
	if n := has(unixTime(100)); n != 4 { // they were queued at 100
		t.Errorf("%d of 4 are known", n)
	}
	if n := has(unixTime(101)); n != 0 {
		t.Errorf("%d are known after their time", n)
	}
	if now := len(disk.Read(notesName)); now != 0 || long == 0 {
		t.Errorf("%d octets of notes, %d after their time", long, now)
	}
}

// TestNotesDamaged: of a damaged file the good lines count.
func TestNotesDamaged(t *testing.T) {
	disk := simfs.New()
	undisturbed(t, disk, func(s *Store) error { return importThem(s, notedIDs...) })
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
			book, err := s.Notebook(t.Context(), longAgo)
			if err != nil {
				return err
			}
			known := 0
			for _, id := range notedIDs {
				if book.Has(noteOf(id)) {
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
	f.Add(notedMessage{noteOf(theID), 100, theID}.append(nil))
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
