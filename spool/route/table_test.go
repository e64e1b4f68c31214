package route

import (
	"context"
	"testing"

	"notices/spool"
	"notices/spool/smtpclient"
)

// TestTable goes through all that can happen, with two servers: what server 1 does, what
// becomes of a message to ann and bob, and whether server 2 is asked.
func TestTable(t *testing.T) {
	two := func(ann, bob spool.Outcome) *fake {
		return &fake{answer: func(_ context.Context, _ *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
			r := all(t, bob)
			if t.Recipients[0] == "ann@example.com" {
				r.Outcomes[0] = ann
			}
			return r
		}}
	}
	transient := func(r spool.Reason) spool.Outcome {
		return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: r, Reply: reply(0, "", string(r))}
	}
	well := func() *fake { return &fake{} }
	for _, c := range []struct {
		name        string
		one, two    *fake
		classes     string
		reply       string // of ann
		passed      int
		asked2      bool
		paused1     bool
		attemptedBy int // transactions on server 1
	}{
		{"all is well", well(), well(), "delivered delivered", "250 2.0.0 ok", 0, false, false, 1},
		{"no such name", &fake{dial: fails(transient(spool.ReasonDNS))}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"no connection", &fake{dial: fails(noConn)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"TLS", &fake{dial: fails(transient(spool.ReasonTLS))}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"greeting", &fake{dial: fails(transient(spool.ReasonGreeting))}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"421 at once", &fake{dial: fails(transient(spool.ReasonShutdown))}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"AUTH", &fake{dial: fails(badAuth)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"AUTH for now", &fake{dial: fails(transient(spool.ReasonAuthWait))}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"busy, alone", &fake{dial: fails(busy)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 0},
		{"limit", &fake{answer: says(dayLimit)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 1},
		{"relaying denied", &fake{answer: says(transient(spool.ReasonRelay))}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 1},
		{"lost", &fake{answer: says(lost)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, false, 1},
		{"sender", &fake{answer: says(badSender)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, false, 1},
		{"sender, by both", &fake{answer: says(badSender)}, &fake{answer: says(badSender)}, "deferred deferred", "550 5.1.8 sender", 1, true, false, 1},
		{"sender; 2 is away", &fake{answer: says(badSender)}, &fake{dial: fails(noConn)}, "deferred deferred", "550 5.1.8 sender", 1, true, false, 1},
		{"send as", &fake{answer: says(sendAs)}, &fake{answer: says(badSender)}, "deferred deferred", "554 5.7.60 not you", 1, true, false, 1},
		{"4xx", &fake{answer: says(tryLater)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, false, 1},
		{"4xx by both", &fake{answer: says(tryLater)}, &fake{answer: says(tryLater)}, "deferred deferred", "451 4.3.0 later", 1, true, false, 1},
		{"4xx; 2 is away", &fake{answer: says(tryLater)}, &fake{dial: fails(noConn)}, "deferred deferred", "451 4.3.0 later", 1, true, false, 1},
		{"4xx for one", two(mailboxFull, delivered), well(), "deferred delivered", "452 4.2.2 full", 0, false, false, 1},
		{"4xx for each", two(mailboxFull, mailboxFull), well(), "deferred deferred", "452 4.2.2 full", 0, false, false, 1},
		{"too many", two(delivered, tooMany), well(), "delivered deferred", "250 2.0.0 ok", 0, false, false, 2},
		{"too many from the first", two(tooMany, tooMany), well(), "deferred deferred", "452 4.5.3 too many", 0, false, false, 1},
		{"cannot", &fake{answer: says(cannot)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, false, 1},
		{"cannot, both", &fake{answer: says(cannot)}, &fake{answer: says(cannot)}, "failed failed", "no SMTPUTF8", 1, true, false, 1},
		{"cannot; 2 says 4xx", &fake{answer: says(cannot)}, &fake{answer: says(tryLater)}, "deferred deferred", "no SMTPUTF8", 1, true, false, 1},
		{"cannot; 2 refuses sender", &fake{answer: says(cannot)}, &fake{answer: says(badSender)}, "deferred deferred", "550 5.1.8 sender", 1, true, false, 1},
		{"5xx for one", two(noSuchUser, delivered), well(), "failed delivered", "550 5.1.1 no such user", 0, false, false, 1},
		{"5xx for the message", &fake{answer: says(isSpam)}, well(), "delivered delivered", "250 2.0.0 ok", 1, true, false, 1},
		{"5xx for the message, by both", &fake{answer: says(isSpam)}, &fake{answer: says(isSpam)}, "deferred deferred", "554 5.7.1 spam", 1, true, false, 1},
		{"5xx for the message; 2 is away", &fake{answer: says(isSpam)}, &fake{dial: fails(noConn)}, "deferred deferred", "554 5.7.1 spam", 1, true, false, 1},
		{"uncertain", &fake{answer: says(uncertain)}, well(), "uncertain uncertain", "no answer", 0, false, false, 1},
		{"both away", &fake{dial: fails(noConn)}, &fake{dial: fails(noConn)}, "deferred deferred", "refused", 1, true, true, 0},
		{"1 away, 2 says 4xx for ann", &fake{dial: fails(noConn)}, two(mailboxFull, delivered), "deferred delivered", "452 4.2.2 full", 1, true, true, 0},
		{"1 lost it, 2 away", &fake{answer: says(lost)}, &fake{dial: fails(noConn)}, "deferred deferred", "lost", 1, true, false, 1},
		{"AUTH at 1, 2 away", &fake{dial: fails(badAuth)}, &fake{dial: fails(noConn)}, "deferred deferred", "535 5.7.8 wrong", 1, true, true, 0},
		{"limit met by one recipient", two(delivered, dayLimit), well(), "delivered delivered", "250 2.0.0 ok", 1, true, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.one, c.two)
			d := w.once("ann@example.com", "bob@example.com")
			if got := classes(d); got != c.classes || d.Outcomes[0].Reply.String() != c.reply {
				t.Errorf("got %s, %q; want %s, %q", got, d.Outcomes[0].Reply, c.classes, c.reply)
			}
			if len(d.Skipped) != c.passed || (c.two.dials > 0) != c.asked2 {
				t.Errorf("passed %v, server 2 dialled %d times", d.Skipped, c.two.dials)
			}
			h := w.health("1")
			if paused := h.DownUntil.After(w.clock.now()); paused != c.paused1 || c.one.sends != c.attemptedBy {
				t.Errorf("server 1: %d transactions, health %+v", c.one.sends, h)
			}
		})
	}
}

// A message that found no server in one run is told why, once the trouble is over.
func TestSendAsNotice(t *testing.T) {
	f := &fake{answer: says(sendAs)}
	w := newWorld(t, f)
	d := w.once()
	if classes(d) != "deferred" || !d.Outcomes[0].NeedsPerson() {
		t.Errorf("%+v", d)
	}
	n := w.health("1").Notice
	if n != "may not send as library@example.org (554 5.7.60 not you): set rewrite_from = true in [site], for mail queued from then on, or let the account send as that address, for what is queued, too" {
		t.Errorf("notice %q", n)
	}
	updates := w.state.updates
	w.once()
	if w.state.updates != updates {
		t.Error("the same notice was written again")
	}
	f.answer = nil
	w.once()
	if w.health("1").Notice == "" {
		t.Error("the notice went before the message could have come round")
	}
	w.clock.pass(4 * 60 * 60 * 1e9)
	w.once()
	if n := w.health("1").Notice; n != "" {
		t.Errorf("notice %q stays though all is well", n)
	}
}
