package intake

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/faulty"
	"notices/spool/maildirtest"
)

// batch adds n messages to a Bulk and commits them at once.
func batch(t *testing.T, store spool.Store, n int) (ids []spool.ID, before int, err error) {
	t.Helper()
	known, release, err := store.Imported(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	at := now // of messages of one microsecond, two in thirty million have the same id
	tick := func() time.Time { at = at.Add(time.Microsecond); return at }
	b := (&Intake{Store: store, Site: site, Now: tick}).Bulk(sha256.New, known, nil)
	for i := range n {
		known, err := b.Add(t.Context(), Request{Body: strings.NewReader(sample(i, 100))})
		if err != nil {
			t.Fatal(err)
		}
		if known {
			before++
		}
	}
	ids, err = b.Commit(t.Context())
	if len(b.drafts)+len(b.sealed) > 0 || b.octets != 0 {
		t.Errorf("something waits behind a Commit: %+v", b)
	}
	return ids, before, err
}

// TestBulkQueuesWhatFits: the commit of some messages goes well, of more not. Those are
// queued, in order, and a second run queues the rest and nothing twice.
func TestBulkQueuesWhatFits(t *testing.T) {
	const n = 15
	for fits := range n + 1 {
		s := maildirtest.New()
		faulty := faulty.New(s, faulty.Plan{
			At: fits + 1, Always: true, Err: unix.ENOSPC,
			Match: func(c faulty.Call) bool { return c.Method == "Commit" },
		})
		ids, _, err := batch(t, faulty, n)
		if len(ids) != fits || errors.Is(err, unix.ENOSPC) != (fits < n) {
			t.Fatalf("room for %d: %d are queued, %v", fits, len(ids), err)
		}
		rest, before, err := batch(t, s, n)
		if len(rest) != n-fits || before != fits || err != nil {
			t.Fatalf("room for %d, then for all: %d and %d, %v", fits, len(rest), before, err)
		}
		subjects := queuedSubjects(t, s)
		if len(subjects) != n || len(slices.Compact(subjects)) != n {
			t.Fatalf("room for %d, then for all: the spool has %q", fits, subjects)
		}
	}
}

// queuedSubjects reads all messages.
func queuedSubjects(t *testing.T, s spool.Store) (subjects []string) {
	t.Helper()
	err := s.Scan(t.Context(), func(e spool.Entry) bool {
		_, body, err := s.Peek(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, body.Size())
		if _, err := body.ReadAt(text, 0); err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "Subject: ")
		subject, _, _ := strings.Cut(rest, "\r\n")
		subjects = append(subjects, subject)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(subjects)
	return subjects
}

// fullDisk is a store on a disk with room for so many messages: the drafts take theirs
// when they are written, and nothing is left for a commit when there are too many.
type fullDisk struct {
	spool.Store
	room, there int
	failing     error
	commits     int
}

type fullDraft struct {
	spool.Draft
	disk *fullDisk
	over bool
}

func (f *fullDisk) New(ctx context.Context, id spool.ID) (spool.Draft, error) {
	d, err := f.Store.New(ctx, id)
	f.there++
	return &fullDraft{Draft: d, disk: f}, err
}

func (d *fullDraft) Abort() error {
	if !d.over {
		d.disk.there--
	}
	d.over = true
	return d.Draft.Abort()
}

func (f *fullDisk) Commit(ctx context.Context, drafts ...spool.Draft) (int, error) {
	if f.commits++; f.there > f.room {
		return 0, f.failing
	}
	inner := make([]spool.Draft, len(drafts))
	for i, d := range drafts {
		inner[i], d.(*fullDraft).over = d.(*fullDraft).Draft, true
	}
	return f.Store.Commit(ctx, inner...)
}

// TestBulkMakesRoom: what is dropped makes room for the others, and little more is
// dropped than must be.
func TestBulkMakesRoom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 64).Draw(rt, "messages")
		room := rapid.IntRange(0, n+1).Draw(rt, "room")
		s := maildirtest.New()
		disk := &fullDisk{Store: s, room: room, failing: unix.EDQUOT}
		ids, _, err := batch(t, disk, n)
		must := max(n-room, 0) // be dropped
		if errors.Is(err, unix.EDQUOT) != (must > 0) || len(ids) < n-2*must || len(ids) > room || disk.there != len(ids) || disk.commits > 10 {
			rt.Errorf("%d messages, room for %d: %d are queued in %d commits, %v", n, room, len(ids), disk.commits, err)
		}
		if got := len(queuedSubjects(t, s)); got != len(ids) {
			rt.Errorf("%d are told to be queued, %d are", len(ids), got)
		}
	})
}

// TestBulkGivesUp: on any other trouble nothing is tried again.
func TestBulkGivesUp(t *testing.T) {
	for _, failing := range []error{unix.EIO, errors.Join(spool.ErrUnsure, unix.ENOSPC)} {
		s := maildirtest.New()
		disk := &fullDisk{Store: s, failing: failing}
		ids, _, err := batch(t, disk, 9)
		if len(ids) != 0 || !errors.Is(err, failing) || disk.commits != 1 || disk.there != 0 {
			t.Errorf("%v: %d queued, %v, %d commits, %d drafts left", failing, len(ids), err, disk.commits, disk.there)
		}
	}
}

// TestBulkAgainGoesOn: an import again that was interrupted is gone on with under its
// name, with another it begins anew. What it queued is known to imports that are not again.
func TestBulkAgainGoesOn(t *testing.T) {
	c := newCounter(t)
	a, b, d := sample(1, 100), sample(2, 100), sample(3, 100)
	c.wants("first", 2, [3]int{2, 0, 0}, nil, a, b)
	c.wants("again, interrupted", 4, [3]int{2, 0, 0}, &Again{1}, a, a)
	c.wants("gone on with", 6, [3]int{2, 2, 0}, &Again{1}, a, a, b, d)
	c.wants("gone on with when it was over", 6, [3]int{0, 4, 0}, &Again{1}, a, a, b, d)
	c.wants("not again", 6, [3]int{0, 4, 0}, nil, a, a, b, d)
	c.wants("not again, one more", 7, [3]int{1, 2, 0}, nil, b, b, d)
	c.wants("again anew", 11, [3]int{4, 0, 0}, &Again{2}, a, a, b, d)
	if left, _ := filepath.Glob(c.dir + "/import/.*"); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}
