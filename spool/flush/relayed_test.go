package flush

import (
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// handedOn is the outcome of a recipient that a server without DSN accepted.
var handedOn = outcome(spool.Delivered, spool.MessageScope, spool.ReasonRelayed, 250, "queued as 7F")

func asks(notify string) func(*spool.Envelope) {
	return func(e *spool.Envelope) { e.Notify = notify }
}

// TestRelayedIsReported: RFC 3461 section 5.2.2. The message counts as sent, and its report is
// part of that count.
func TestRelayedIsReported(t *testing.T) {
	w := newWorld(t)
	w.mail.always(handedOn)
	w.put("A", func(e *spool.Envelope) { e.Notify, e.EnvelopeID = "success", "run-7" }, "a@example.net", "b@example.net")
	w.wants(1, 0, 0, 0)
	w.empty()
	if want := []spool.ID{"A", "A.r1"}; !slices.Equal(w.mail.attempts, want) {
		t.Errorf("attempts: %v", w.mail.attempts)
	}
	if w.mail.accepted["A.r1 desk@example.org"] != 1 || w.mail.senders["A.r1"] != "" {
		t.Errorf("the report went to %v from %q", w.mail.accepted, w.mail.senders["A.r1"])
	}
	body := w.mail.bodies["A.r1"]
	parseReport(t, body)
	for _, want := range []string{
		"Action: relayed", "Status: 2.0.0", "Final-Recipient: rfc822; a@example.net", "Final-Recipient: rfc822; b@example.net",
		"Original-Envelope-Id: run-7", "Diagnostic-Code: smtp; 250 queued as 7F", "Remote-MTA: dns; mx.example.net", "Subject: overdue",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in the report:\n%s", want, body)
		}
	}
	if strings.Contains(body, "Please bring it back.") { // RFC 3461 section 4.3: RET is for failures
		t.Error("the message comes back whole")
	}
}

// TestRelayedGoesToItsOwnSender: with rewrite_from, the envelope sender did not ask for it.
func TestRelayedGoesToItsOwnSender(t *testing.T) {
	w := newWorld(t)
	w.mail.always(handedOn)
	w.put("A", func(e *spool.Envelope) {
		e.Sender, e.ReturnTo, e.Notify = "library@example.org", "clerk@example.org", "success"
	})
	w.wants(1, 0, 0, 0)
	if w.mail.accepted["A.r1 clerk@example.org"] != 1 {
		t.Errorf("the report went to %v", w.mail.accepted)
	}
}

// TestNoReportOfSuccess: if the server reports success, the program does not; and it does not
// report to the null sender.
func TestNoReportOfSuccess(t *testing.T) {
	for name, c := range map[string]struct {
		answer spool.Outcome
		change func(*spool.Envelope)
	}{
		"the server reports it": {delivered, asks("success")},
		"no sender":             {handedOn, func(e *spool.Envelope) { e.Sender, e.Notify = "", "success" }},
		"a report":              {handedOn, func(e *spool.Envelope) { e.Form = spool.Report }},
	} {
		w := newWorld(t)
		w.mail.answer = func(*spool.Message, string) spool.Outcome { return c.answer }
		w.put("A", c.change)
		w.wants(1, 0, 0, 0)
		w.empty()
		if len(w.mail.attempts) != 1 {
			t.Errorf("%s: attempts %v", name, w.mail.attempts)
		}
	}
}

// TestRelayedOneAfterTheOther: each attempt that relays to somebody has its report, and a
// failure beside it is returned as usual.
func TestRelayedOneAfterTheOther(t *testing.T) {
	w := newWorld(t)
	answers := map[string]spool.Outcome{
		"a@example.net": handedOn, "b@example.net": greylisted, "c@example.net": noSuchUser, "d@example.net": delivered, "desk@example.org": delivered,
	}
	w.mail.answer = func(_ *spool.Message, r string) spool.Outcome { return answers[r] }
	w.put("A", asks("success,failure"), "a@example.net", "b@example.net", "c@example.net", "d@example.net")
	w.wants(0, 0, 1, 0)
	if r := w.record("A"); r.RelayReportedIn != 1 || r.ReturnedIn != 1 || !slices.Equal(r.Pending(), []int{1}) {
		t.Errorf("record: %+v", r)
	}
	answers["b@example.net"] = handedOn
	w.pass(time.Hour)
	w.wants(1, 0, 0, 0)
	w.empty()
	w.about(map[spool.ID]string{"A.r1": "a@", "A-1": "c@", "A.r2": "b@"})
}

// TestWhatTheServerIsAsked: a server gets the DSN parameters of the pending recipients, and
// nothing for a message without parameters.
func TestWhatTheServerIsAsked(t *testing.T) {
	w := newWorld(t)
	var asked []*spool.DSNParams
	w.mail.answer = func(m *spool.Message, r string) spool.Outcome {
		if asked = append(asked, m.DSN); r == "a@example.net" {
			return delivered
		}
		return greylisted
	}
	w.put("A", nil)
	w.flush()
	w.put("B", func(e *spool.Envelope) {
		e.DSNParams.SetForEach([]string{"never", "success"}, []string{"", "rfc822;B@example.net"})
		e.EnvelopeID = "run-7"
	}, "a@example.net", "b@example.net")
	w.flush()
	w.o.IDs = []spool.ID{"B"}
	w.flush()
	last := asked[len(asked)-1]
	if asked[0] != nil || last.NotifyOf(0) != "success" || last.OriginalOf(0) != "rfc822;B@example.net" || last.EnvelopeID != "run-7" {
		t.Errorf("asked %+v and %+v", asked[0], last)
	}
}

// TestEnvelopeIDOfSites: the ENVID of a site is kept for the reports to it, and not passed on: the
// server gets the queue id, so that no site can name the message of another one.
func TestEnvelopeIDOfSites(t *testing.T) {
	w := newWorld(t)
	var asked *spool.DSNParams
	w.mail.answer = func(m *spool.Message, _ string) spool.Outcome {
		asked = m.DSN
		return greylisted
	}
	w.put("A", func(e *spool.Envelope) { e.Site, e.EnvelopeID, e.ReturnHeaders = "east", "1K0WSE1DCR0RRWKC", true })
	w.flush()
	if asked == nil || asked.EnvelopeID != "" || !asked.ReturnHeaders || w.record("A").Envelope.EnvelopeID != "1K0WSE1DCR0RRWKC" {
		t.Errorf("asked %+v, the record has %+v", asked, w.record("A").Envelope)
	}
}

// TestReportOfASite: a report is the mail of the site whose message it is about.
func TestReportOfASite(t *testing.T) {
	w := newWorld(t)
	w.mail.answer = func(m *spool.Message, _ string) spool.Outcome {
		if m.Report {
			return greylisted
		}
		return noSuchUser
	}
	w.put("A", func(e *spool.Envelope) { e.Site = "east" })
	w.flush()
	if site := w.record(spool.ID("A").Return(1)).Envelope.Site; site != "east" {
		t.Errorf("the report is of site %q", site)
	}
}

// TestEachRecipientItsOwn: a recipient with NOTIFY=NEVER is not named in a return, and the
// message is kept for a person.
func TestEachRecipientItsOwn(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noSuchUser)
	w.put("A", func(e *spool.Envelope) { e.DSNParams.SetForEach([]string{"never", "", "success"}, nil) }, "a@example.net", "b@example.net", "c@example.net")
	w.wants(0, 0, 0, 1)
	w.empty("A")
	body := w.mail.bodies["A-1"]
	if n := strings.Count(body, "Final-Recipient:"); n != 1 || !strings.Contains(body, "Final-Recipient: rfc822; b@example.net") {
		t.Errorf("return:\n%s", body)
	}
	if notes := w.record("A").Events; !strings.Contains(notes[len(notes)-1].Note, "does not want it returned") {
		t.Errorf("given up: %+v", notes[len(notes)-1])
	}
}

func TestDelayIsForWhoAskedForIt(t *testing.T) {
	w := newWorld(t)
	w.o.WarnAfter = time.Hour
	w.mail.always(greylisted)
	w.put("A", func(e *spool.Envelope) { e.DSNParams.SetForEach([]string{"delay", "failure", "never"}, nil) }, "a@example.net", "b@example.net", "c@example.net")
	w.put("B", asks("failure,success"))
	w.pass(2 * time.Hour)
	w.flush()
	body := w.mail.bodies["A.w"]
	if n := strings.Count(body, "Final-Recipient:"); n != 1 || !strings.Contains(body, "Final-Recipient: rfc822; a@example.net") {
		t.Errorf("warning:\n%s", body)
	}
	if _, warned := w.mail.bodies["B.w"]; warned {
		t.Error("warned of B")
	}
}

// TestHeldNoticeIsForWhoAskedForIt: a sender who asked not to be notified is not.
func TestHeldNoticeIsForWhoAskedForIt(t *testing.T) {
	w := newWorld(t)
	w.mail.always(noAnswer)
	w.put("A", asks("never"))
	w.runs(time.Hour, 6*time.Hour)
	if r := w.record("A"); !r.Held {
		t.Fatalf("record: %+v", r)
	}
	if len(w.mail.bodies) != 0 {
		t.Errorf("reports: %v", w.mail.bodies)
	}
}

// relayedNotSaid leaves a message whose report is stored, but whose record does not say so yet.
func relayedNotSaid(t *testing.T) *world {
	return diesBefore(t, spool.Relayed, handedOn, asks("success"))
}

func TestRelayedReportWaitsForItsMessage(t *testing.T) {
	w := relayedNotSaid(t)
	c := w.claim("A") // somebody is about to finish it
	w.wants(0, 0, 0, 0)
	if len(w.mail.attempts) != 0 {
		t.Fatalf("the report was sent: %v", w.mail.attempts)
	}
	c.Release()
	w.wants(2, 0, 0, 0) // finished, then sent: an earlier run's report counts for itself
	w.empty()
	if w.mail.accepted["A.r1 desk@example.org"] != 1 || w.mail.accepted["A reader@example.net"] != 1 {
		t.Errorf("delivered: %v", w.mail.accepted)
	}
}

// TestOnly: a run attempts the messages that Only selects, due or not, and no others.
func TestOnly(t *testing.T) {
	w := newWorld(t)
	w.mail.always(greylisted)
	w.put("A", nil, "a@example.net")
	w.put("B", nil, "b@example.org")
	w.put("H", nil, "h@example.net")
	w.change("H", spool.Event{Kind: spool.Hold})
	w.wants(0, 2, 0, 0)
	w.mail.answer, w.o.All, w.o.Max = nil, true, 1
	w.o.Only = func(r *spool.Record) bool { return strings.HasSuffix(r.Recipients[0].Address, ".net") }
	plan, err := Plan(t.Context(), w.o)
	if err != nil || len(plan) != 1 || plan[0].ID != "A" {
		t.Errorf("plan: %v, %v", plan, err)
	}
	w.wants(1, 0, 0, 0)
	if q, _ := w.list(); len(q) != 2 || w.record("B").Attempts != 1 {
		t.Errorf("queue: %v", q)
	}
}
