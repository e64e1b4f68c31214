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

// A story is something that happens to a spool, and what may be true of the
// message when it was cut short, and what must be true once it returned nil.
type story struct {
	name   string
	before func(*Store) error // undisturbed
	tell   func(*Store) error // each step of this is a place to die
	half   []string           // the states allowed when tell was cut short
	whole  string             // the state when tell returned nil
}

const (
	absent    = "absent"
	queued    = "queued"
	deferred  = "queued, next send 500"
	heldState = "held"
	inFailed  = "failed"
)

const theID = spool.ID("0CKRP4W3R1A9B8C7")

var theBody = bytes.Repeat([]byte("0123456789abcde\r\n"), 300)

func putIt(s *Store) error { return putWith(s) }

// putWith queues the message to which so much has happened in another spool.
func putWith(s *Store, events ...spool.Event) error {
	d, err := s.New(context.Background(), theID)
	if err != nil {
		return err
	}
	defer d.Abort()
	return seal(s, d, func() error { return nil }, events...)
}

// putSynced queues the message as a group commit does: it is synced ahead.
func putSynced(s *Store) error {
	d, err := s.New(context.Background(), theID)
	if err != nil {
		return err
	}
	defer d.Abort()
	return seal(s, d, d.(*draft).Sync)
}

// seal writes, seals and commits a message. before is called before the commit.
func seal(s *Store, d spool.Draft, before func() error, events ...spool.Event) error {
	env := testEnvelope()
	env.QueuedAt = unixTime(100)
	_, err := d.Write(theBody)
	if err == nil {
		err = d.Seal(env, events...)
	}
	if err == nil {
		err = before()
	}
	if err == nil {
		_, err = s.Commit(context.Background(), d)
	}
	return err
}

// onIt claims the message and does something with it.
func onIt(do func(spool.Claim) error) func(*Store) error {
	return func(s *Store) error {
		e, err := spool.FindOne(context.Background(), s, theID)
		if err != nil {
			return err
		}
		c, err := s.Claim(context.Background(), e)
		if err != nil {
			return err
		}
		defer c.Release()
		return do(c)
	}
}

func unixTime(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func event(k spool.Kind, at int64) spool.Event { return spool.Event{Kind: k, At: unixTime(at)} }

func try(c spool.Claim) error {
	e := event(spool.Try, 200)
	e.N, e.Next = 1, unixTime(500)
	return c.Begin(e)
}

func deferIt(c spool.Claim) error {
	if err := try(c); err != nil {
		return err
	}
	e := event(spool.Result, 201)
	e.N, e.Next = 1, unixTime(500)
	e.Results = []spool.Answer{{Outcome: spool.Outcome{Class: spool.Deferred}, To: []int{0}}}
	return c.Append(e, spool.Now)
}

// delivered is the result of an attempt that is not in the record.
func delivered() spool.Event {
	e := event(spool.Result, 201)
	e.N, e.Results = 1, []spool.Answer{{Outcome: spool.Outcome{Class: spool.Delivered}, To: []int{0}}}
	return e
}

func both(first, second func(*Store) error) func(*Store) error {
	return func(s *Store) error { return errors.Join(first(s), second(s)) }
}

var (
	removeNow  = onIt(func(c spool.Claim) error { return c.Remove(spool.Event{}, spool.Now) })
	removeSoon = both(onIt(func(c spool.Claim) error { return c.Remove(delivered(), spool.Soon) }), func(s *Store) error { return s.Sync(context.Background()) })
	failIt     = onIt(func(c spool.Claim) error { return c.Fail(event(spool.GiveUp, 300)) })
	reviveIt   = onIt(func(c spool.Claim) error {
		e := event(spool.Retry, 400)
		e.Next = unixTime(400)
		return c.Revive(e)
	})
	holdIt = onIt(func(c spool.Claim) error { return c.Append(event(spool.Hold, 300), spool.Now) })
)

var stories = []story{
	{"enqueue", nil, putIt, []string{absent, queued}, queued},
	{"enqueue in a group", nil, putSynced, []string{absent, queued}, queued},
	{"defer", putIt, onIt(deferIt), []string{queued, deferred}, deferred},
	{"hold", putIt, holdIt, []string{queued, heldState}, heldState},
	{"deliver", putIt, removeSoon, []string{queued, absent}, absent},
	{"remove", putIt, removeNow, []string{queued, absent}, absent},
	{"fail", putIt, failIt, []string{queued, inFailed}, inFailed},
	{"revive", both(putIt, failIt), reviveIt, []string{inFailed, "queued, next send 400"}, "queued, next send 400"},
	{"remove failed", both(putIt, failIt), removeNow, []string{inFailed, absent}, absent},
	{"move a held one in", nil, func(s *Store) error { return putWith(s, event(spool.Hold, 300)) }, []string{absent, heldState}, heldState},
	{"move a failed one in", nil, func(s *Store) error { return putWith(s, event(spool.GiveUp, 300)) }, []string{absent, inFailed}, inFailed},
	{"put again", putIt, func(s *Store) error {
		if err := putIt(s); !errors.Is(err, spool.ErrExists) {
			return fmt.Errorf("put again: %w", err)
		}
		return nil
	}, []string{queued}, queued},
}

// stateOf repairs, as a flush does, and says where the message is: in exactly one
// place, whole, or nowhere. cut: the power was cut.
func stateOf(t *testing.T, disk *simfs.Disk, cut bool) string {
	t.Helper()
	s, err := Open("/spool", Options{FS: disk.Open(nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all []spool.Entry
	for range 2 { // the second time nothing is left to repair
		all = all[:0]
		keep := func(e spool.Entry) bool { all = append(all, e); return true }
		scanned := errors.Join(s.Scan(context.Background(), keep), s.ScanFailed(context.Background(), keep))
		found, err := s.Repair(context.Background())
		if scanned != nil || err != nil {
			t.Fatal(scanned, err)
		}
		for _, a := range found {
			// A power cut may leave just one half of an enqueue that was never acknowledged,
			// or take back the mark of a delivered body: shown to a person.
			if a.Moved != "" && !cut {
				t.Fatalf("something of ours was set aside: %+v", a)
			}
		}
	}
	if len(all) == 0 {
		if left := append(disk.Names(curDir), append(disk.Names(tmpDir), disk.Names(failedDir)...)...); len(left) > 0 {
			t.Fatalf("no message, and these files: %q", left)
		}
		return absent
	}
	if len(all) > 1 {
		t.Fatalf("one message, listed as %v", all)
	}
	return described(t, s, all[0])
}

func described(t *testing.T, s *Store, e spool.Entry) string {
	t.Helper()
	c, err := s.Claim(context.Background(), e)
	if errors.Is(err, spool.ErrGone) { // marked as done with: its removal is finished now
		if err := s.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		return absent
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	got := make([]byte, c.Body().Size())
	if _, err := c.Body().ReadAt(got, 0); err != nil || !bytes.Equal(got, theBody) {
		t.Fatalf("the message changed: %d octets, %v", len(got), err)
	}
	switch r := c.Record(); {
	case r.GivenUp:
		return inFailed
	case r.Held:
		return heldState
	case r.NextSendAt.Unix() != 100:
		return fmt.Sprintf("queued, next send %d", r.NextSendAt.Unix())
	}
	return queued
}

func allowed(st story, told error, got string) bool {
	if told == nil {
		return got == st.whole
	}
	for _, s := range st.half {
		if got == s {
			return true
		}
	}
	return false
}

// run tells a story in which step k of the telling goes wrong as given; k 0: none.
func run(t *testing.T, st story, k int, wrong error) (disk *simfs.Disk, steps int, told error) {
	t.Helper()
	disk = simfs.New()
	disk.Clock = func() int64 { return time.Now().Unix() } // as the store's
	if st.before != nil {
		s, err := Open("/spool", Options{FS: disk.Open(nil)})
		if err == nil {
			err = errors.Join(st.before(s), s.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	process := disk.Open(func(step simfs.Step) error {
		if steps++; steps == k {
			return wrong
		}
		return nil
	})
	s, err := Open("/spool", Options{FS: process})
	if err != nil {
		t.Fatal(err)
	}
	told = st.tell(s)
	disk.Kill(process)
	return disk, steps, told
}

func TestEveryStepIsAPlaceToDie(t *testing.T) {
	places := 0
	for _, st := range stories {
		_, steps, err := run(t, st, 0, nil)
		if err != nil {
			t.Fatalf("%s: %v", st.name, err)
		}
		for k := range steps + 1 {
			disk, _, told := run(t, st, k, simfs.ErrDead)
			places++
			if got := stateOf(t, disk, false); !allowed(st, told, got) {
				t.Errorf("%s, killed at step %d of %d (%v): %s", st.name, k, steps, told, got)
			}
		}
	}
	t.Logf("%d places to die", places)
}

func TestEveryStepCanFail(t *testing.T) {
	places := 0
	for _, st := range stories {
		_, steps, _ := run(t, st, 0, nil)
		for _, wrong := range []error{unix.EIO, unix.ENOSPC, unix.EROFS, unix.EDQUOT, simfs.ErrShort} {
			for k := 1; k <= steps; k++ {
				disk, _, told := run(t, st, k, wrong)
				places++
				if got := stateOf(t, disk, false); !allowed(st, told, got) {
					t.Errorf("%s, %v at step %d of %d (%v): %s", st.name, wrong, k, steps, told, got)
				}
			}
		}
	}
	t.Logf("%d failing steps", places)
}

// powerCuts is how often the dice are thrown for each place.
const powerCuts = 30

func TestPowerCutAtEveryStep(t *testing.T) {
	states := 0
	for _, st := range stories {
		_, steps, _ := run(t, st, 0, nil)
		for k := range steps + 1 {
			disk, _, told := run(t, st, k, simfs.ErrDead)
			for seed := range uint64(powerCuts) {
				states++
				after := disk.PowerCut(rand.New(rand.NewPCG(seed, uint64(k))))
				if got := stateOf(t, after, true); !allowed(st, told, got) {
					t.Fatalf("%s, power cut at step %d of %d (%v), seed %d: %s", st.name, k, steps, told, seed, got)
				}
			}
		}
	}
	t.Logf("%d states after a power cut", states)
}
