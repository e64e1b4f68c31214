package flush

import (
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// full is the outcome of a recipient whose domain's limit is used up.
var full = spool.Outcome{Class: spool.Deferred, Reason: spool.ReasonRate, Reply: spool.Reply{Text: "[[limit]] of 1 in 1h for gmail.com is used up"}}

// limits answers recipients at gmail.com with full, and the others with o.
func (s *servers) limits(o spool.Outcome) {
	s.answer = func(m *spool.Message, recipient string) spool.Outcome {
		switch {
		case m.Sender == "":
			return delivered
		case strings.HasSuffix(recipient, "@gmail.com"):
			return full
		}
		return o
	}
}

// A recipient that a limit puts off is not counted and stays due. The outcomes of the other
// recipients of the message count as usual.
func TestPartlyLimited(t *testing.T) {
	for _, c := range []struct {
		name  string
		other spool.Outcome
		want  spool.Tally
		due   bool
	}{
		{"the other got it", delivered, spool.Tally{}, true},
		{"the other failed", noSuchUser, spool.Tally{Returned: 1}, true},
		{"the other is deferred", greylisted, spool.Tally{Deferred: 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.put("A", nil, "a@gmail.com", "b@example.net")
			before := w.entry("A").Next
			w.pass(time.Minute)
			w.mail.limits(c.other)
			words, text := w.logged()
			if !strings.Contains(text, `postponed messages=1 why="[[limit]] of 1 in 1h for gmail.com is used up; they stay due"`) {
				t.Errorf("%s", text)
			}
			for _, word := range words {
				if word == "deferred" && c.due {
					t.Errorf("the log calls it deferred:\n%s", text)
				}
			}
			if got := w.lastFlush(); got != c.want {
				t.Errorf("counted %+v, want %+v", got, c.want)
			}
			r := w.record("A")
			if r.Recipients[0].State != spool.RecipientPending || r.Recipients[0].Outcome.Class != "" {
				t.Errorf("put off: %+v", r.Recipients[0])
			}
			if got := r.NextSendAt.Equal(before); got != c.due {
				t.Errorf("next send %v, was due at %v", r.NextSendAt, before)
			}
			// The limit is free again.
			w.pass(time.Hour)
			w.mail.answer = nil
			w.wants(1, 0, 0, 0)
			if w.mail.accepted["A a@gmail.com"] != 1 || w.mail.accepted["A b@example.net"] > 1 {
				t.Errorf("%v", w.mail.accepted)
			}
			w.empty()
		})
	}
}

func (w *world) lastFlush() spool.Tally {
	w.t.Helper()
	l, err := spool.LoadState[spool.LastFlush](w.t.Context(), w.mem.State(), spool.LastFlushName)
	if err != nil {
		w.t.Fatal(err)
	}
	return l.Tally
}

// A message that is past its age is not returned for recipients that wait for a limit,
// because no server was asked for them.
func TestLimitedIsNoLastAttempt(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil, "a@gmail.com", "b@example.net")
	w.mail.limits(greylisted)
	if total := w.runs(time.Hour, 101*time.Hour); total.Returned != 1 || total.Sent != 0 {
		t.Errorf("%+v", total)
	}
	if r := w.record("A"); r.Recipients[0].State != spool.RecipientPending || r.Recipients[1].State != spool.RecipientFailed {
		t.Errorf("%+v", r.Recipients)
	}
	w.mail.answer = nil
	w.wants(1, 0, 0, 0)
}

// All recipients of a message may be put off after its attempt was recorded, while it waited
// for a connection. It is due as before.
func TestLimitedAfterTheAttemptBegan(t *testing.T) {
	w := newWorld(t)
	w.put("A", nil, "a@gmail.com")
	before := w.entry("A").Next
	w.pass(time.Minute)
	w.mail.limits(delivered)
	for range 3 {
		w.wants(0, 0, 0, 0)
	}
	if r := w.record("A"); !r.NextSendAt.Equal(before) || r.InFlight {
		t.Errorf("%+v", r)
	}
	w.mail.answer = nil
	w.wants(1, 0, 0, 0)
}

// --expires also counts for a message that waits for a limit.
func TestLimitedExpires(t *testing.T) {
	w := newWorld(t)
	w.put("A", func(e *spool.Envelope) { e.ExpiresAt = w.now().Add(2 * time.Hour) }, "a@gmail.com")
	w.mail.instead = func(m *spool.Message) (spool.Delivery, error, bool) {
		return spool.Delivery{Wait: spool.Limited, Outcomes: []spool.Outcome{full}}, nil, m.ID == "A"
	}
	w.wants(0, 0, 0, 0)
	w.pass(3 * time.Hour)
	w.wants(0, 0, 1, 0)
	w.empty()
}
