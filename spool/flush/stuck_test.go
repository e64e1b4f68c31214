package flush

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/faulty"
	"notices/spool/maillog"
)

// twice flushes fifty times in a day and a half, like cron, while the store fails as planned,
// and then once more when it works. Nobody may get anything twice, and everything that can be
// sent is.
func (w *world) twice(plan faulty.Plan) {
	w.t.Helper()
	w.o.Store = faulty.New(w.mem, plan)
	for range 50 {
		if _, err := Run(w.t.Context(), w.o); err != nil {
			w.t.Logf("flush: %v", err)
		}
		w.pass(45 * time.Minute)
	}
	w.o.Store = w.mem
	w.runs(45*time.Minute, 5*time.Hour)
	for key, n := range w.mail.accepted {
		if n != 1 {
			w.t.Errorf("%s was delivered %d times", key, n)
		}
	}
}

// TestNoCallThatFailsSendsTwice makes each kind of call on the store fail, once or always.
func TestNoCallThatFailsSendsTwice(t *testing.T) {
	for _, method := range []string{"Claim.Append", "Claim.Remove", "Claim.Fail", "Claim.Release", "Claim.Begin", "Commit", "State.Update", "Sync", "Writable"} {
		for _, always := range []bool{false, true} {
			for at := 1; at <= 6; at++ {
				w := newWorld(t)
				w.mail.workers = 1
				w.mail.answer = func(m *spool.Message, r string) spool.Outcome {
					switch {
					case strings.ContainsAny(string(m.ID), "-."):
						return delivered
					case r == "later@example.net" && w.now().Before(start.Add(3*time.Hour)):
						return greylisted
					case r == "bad@example.net":
						return noSuchUser
					}
					return delivered
				}
				w.put("one", nil)
				w.put("part", nil, "good@example.net", "later@example.net")
				w.put("bad", nil, "good@example.net", "bad@example.net")
				w.put("null", nullSender, "bad@example.net")
				w.twice(faulty.Plan{At: at, Always: always, Err: syscall.EIO,
					Match: func(c faulty.Call) bool { return c.Method == method }})
				for _, to := range []string{"one reader", "part good", "part later", "bad good"} {
					if w.mail.accepted[to+"@example.net"] != 1 {
						t.Errorf("%s never came", to)
					}
				}
				w.empty("null")
				if t.Failed() {
					t.Fatalf("%s failed at call %d, always %v", method, at, always)
				}
			}
		}
	}
}

// A message that is done with and cannot be removed is logged once, and stops no other mail.
func TestTheUnremovableIsToldOnce(t *testing.T) {
	w := newWorld(t)
	var log strings.Builder
	w.o.Log = maillog.New(&log, maillog.Warnings)
	w.put("A", nil)
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Always: true, Err: syscall.EPERM,
		Match: func(c faulty.Call) bool { return c.Method == "Claim.Remove" && c.ID == "A" }})
	w.wants(1, 0, 0, 0)
	for i := range 10 {
		w.pass(time.Hour)
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
		w.wants(1, 0, 0, 0)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "not sent again") {
		t.Errorf("the log says:\n%s", log.String())
	}
	if strings.Contains(log.String(), "interrupted") {
		t.Error("it is taken for a kill")
	}
	r := w.record("A")
	if r.Recipients[0].State != spool.RecipientDelivered || r.Attempts != 1 {
		t.Errorf("it is not shown as done: %+v", r)
	}
	stuck, _ := spool.LoadState[spool.Stuck](t.Context(), w.mem.State(), spool.StuckName)
	if stuck.Messages["A"] == "" {
		t.Errorf("the state lacks it: %+v", stuck)
	}
	w.o.Store = w.mem
	w.pass(time.Hour)
	w.wants(0, 0, 0, 0)
	w.empty()
	w.put("B", nil)
	w.wants(1, 0, 0, 0)
	if stuck, _ = spool.LoadState[spool.Stuck](t.Context(), w.mem.State(), spool.StuckName); len(stuck.Messages) > 0 {
		t.Errorf("what is over is remembered: %+v", stuck)
	}
}

// A message that cannot be opened is skipped and logged once, and stops no other mail.
func TestTheUnusableIsPassedOver(t *testing.T) {
	w := newWorld(t)
	var log strings.Builder
	w.o.Log = maillog.New(&log, maillog.Warnings)
	w.put("A", nil)
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Always: true, Err: fmt.Errorf("%w: permission denied; run: chmod", spool.ErrUnusable),
		Match: func(c faulty.Call) bool { return c.Method == "Claim" && c.ID == "A" }})
	for i := range 10 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
		w.wants(1, 0, 0, 0)
		w.pass(time.Hour)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "run: chmod") {
		t.Errorf("the log says:\n%s", log.String())
	}
	w.o.Store = w.mem
	w.wants(1, 0, 0, 0)
	w.empty()
}

// A message that cannot be read from the disk is reported once, stops no other mail, and is
// returned in the end.
func TestTheUnreadableIsReturned(t *testing.T) {
	w := newWorld(t)
	var log strings.Builder
	w.o.Log = maillog.New(&log, maillog.Warnings)
	w.put("A", nil)
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		if m.ID != "A" {
			return spool.Delivery{}, nil, false
		}
		if err := m.Begin(); err != nil {
			return spool.Delivery{}, err, true
		}
		_, err := m.Body.ReadAt(make([]byte, 8), 0)
		o := outcome(spool.Deferred, spool.MessageScope, "", 0, fmt.Sprint(err)) // as a route does
		return spool.Delivery{Outcomes: []spool.Outcome{o}}, nil, true
	}
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Always: true, Err: syscall.EIO,
		Match: func(c faulty.Call) bool { return c.Method == "Body.ReadAt" && c.ID == "A" }})
	for i := range 80 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
		w.flush()
		w.pass(95 * time.Minute)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "cannot be read") {
		t.Errorf("the log says:\n%s", log.String())
	}
	told := 0
	for key := range w.mail.accepted {
		if strings.HasPrefix(key, "A-") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("it was returned %d times", told)
	}
	w.empty()
}

// TestHeldInTheFuture: --expires also counts for held mail. If the clock was ahead when it was
// queued, it counts from the time of holding.
func TestHeldInTheFuture(t *testing.T) {
	w := newWorld(t)
	w.put("A", func(e *spool.Envelope) {
		e.QueuedAt = start.AddDate(10, 0, 0)
		e.ExpiresAt = e.QueuedAt.Add(4 * time.Hour)
	})
	w.change("A", spool.Event{Kind: spool.Hold, Next: HoldUntil(policy, w.record("A"), start)})
	w.pass(3 * time.Hour)
	w.wants(0, 0, 0, 0)
	w.pass(2 * time.Hour)
	w.wants(0, 0, 1, 0)
	w.empty()
}

// TestClockJumps: whatever the clock did, a message that no server accepts is returned when
// give_up has passed since its first attempt, by the final clock, and not earlier if its
// queueing time is in the future by that clock.
func TestClockJumps(t *testing.T) {
	const giveUp = 12 * time.Hour // the fewer attempts the quicker
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.mail.always(greylisted)
		w.o.Policy.GiveUp = giveUp
		jump := rapid.SampledFrom([]time.Duration{0, time.Hour, giveUp / 2, giveUp - time.Hour, giveUp + time.Hour, 10 * giveUp, 10 * 365 * 24 * time.Hour})
		w.put("A", func(e *spool.Envelope) {
			e.QueuedAt = w.now().Add(jump.Draw(rt, "queued in the future"))
			if rapid.Bool().Draw(rt, "expires") {
				e.ExpiresAt = e.QueuedAt.Add(giveUp)
			}
		})
		queuedAt := w.record("A").QueuedAt
		for range rapid.IntRange(0, 5).Draw(rt, "flushes before") {
			w.flush()
			w.pass(10 * time.Minute)
		}
		if rapid.Bool().Draw(rt, "back") {
			w.pass(-jump.Draw(rt, "jump"))
		}
		if q, _ := w.list(); len(q) != 1 {
			rt.Fatalf("returned before its time")
		}
		from := w.now()
		for w.record("A").Attempts == 0 || w.now().Sub(from) < giveUp-2*time.Hour {
			w.flush()
			if q, _ := w.list(); len(q) != 1 && queuedAt.After(from) {
				rt.Fatalf("returned after %v", w.now().Sub(from))
			} else if len(q) != 1 {
				return
			}
			w.pass(95 * time.Minute)
		}
		w.runs(95*time.Minute, 4*time.Hour)
		if q, _ := w.list(); len(q) != 0 {
			rt.Fatalf("not returned %v after %v; queued at %v, seen at %v", w.now().Sub(from), from, queuedAt, w.record("A").SeenAt)
		}
	})
}

// TestClaimLost: a host that stood still has lost a message to another. It says nothing of that
// to a person, and goes on with the others.
func TestClaimLost(t *testing.T) {
	for _, methods := range []string{"Claim.Begin", "Claim.Remove Claim.Append"} {
		w := newWorld(t)
		for _, id := range []spool.ID{"one", "two", "three"} {
			w.put(id, nil)
		}
		w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Always: true, Err: spool.ErrClaimLost,
			Match: func(c faulty.Call) bool { return c.ID == "two" && strings.Contains(methods, c.Method) }})
		tally, err := Run(w.t.Context(), w.o)
		if want := (spool.Tally{Sent: 2}); err != nil || tally != want {
			t.Errorf("%s: %v, %v", methods, tally, err)
		}
		if queued, _ := w.list(); len(queued) != 1 || queued[0] != "two" {
			t.Errorf("%s: queued are %v", methods, queued)
		}
	}
}
