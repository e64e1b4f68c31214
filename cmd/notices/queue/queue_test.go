package queue

import (
	"context"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/spool"
	"notices/spool/faulty"
	"notices/spool/records"
)

// world is a site and its queue.
type world struct {
	*fakesite.Site
	q *Queue
}

func newWorld(t *testing.T) *world { return on(fakesite.New(t)) }

func on(s *fakesite.Site) *world {
	return &world{s, &Queue{Program: s.Program, Store: s.Store, Policy: s.Policy}}
}

// TestInFlight: what is in flight is left alone and told of, the others are served.
func TestInFlight(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Queue("A2", "b@example.net")
	c := w.Claim("A1")
	defer c.Release()
	actions := map[string]func(context.Context, Selection) error{
		"hold": w.q.Hold, "release": w.q.Release, "retry": w.q.Retry, "return": w.q.Return, "remove": w.q.Remove,
	}
	for name, do := range actions {
		if code := app.ExitCode(do(context.Background(), Selection{IDs: []string{"A1"}})); code != app.ExitTryLater {
			t.Errorf("%s of what is in flight: exit %d", name, code)
		}
	}
	if code := app.ExitCode(w.q.Hold(context.Background(), Selection{IDs: []string{"A1", "A2"}})); code != app.ExitTryLater {
		t.Errorf("exit %d", code)
	}
	if !w.Record("A2").Held {
		t.Error("the other message was not held")
	}
}

// TestUnknownBeatsInFlight: to try again does not help an unknown id.
func TestUnknownBeatsInFlight(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	defer w.Claim("A1").Release()
	for _, ids := range [][]string{{"A1", "nosuch"}, {"nosuch", "A1"}, {"x", "y", "z", "A1", "nosuch"}} {
		if code := app.ExitCode(w.q.Hold(context.Background(), Selection{IDs: ids})); code != app.ExitUnknown {
			t.Errorf("%v: exit %d", ids, code)
		}
	}
}

// TestHoldLastsUntilRelease, and what is held is due at once when it is released.
func TestHoldLastsUntilRelease(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Check(w.q.Hold(context.Background(), Selection{All: true}))
	w.Now = w.Now.Add(400 * 24 * time.Hour)
	if r := w.Record("A1"); !r.Held || !records.NextSend(r).IsZero() {
		t.Errorf("after a year: held %v, next send %v", r.Held, records.NextSend(r))
	}
	w.Check(w.q.Retry(context.Background(), Selection{IDs: []string{"A1"}}))
	if !w.Record("A1").Held {
		t.Error("retry let a held message go")
	}
	w.Check(w.q.Release(context.Background(), Selection{All: true}))
	if r := w.Record("A1"); r.Held || !r.NextSendAt.Equal(w.Now) {
		t.Errorf("released: held %v, next send %v", r.Held, r.NextSendAt)
	}
}

// TestRetryOfFailed: its age and its failed recipients begin anew, what was
// delivered stays so.
func TestRetryOfFailed(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "gone@example.net", "here@example.net")
	w.Try("A1", 1,
		spool.Answer{Outcome: spool.Outcome{Class: spool.Failed, Reply: spool.Reply{Code: 550}}, To: []int{0}},
		spool.Answer{Outcome: spool.Outcome{Class: spool.Delivered}, To: []int{1}})
	w.Check(w.Claim("A1").Fail(spool.Event{Kind: spool.GiveUp, At: w.Now}))
	w.Now = w.Now.Add(200 * time.Hour)
	w.Check(w.q.Retry(context.Background(), Selection{IDs: []string{"A1"}}))
	r := w.Record("A1")
	if r.State() == spool.StateFailed || !r.QueuedAt.Equal(w.Now) || len(r.Pending()) != 1 || r.Recipients[1].State != spool.RecipientDelivered {
		t.Errorf("%+v", r)
	}
}

// TestPersonsWordIsDurable: a hold that was said to be done survives a power cut.
func TestPersonsWordIsDurable(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Check(w.q.Hold(context.Background(), Selection{IDs: []string{"A1"}}))
	w.q.Store = w.Store.PowerCut()
	e, err := spool.FindOne(context.Background(), w.q.Store, "A1")
	w.Check(err)
	if e.State != spool.StateHeld {
		t.Errorf("after the power cut it is %s", e.State)
	}
}

// TestWhichMessage: a command without ids does not advise what it would refuse. Only
// some have an --all; all ask the same.
func TestWhichMessage(t *testing.T) {
	err := Selection{}.Check()
	if err == nil || strings.HasSuffix(err.Error(), "or --all") || !strings.Contains(err.Error(), "hold, release and retry take --all") {
		t.Error(err)
	}
}

// TestSpoolInTrouble: an error of the spool itself ends the command.
func TestSpoolInTrouble(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Queue("A2", "b@example.net")
	faulty := faulty.New(w.Store, faulty.Plan{
		At:    1,
		Match: func(c faulty.Call) bool { return c.Method == "Claim.Append" },
	})
	w.q.Store = faulty
	if err := w.q.Hold(context.Background(), Selection{All: true}); err == nil || !faulty.Hit() {
		t.Errorf("hold on a broken spool: %v", err)
	}
	if w.Record("A2").Held {
		t.Error("it went on")
	}
}

// TestHistoryOfWhatIsOnItsWay: it is not told to be interrupted.
func TestHistoryOfWhatIsOnItsWay(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Try("A1", 1)
	w.Try("A1", 2)
	got := eventsOf(w.Record("A1"))
	if len(got) != 2 || got[0].Outcome != "interrupted" || got[1].Outcome != "under way" || got[1].At == nil {
		t.Errorf("%+v", got)
	}
}

// TestHistoryTellsWhatHappened: attempts by their answers, a killed one as
// interrupted, and what a person did.
func TestHistoryTellsWhatHappened(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net", "b@example.net")
	w.Try("A1", 1)
	w.Try("A1", 2,
		spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reply: spool.Reply{Server: "1", Text: "no connection"}}},
		spool.Answer{Outcome: spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "2", Code: 250, Text: "ok"}}, To: []int{0}},
		spool.Answer{Outcome: spool.Outcome{Class: spool.Deferred, Reply: spool.Reply{Server: "2", Code: 451, Text: "busy"}}, To: []int{1}})
	w.Check(w.q.Hold(context.Background(), Selection{All: true}))
	want := []historyJSON{
		{Outcome: "interrupted"},
		{Server: "1", Outcome: "deferred", Reply: "no connection"},
		{Server: "2", Outcome: "delivered", Reply: "250 ok"},
		{Server: "2", Outcome: "deferred", Reply: "451 busy"},
		{Outcome: "hold"},
	}
	got := eventsOf(w.Record("A1"))
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, h := range got {
		if h.At == nil || h.Server != want[i].Server || h.Outcome != want[i].Outcome || h.Reply != want[i].Reply {
			t.Errorf("%d: %+v, want %+v", i, h, want[i])
		}
	}
}
