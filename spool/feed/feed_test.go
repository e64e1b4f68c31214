package feed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
)

// store has messages whose site is the first letter of their ids, and counts how often they are read.
type store struct {
	spool.Store
	reads int
	gone  spool.ID
}

type body struct{ spool.PeekedBody }

func (body) Close() error { return nil }

func (s *store) Peek(_ context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	s.reads++
	if e.ID == s.gone {
		return nil, nil, spool.ErrGone
	}
	return &spool.Record{Envelope: spool.Envelope{ID: e.ID, Site: string(e.ID[:1])}}, body{}, nil
}

// many is a store that reads many at once.
type many struct {
	store
	calls int
}

func (m *many) PeekMany(ctx context.Context, entries []spool.Entry, visit func(int, *spool.Record, spool.PeekedBody, error)) error {
	m.calls++
	for i, e := range slices.Backward(entries) {
		r, b, err := m.Peek(ctx, e)
		visit(i, r, b, err)
	}
	return nil
}

func entries(n int) iter.Seq[spool.Entry] {
	return func(yield func(spool.Entry) bool) {
		for i := range n {
			if !yield(spool.Entry{ID: spool.ID(fmt.Sprintf("%c%d", 'a'+i%3, i))}) {
				return
			}
		}
	}
}

func TestSites(t *testing.T) {
	single, several := &store{gone: "a0"}, &many{store: store{gone: "a0"}}
	for name, c := range map[string]struct {
		store spool.Store
		reads *int
	}{"one by one": {single, &single.reads}, "many at once": {several, &several.reads}} {
		t.Run(name, func(t *testing.T) {
			f := New()
			f.Queued(spool.Entry{ID: "b1"}, "b")
			look := func(n int) {
				t.Helper()
				got := map[spool.ID]string{}
				err := f.Sites(t.Context(), c.store, entries(n), func(site string, e spool.Entry) { got[e.ID] = site })
				if err != nil || len(got) != n {
					t.Fatalf("%d of %d, %v", len(got), n, err)
				}
				for id, site := range got {
					if want := string(id[:1]); site != want && id != "a0" && id != "b1" {
						t.Errorf("%s is of %q", id, site)
					}
				}
			}
			look(250)
			if n := *c.reads; n != 249 {
				t.Errorf("%d reads for 250 messages, one of which is in the feed", n)
			}
			look(250)
			if n := *c.reads; n != 250 {
				t.Errorf("%d reads after a second time: only a0 was not known", n)
			}
			f.Keep(slices.Values([]spool.Entry{{ID: "c2"}}))
			look(3)
			if n := *c.reads; n != 251 {
				t.Errorf("%d reads: c2 was to be kept", n)
			}
		})
	}
}

// TestSitesEnds: what there is no time for is left out.
func TestSitesEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := New().Sites(ctx, &store{}, entries(3), func(string, spool.Entry) { t.Error("added") })
	if err != nil {
		t.Error(err)
	}
}

type broken struct{ many }

func (*broken) PeekMany(context.Context, []spool.Entry, func(int, *spool.Record, spool.PeekedBody, error)) error {
	return errors.New("the database is away")
}

func TestSitesFails(t *testing.T) {
	if err := New().Sites(t.Context(), &broken{}, entries(3), func(string, spool.Entry) { t.Error("added") }); err == nil {
		t.Error("no error")
	}
}

// TestOnce: a message is in the feed once, also while it waits for its time.
func TestOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New()
		f.AddLater("a", Task{Entry: spool.Entry{ID: "A"}}, time.Minute)
		f.Queued(spool.Entry{ID: "A"}, "a")
		f.Queued(spool.Entry{ID: "B"}, "b")
		f.Queued(spool.Entry{ID: "B"}, "b")
		began := time.Now()
		for _, want := range []spool.ID{"B", "A"} {
			if task, ok := f.Take(t.Context()); !ok || task.Entry.ID != want {
				t.Fatalf("%v, %v", task, ok)
			}
		}
		if d := time.Since(began); d != time.Minute {
			t.Errorf("A came after %v", d)
		}
		f.Queued(spool.Entry{ID: "A"}, "a") // it was taken out
		if task, ok := f.Take(t.Context()); !ok || task.Entry.ID != "A" {
			t.Errorf("%v, %v", task, ok)
		}
	})
}
