package flush

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/faulty"
)

// crashWorld has a message for each possible course of a message.
func crashWorld(t *testing.T) *world {
	w := newWorld(t)
	w.mail.workers = 1
	w.o.WarnAfter = 30 * time.Minute
	w.o.Random = func(n int64) int64 { return n / 2 }
	ready := start.Add(20 * time.Minute)
	w.mail.answer = func(m *spool.Message, r string) spool.Outcome {
		name, _, _ := strings.Cut(string(m.ID), "-")
		report := strings.ContainsAny(string(m.ID), "-.")
		switch {
		case name == "nsr" && report && m.Sender == "":
			return badSender
		case report:
			return delivered
		case strings.HasPrefix(name, "rel"):
			return handedOn
		case name == "unc":
			return noAnswer
		case name == "exp", (name == "warn" || r == "late@example.net") && w.now().Before(ready):
			return greylisted
		case name == "bad", name == "null", name == "nsr", r == "bad@example.net":
			return noSuchUser
		}
		return delivered
	}
	w.put("ok", nil, "a@example.net", "b@example.net")
	w.put("rel", asks("success"))
	w.put("rel2", asks("success,failure"), "good@example.net", "late@example.net")
	w.put("bad", nil)
	w.put("part", nil, "good@example.net", "bad@example.net", "late@example.net")
	w.put("null", nullSender)
	w.put("exp", func(e *spool.Envelope) { e.ExpiresAt = start })
	w.put("warn", func(e *spool.Envelope) { e.QueuedAt = start.Add(-time.Hour) })
	w.put("nsr", nil)
	w.put("unc", nil)
	for n := 1; n <= 2; n++ {
		w.change("unc", spool.Event{Kind: spool.Result, N: n, Results: []spool.Answer{{Outcome: noAnswer, To: []int{0}}}})
	}
	return w
}

// checkCrashWorld checks that nobody was forgotten, and that nobody got anything twice except
// what was in flight when a process died.
func checkCrashWorld(t *testing.T, w *world, inFlight map[spool.ID]int, powerCut bool) {
	t.Helper()
	q, f := w.list()
	if !slices.Equal(q, []spool.ID{"unc"}) || !slices.Equal(f, []spool.ID{"null"}) {
		t.Errorf("queued %v, failed %v", q, f)
		return
	}
	if r := w.record("unc"); !r.Held || len(r.Pending()) != 1 {
		t.Errorf("unc: %+v", r)
	}
	about := map[string][]string{} // the reports about a message, by kind
	for key, n := range w.mail.accepted {
		id, _, _ := strings.Cut(key, " ")
		if n > 1+inFlight[spool.ID(id)] && !powerCut {
			t.Errorf("%s was delivered %d times", key, n)
		}
		if i := strings.IndexAny(id, "-."); i > 0 {
			about[id[:i+1]] = append(about[id[:i+1]], id)
		}
	}
	for _, to := range []string{"ok a", "ok b", "part good", "part late", "warn reader", "rel reader", "rel2 good", "rel2 late"} {
		if w.mail.accepted[to+"@example.net"] == 0 {
			t.Errorf("%s was never delivered", to)
		}
	}
	for to, n := range relayReports(w) {
		if n != 1 {
			t.Errorf("%d reports that %s was relayed", n, to)
		}
	}
	delete(about, "rel.")
	delete(about, "rel2.")
	for _, one := range []string{"bad-", "part-", "exp-", "nsr-", "warn.", "unc."} {
		ids := about[one]
		if one == "warn." && w.slow && len(ids) == 0 {
			continue // a crash away it is delivered at once, and needs no warning
		}
		if len(ids) != 1 {
			t.Errorf("reports %s*: %v, want one", one, ids)
		}
		delete(about, one)
	}
	if len(about) != 0 {
		t.Errorf("unexpected reports: %v", about)
	}
}

// relayReports counts, for each recipient, the reports that say that its message was relayed.
// A report that is sent again after a power cut counts once. A message that was sent again
// because a process died is reported once, because nothing was recorded the first time.
func relayReports(w *world) map[string]int {
	told := map[string]int{"rel reader": 0, "rel2 good": 0, "rel2 late": 0}
	for id, body := range w.mail.bodies {
		name, _, report := strings.Cut(string(id), ".")
		if !report || !strings.Contains(body, "Action: relayed") {
			continue
		}
		for to := range told {
			if of, who, _ := strings.Cut(to, " "); of == name && strings.Contains(body, "Final-Recipient: rfc822; "+who+"@") {
				told[to]++
			}
		}
	}
	return told
}

// flushUntilDone runs flushes like cron until everything is done.
func (w *world) flushUntilDone() {
	w.t.Helper()
	for range 14 {
		w.pass(10 * time.Minute)
		w.flush()
		if q, _ := w.list(); len(q) == 1 && w.entry(q[0]).State == spool.StateHeld {
			return
		}
	}
}

// matters reports whether a call changes the spool, or leads to a change.
func matters(c faulty.Call) bool {
	switch c.Method {
	case "New", "Commit", "Claim", "Claim.Begin", "Claim.Append", "Claim.Remove", "Claim.Fail", "State.Update", "Sync":
		return true
	}
	return false
}

// die runs a flush that ends in its k-th call on the store. false: it made fewer calls.
func (w *world) die(k int, late, powerCut bool, inFlight map[spool.ID]int) bool {
	f := faulty.New(w.mem, faulty.Plan{At: k, Die: true, Late: late, Match: matters})
	w.o.Store = f
	Run(w.t.Context(), w.o)
	if f.Hit() {
		calls := f.Calls()
		if c := calls[len(calls)-1]; c.Method == "Claim.Append" || c.Method == "Claim.Remove" {
			inFlight[c.ID]++
		}
	}
	if powerCut {
		w.mem = w.mem.PowerCut()
	} else {
		w.mem = w.mem.Crash()
	}
	w.o.Store = w.mem
	return f.Hit()
}

func TestCrashAtEveryCall(t *testing.T) {
	for _, late := range []bool{false, true} {
		for _, powerCut := range []bool{false, true} {
			for k, hit := 1, true; hit; k++ {
				w, inFlight := crashWorld(t), map[spool.ID]int{}
				hit = w.die(k, late, powerCut, inFlight)
				w.flushUntilDone()
				checkCrashWorld(t, w, inFlight, powerCut)
				if t.Failed() {
					t.Fatalf("died in call %d, late %v, power cut %v", k, late, powerCut)
				}
			}
		}
	}
}

func TestCrashAgainAndAgain(t *testing.T) {
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 0))
		w, inFlight := crashWorld(t), map[spool.ID]int{}
		var died []string
		powerCut := seed%4 == 0
		for range 4 {
			k, late := 1+random.IntN(70), random.IntN(2) == 0
			died = append(died, fmt.Sprintf("%d (late %v)", k, late))
			w.die(k, late, powerCut, inFlight)
			w.slow = true
			w.pass(time.Duration(random.IntN(12)) * time.Minute)
		}
		w.flushUntilDone()
		checkCrashWorld(t, w, inFlight, powerCut)
		if t.Failed() {
			t.Fatalf("seed %d, power cut %v: died in calls %v", seed, powerCut, died)
		}
	}
}

// storedButNotSaid leaves a message whose return is stored, but whose record does not say so
// yet: the moment between two writes.
func storedButNotSaid(t *testing.T) *world {
	return diesBefore(t, spool.Returned, noSuchUser, nil)
}

// diesBefore leaves a message whose report is stored, but not the event that says so.
func diesBefore(t *testing.T, event spool.Kind, answer spool.Outcome, change func(*spool.Envelope)) *world {
	w := newWorld(t)
	w.mail.always(answer)
	w.put("A", change)
	w.o.Store = faulty.New(w.mem, faulty.Plan{At: 1, Die: true,
		Match: func(c faulty.Call) bool { return c.Kind == event }})
	Run(t.Context(), w.o)
	w.mem = w.mem.Crash()
	w.o.Store = w.mem
	w.mail.forget()
	if q, _ := w.list(); len(q) != 2 {
		t.Fatalf("queue: %v", q)
	}
	return w
}

func TestReturnWaitsForItsMessage(t *testing.T) {
	w := storedButNotSaid(t)
	c := w.claim("A") // somebody is about to finish it
	w.wants(0, 0, 0, 0)
	if len(w.mail.attempts) != 0 {
		t.Fatalf("the return was sent: %v", w.mail.attempts)
	}
	c.Release()
	w.wants(1, 0, 1, 0) // finished, then sent: an earlier run's return counts for itself
	w.empty()
	if w.mail.accepted["A-1 desk@example.org"] != 1 {
		t.Errorf("delivered: %v", w.mail.accepted)
	}
}

func TestReturnAskedForByID(t *testing.T) {
	w := storedButNotSaid(t)
	w.o.IDs = []spool.ID{"A-1"}
	w.wants(1, 0, 1, 0)
	w.empty()
}

func TestOriginOf(t *testing.T) {
	for id, want := range map[spool.ID]reportID{
		"A-1": {"A", '-', 1}, "A.w": {"A", 'w', 0}, "A.h12": {"A", 'h', 12}, "A-3.p": {"A-3", 'p', 0}, "A.r2": {"A", 'r', 2},
	} {
		if got, ok := parseReportID(id); !ok || got != want {
			t.Errorf("%s: %+v, %v", id, got, ok)
		}
	}
	for _, id := range []spool.ID{"A", "A-", "A-x", "A.", "A.x", "A.h", "A.h0", "A.hx", "A.wx", "A.r", "A.r0", "A-0", "", "-1", ".w", "A-w"} {
		if got, ok := parseReportID(id); ok {
			t.Errorf("%q is taken for a report: %+v", id, got)
		}
	}
	for _, id := range []spool.ID{warningID("A"), heldNoticeID("A", 3), relayedID("A", 3), plainID("A"), spool.ID("A").Return(2)} {
		if o, ok := parseReportID(id); !ok || o.message != "A" || !id.Valid() {
			t.Errorf("%s: %+v, %v", id, o, ok)
		}
	}
}
