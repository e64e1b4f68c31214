package route

import (
	"context"
	"errors"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
	"notices/spool/smtpclient"
)

// TestProbe: a server is asked for a connection once its pause is over, only if that can
// show that its trouble is over.
func TestProbe(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	connect := spool.Outcome{Reason: spool.ReasonConnect}
	for _, c := range []struct {
		name   string
		health spool.Health
		fails  bool
		dials  int
		left   int // troubles
	}{
		{"well", spool.Health{}, false, 0, 0},
		{"up again", spool.Health{Troubles: 3, Unopened: true, Last: connect, DownUntil: now}, false, 1, 0},
		{"still down", spool.Health{Troubles: 3, Unopened: true, Last: connect, DownUntil: now}, true, 1, 4},
		{"paused", spool.Health{Troubles: 3, Unopened: true, Last: connect, DownUntil: now.Add(time.Second)}, false, 0, 3},
		{"refused mail", spool.Health{Troubles: 3, Last: spool.Outcome{Reason: spool.ReasonLimit}, DownUntil: now}, false, 0, 3},
		{"another host's", spool.Health{Troubles: 3, Unopened: true, DownUntil: now,
			Last: spool.Outcome{Reply: spool.Reply{Host: "old.example.org"}}}, false, 0, 3},
	} {
		f := &fake{name: "1"}
		if c.fails {
			f.dial = func(context.Context, int) error { return errors.New("refused") }
		}
		state := maildirtest.State()
		ctx := context.Background()
		err := spool.UpdateState(ctx, state, spool.HealthName+"1", false, func(h *spool.Health) error { *h = c.health; return nil })
		if err != nil {
			t.Fatal(err)
		}
		r := newRoute(Options{
			Servers: []Server{{Server: smtpclient.Server{Name: "1", Host: "mail.example.org"}}},
			State:   state, Now: func() time.Time { return now },
		}, f.open)
		r.Probe(ctx)
		if err := r.Close(ctx); err != nil {
			t.Fatal(err)
		}
		h, err := spool.LoadState[spool.Health](ctx, state, spool.HealthName+"1")
		if err != nil || f.dials != c.dials || h.Troubles != c.left {
			t.Errorf("%s: %d dials, %d troubles, %v", c.name, f.dials, h.Troubles, err)
		}
		if c.fails && !h.DownUntil.After(now) {
			t.Errorf("%s: it is not left alone: %+v", c.name, h)
		}
		if c.dials > 0 && !c.fails && !h.UpAt.Equal(now) {
			t.Errorf("%s: when it was up is not known: %+v", c.name, h)
		}
	}
}
