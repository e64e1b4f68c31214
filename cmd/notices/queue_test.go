package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/faulty"
)

// TestInFlight: what is in flight is left alone and told of, the others are served.
func TestInFlight(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.queued("A2", "b@example.net")
	c := w.claimed("A1")
	defer c.Release()
	actions := map[string]func(context.Context, *queue, selection) error{
		"hold": w.a.hold, "release": w.a.release, "retry": w.a.retry, "return": w.a.giveUp, "remove": w.a.remove,
	}
	for name, do := range actions {
		if code := exitCode(do(context.Background(), w.q, selection{IDs: []string{"A1"}})); code != app.ExitTryLater {
			t.Errorf("%s of what is in flight: exit %d", name, code)
		}
	}
	if code := exitCode(w.a.hold(context.Background(), w.q, selection{IDs: []string{"A1", "A2"}})); code != app.ExitTryLater {
		t.Errorf("exit %d", code)
	}
	if !w.record("A2").Held {
		t.Error("the other message was not held")
	}
}

// TestUnknownBeatsInFlight: to try again does not help an unknown id.
func TestUnknownBeatsInFlight(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	defer w.claimed("A1").Release()
	for _, ids := range [][]string{{"A1", "nosuch"}, {"nosuch", "A1"}, {"x", "y", "z", "A1", "nosuch"}} {
		if code := exitCode(w.a.hold(context.Background(), w.q, selection{IDs: ids})); code != app.ExitUnknown {
			t.Errorf("%v: exit %d", ids, code)
		}
	}
}

// TestHoldLastsUntilRelease, and what is held is due at once when it is released.
func TestHoldLastsUntilRelease(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.check(w.a.hold(context.Background(), w.q, selection{All: true}))
	w.now = w.now.Add(400 * 24 * time.Hour)
	if r := w.record("A1"); !r.Held || !nextSend(r).IsZero() {
		t.Errorf("after a year: held %v, next send %v", r.Held, nextSend(r))
	}
	w.check(w.a.retry(context.Background(), w.q, selection{IDs: []string{"A1"}}))
	if !w.record("A1").Held {
		t.Error("retry let a held message go")
	}
	w.check(w.a.release(context.Background(), w.q, selection{All: true}))
	if r := w.record("A1"); r.Held || !r.NextSendAt.Equal(w.now) {
		t.Errorf("released: held %v, next send %v", r.Held, r.NextSendAt)
	}
}

// TestRetryOfFailed: its age and its failed recipients begin anew, what was
// delivered stays so.
func TestRetryOfFailed(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "gone@example.net", "here@example.net")
	w.tried("A1", 1,
		spool.Answer{Outcome: spool.Outcome{Class: spool.Failed, Reply: spool.Reply{Code: 550}}, To: []int{0}},
		spool.Answer{Outcome: spool.Outcome{Class: spool.Delivered}, To: []int{1}})
	w.check(w.claimed("A1").Fail(spool.Event{Kind: spool.GiveUp, At: w.now}))
	w.now = w.now.Add(200 * time.Hour)
	w.check(w.a.retry(context.Background(), w.q, selection{IDs: []string{"A1"}}))
	r := w.record("A1")
	if r.State() == spool.StateFailed || !r.QueuedAt.Equal(w.now) || len(r.Pending()) != 1 || r.Recipients[1].State != spool.RecipientDelivered {
		t.Errorf("%+v", r)
	}
}

// TestPersonsWordIsDurable: a hold that was said to be done survives a power cut.
func TestPersonsWordIsDurable(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.check(w.a.hold(context.Background(), w.q, selection{IDs: []string{"A1"}}))
	w.q.store = w.store.PowerCut()
	e, err := spool.FindOne(context.Background(), w.q.store, "A1")
	w.check(err)
	if e.State != spool.StateHeld {
		t.Errorf("after the power cut it is %s", e.State)
	}
}

// TestWhichMessage: a command without ids does not advise what it would refuse. Only
// some have an --all; all ask the same.
func TestWhichMessage(t *testing.T) {
	err := selection{}.check()
	if err == nil || strings.HasSuffix(err.Error(), "or --all") || !strings.Contains(err.Error(), "hold, release and retry take --all") {
		t.Error(err)
	}
}

// TestSpoolInTrouble: an error of the spool itself ends the command.
func TestSpoolInTrouble(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.queued("A2", "b@example.net")
	faulty := faulty.New(w.store, faulty.Plan{
		At:    1,
		Match: func(c faulty.Call) bool { return c.Method == "Claim.Append" },
	})
	w.q.store = faulty
	if err := w.a.hold(context.Background(), w.q, selection{All: true}); err == nil || !faulty.Hit() {
		t.Errorf("hold on a broken spool: %v", err)
	}
	if w.record("A2").Held {
		t.Error("it went on")
	}
}

// TestHistoryOfWhatIsOnItsWay: it is not told to be interrupted.
func TestHistoryOfWhatIsOnItsWay(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net")
	w.tried("A1", 1)
	w.tried("A1", 2)
	got := history(w.record("A1"))
	if len(got) != 2 || got[0].Outcome != "interrupted" || got[1].Outcome != "under way" || got[1].At == nil {
		t.Errorf("%+v", got)
	}
}

// TestHistoryTellsWhatHappened: attempts by their answers, a killed one as
// interrupted, and what a person did.
func TestHistoryTellsWhatHappened(t *testing.T) {
	w := newWorld(t)
	w.queued("A1", "a@example.net", "b@example.net")
	w.tried("A1", 1)
	w.tried("A1", 2,
		spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reply: spool.Reply{Server: "1", Text: "no connection"}}},
		spool.Answer{Outcome: spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "2", Code: 250, Text: "ok"}}, To: []int{0}},
		spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred, Reply: spool.Reply{Server: "2", Code: 451, Text: "busy"}}, To: []int{1}})
	w.check(w.a.hold(context.Background(), w.q, selection{All: true}))
	want := []historyJSON{
		{Outcome: "interrupted"},
		{Server: "1", Outcome: "deferred", Reply: "no connection"},
		{Server: "2", Outcome: "delivered", Reply: "250 ok"},
		{Server: "2", Outcome: "deferred", Reply: "451 busy"},
		{Outcome: "hold"},
	}
	got := history(w.record("A1"))
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, h := range got {
		if h.At == nil || h.Server != want[i].Server || h.Outcome != want[i].Outcome || h.Reply != want[i].Reply {
			t.Errorf("%d: %+v, want %+v", i, h, want[i])
		}
	}
}
