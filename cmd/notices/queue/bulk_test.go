package queue

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
	w.T.Helper()
	for i := range n {
		ids = append(ids, fmt.Sprintf("A%04d", i))
		w.Queue(spool.ID(ids[i]), "a@example.net")
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

// TestManyIDsShareTheirListings: also ids that do not exist.
func TestManyIDsShareTheirListings(t *testing.T) {
	w := newWorld(t)
	ids := w.many(100)
	for i := range 500 {
		ids = append(ids, fmt.Sprintf("gone%d", i))
	}
	counted := faulty.New(w.Store, faulty.Plan{})
	w.q.Store = counted
	if code := app.ExitCode(w.q.Hold(context.Background(), Selection{IDs: ids})); code != app.ExitUnknown {
		t.Errorf("exit %d", code)
	}
	if n := listings(counted); n > 4 {
		t.Errorf("%d listings for %d ids", n, len(ids))
	}
	if n := strings.Count(w.Said.String(), "no such message"); n != 500 {
		t.Errorf("%d ids were told of as unknown", n)
	}
	if !w.Record("A0000").Held || !w.Record("A0099").Held {
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
	counted := faulty.New(w.Store, faulty.Plan{})
	w.q.Store = &movingStore{counted, func() {
		for i, id := range ids {
			c := w.Claim(spool.ID(id))
			if i%3 == 0 {
				w.Check(c.Remove(spool.Event{}, spool.Now))
			} else {
				w.Check(c.Append(spool.Event{Kind: spool.Postpone, At: w.Now, Next: w.Now.Add(300e9)}, spool.Now))
			}
			w.Check(c.Release())
		}
	}}
	w.Check(w.q.Hold(context.Background(), Selection{All: true}))
	for i, id := range ids {
		if i%3 != 0 && !w.Record(spool.ID(id)).Held {
			t.Fatalf("%s was not held", id)
		}
	}
	if n := listings(counted); n > 8 {
		t.Errorf("%d listings for %d messages", n, len(ids))
	}
	if w.Said.Len() > 0 {
		t.Errorf("said: %s", w.Said.String())
	}
}

// TestAnIDGivenTwiceIsOne: the second time there is nothing to complain of.
func TestAnIDGivenTwiceIsOne(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Check(w.q.Remove(context.Background(), Selection{IDs: []string{"A1", "A1"}}))
	if w.Said.Len() > 0 {
		t.Errorf("said: %s", w.Said.String())
	}
}

// TestBulkIsDurableOnceSaid: each message's sync waits for the others', but not for
// longer than the command takes.
func TestBulkIsDurableOnceSaid(t *testing.T) {
	w := newWorld(t)
	ids := w.many(40)
	w.Check(w.q.Remove(context.Background(), Selection{IDs: ids[:20]}))
	w.Check(w.q.Hold(context.Background(), Selection{All: true}))
	w.q.Store = w.Store.PowerCut()
	n := 0
	w.Check(w.q.Store.Scan(context.Background(), func(e spool.Entry) bool {
		n++
		r, body, err := w.q.Store.Peek(context.Background(), e) // the record rules, not the listing
		w.Check(err)
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
