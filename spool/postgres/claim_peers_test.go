//go:build peers

package postgres_test

import (
	"errors"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/postgres"
)

// TestFencing: a host that stood still for longer than its lease changes nothing of a message
// that another one has claimed since, and begins no attempt.
func TestFencing(t *testing.T) {
	name := newDatabase(t)
	a, b := open(t, name), open(t, name)
	defer a.Close()
	defer b.Close()
	steps := map[string]func(spool.Claim) error{
		"begin":   try,
		"append":  func(c spool.Claim) error { return c.Append(event(spool.Hold, 300), spool.Now) },
		"deliver": func(c spool.Claim) error { return c.Remove(result(spool.Delivered), spool.Soon) },
		"fail":    func(c spool.Claim) error { return c.Fail(event(spool.GiveUp, 300)) },
	}
	for what, do := range steps {
		if err := put(small)(a); err != nil {
			t.Fatal(err)
		}
		old := claimed(t, a)
		if _, err := b.Claim(t.Context(), old.Entry()); !errors.Is(err, spool.ErrBusy) {
			t.Fatalf("%s: within the lease the other host's claim: %v", what, err)
		}
		a.Freeze()
		if err := try(old); !errors.Is(err, spool.ErrClaimLost) {
			t.Errorf("%s: an attempt begins when the lease is over: %v", what, err)
		}
		next := claimed(t, b)
		if err := do(old); !errors.Is(err, spool.ErrClaimLost) {
			t.Errorf("%s: who stood still: %v, want %v", what, err, spool.ErrClaimLost)
		}
		if err := old.Release(); err != nil {
			t.Errorf("%s: Release: %v", what, err)
		}
		if n := len(next.Record().Events); n != 0 {
			t.Errorf("%s: the claim has %d events", what, n)
		}
		if err := deliver(next); err != nil {
			t.Errorf("%s: the other host: %v", what, err)
		}
		if err := old.Remove(spool.Event{}, spool.Now); err == nil {
			t.Errorf("%s: Remove of what the other host has removed", what)
		}
		if got := sql(t, name, `select string_agg(ending, ' ') from notices.history; truncate notices.history, notices.import_key`); got != "delivered" {
			t.Errorf("%s: the history has %q", what, got)
		}
	}
}

// TestFencedBody: a host that reads on in a message which another one has removed learns that
// its claim is lost, and not that the message cannot be read.
func TestFencedBody(t *testing.T) {
	name := newDatabase(t)
	a, b := open(t, name), open(t, name)
	defer a.Close()
	defer b.Close()
	if err := put(big)(a); err != nil {
		t.Fatal(err)
	}
	old := claimed(t, a)
	a.Freeze()
	if err := deliver(claimed(t, b)); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Body().ReadAt(make([]byte, len(big)), 0); !errors.Is(err, spool.ErrClaimLost) {
		t.Error(err)
	}
	if err := old.Append(result(spool.Deferred), spool.Lazy); !errors.Is(err, spool.ErrClaimLost) {
		t.Error(err)
	}
}

// TestOutcomeAfterLease: what a server took is recorded also when the lease is over, if nobody
// else has the message: else it would be sent twice.
func TestOutcomeAfterLease(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	defer s.Close()
	if err := put(small)(s); err != nil {
		t.Fatal(err)
	}
	c := claimed(t, s)
	if err := try(c); err != nil {
		t.Fatal(err)
	}
	s.Freeze()
	if err := c.Remove(result(spool.Delivered), spool.Soon); err != nil {
		t.Error(err)
	}
	if got := stateOf(t, name); got != absent {
		t.Error(got)
	}
}

// TestLease: a claim lasts as long as its store gives signs of life.
func TestLease(t *testing.T) {
	name := newDatabase(t)
	a, err := postgres.Open(t.Context(), postgres.Options{URL: server.URL(name), Lease: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, name)
	defer b.Close()
	if err := put(small)(a); err != nil {
		t.Fatal(err)
	}
	c := claimed(t, a)
	first := sql(t, name, `select expires from notices.session`)
	for sql(t, name, `select expires from notices.session where expires > timestamptz '`+first+`' + interval '1 second'`) == "" {
		// Renewals go by the clock of the database, which no test can set: this polls until they
		// have lasted longer than a lease.
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := b.Claim(t.Context(), c.Entry()); !errors.Is(err, spool.ErrBusy) {
		t.Errorf("after a lease, renewed: %v", err)
	}
	if err := deliver(c); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if n := sql(t, name, `select count(*) from notices.session where host = ''`); n != "0" {
		t.Errorf("%s sessions are left", n)
	}
}

func claimed(t *testing.T, s spool.Store) spool.Claim {
	t.Helper()
	e, err := spool.FindOne(t.Context(), s, theID)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Claim(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFencedImport: the host of an import stands still for longer than its lease. The import goes on
// if no other one has had the lock meanwhile, and queues nothing more if one has.
func TestFencedImport(t *testing.T) {
	name := newDatabase(t)
	a, b := open(t, name), open(t, name)
	defer a.Close()
	defer b.Close()
	_, release, err := a.Imported(t.Context(), at(0))
	if err != nil {
		t.Fatal(err)
	}
	a.Freeze()
	if err := put(small)(a); err != nil {
		t.Errorf("no other import has begun: %v", err)
	}
	keys, releaseOther, err := b.Imported(t.Context(), at(0))
	if err != nil || len(keys) != 1 {
		t.Fatalf("the other import: %d keys, %v", len(keys), err)
	}
	commit := func(s spool.Store, ids ...spool.ID) (int, error) {
		var drafts []spool.Draft
		for _, id := range ids {
			d, err := s.New(t.Context(), id)
			if err == nil {
				err = d.Seal(spool.Envelope{ID: id, Sender: "a@example.org", Recipients: []string{"b@example.net"}, QueuedAt: at(100), ImportKeys: []spool.ImportKey{{2}}})
			}
			if err != nil {
				t.Fatal(err)
			}
			drafts = append(drafts, d)
		}
		return s.Commit(t.Context(), drafts...)
	}
	refused := func(when string) {
		t.Helper()
		// The id that is there already has the others tried one by one.
		for _, ids := range [][]spool.ID{{"X"}, {"X", "Y"}, {"X", theID}} {
			if n, err := commit(a, ids...); n != 0 || !errors.Is(err, spool.ErrLockLost) {
				t.Errorf("%s, %v: %d queued, %v", when, ids, n, err)
			}
		}
	}
	refused("while the other import runs")
	if n, err := commit(b, "Z"); n != 1 || err != nil {
		t.Errorf("the other import queued %d: %v", n, err)
	}
	if err := releaseOther(); err != nil {
		t.Error(err)
	}
	refused("when the other import has ended")
	if err := release(); err != nil {
		t.Error(err)
	}
	if got := sql(t, name, `select string_agg(id, ' ' order by id) from notices.message`); got != string(theID)+" Z" {
		t.Errorf("queued are %s", got)
	}
	if n, err := commit(a, "Y"); n != 1 || err != nil { // as an enqueue
		t.Errorf("after its import: %d, %v", n, err)
	}
}
