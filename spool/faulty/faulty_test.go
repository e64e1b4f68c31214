package faulty_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/faulty"
	"notices/spool/maildirtest"
	"notices/spool/storetest"
)

func envelope(id spool.ID) spool.Envelope {
	return spool.Envelope{
		ID: id, Sender: "a@example.org", Recipients: []string{"b@example.net"},
		QueuedAt: time.Unix(1_760_000_000, 0).UTC(),
	}
}

// With a plan that hits nothing the wrapper is a store like any other.
func TestFaultyIsAStore(t *testing.T) { storetest.Run(t, wrapped) }

func wrapped(*testing.T) storetest.Harness {
	s := maildirtest.New()
	wrap := func(s *maildirtest.Spool) spool.Store { return faulty.New(s, faulty.Plan{}) }
	return storetest.Harness{
		Store:  wrap(s),
		Reopen: func() spool.Store { return wrap(s.Reopen()) },
		Crash: func() spool.Store {
			s = s.Crash()
			return wrap(s)
		},
	}
}

// attempt is what an engine does with one message, as far as it gets.
func attempt(t *testing.T, s spool.Store, id spool.ID) error {
	e, err := spool.FindOne(t.Context(), s, id)
	if err != nil {
		return err
	}
	c, err := s.Claim(t.Context(), e)
	if err != nil {
		return err
	}
	defer c.Release()
	at := e.Next
	if err := c.Begin(spool.Event{Kind: spool.Try, At: at, N: 1, Next: at.Add(time.Hour)}); err != nil {
		return err
	}
	if _, err := c.Body().ReadAt(make([]byte, 4), 0); err != nil {
		return err
	}
	if err := c.Append(spool.Event{Kind: spool.Hold, At: at}, spool.Now); err != nil {
		return err
	}
	return c.Remove(spool.Event{}, spool.Now)
}

func TestFaultyDiesAtEachCall(t *testing.T) {
	const calls = 7 // Find, Claim, Begin, ReadAt, Append, Remove, Release
	for at := 1; at <= calls; at++ {
		for _, late := range []bool{false, true} {
			s := maildirtest.New()
			storetest.Put(t, s, envelope("A"), "body\r\n")
			f := faulty.New(s, faulty.Plan{At: at, Die: true, Late: late})
			if err := attempt(t, f, "A"); at < calls && !errors.Is(err, faulty.ErrDead) {
				t.Fatalf("died at call %d: %v", at, err)
			}
			if !f.Hit() || len(f.Calls()) != at {
				t.Errorf("at %d: calls %v", at, f.Calls())
			}
			if err := f.Writable(t.Context()); !errors.Is(err, faulty.ErrDead) {
				t.Errorf("a dead process calls Writable: %v", err)
			}
			_, err := spool.FindOne(t.Context(), s.Crash(), "A")
			removed := at > 6 || at == 6 && late
			if errors.Is(err, spool.ErrGone) != removed {
				t.Errorf("died at call %d, late %v: Find says %v", at, late, err)
			}
		}
	}
}

func TestFaultyFailsOneCall(t *testing.T) {
	s := maildirtest.New()
	storetest.Put(t, s, envelope("A"), "body\r\n")
	f := faulty.New(s, faulty.Plan{
		At:    1,
		Match: func(c faulty.Call) bool { return c.Kind == spool.Hold },
		Err:   syscall.ENOSPC,
	})
	if err := attempt(t, f, "A"); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the planned call: %v", err)
	}
	if got := f.Calls()[0].String(); got != "Claim.Append hold A" {
		t.Errorf("the call is written %q", got)
	}
	if err := attempt(t, f, "A"); err != nil {
		t.Errorf("only one call was to fail, the next attempt: %v", err)
	}
}

func TestFaultyCommitBreaksOff(t *testing.T) {
	s := maildirtest.New()
	f := faulty.New(s, faulty.Plan{
		At: 2, Match: func(c faulty.Call) bool { return c.Method == "Commit" },
	})
	var drafts []spool.Draft
	for _, id := range []spool.ID{"A", "B", "C"} {
		d, err := f.New(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Seal(envelope(id)); err != nil {
			t.Fatal(err)
		}
		drafts = append(drafts, d)
	}
	if n, err := f.Commit(t.Context(), drafts...); n != 1 || !errors.Is(err, faulty.ErrInjected) {
		t.Errorf("Commit broken off at the second: %d, %v", n, err)
	}
	if n, err := f.Commit(t.Context(), drafts[1:]...); n != 2 || err != nil {
		t.Errorf("Commit of the rest: %d, %v", n, err)
	}
}

func TestFaultyAlways(t *testing.T) {
	f := faulty.New(maildirtest.New(), faulty.Plan{
		At: 1, Always: true, Err: syscall.EROFS, Match: func(c faulty.Call) bool { return c.Method == "Writable" },
	})
	for range 3 {
		if err := f.Writable(t.Context()); !errors.Is(err, syscall.EROFS) {
			t.Errorf("Writable: %v", err)
		}
	}
	if err := f.Sync(t.Context()); err != nil {
		t.Errorf("a call that is not meant: %v", err)
	}
}
