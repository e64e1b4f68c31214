package route

import (
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// TestNotices: a notice is news once a run, status shows it until it was not met for noticeStays,
// and what another run showed is written again only when it has aged.
func TestNotices(t *testing.T) {
	c := newClock()
	counted := &countingState{State: maildirtest.State()}
	run := func() *health {
		k := &health{state: counted, server: "1", now: c.now}
		k.load(t.Context())
		return k
	}
	shown := func() string {
		h, err := spool.LoadState[spool.Health](t.Context(), counted, spool.HealthName+"1")
		if err != nil {
			t.Fatal(err)
		}
		return h.Notice
	}
	k := run()
	if !k.notice(t.Context(), "no TLS", "no TLS: refused") || k.notice(t.Context(), "no TLS", "no TLS: again") {
		t.Error("a notice is news once")
	}
	if !k.notice(t.Context(), "may not send as", "may not send as a@example.org") || shown() != "no TLS: refused; may not send as a@example.org" {
		t.Errorf("shown: %q", shown())
	}
	before := counted.updates
	if k = run(); !k.notice(t.Context(), "no TLS", "no TLS: refused") || counted.updates != before {
		t.Error("the next run writes it again")
	}
	c.pass(noticeFresh)
	if k = run(); !k.notice(t.Context(), "no TLS", "no TLS: refused") || counted.updates == before || strings.Contains(shown(), "send as") {
		t.Errorf("an hour later: %q", shown())
	}
	if k.expireNotice() {
		t.Error("it ends in the run that met it")
	}
	c.pass(noticeStays)
	if k = run(); k.expireNotice() {
		t.Error("it ends too early")
	}
	c.pass(time.Minute)
	if k = run(); !k.expireNotice() || k.shown != "" {
		t.Error("it does not end")
	}
}
