package flush

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/faulty"
)

// history is what became of the messages of this world, in short.
func (w *world) history(q spool.HistoryQuery) string {
	w.t.Helper()
	var all []string
	damage, err := w.o.Store.History(w.t.Context(), q, func(e *spool.HistoryEntry) bool {
		all = append(all, fmt.Sprintf("%s/%d %s %d", e.ID, e.Index, e.Ending, e.Attempts))
		return true
	})
	if err != nil || len(damage) > 0 {
		w.t.Fatalf("history: %v, %v", damage, err)
	}
	return strings.Join(all, ", ")
}

func (w *world) wantHistory(what, want string) {
	w.t.Helper()
	if got := w.history(spool.HistoryQuery{}); got != want {
		w.t.Errorf("%s: the history is %s; want %s", what, got, want)
	}
}

// TestHistoryOfEachEnding: what a run does to a message is what the history says.
func TestHistoryOfEachEnding(t *testing.T) {
	w := newWorld(t)
	w.o.KeepHistory = 90 * 24 * time.Hour
	w.put("A", nil, "a@example.net", "b@example.net", "c@example.net")
	w.mail.answer = func(_ *spool.Message, to string) spool.Outcome {
		switch to {
		case "b@example.net":
			return noSuchUser
		case "c@example.net":
			return greylisted
		}
		return delivered
	}
	w.flush()
	w.wantHistory("waiting for one", "A-1/0 delivered 1")
	w.pass(time.Hour)
	w.mail.answer = nil
	w.flush()
	w.wantHistory("after the second attempt", "A/0 delivered 1, A/1 returned 1, A/2 delivered 2, A-1/0 delivered 1")
	w.put("B", nullSender)
	w.mail.always(noSuchUser)
	w.flush()
	if got := w.history(spool.HistoryQuery{IDs: []spool.ID{"B"}}); got != "B/0 failed 1" {
		t.Errorf("without a sender: %s", got)
	}
	if err := w.claim("B").Revive(spool.Event{Kind: spool.Retry, At: w.now(), Next: w.now(), Fresh: true}); err != nil {
		t.Fatal(err)
	}
	w.mail.answer = nil
	w.flush()
	if got := w.history(spool.HistoryQuery{IDs: []spool.ID{"B"}}); got != "B/0 delivered 2" {
		t.Errorf("revived: %s", got)
	}
}

// TestKeepHistory: whole days are forgotten, once a day, and at once if keep_history became
// shorter.
func TestKeepHistory(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorld(t)
	w.o.KeepHistory = 90 * day
	deliver := func(id spool.ID) {
		t.Helper()
		w.put(id, nil)
		w.wants(1, 0, 0, 0)
	}
	deliver("A")
	w.pass(50 * day)
	deliver("B")
	w.pass(40 * day)
	w.flush()
	w.wantHistory("after 90 days", "A/0 delivered 1, B/0 delivered 1")
	w.pass(day)
	w.flush()
	w.wantHistory("after 91 days", "B/0 delivered 1")
	deliver("C")
	w.o.KeepHistory = 20 * day
	w.flush()
	w.wantHistory("made shorter", "C/0 delivered 1")
	w.o.KeepHistory = 0
	w.flush()
	w.wantHistory("made 0", "")
}

// TestHistoryIsForgottenOnceADay: the folder of the history is not listed by each run.
func TestHistoryIsForgottenOnceADay(t *testing.T) {
	w := newWorld(t)
	counted := faulty.New(w.mem, faulty.Plan{Match: func(c faulty.Call) bool { return c.Method == "ForgetHistory" }})
	w.o.Store, w.o.KeepHistory, w.o.KeepFailed = counted, 90*24*time.Hour, time.Minute
	for range 10 {
		w.flush()
		w.pass(2 * time.Hour)
	}
	if n := len(counted.Calls()); n != 2 { // begun at 8:00, and over midnight
		t.Errorf("%d times in 18 hours", n)
	}
}

// TestHistoryTrouble: a history that cannot be written stops no mail, and a person is told.
func TestHistoryTrouble(t *testing.T) {
	w := newWorld(t)
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Err: syscall.ENOSPC, Match: func(c faulty.Call) bool { return c.Method == "HistoryError" }})
	w.put("A", nil)
	words, text := w.logged()
	if strings.Join(words, " ") != "delivered trouble run" || !strings.Contains(text, HistoryTrouble) || !strings.Contains(text, "make room") {
		t.Errorf("%s", text)
	}
	if words, text := w.logged(); strings.Join(words, " ") != "run" {
		t.Errorf("the next run:\n%s", text)
	}
}

// TestHistoryCannotBeForgotten: no mail is affected, and the next run tries again.
func TestHistoryCannotBeForgotten(t *testing.T) {
	w := newWorld(t)
	w.o.KeepHistory = time.Hour
	w.put("A", nil)
	w.flush()
	w.pass(48 * time.Hour)
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Err: syscall.EACCES, Match: func(c faulty.Call) bool { return c.Method == "ForgetHistory" }})
	if words, text := w.logged(); strings.Join(words, " ") != "trouble run" || !strings.Contains(text, "keep_history") {
		t.Errorf("%s", text)
	}
	w.flush()
	w.wantHistory("the next run", "")
}
