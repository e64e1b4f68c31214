package maildir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"notices/spool"
	"notices/spool/internal/simfs"
)

// relayed is a service: a store that takes messages in and sends them, in files that it uses again.
type relayed struct {
	store     *Store
	committed []spool.ID // their Commit returned nil
	removed   []spool.ID // the same of Remove
	removing  spool.ID   // its Remove began last
}

const relayedMessages = 7

// relayedID is a different message in each file, though the file is the same.
func relayedID(n int) spool.ID { return spool.ID(fmt.Sprintf("1K1F1GZDD1J1W%03d", n)) }

// relayedBody is longer or shorter than the one before, and says whose it is in each line.
func relayedBody(id spool.ID) []byte {
	n := int(id[len(id)-1]) * 37 % 11
	return bytes.Repeat([]byte(string(id)+"\r\n"), 20+n)
}

func (r *relayed) put(id spool.ID) error {
	ctx := context.Background()
	d, err := r.store.New(ctx, id)
	if err != nil {
		return err
	}
	defer d.Abort()
	env := testEnvelope()
	env.MessageID = string(id)
	if _, err = d.Write(relayedBody(id)); err == nil {
		err = d.Seal(env)
	}
	if err == nil {
		_, err = r.store.Commit(ctx, d)
	}
	if err == nil {
		r.committed = append(r.committed, id)
	}
	return err
}

// send delivers a message.
func (r *relayed) send(id spool.ID) error {
	e := spool.Entry{ID: id, Next: testEnvelope().QueuedAt, State: spool.StateQueued}
	c, err := r.store.Claim(context.Background(), e)
	if err != nil {
		return err
	}
	defer c.Release()
	if err := try(c); err != nil {
		return err
	}
	got := make([]byte, c.Body().Size())
	if _, err := c.Body().ReadAt(got, 0); err == nil && !bytes.Equal(got, relayedBody(id)) {
		return fmt.Errorf("%s is sent with the body %.40q", id, got)
	}
	r.removing = id
	if err = c.Remove(delivered(), spool.Soon); err == nil {
		r.removed = append(r.removed, id)
	}
	return err
}

// all takes in each message and sends it, and keeps the last one. Whatever fails, it goes on with the
// next message; the first error is returned.
func (r *relayed) all() (failed error) {
	for n := range relayedMessages {
		err := r.put(relayedID(n))
		if err == nil && n < relayedMessages-1 {
			err = r.send(relayedID(n))
		}
		if failed == nil {
			failed = err
		}
	}
	return errors.Join(failed, r.store.Close())
}

// relay lets a service work until step k goes wrong.
func relay(t *testing.T, k int, wrong error) (disk *simfs.Disk, r *relayed, steps []simfs.Step, err error) {
	t.Helper()
	disk = simfs.New()
	process := disk.Open(func(step simfs.Step) error {
		if steps = append(steps, step); len(steps) == k {
			return wrong
		}
		return nil
	})
	store, err := Open("/spool", Options{FS: process, Reuse: 3})
	r = &relayed{store: store}
	if err == nil {
		err = r.all()
	}
	disk.Kill(process)
	return disk, r, steps, err
}

// check looks at what is left. Every message that was accepted and not sent is there, with its own
// text; a kill loses nothing, brings nothing back, and nothing is left over.
func (r *relayed) check(disk *simfs.Disk, cut bool) error {
	ctx := context.Background()
	s, err := Open("/spool", Options{FS: disk.Open(nil)})
	if err != nil {
		return err
	}
	defer s.Close()
	var found []spool.Entry
	var aside []string
	for range 2 {
		found = found[:0]
		keep := func(e spool.Entry) bool { found = append(found, e); return true }
		err := errors.Join(s.Scan(ctx, keep), s.ScanFailed(ctx, keep))
		anomalies, failed := s.Repair(ctx)
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		for _, a := range anomalies {
			if a.Moved != "" {
				aside = append(aside, a.Moved)
			}
		}
	}
	there := map[spool.ID]bool{}
	for _, e := range found {
		if there[e.ID] {
			return fmt.Errorf("%s is there twice", e.ID)
		}
		there[e.ID] = true
		if slices.Contains(r.removed, e.ID) && !cut {
			return fmt.Errorf("%s was sent and is there again", e.ID)
		}
		if err := own(s, e); err != nil && !(errors.Is(err, spool.ErrGone) && slices.Contains(r.removed, e.ID)) {
			return err
		}
	}
	for _, id := range r.committed {
		if !there[id] && !slices.Contains(r.removed, id) && id != r.removing {
			return fmt.Errorf("%s was accepted and is lost", id)
		}
	}
	if len(aside) > 0 && !cut {
		return fmt.Errorf("set aside: %q", aside)
	}
	if left := disk.Names(tmpDir); len(left) > 0 {
		return fmt.Errorf("left in tmp: %q", left)
	}
	return nil
}

// own claims a message and compares it with what was handed in.
func own(s *Store, e spool.Entry) error {
	c, err := s.Claim(context.Background(), e)
	if err != nil {
		return err
	}
	defer c.Release()
	got := make([]byte, c.Body().Size())
	if _, err := c.Body().ReadAt(got, 0); err != nil || !bytes.Equal(got, relayedBody(e.ID)) {
		return fmt.Errorf("%s has the text %.40q, %w", e.ID, got, err)
	}
	if env := c.Record().Envelope; env.MessageID != string(e.ID) {
		return fmt.Errorf("%s has the envelope of %s", e.ID, env.MessageID)
	}
	return nil
}

// TestReuse: from the fourth message on, each has the files of an earlier one.
func TestReuse(t *testing.T) {
	disk, r, steps, err := relay(t, 0, nil)
	must(t, errors.Join(err, r.check(disk, false)))
	made := map[string]bool{}
	for _, s := range steps {
		if s.Op == "create" && strings.HasPrefix(s.Name, tmpDir) {
			made[s.Name] = true
		}
	}
	if len(made) != 6 {
		t.Errorf("%d messages made the files %v", relayedMessages, made)
	}
	if len(r.removed) != relayedMessages-1 {
		t.Errorf("sent: %q", r.removed)
	}
}

func TestReuseKilledAtEveryStep(t *testing.T) {
	_, _, steps, _ := relay(t, 0, nil)
	for k := range len(steps) + 1 {
		disk, r, steps, _ := relay(t, k, simfs.ErrDead)
		if err := r.check(disk, false); err != nil {
			t.Errorf("killed at step %d, %v: %v", k, steps[len(steps)-1], err)
		}
	}
}

func TestReuseFailingAtEveryStep(t *testing.T) {
	_, _, steps, _ := relay(t, 0, nil)
	for _, wrong := range []error{unix.EIO, unix.ENOSPC, unix.EROFS, simfs.ErrShort} {
		for k := range len(steps) + 1 {
			disk, r, steps, _ := relay(t, k, wrong)
			if err := r.check(disk, false); err != nil {
				t.Errorf("%v at step %d, %v: %v", wrong, k, steps[max(0, k-1)], err)
			}
		}
	}
}

// TestReusePowerCut: what was accepted stays, and no file ever has the text of one message and the
// name of another.
func TestReusePowerCut(t *testing.T) {
	_, _, steps, _ := relay(t, 0, nil)
	for k := range len(steps) + 1 {
		disk, r, steps, _ := relay(t, k, simfs.ErrDead)
		for seed := range uint64(powerCuts) {
			if err := r.check(disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k)))), true); err != nil {
				t.Fatalf("power cut at step %d, %v, seed %d: %v", k, steps[len(steps)-1], seed, err)
			}
		}
	}
}

// TestReusePeek: whoever looks at messages while their files change hands sees the message or that
// it has left, never another one's text or envelope.
func TestReusePeek(t *testing.T) {
	dir := t.TempDir()
	store, err := Open(dir, Options{Reuse: 4})
	must(t, err)
	defer store.Close()
	other, err := Open(dir, Options{})
	must(t, err)
	defer other.Close()
	over := make(chan struct{})
	var peeking sync.WaitGroup
	for range 4 {
		peeking.Go(func() {
			for seen := 0; ; seen++ {
				select {
				case <-over:
					return
				default:
				}
				if err := peekAll(other); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	r := &relayed{store: store}
	for n := range 300 {
		id := relayedID(n)
		must(t, errors.Join(r.put(id), r.send(id)))
	}
	close(over)
	peeking.Wait()
	if _, err := other.Repair(t.Context()); err != nil {
		t.Error(err)
	}
}

func peekAll(s *Store) error {
	var found []spool.Entry
	err := s.Scan(context.Background(), func(e spool.Entry) bool { found = append(found, e); return true })
	for _, e := range found {
		rec, body, gone := s.Peek(context.Background(), e)
		if gone != nil {
			if !errors.Is(gone, spool.ErrGone) {
				return gone
			}
			continue
		}
		got := make([]byte, body.Size())
		_, gone = body.ReadAt(got, 0)
		body.Close()
		switch {
		case rec.Envelope.MessageID != string(e.ID):
			return fmt.Errorf("%s has the envelope of %s", e.ID, rec.Envelope.MessageID)
		case gone == nil && !bytes.Equal(got, relayedBody(e.ID)):
			return fmt.Errorf("%s has the text %.40q", e.ID, got)
		case gone != nil && !errors.Is(gone, spool.ErrGone):
			return gone
		}
	}
	return err
}

// TestRecent: what was queued just now is the process's own for a moment; if nobody there wants it,
// others can have it.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := simfs.New()
		s, err := Open("/spool", Options{FS: disk.Open(nil), Reuse: 1})
		must(t, err)
		other, err := Open("/spool", Options{FS: disk.Open(nil)})
		must(t, err)
		r := &relayed{store: s}
		must(t, errors.Join(r.put(relayedID(0)), r.put(relayedID(1))))
		claim := func(n int) error {
			return own(other, spool.Entry{ID: relayedID(n), Next: testEnvelope().QueuedAt, State: spool.StateQueued})
		}
		if err := claim(0); !errors.Is(err, spool.ErrBusy) {
			t.Errorf("what was queued just now: %v", err)
		}
		must(t, claim(1)) // there was no room for it
		time.Sleep(2 * time.Second)
		synctest.Wait()
		must(t, errors.Join(claim(0), r.send(relayedID(0)), other.Close(), s.Close()))
	})
}

// TestReuseIdle: mail that was sent does not stay on the disk for the sake of mail that never comes.
func TestReuseIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := simfs.New()
		s, err := Open("/spool", Options{FS: disk.Open(nil), Reuse: 9})
		must(t, err)
		r := &relayed{store: s}
		for n := range 5 {
			must(t, errors.Join(r.put(relayedID(n)), r.send(relayedID(n))))
		}
		if kept := disk.Names(tmpDir); len(kept) == 0 {
			t.Error("nothing is kept")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := append(disk.Names(tmpDir), disk.Names(curDir)...); len(left) > 0 {
			t.Errorf("after a minute there are %q", left)
		}
		must(t, errors.Join(r.put(relayedID(7)), r.send(relayedID(7)), s.Close()))
		if left := append(disk.Names(tmpDir), disk.Names(curDir)...); len(left) > 0 {
			t.Errorf("after the end there are %q", left)
		}
	})
}
