package flush

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// A hundred hours of retries end in one return.
func TestHundredHours(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	const messages = 5
	for i := range messages {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
	}
	total := w.runs(time.Minute, 4*time.Hour)
	later := w.runs(5*time.Minute, 95*time.Hour+55*time.Minute)
	if q, _ := w.list(); len(q) != messages || total.Returned+later.Returned != 0 {
		t.Fatalf("before its time: %d left, %+v, %+v", len(q), total, later)
	}
	last := w.runs(time.Minute, 5*time.Minute)
	if last.Returned != messages || last.Deferred != 0 {
		t.Errorf("at the end: %+v", last)
	}
	w.empty()
	for i := range messages {
		returns := 0
		for key, n := range w.mail.accepted {
			if strings.HasPrefix(key, fmt.Sprintf("m%d-", i)) {
				returns += n
			}
		}
		if returns != 1 {
			t.Errorf("m%d came back %d times", i, returns)
		}
	}
	// 3 h in delays of 3 to 9 minutes, 97 h in delays of 60 to 90, the runs minutes apart.
	if n := (total.Deferred + later.Deferred) / messages; n < 18+60 || n > 60+97 {
		t.Errorf("%d attempts a message", n)
	}
}

func TestExpiredSaysTheLastAnswer(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("A", nil)
	w.wants(0, 1, 0, 0)
	w.change("A", spool.Event{Kind: spool.Retry, Next: start.Add(100 * time.Hour)})
	w.pass(100 * time.Hour)
	w.wants(0, 0, 1, 0)
	body := w.mail.bodies["A-2"]
	for _, want := range []string{"Action: failed", "Status: 4.4.7", "Diagnostic-Code: smtp; 451 greylisted", "over 4 days"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in the return:\n%s", want, body)
		}
	}
}

func TestExpires(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("A", func(e *spool.Envelope) { e.ExpiresAt = start.Add(20 * time.Minute) })
	if total := w.runs(time.Minute, 19*time.Minute); total.Returned != 0 || total.Deferred < 3 {
		t.Errorf("before: %+v", total)
	}
	w.wants(0, 0, 1, 0) // exactly then
	w.empty()
}

// After the machine was off, one attempt that fails does not return the mail of a week.
func TestGraceAfterThePowerWasOff(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("tried", nil)
	w.wants(0, 1, 0, 0)
	w.put("new", nil)
	w.put("expires", func(e *spool.Envelope) { e.ExpiresAt = start.Add(time.Hour) })
	w.pass(7 * 24 * time.Hour)
	w.wants(0, 2, 1, 0) // --expires always counts
	for _, id := range []spool.ID{"tried", "new"} {
		if r := w.record(id); !r.Grace || r.NextSendAt.Sub(w.now()) < time.Hour {
			t.Errorf("%s: grace %v, next send in %v", id, r.Grace, r.NextSendAt.Sub(w.now()))
		}
	}
	w.pass(7 * 24 * time.Hour) // off again: the second try is the last all the same
	w.wants(0, 0, 2, 0)
	w.empty()
}

// The same if another message made that attempt.
func TestGraceOfThePostponed(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.pass(7 * 24 * time.Hour)
	w.mail.paused(noRoute)
	w.wants(0, 0, 0, 0)
	if r := w.record("A"); !r.Grace || r.Attempts != 0 {
		t.Fatalf("record: %+v", r)
	}
	w.pass(7 * 24 * time.Hour)
	w.wants(0, 0, 1, 0)
}

func TestOverdueByLittleHasNoGrace(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("A", nil)
	w.change("A", spool.Event{Kind: spool.Postpone, Next: start.Add(99 * time.Hour)})
	w.pass(100*time.Hour + 20*time.Minute)
	w.wants(0, 0, 1, 0)
}

func TestWaitingForAPersonIsNoAge(t *testing.T) {
	for name, script := range map[string]func(*world){
		"tried":     func(w *world) { w.mail.always(badLogin) },
		"postponed": func(w *world) { w.mail.paused(badLogin) },
		"on the way": func(w *world) {
			w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
				return spool.Delivery{Outcomes: []spool.Outcome{noRoute}, Skipped: []spool.Outcome{badLogin}}, m.Begin(), true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			script(w)
			w.put("A", nil)
			w.put("B", func(e *spool.Envelope) { e.ExpiresAt = start.Add(120 * time.Hour) })
			total := w.runs(30*time.Minute, 119*time.Hour)
			if total.Returned != 0 {
				t.Fatalf("returned while it waits for a person: %+v", total)
			}
			w.mail.instead = nil
			script(w)
			total = w.runs(30*time.Minute, 10*time.Hour)
			if total.Returned != 1 {
				t.Errorf("--expires must count: %+v", total)
			}
			w.mail.instead, w.mail.answer = nil, nil
			w.runs(30*time.Minute, 2*time.Hour)
			if w.mail.accepted["A reader@example.net"] != 1 {
				t.Error("not delivered when the person had come")
			}
		})
	}
}

func TestHeldIsNotReturnedForAge(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("A", nil)
	w.change("A", spool.Event{Kind: spool.Hold})
	if total := w.runs(time.Hour, 300*time.Hour); total != (spool.Tally{}) || len(w.mail.attempts) != 0 {
		t.Fatalf("held, and: %+v", total)
	}
	w.change("A", spool.Event{Kind: spool.Release, Next: w.now()})
	w.wants(0, 0, 1, 0) // its last attempt
	w.empty()
}

func TestHeldIsLookedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.change("A", spool.Event{Kind: spool.Hold})
	for range 5 {
		w.flush()
	}
	if r := w.record("A"); len(r.Events) != 2 || !r.NextSendAt.Equal(HoldUntil(policy, r, w.now())) {
		t.Errorf("events: %+v", r.Events)
	}
}

func TestHeldExpires(t *testing.T) {
	w := newWorld(t)
	w.put("A", func(e *spool.Envelope) { e.ExpiresAt = start.Add(50 * time.Hour) })
	w.put("B", func(e *spool.Envelope) { e.ExpiresAt = start.Add(50 * time.Hour); e.Sender = "" })
	w.change("A", spool.Event{Kind: spool.Hold})
	w.change("B", spool.Event{Kind: spool.Hold})
	if total := w.runs(time.Hour, 49*time.Hour); total != (spool.Tally{}) {
		t.Fatalf("held, and: %+v", total)
	}
	w.wants(0, 0, 1, 1)
	w.empty("B")
	if body := w.mail.bodies["A-1"]; !strings.Contains(body, "it was held until its time was over") {
		t.Errorf("return:\n%s", body)
	}
}

func TestUncertain(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noAnswer)
	w.put("A", nil)
	for n := range 2 {
		w.wants(0, 1, 0, 0)
		r := w.record("A")
		if d := r.NextSendAt.Sub(w.now()); d < time.Hour || d >= 90*time.Minute || r.Held {
			t.Fatalf("after %d: next send in %v, held %v; want a long delay", n+1, d, r.Held)
		}
		w.pass(90 * time.Minute)
	}
	w.wants(0, 1, 0, 0)
	if r := w.record("A"); !r.Held || r.Attempts != 3 || !strings.Contains(r.LastError, "notices release A") {
		t.Fatalf("after the third: %+v", r)
	}
	body := w.mail.bodies["A.h3"]
	if w.mail.accepted["A.h3 desk@example.org"] != 1 || !strings.Contains(body, "Action: delayed") || !strings.Contains(body, "notices release A") {
		t.Errorf("the report:\n%s", body)
	}
	w.mail.forget()
	w.runs(time.Hour, 200*time.Hour)
	if len(w.mail.attempts) != 0 {
		t.Errorf("held, and attempted: %v", w.mail.attempts)
	}
	w.change("A", spool.Event{Kind: spool.Release, Next: w.now()})
	w.mail.answer = nil
	w.wants(1, 0, 0, 0)
	w.empty()
}

func TestUncertainNotInARow(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	for _, o := range []spool.Outcome{noAnswer, noAnswer, greylisted, noAnswer, noAnswer} {
		w.mail.always(o)
		w.wants(0, 1, 0, 0)
		w.pass(2 * time.Hour)
	}
	if w.record("A").Held {
		t.Error("held, though not three in a row")
	}
}

func TestUncertainAtTheEndMayHaveArrived(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noAnswer)
	w.put("A", func(e *spool.Envelope) { e.ExpiresAt = start.Add(time.Hour) })
	w.pass(time.Hour)
	w.wants(0, 0, 1, 0)
	if body := w.mail.bodies["A-1"]; !strings.Contains(body, "arrived all the same") {
		t.Errorf("return:\n%s", body)
	}
}

// TestOnlyTheUncertainMayHaveArrived: of two recipients whose time is over, one was refused, so
// that it is known not to have the message.
func TestOnlyTheUncertainMayHaveArrived(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = func(_ *spool.Message, recipient string) spool.Outcome {
		switch recipient {
		case "a@example.net":
			return noAnswer
		case "b@example.net":
			return greylisted
		}
		return delivered
	}
	w.put("A", func(e *spool.Envelope) {
		e.Recipients, e.ExpiresAt = []string{"a@example.net", "b@example.net"}, start.Add(time.Hour)
	})
	w.pass(time.Hour)
	w.wants(0, 0, 1, 0)
	_, toA, _ := strings.Cut(w.mail.bodies["A-1"], "    a@example.net")
	toA, toB, _ := strings.Cut(toA, "    b@example.net")
	toB, _, _ = strings.Cut(toB, "The message:")
	const words = "may have arrived"
	if !strings.Contains(toA, words) || strings.Contains(toB, words) {
		t.Errorf("return:\n%s", w.mail.bodies["A-1"])
	}
}

func TestUncertainKeepsToTheDeadline(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noAnswer)
	w.put("A", func(e *spool.Envelope) { e.ExpiresAt = start.Add(30 * time.Minute) })
	w.wants(0, 1, 0, 0)
	if r := w.record("A"); !r.NextSendAt.Equal(start.Add(30 * time.Minute)) {
		t.Errorf("next send at %v", r.NextSendAt)
	}
}

func TestPostponed(t *testing.T) {
	w := newWorld(t)
	const n = 1_500
	for i := range n {
		w.put(spool.ID(fmt.Sprintf("m%04d", i)), nil)
	}
	w.put("old", nil)
	w.change("old", spool.Event{Kind: spool.Postpone, Next: start.Add(100 * time.Hour)})
	w.pass(100 * time.Hour)
	for i := range n {
		w.change(spool.ID(fmt.Sprintf("m%04d", i)), spool.Event{Kind: spool.Retry, Fresh: true, Next: w.now()})
	}
	// One message is really tried; for the others, the route says that no server is left.
	asked := 0
	w.mail.workers = 1
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		asked++
		return spool.Delivery{Wait: spool.NoServer, Outcomes: []spool.Outcome{noRoute}}, nil, true
	}
	w.wants(0, 0, 1, 0) // what is out of time is returned with it
	if asked != 1 {
		t.Errorf("the route was asked %d times for %d messages", asked, n)
	}
	seconds := map[time.Time]bool{}
	for i := range n {
		r := w.record(spool.ID(fmt.Sprintf("m%04d", i)))
		if d := r.NextSendAt.Sub(w.now()); d < 3*time.Minute || d >= 9*time.Minute || r.Attempts != 0 || r.LastError != "connection refused" {
			t.Fatalf("next send in %v, record %+v", d, r)
		}
		seconds[r.NextSendAt] = true
	}
	if len(seconds) < 200 {
		t.Errorf("they come back in %d different seconds", len(seconds))
	}
	if q, _ := w.list(); len(q) != n+1 || !slices.Contains(q, "old-1") {
		t.Errorf("%d left", len(q))
	}
}

// A branch whose servers are down does not delay the mail of another branch.
func TestPostponedByGroup(t *testing.T) {
	w := newWorld(t)
	w.put("down1", func(e *spool.Envelope) { e.Sender = "a@x.example" })
	w.put("down2", func(e *spool.Envelope) { e.Sender = "a@x.example" })
	w.put("up1", func(e *spool.Envelope) { e.Sender = "b@y.example" })
	w.put("up2", func(e *spool.Envelope) { e.Sender = "b@y.example" })
	w.mail.workers = 1
	w.mail.groups = map[string]string{"a@x.example": "1", "b@y.example": "2"}
	asked := 0
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		if m.Sender != "a@x.example" {
			return spool.Delivery{}, nil, false
		}
		asked++
		return spool.Delivery{Wait: spool.NoServer, Outcomes: []spool.Outcome{noRoute}}, nil, true
	}
	w.wants(2, 0, 0, 0)
	if asked != 1 {
		t.Errorf("the route was asked %d times for mail whose servers are down", asked)
	}
	for _, id := range []spool.ID{"down1", "down2"} {
		if r := w.record(id); r.Attempts != 0 || !r.NextSendAt.After(w.now()) {
			t.Errorf("%s: %+v", id, r)
		}
	}
}

func TestPostponedNotBeforeItsTime(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	next := start.Add(time.Hour)
	w.change("A", spool.Event{Kind: spool.Postpone, Next: next})
	w.o.All = true
	w.mail.paused(noRoute)
	w.wants(0, 0, 0, 0)
	if r := w.record("A"); !r.NextSendAt.Equal(next) || len(r.Events) != 1 {
		t.Errorf("not due, and postponed: %+v", r)
	}
}
