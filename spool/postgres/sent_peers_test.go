//go:build peers

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"notices/spool"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
)

func sealed(t *testing.T, s spool.Store, id spool.ID, text []byte) spool.Draft {
	t.Helper()
	d, err := s.New(t.Context(), id)
	if err == nil {
		_, err = d.Write(text)
	}
	if err == nil {
		err = d.Seal(spool.Envelope{ID: id, Sender: "a@example.org", Recipients: []string{"b@example.net"}, QueuedAt: at(100)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sendAll delivers what is queued, up to most messages.
func sendAll(s spool.Store, sent map[spool.ID]int, most int) error {
	var all []spool.Entry
	err := s.Scan(context.Background(), func(e spool.Entry) bool { all = append(all, e); return len(all) < most })
	for _, e := range all {
		c, claimErr := s.Claim(context.Background(), e)
		if claimErr == nil {
			claimErr = c.Remove(result(spool.Delivered), spool.Soon)
		}
		if err = errors.Join(err, claimErr); err == nil {
			sent[e.ID]++
		}
	}
	return err
}

// TestSentBeforeAnswer: the answer to each statement of a Commit is lost, and another host sends what the
// database has before the Commit is tried again. It says that all is queued, and nothing is queued twice: with
// a history and without, whether that host has sent one message or all.
func TestSentBeforeAnswer(t *testing.T) {
	p, places := startProxy(t), 0
	for _, noHistory := range []bool{false, true} {
		name := newDatabase(t)
		other, err := postgres.Open(t.Context(), postgres.Options{URL: server.URL(name), NoHistory: noHistory})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		for _, texts := range [][][]byte{{small}, {big}, {small, big, small}} {
			for _, most := range []int{1, 9} {
				for k := 1; ; k++ {
					places++
					what := fmt.Sprintf("no history %t, %d messages, %d sent, cut at %d", noHistory, len(texts), most, k)
					if !sentBeforeAnswer(t, p, other, postgres.Options{URL: p.URL(name), NoHistory: noHistory}, texts, most, k, what) || t.Failed() {
						break
					}
				}
			}
		}
	}
	t.Logf("%d places", places)
}

func sentBeforeAnswer(t *testing.T, p *cluster.Proxy, other spool.Store, o postgres.Options, texts [][]byte, most, k int, what string) (hit bool) {
	t.Helper()
	p.Plan(cluster.Cut{})
	s, err := postgres.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sent := map[spool.ID]int{}
	p.Plan(cluster.Cut{At: k, Late: true})
	p.Meanwhile(func() {
		if err := sendAll(other, sent, most); err != nil {
			t.Errorf("%s: sending: %v", what, err)
		}
	})
	var drafts []spool.Draft
	for _, text := range texts {
		drafts = append(drafts, sealed(t, s, spool.NewID(at(100)), text))
	}
	n, err := s.Commit(t.Context(), drafts...)
	if n != len(drafts) || err != nil {
		t.Errorf("%s: %d, %v", what, n, err)
	}
	hit = p.Count() >= k
	p.Plan(cluster.Cut{})
	if err := sendAll(other, sent, 100); err != nil {
		t.Errorf("%s: sending the rest: %v", what, err)
	}
	for _, d := range drafts {
		if sent[d.ID()] != 1 {
			t.Errorf("%s: %s was sent %d times", what, d.ID(), sent[d.ID()])
		}
	}
	return hit
}

// TestIDOfAnother: a message of the same id is told as such at the first try, whether it is there or has
// left, and what comes behind it in a Commit is not queued.
func TestIDOfAnother(t *testing.T) {
	for _, noHistory := range []bool{false, true} {
		s, err := postgres.Open(t.Context(), postgres.Options{URL: server.URL(newDatabase(t)), NoHistory: noHistory})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		there, left, after := spool.NewID(at(100)), spool.NewID(at(100)), spool.NewID(at(100))
		queue(t, s, left)
		if err := sendAll(s, map[spool.ID]int{}, 9); err != nil {
			t.Fatal(err)
		}
		queue(t, s, there)
		for _, id := range []spool.ID{there, left} {
			n, err := s.Commit(t.Context(), sealed(t, s, spool.NewID(at(100)), small), sealed(t, s, id, small), sealed(t, s, after, small))
			if n != 1 || !errors.Is(err, spool.ErrExists) || errors.Is(err, spool.ErrLeft) != (id == left) {
				t.Errorf("no history %t, has left %t: %d, %v", noHistory, id == left, n, err)
			}
		}
		if found, err := s.Find(t.Context(), after); err != nil || len(found) > 0 {
			t.Errorf("no history %t: what came behind it: %v, %v", noHistory, found, err)
		}
	}
}
