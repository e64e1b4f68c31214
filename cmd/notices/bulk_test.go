package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/faulty"
)

// many queues n messages.
func (w *world) many(n int) (ids []string) {
	w.t.Helper()
	for i := range n {
		ids = append(ids, fmt.Sprintf("A%04d", i))
		w.queued(spool.ID(ids[i]), "a@example.net")
	}
	return ids
}

// listings counts the calls that list the spool.
func listings(f *faulty.Store) (n int) {
	for _, c := range f.Calls() {
		switch c.Method {
		case "Scan", "ScanFailed", "Find":
			n++
		}
	}
	return n
}

// TestManyIDsShareTheirListings: also those that there are none of.
func TestManyIDsShareTheirListings(t *testing.T) {
	w := newWorld(t)
	ids := w.many(100)
	for i := range 500 {
		ids = append(ids, fmt.Sprintf("gone%d", i))
	}
	counted := faulty.New(w.store, faulty.Plan{})
	w.q.store = counted
	if code := exitCode(w.a.hold(context.Background(), w.q, selection{IDs: ids})); code != app.ExitUnknown {
		t.Errorf("exit %d", code)
	}
	if n := listings(counted); n > 4 {
		t.Errorf("%d listings for %d ids", n, len(ids))
	}
	if n := strings.Count(w.said.String(), "no such message"); n != 500 {
		t.Errorf("%d ids were told of as unknown", n)
	}
	if !w.record("A0000").Held || !w.record("A0099").Held {
		t.Error("not all are held")
	}
}

// movingStore renames messages right after they were listed, as a flush does.
type movingStore struct {
	spool.Store
	move func()
}

func (s *movingStore) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	err := s.Store.Scan(ctx, yield)
	if s.move != nil {
		s.move()
		s.move = nil
	}
	return err
}

// TestWhatMovedIsFoundAgain: a message that a flush defers or delivers between the
// listing and the claim is looked for again, all of them with one listing.
func TestWhatMovedIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	ids := w.many(300)
	counted := faulty.New(w.store, faulty.Plan{})
	w.q.store = &movingStore{counted, func() {
		for i, id := range ids {
			c := w.claimed(spool.ID(id))
			if i%3 == 0 {
				w.check(c.Remove(spool.Now))
			} else {
				w.check(c.Append(spool.Event{Kind: spool.Postpone, At: w.now, Next: w.now.Add(300e9)}, spool.Now))
			}
			w.check(c.Release())
		}
	}}
	w.check(w.a.hold(context.Background(), w.q, selection{All: true}))
	for i, id := range ids {
		if i%3 != 0 && !w.record(spool.ID(id)).Held {
			t.Fatalf("%s was not held", id)
		}
	}
	if n := listings(counted); n > 8 {
		t.Errorf("%d listings for %d messages", n, len(ids))
	}
	if w.said.Len() > 0 {
		t.Errorf("said: %s", w.said.String())
	}
}

// TestAnIDGivenTwiceIsOne: the second time there is nothing to complain of.
func TestAnIDGivenTwiceIsOne(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.check(w.a.remove(context.Background(), w.q, selection{IDs: []string{"A1", "A1"}}))
	if w.said.Len() > 0 {
		t.Errorf("said: %s", w.said.String())
	}
}

// TestBulkIsDurableOnceSaid: each message's sync waits for the others', but not for
// longer than the command takes.
func TestBulkIsDurableOnceSaid(t *testing.T) {
	w := newWorld(t)
	ids := w.many(40)
	w.check(w.a.remove(context.Background(), w.q, selection{IDs: ids[:20]}))
	w.check(w.a.hold(context.Background(), w.q, selection{All: true}))
	w.q.store = w.store.PowerCut()
	n := 0
	w.check(w.q.store.Scan(context.Background(), func(e spool.Entry) bool {
		n++
		r, body, err := w.q.store.Peek(context.Background(), e) // the record rules, not the listing
		w.check(err)
		body.Close()
		if !r.Held {
			t.Errorf("%s is not held after the power cut", e.ID)
		}
		return true
	}))
	if n != 20 {
		t.Errorf("%d are there after the power cut, want 20", n)
	}
}
