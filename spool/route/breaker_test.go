package route

import (
	"fmt"
	"testing"
	"time"

	"notices/spool"
)

func newBreaker(c *clock) *breaker { return &breaker{now: c.now, host: "mail.example.org"} }

// again is the breaker of the next run, which is told what was kept.
func (b *breaker) again(c *clock) *breaker {
	next := newBreaker(c)
	next.restore(b.current())
	return next
}

// TestBreakerStates: closed, open for the rest of the run, paused for the runs in the next
// minute, then half-open until the server works.
func TestBreakerStates(t *testing.T) {
	c := newClock()
	b := newBreaker(c)
	want := func(what string, state breakerState, halfOpen bool) {
		t.Helper()
		if b.state() != state || b.halfOpen.Load() != halfOpen {
			t.Errorf("%s: state %d, half-open %v", what, b.state(), b.halfOpen.Load())
		}
	}
	b.restore(spool.Health{AcceptedAt: c.now().Add(-time.Minute)})
	want("it took a message a minute ago", breakerClosed, false)
	if !b.trip(noConn) || b.trip(dayLimit) {
		t.Error("a trip is news once")
	}
	want("tripped", breakerOpen, false)
	if b.reset(true) {
		t.Error("a late success ended the pause")
	}
	want("a late success", breakerOpen, false)

	b = b.again(c)
	want("the next run", breakerPaused, true)
	b.retry()
	want("as a last resort", breakerClosed, true)
	b = b.again(c)
	c.pass(time.Minute)
	want("a minute later", breakerClosed, true)
	if !b.reset(true) || b.reset(true) {
		t.Error("a recovery is news once")
	}
	want("it works", breakerClosed, false)
	if h := b.current(); h.Troubles != 0 || !h.DownUntil.IsZero() {
		t.Errorf("%+v", h)
	}

	b.trip(badAuth)
	h := b.current()
	h.Secret = "digest"
	b = newBreaker(c)
	b.restore(h)
	c.pass(59 * time.Minute)
	want("a refused secret", breakerLocked, true)
}

// TestBreakerCounts: what must be met by several different messages in a row.
func TestBreakerCounts(t *testing.T) {
	for name, c := range map[string]struct {
		meet func(b *breaker, id spool.ID) bool
		need int
	}{
		"lost":      {(*breaker).noteLost, lossesInARow},
		"no answer": {(*breaker).noteUncertain, uncertainsInRow},
		"refused": {func(b *breaker, id spool.ID) bool {
			return b.noteRefusal(&spool.Message{ID: id, Sender: "library@example.org"})
		}, refusalsInARow},
	} {
		b := newBreaker(newClock())
		for range 10 {
			if c.meet(b, "same") {
				t.Errorf("%s: one message over and over", name)
			}
		}
		b.reset(true)
		b.noteDelivered()
		for i := 1; i <= c.need; i++ {
			if got := c.meet(b, spool.ID(fmt.Sprint(i))); got != (i == c.need) {
				t.Errorf("%s: %v after %d messages", name, got, i)
			}
		}
	}
	b := newBreaker(newClock())
	for i := range 10 {
		if b.noteRefusal(&spool.Message{ID: spool.ID(fmt.Sprint(i))}) {
			t.Error("a report counts")
		}
	}
}

// TestBreakerProven: a message taken in the last hour shows that the server serves the account;
// three different ones refused since make that doubtful again.
func TestBreakerProven(t *testing.T) {
	c := newClock()
	b := newBreaker(c)
	b.restore(spool.Health{})
	if b.servesAccount() {
		t.Error("it took nothing, and yet serves the account")
	}
	b.noteDelivered()
	if h, _, changed := b.atEnd(); !b.servesAccount() || !changed || !h.AcceptedAt.Equal(c.now()) {
		t.Errorf("%+v, changed %v", h, changed)
	}
	last, _, _ := b.atEnd()
	for age, want := range map[time.Duration]bool{0: true, time.Hour: true, time.Hour + time.Second: false, -time.Hour: false} {
		later := newBreaker(newClock())
		last.AcceptedAt = later.now().Add(-age)
		later.restore(last)
		if later.servesAccount() != want {
			t.Errorf("%v later: %v", age, !want)
		}
	}
	for i := range refusalsInARow {
		b.noteRefusal(&spool.Message{ID: spool.ID(fmt.Sprint(i)), Sender: "library@example.org"})
	}
	if b.servesAccount() {
		t.Error("it serves the account, though it refused three since")
	}
}
