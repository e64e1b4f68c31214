package flush

import (
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// parseReport checks that a delivered body is a return and gives its text.
func parseReport(t *testing.T, body string) *mail.Message {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if typ := m.Header.Get("Content-Type"); !strings.HasPrefix(typ, "multipart/report; report-type=delivery-status;") {
		t.Errorf("Content-Type: %s", typ)
	}
	return m
}

func TestFailedIsReturnedInTheSameRun(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noSuchUser)
	w.put("A", func(e *spool.Envelope) { e.Ref = "patron 7" })
	w.wants(0, 0, 1, 0)
	w.empty()
	if want := []spool.ID{"A", "A-1"}; !slices.Equal(w.mail.attempts, want) {
		t.Errorf("attempts: %v", w.mail.attempts)
	}
	if w.mail.accepted["A-1 desk@example.org"] != 1 || w.mail.senders["A-1"] != "" {
		t.Errorf("the return went to %v from %q", w.mail.accepted, w.mail.senders["A-1"])
	}
	body := w.mail.bodies["A-1"]
	m := parseReport(t, body)
	if from := m.Header.Get("From"); from != "Mail Delivery System <MAILER-DAEMON@mail.example.org>" {
		t.Errorf("From: %s", from)
	}
	for _, want := range []string{"patron 7", "550 no such user", "Action: failed", "Please bring it back."} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in the return:\n%s", want, body)
		}
	}
}

func TestReturnGoesToItsOwnSender(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noSuchUser)
	w.put("A", func(e *spool.Envelope) { e.Sender, e.ReturnTo = "library@example.org", "clerk@example.org" })
	w.wants(0, 0, 1, 0)
	if w.mail.accepted["A-1 clerk@example.org"] != 1 {
		t.Errorf("with rewrite_from the return went to %v", w.mail.accepted)
	}
}

// A message can fail for one recipient after the other, and each gets a return.
func TestEachFailureHasItsReturn(t *testing.T) {
	w := newWorld(t)
	fails := map[string]bool{"a@example.net": true}
	w.mail.answer = func(m *spool.Message, r string) spool.Outcome {
		switch {
		case fails[r]:
			return noSuchUser
		case r == "desk@example.org":
			return delivered
		}
		return greylisted
	}
	w.put("A", nil, "a@example.net", "b@example.net", "c@example.net")
	w.wants(0, 0, 1, 0)
	if r := w.record("A"); !slices.Equal(r.Pending(), []int{1, 2}) || r.ReturnedIn != 1 || r.UnreturnedIn() != 0 || !r.NextSendAt.After(start) {
		t.Errorf("record: %+v", r)
	}
	fails["c@example.net"] = true
	w.pass(time.Hour)
	w.wants(0, 0, 1, 0)
	fails["b@example.net"] = true
	w.pass(time.Hour)
	w.wants(0, 0, 1, 0)
	w.empty()
	w.about(map[spool.ID]string{"A-1": "a@", "A-2": "c@", "A-3": "b@"})
}

// about checks that a report is about one recipient, whose address begins with to.
func (w *world) about(reports map[spool.ID]string) {
	w.t.Helper()
	for id, to := range reports {
		body := w.mail.bodies[id]
		if n := strings.Count(body, "Final-Recipient:"); n != 1 || !strings.Contains(body, "Final-Recipient: rfc822; "+to) {
			w.t.Errorf("%s is not about %s:\n%s", id, to, body)
		}
	}
}

func TestNoSenderGoesToFailed(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noSuchUser)
	w.put("A", nullSender)
	w.wants(0, 0, 0, 1)
	w.empty("A")
	if r := w.record("A"); !r.GivenUp || r.LastError != "550 no such user" {
		t.Errorf("record: %+v", r)
	}
}

// TestSenderWantsNoReturn: RFC 3461. A message that the sender wants no return of is kept.
func TestSenderWantsNoReturn(t *testing.T) {
	for notify, told := range map[string]bool{"": true, "failure": true, "success,delay,failure": true, "never": false, "success": false, "delay": false} {
		w := newWorld(t)
		w.mail.answer = func(m *spool.Message, _ string) spool.Outcome {
			if m.ID == "A" {
				return noSuchUser
			}
			return delivered
		}
		w.put("A", func(e *spool.Envelope) { e.Notify = notify })
		w.flush()
		if returned := w.mail.accepted["A-1 desk@example.org"] == 1; returned != told {
			t.Errorf("NOTIFY=%s: returned: %v", notify, returned)
		}
		if _, failed := w.list(); (len(failed) == 0) != told {
			t.Errorf("NOTIFY=%s: failed messages: %v", notify, failed)
		}
	}
}

// A message goes to failed/ only when no recipient is pending. That others got it does not
// make up for the recipient that nobody was notified of.
func TestNoSenderPartly(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = func(_ *spool.Message, r string) spool.Outcome {
		if r == "bad@example.net" {
			return noSuchUser
		}
		return greylisted
	}
	w.put("A", nullSender, "bad@example.net", "good@example.net")
	w.wants(0, 1, 0, 0)
	w.mail.answer = nil
	w.pass(time.Hour)
	w.wants(0, 0, 0, 1)
	w.empty("A")
	if w.mail.accepted["A good@example.net"] != 1 {
		t.Errorf("delivered: %v", w.mail.accepted)
	}
}

func TestUndeliverableReturnGoesToFailed(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = func(*spool.Message, string) spool.Outcome { return noSuchUser }
	w.put("A", nil)
	w.wants(0, 0, 1, 1)
	w.empty("A-1")
}

func TestDeferredReturnIsTriedOn(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = func(m *spool.Message, _ string) spool.Outcome {
		if m.Sender == "" {
			return greylisted
		}
		return noSuchUser
	}
	w.put("A", nil)
	w.wants(0, 0, 1, 0) // the return is part of its message's count,
	w.mail.answer = nil
	w.pass(time.Hour)
	w.wants(1, 0, 0, 0) // later it is a message like any other
	w.empty()
}

func refuseNullSender(m *spool.Message, _ string) spool.Outcome {
	switch {
	case m.Sender == "":
		return badSender
	case m.ID == "A":
		return noSuchUser
	}
	return delivered
}

func TestNullSenderRefused(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = refuseNullSender
	w.put("A", nil)
	w.wants(0, 0, 1, 0)
	w.empty()
	if w.mail.accepted["A-1.p desk@example.org"] != 1 || w.mail.senders["A-1.p"] != "library@example.org" {
		t.Fatalf("delivered %v, senders %v", w.mail.accepted, w.mail.senders)
	}
	m := parseReport(t, w.mail.bodies["A-1.p"])
	if m.Header.Get("From") != "Mail Delivery System <library@example.org>" || m.Header.Get("Auto-Submitted") != "auto-replied" {
		t.Errorf("header: %v", m.Header)
	}
}

func TestNullSenderRefusedAndNoAddress(t *testing.T) {
	w := newWorld(t)
	w.o.Site.Address = ""
	w.mail.answer = refuseNullSender
	w.put("A", nil)
	w.wants(0, 0, 1, 1)
	w.empty("A-1")
}

func TestPlainReportIsNeverReturned(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = func(m *spool.Message, r string) spool.Outcome {
		if m.Sender == "" {
			return badSender
		}
		return noSuchUser
	}
	w.put("A", nil)
	w.wants(0, 0, 1, 1)
	w.empty("A-1.p")
}

// The null sender of an ordinary message is not changed.
func TestNullSenderOfAMessageRefused(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = refuseNullSender
	w.put("A", nullSender)
	w.wants(0, 0, 0, 1)
	w.empty("A")
}

func TestSenderRefusedIsReturned(t *testing.T) {
	w := newWorld(t)
	w.mail.always(badSender)
	w.put("A", nil)
	w.wants(0, 0, 1, 0)
	if !strings.Contains(w.mail.bodies["A-1"], "desk@example.org") {
		t.Errorf("the return does not name the sender:\n%s", w.mail.bodies["A-1"])
	}
}

func TestWarnAfter(t *testing.T) {
	w := newWorld(t)
	w.o.WarnAfter = 4 * time.Hour
	w.mail.always(greylisted)
	w.put("A", nil)
	w.runs(10*time.Minute, 3*time.Hour+50*time.Minute)
	if w.mail.accepted["A.w desk@example.org"] != 0 {
		t.Error("warned too early")
	}
	w.runs(10*time.Minute, 10*time.Hour)
	if n := w.mail.accepted["A.w desk@example.org"]; n != 1 {
		t.Fatalf("warned %d times", n)
	}
	body := w.mail.bodies["A.w"]
	if !strings.Contains(body, "Action: delayed") || !strings.Contains(body, "Will-Retry-Until: Fri, 6 Mar 2026 12:00:00 +0000") {
		t.Errorf("warning:\n%s", body)
	}
	if q, _ := w.list(); !slices.Equal(q, []spool.ID{"A"}) {
		t.Errorf("queue: %v", q)
	}
}

func TestNoWarning(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"never":      func(w *world) { w.o.WarnAfter = 0; w.put("A", nil) },
		"no sender":  func(w *world) { w.put("A", nullSender) },
		"not wanted": func(w *world) { w.put("A", func(e *spool.Envelope) { e.Notify = "failure" }) },
		"fails":      func(w *world) { w.put("A", nil); w.mail.always(noSuchUser) },
	} {
		w := newWorld(t)
		w.o.WarnAfter = time.Hour
		w.mail.always(greylisted)
		prepare(w)
		w.pass(2 * time.Hour)
		w.flush()
		if _, warned := w.mail.bodies["A.w"]; warned {
			t.Errorf("%s: warned", name)
		}
	}
}

func TestReturnByHand(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("A", nil, "a@example.net", "b@example.net")
	w.wants(0, 1, 0, 0)
	ids, err := Return(t.Context(), w.o, w.claim("A"))
	if err != nil || !slices.Equal(ids, []spool.ID{"A-2"}) {
		t.Fatalf("returned %v, %v", ids, err)
	}
	if q, _ := w.list(); !slices.Equal(q, []spool.ID{"A-2"}) {
		t.Fatalf("queue: %v", q)
	}
	w.wants(1, 0, 0, 0)
	body := w.mail.bodies["A-2"]
	for _, want := range []string{"a@example.net", "b@example.net", "given up by hand; the last answer was: 451", "greylisted", "Status: 5.0.0"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in the return:\n%s", want, body)
		}
	}
	w.put("B", nullSender)
	if ids, err = Return(t.Context(), w.o, w.claim("B")); err != nil || len(ids) != 0 {
		t.Errorf("no sender: %v, %v", ids, err)
	}
	w.empty("B")
}
