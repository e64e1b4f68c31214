package flush

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"notices/spool"
)

func TestDelivered(t *testing.T) {
	w := newWorld(t)
	for i := range 20 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil, "a@example.net", "b@example.net")
	}
	w.wants(20, 0, 0, 0)
	w.empty()
	if len(w.mail.accepted) != 40 {
		t.Errorf("%d deliveries for 40 recipients", len(w.mail.accepted))
	}
	last, err := spool.LoadState[spool.LastFlush](t.Context(), w.mem.State(), spool.LastFlushName)
	if err != nil || !last.At.Equal(start) || last.Sent != 20 {
		t.Errorf("last flush: %+v, %v", last, err)
	}
	w.wants(0, 0, 0, 0)
}

func TestDeferredComesBackBySchedule(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("A", nil)
	w.wants(0, 1, 0, 0)
	r := w.record("A")
	if d := r.NextSendAt.Sub(start); d < 3*time.Minute || d >= 9*time.Minute {
		t.Errorf("next send in %v", d)
	}
	if r.Attempts != 1 || r.InFlight || r.LastError != "451 greylisted" || r.State() != spool.StateDeferred {
		t.Errorf("record: %+v", r)
	}
	w.wants(0, 0, 0, 0) // not due
	if len(w.mail.attempts) != 1 {
		t.Errorf("attempts: %v", w.mail.attempts)
	}
	w.pass(9 * time.Minute)
	w.wants(0, 1, 0, 0)
}

func TestPartlyDelivered(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = func(_ *spool.Message, r string) spool.Outcome {
		if r == "late@example.net" {
			return greylisted
		}
		return delivered
	}
	w.put("A", nil, "a@example.net", "late@example.net", "b@example.net")
	w.wants(0, 1, 0, 0)
	w.mail.answer = nil
	w.pass(time.Hour)
	w.wants(1, 0, 0, 0)
	w.empty()
	for _, r := range []string{"a@example.net", "late@example.net", "b@example.net"} {
		if n := w.mail.accepted["A "+r]; n != 1 {
			t.Errorf("%s got it %d times", r, n)
		}
	}
}

func TestPassedOverServersStayInTheHistory(t *testing.T) {
	w := newWorld(t)
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{Outcomes: []spool.Outcome{greylisted}, Skipped: []spool.Outcome{noRoute}}, m.Begin(), true
	}
	w.put("A", nil)
	w.wants(0, 1, 0, 0)
	r := w.record("A")
	e := r.Events[len(r.Events)-1]
	if len(e.Results) != 2 || e.Results[0].Reply.Text != "connection refused" || len(e.Results[0].To) != 0 || r.LastError != "451 greylisted" {
		t.Errorf("result: %+v, last error %q", e, r.LastError)
	}
}

func TestEqualOutcomesAreOneAnswer(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("r%d@example.net", i))
	}
	w.put("A", nil, many...)
	w.wants(0, 1, 0, 0)
	r := w.record("A")
	if e := r.Events[len(r.Events)-1]; len(e.Results) != 1 || len(e.Results[0].To) != 1000 {
		t.Errorf("%d answers", len(e.Results))
	}
}

func TestAllAndIDs(t *testing.T) {
	w := newWorld(t)
	later := start.Add(50 * time.Minute)
	for _, id := range []spool.ID{"A", "B", "C", "held"} {
		w.put(id, nil)
	}
	w.change("A", spool.Event{Kind: spool.Postpone, Next: later})
	w.change("B", spool.Event{Kind: spool.Postpone, Next: later})
	w.change("held", spool.Event{Kind: spool.Hold, Next: later})
	w.put("failed", nullSender)
	if err := w.claim("failed").Fail(spool.Event{Kind: spool.GiveUp, At: start}); err != nil {
		t.Fatal(err)
	}

	w.o.IDs = []spool.ID{"B", "nobody", "held", "failed", "../x", "B"}
	tally, err := Run(t.Context(), w.o)
	var unknown *UnknownError
	if !errors.As(err, &unknown) || !errors.Is(err, spool.ErrGone) || !slices.Equal(unknown.IDs, []spool.ID{"nobody", "../x"}) {
		t.Errorf("unknown ids: %v", err)
	}
	if tally.Sent != 1 || !slices.Equal(w.mail.attempts, []spool.ID{"B"}) {
		t.Errorf("flush B: %+v, attempted %v", tally, w.mail.attempts)
	}
	w.o.IDs = nil
	w.wants(1, 0, 0, 0) // C was due
	w.o.All = true
	w.wants(1, 0, 0, 0) // A was not
	if q, f := w.list(); !slices.Equal(q, []spool.ID{"held"}) || len(f) != 1 {
		t.Errorf("left: %v, %v", q, f)
	}
}

func TestMaxAndShuffle(t *testing.T) {
	w := newWorld(t)
	w.mail.workers = 1
	for i := range 50 {
		w.put(spool.ID(fmt.Sprintf("m%02d", i)), nil)
	}
	w.o.Max = 10
	w.wants(10, 0, 0, 0)
	if slices.IsSorted(w.mail.attempts) {
		t.Errorf("not shuffled: %v", w.mail.attempts)
	}
	if q, _ := w.list(); len(q) != 40 {
		t.Errorf("%d left", len(q))
	}
	w.o.Max, w.mail.attempts = 0, nil
	w.wants(40, 0, 0, 0)
	if slices.IsSorted(w.mail.attempts) {
		t.Errorf("without Max, not shuffled: %v", w.mail.attempts)
	}
}

func TestProgress(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noSuchUser)
	for i := range 5 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
	}
	var seen []string
	w.o.Progress = func(done, total int) { seen = append(seen, fmt.Sprintf("%d/%d", done, total)) }
	w.wants(0, 0, 5, 0)
	// The returns are sent too.
	if want := []string{"1/5", "2/5", "3/5", "4/5", "5/5", "6/10", "7/10", "8/10", "9/10", "10/10"}; !slices.Equal(seen, want) {
		t.Errorf("progress: %v", seen)
	}
}

func TestClockJump(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.change("A", spool.Event{Kind: spool.Postpone, Next: start.Add(10 * 365 * 24 * time.Hour)})
	w.wants(1, 0, 0, 0)
}

// A killed run leaves a Try without a Result, and the message is free again at once. After
// a second killed run in a row, the next send in the record counts, whatever the listing
// says.
func TestInterruptedAttempt(t *testing.T) {
	for deaths, sentAtOnce := range map[int]int{1: 1, 2: 0} {
		w := newWorld(t)
		w.put("A", nil)
		for n := range deaths {
			if err := w.claim("A").Begin(spool.Event{Kind: spool.Try, At: start, N: n + 1, Next: start.Add(5 * time.Minute)}); err != nil {
				t.Fatal(err)
			}
			w.mem = w.mem.Crash()
		}
		w.o.Store = w.mem
		w.pass(time.Minute)
		w.wants(sentAtOnce, 0, 0, 0)
		w.pass(5 * time.Minute)
		w.wants(1-sentAtOnce, 0, 0, 0)
	}
}

// A run that is ended before a server answered leaves the message due.
func TestStoppedStaysDue(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{Wait: spool.Stopped}, m.Begin(), true
	}
	if tally, _ := Run(context.Background(), w.o); tally != (spool.Tally{}) {
		t.Errorf("counted as %+v", tally)
	}
	w.mail.instead = nil
	w.wants(1, 0, 0, 0)
}

func TestDamagedIsSetAside(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	w.put("B", nil)
	w.mem.Damage("A")
	w.wants(1, 0, 0, 0)
	w.empty()
}

func TestLimited(t *testing.T) {
	w := newWorld(t)
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{Wait: spool.Limited}, nil, m.ID == "A"
	}
	w.put("A", nil)
	w.put("B", nil)
	before := w.entry("A")
	w.pass(200 * time.Hour) // not even returned for age: it was not tried
	w.wants(1, 0, 0, 0)
	if r := w.record("A"); r.Touched || !r.NextSendAt.Equal(before.Next) {
		t.Errorf("a limit is no attempt: %+v", r)
	}
}

func TestTwoFlushesAtOnce(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.put(spool.ID(fmt.Sprintf("m%d", i)), nil)
	}
	sum := make(chan int)
	for range 3 {
		o := w.o
		o.Store = w.mem.Reopen()
		go func() {
			tally, err := Run(context.Background(), o)
			if err != nil {
				t.Error(err)
			}
			sum <- tally.Sent
		}()
	}
	if n := <-sum + <-sum + <-sum; n != 200 {
		t.Errorf("three runs sent %d of 200 messages", n)
	}
	for key, n := range w.mail.accepted {
		if n != 1 {
			t.Errorf("%s was sent %d times", key, n)
		}
	}
}

func TestBusyIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil)
	c := w.claim("A")
	w.wants(0, 0, 0, 0)
	c.Release()
	w.wants(1, 0, 0, 0)
}

func TestPlanWritesNothing(t *testing.T) {
	w := newWorld(t)
	for _, id := range []spool.ID{"B", "A", "later", "held", "A-1"} {
		w.put(id, nil)
	}
	w.change("later", spool.Event{Kind: spool.Postpone, Next: start.Add(time.Hour)})
	w.change("held", spool.Event{Kind: spool.Hold})
	usage, _ := w.mem.Usage(t.Context())
	plan, err := Plan(t.Context(), Options{Store: w.mem, Policy: policy, Now: w.now})
	var ids []spool.ID
	for _, e := range plan {
		ids = append(ids, e.ID)
	}
	if err != nil || !slices.Equal(ids, []spool.ID{"A", "A-1", "B"}) {
		t.Errorf("plan: %v, %v", ids, err)
	}
	if after, _ := w.mem.Usage(t.Context()); after != usage {
		t.Error("a dry run wrote to the spool")
	}
	if _, err := Plan(t.Context(), Options{Store: w.mem, Policy: policy, Now: w.now, IDs: []spool.ID{"none"}}); !errors.Is(err, spool.ErrGone) {
		t.Errorf("plan of an unknown id: %v", err)
	}
}
