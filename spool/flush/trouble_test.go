package flush

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/faulty"
)

func TestUnwritableSpoolSendsNothing(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Err: syscall.ENOSPC,
		Match: func(c faulty.Call) bool { return c.Method == "Writable" }})
	_, err := Run(t.Context(), w.o)
	if !errors.Is(err, ErrSpool) || !errors.Is(err, syscall.ENOSPC) || len(w.mail.attempts) != 0 {
		t.Errorf("error %v, attempts %v", err, w.mail.attempts)
	}
}

// No attempt is made without its record, nor any after that.
func TestBeginFailsEndsTheRun(t *testing.T) {
	w := newWorld(t)
	w.mail.workers = 1
	for i := range 10 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
	}
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 4, Always: true, Err: syscall.ENOSPC,
		Match: func(c faulty.Call) bool { return c.Method == "Claim.Begin" }})
	tally, err := Run(t.Context(), w.o)
	if !errors.Is(err, ErrSpool) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if tally.Sent != 3 || len(w.mail.attempts) != 3 {
		t.Errorf("%+v, attempts %v", tally, w.mail.attempts)
	}
	w.o.Store = w.mem
	w.wants(7, 0, 0, 0)
}

func TestResultFailsEndsTheRun(t *testing.T) {
	w := newWorld(t)
	w.mail.workers = 1
	w.mail.always(greylisted)
	for i := range 10 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
	}
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 3, Err: syscall.EIO,
		Match: func(c faulty.Call) bool { return c.Method == "Claim.Append" }})
	if _, err := Run(t.Context(), w.o); !errors.Is(err, ErrSpool) || len(w.mail.attempts) != 3 {
		t.Errorf("error %v, attempts %v", err, w.mail.attempts)
	}
}

// A message that cannot be read, or returned, does not stop the others.
func TestTroubleOfOneMessage(t *testing.T) {
	for _, c := range []faulty.Call{{Method: "Claim"}, {Method: "New", ID: "m3-1"}, {Method: "Commit", ID: "m3-1"}} {
		w := newWorld(t)
		w.mail.always(noSuchUser)
		for i := range 10 {
			w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
		}
		w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Err: syscall.EIO,
			Match: func(got faulty.Call) bool { return got.Method == c.Method && (c.ID == "" || c.ID == got.ID) }})
		tally, err := Run(t.Context(), w.o)
		if !errors.Is(err, syscall.EIO) || tally.Returned != 9 {
			t.Errorf("%v: %+v, %v", c, tally, err)
		}
		w.o.Store = w.mem
		w.pass(10 * time.Minute)
		w.wants(0, 0, 1, 0)
		w.empty()
	}
}

func TestCutShort(t *testing.T) {
	w := newWorld(t)
	w.mail.workers = 1
	for i := range 10 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.mail.answer = func(*spool.Message, string) spool.Outcome {
		if len(w.mail.attempts) == 3 {
			cancel() // SIGTERM, while this one is under way
		}
		return delivered
	}
	tally, err := Run(ctx, w.o)
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrSpool) || tally.Sent != 3 {
		t.Errorf("%+v, %v", tally, err)
	}
	if q, _ := w.list(); len(q) != 7 {
		t.Errorf("%d left: what was under way must be recorded", len(q))
	}
	w.wants(7, 0, 0, 0)
}

func TestCutShortAfterAllIsNoError(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	ctx, cancel := context.WithCancel(t.Context())
	w.mail.answer = func(*spool.Message, string) spool.Outcome { cancel(); return delivered }
	if tally, err := Run(ctx, w.o); err != nil || tally.Sent != 1 {
		t.Errorf("%+v, %v", tally, err)
	}
}

func TestAbandonedAttempt(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.put("old", func(e *spool.Envelope) { e.ExpiresAt = start })
	ctx, cancel := context.WithCancel(t.Context())
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		m.Begin()
		cancel()
		if m.ID == "old" {
			return spool.Delivery{Outcomes: []spool.Outcome{noRoute}}, nil, true
		}
		return spool.Delivery{}, ctx.Err(), true
	}
	tally, err := Run(ctx, w.o)
	if !errors.Is(err, context.Canceled) || tally.Returned != 0 {
		t.Errorf("%+v, %v: an attempt cut short is no last attempt", tally, err)
	}
	for _, id := range []spool.ID{"A", "old"} {
		if r := w.record(id); len(r.Pending()) != 1 || len(r.Events) > 0 && !r.NextSendAt.After(start) {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

// If keep_failed is less than a day, failed/ is purged as often.
func TestKeepFailedShort(t *testing.T) {
	w := newWorld(t)
	w.o.KeepFailed = time.Minute
	w.wants(0, 0, 0, 0) // has just looked
	w.put("A", nullSender)
	if err := w.claim("A").Fail(spool.Event{Kind: spool.GiveUp, At: w.now()}); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Minute)
	w.wants(0, 0, 0, 0)
	w.empty()
}

func TestKeepFailed(t *testing.T) {
	w := newWorld(t)
	fail := func(id spool.ID) {
		w.put(id, nullSender)
		if err := w.claim(id).Fail(spool.Event{Kind: spool.GiveUp, At: w.now()}); err != nil {
			t.Fatal(err)
		}
	}
	fail("old")
	w.pass(10 * 24 * time.Hour)
	fail("new")
	w.pass(21 * 24 * time.Hour)
	w.wants(0, 0, 0, 0)
	if _, f := w.list(); len(f) != 2 {
		t.Fatalf("keep_failed 0 keeps for ever; left: %v", f)
	}
	w.o.KeepFailed = 30 * 24 * time.Hour
	w.wants(0, 0, 0, 0)
	w.empty("new")
	// Once a day is enough.
	counted := faulty.New(w.mem, faulty.Plan{})
	w.o.Store = counted
	w.pass(23 * time.Hour)
	w.wants(0, 0, 0, 0)
	w.pass(time.Hour)
	w.wants(0, 0, 0, 0)
	looks := 0
	for _, c := range counted.Calls() {
		if c.Method == "ScanFailed" {
			looks++
		}
	}
	if looks != 1 {
		t.Errorf("failed/ was listed %d times in two runs within 24 h", looks)
	}
}

// A run without due mail makes one listing of the message folder and reads a fixed number of
// state values.
func TestNothingDueCostsOneListing(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
		w.change(spool.ID(fmt.Sprintf("m%d", i)), spool.Event{Kind: spool.Postpone, Next: start.Add(time.Hour)})
	}
	counted := faulty.New(w.mem, faulty.Plan{})
	w.o.Store, w.o.KeepFailed = counted, time.Hour
	w.flush()
	w.mail.forget()
	before := len(counted.Calls())
	w.flush()
	var methods []string
	for _, c := range counted.Calls()[before:] {
		methods = append(methods, c.Method)
	}
	want := []string{"Scan", "Repair", "State.Load", "State.Update", "Sync", "HistoryError"}
	if !slices.Equal(methods, want) {
		t.Errorf("calls: %v", methods)
	}
}

// Any other error of the route ends the run, and the messages wait for the next one.
func TestRouteFails(t *testing.T) {
	broken := errors.New("broken")
	w := newWorld(t)
	w.mail.workers = 1
	w.put("A", nil)
	w.put("B", nil)
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{}, errors.Join(m.Begin(), broken), true
	}
	tally, err := Run(t.Context(), w.o)
	if !errors.Is(err, broken) || errors.Is(err, ErrSpool) || tally != (spool.Tally{}) {
		t.Errorf("%+v, %v", tally, err)
	}
	w.mail.instead = nil
	w.pass(10 * time.Minute)
	w.wants(2, 0, 0, 0)
}

func TestRouteMiscounts(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{Outcomes: []spool.Outcome{delivered, delivered}}, m.Begin(), true
	}
	if tally, err := Run(t.Context(), w.o); err == nil || tally != (spool.Tally{}) {
		t.Errorf("%+v, %v", tally, err)
	}
	w.mail.instead = nil
	w.pass(10 * time.Minute)
	w.wants(1, 0, 0, 0)
}

func TestUnknownClassIsDeferred(t *testing.T) {
	w := newWorld(t)
	w.mail.always(spool.Outcome{Class: "teleported"})
	w.put("A", nil)
	w.wants(0, 1, 0, 0)
	if r := w.record("A"); r.Recipients[0].Outcome.Class != spool.Deferred {
		t.Errorf("%+v", r.Recipients[0])
	}
}

// A message that is out of time has a reason even if the route gave none.
func TestPausedWithoutReason(t *testing.T) {
	w := newWorld(t)
	w.put("A", func(e *spool.Envelope) { e.ExpiresAt = start; e.Sender = "" })
	w.mail.instead = func(*spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{Wait: spool.NoServer}, nil, true
	}
	w.wants(0, 0, 0, 1)
	if r := w.record("A"); r.LastError != "every server is paused" {
		t.Errorf("last error %q", r.LastError)
	}
}
