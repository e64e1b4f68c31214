package memory

import (
	"errors"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/storetest"
)

var at = time.Unix(1_760_000_000, 0).UTC()

func put(t *testing.T, s *Store, id spool.ID) spool.Entry {
	t.Helper()
	w, err := s.New(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("Subject: x\r\n\r\nhello\r\n"))
	env := spool.Envelope{ID: id, Sender: "a@example.org", Recipients: []string{"b@example.org"}, QueuedAt: at}
	if err := w.Seal(env); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	return find(t, s, id)
}

func find(t *testing.T, s *Store, id spool.ID) spool.Entry {
	t.Helper()
	e, err := s.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func claimed(t *testing.T, s *Store, id spool.ID) spool.Claim {
	t.Helper()
	c, err := s.Claim(t.Context(), find(t, s, id))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCrashKeepsEventsAndFreesClaims(t *testing.T) {
	s := New()
	put(t, s, "A")
	c := claimed(t, s, "A")
	if err := c.Begin(spool.Event{Kind: spool.Try, At: at, N: 1, Next: at.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	fresh := s.Crash()
	if err := c.Append(spool.Event{Kind: spool.Result, At: at, N: 1}, spool.Now); !errors.Is(err, ErrKilled) {
		t.Errorf("Append by a killed process: %v", err)
	}
	r := claimed(t, fresh, "A").Record()
	if r.Attempts != 1 || !r.InFlight {
		t.Errorf("attempts %d, in flight %v; want the attempt, interrupted", r.Attempts, r.InFlight)
	}
}

func TestPowerCutLosesWhatWasNotSynced(t *testing.T) {
	s := New()
	for _, id := range []spool.ID{"lazy", "soon", "synced", "now", "removed", "gone"} {
		put(t, s, id)
	}
	hold := spool.Event{Kind: spool.Hold, At: at}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(claimed(t, s, "synced").Append(hold, spool.Soon))
	check(claimed(t, s, "gone").Remove(spool.Soon))
	check(s.Sync(t.Context()))
	check(claimed(t, s, "lazy").Append(hold, spool.Lazy))
	check(claimed(t, s, "soon").Append(hold, spool.Soon))
	check(claimed(t, s, "now").Append(hold, spool.Now))
	check(claimed(t, s, "removed").Remove(spool.Soon))

	fresh := s.PowerCut()
	want := map[spool.ID]spool.MessageState{
		"lazy": spool.StateQueued, "soon": spool.StateQueued, "removed": spool.StateQueued,
		"synced": spool.StateHeld, "now": spool.StateHeld,
	}
	check(fresh.Scan(t.Context(), func(e spool.Entry) bool {
		if want[e.ID] != e.State {
			t.Errorf("%s is %q after the power cut, want %q", e.ID, e.State, want[e.ID])
		}
		delete(want, e.ID)
		return true
	}))
	if len(want) != 0 {
		t.Errorf("missing after the power cut: %v", want)
	}
	if err := s.Writable(t.Context()); !errors.Is(err, ErrKilled) {
		t.Errorf("the old handle still answers: %v", err)
	}
}

func TestDamageGoesAside(t *testing.T) {
	s := New()
	e := put(t, s, "A")
	s.Damage("A")
	if _, err := s.Claim(t.Context(), e); !errors.Is(err, spool.ErrDamaged) {
		t.Errorf("claim of a damaged record: %v", err)
	}
	found, err := s.Repair(t.Context())
	if err != nil || len(found) != 1 || found[0].Moved != "aside/A" {
		t.Errorf("Repair: %v, %v", found, err)
	}
	if _, err := s.Find(t.Context(), "A"); !errors.Is(err, spool.ErrGone) {
		t.Errorf("still listed: %v", err)
	}
}

func open(*testing.T) storetest.Harness {
	s := New()
	return storetest.Harness{
		Store:  s,
		Reopen: func() spool.Store { return s.Reopen() },
		Crash: func() spool.Store {
			s = s.Crash()
			return s
		},
		PowerCut: func() spool.Store {
			s = s.PowerCut()
			return s
		},
	}
}

func TestStore(t *testing.T) { storetest.Run(t, open) }

func TestNotes(t *testing.T) { storetest.RunNotes(t, open) }

func TestModel(t *testing.T) { storetest.RunModel(t, open, 100) }
