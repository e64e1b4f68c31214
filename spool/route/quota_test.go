package route

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/rate"
	"notices/spool/smtpclient"
)

// timed is a world whose clock is the bubble's.
func timed(t *testing.T, fakes ...*fake) *world {
	w := newWorld(t, fakes...)
	w.clock = nil
	return w
}

func (w *world) timedRun() *Route {
	o := Options{Servers: w.servers, Limits: w.limits, State: w.state, Now: time.Now}
	return newRoute(o, func(ctx context.Context, s *smtpclient.Server) (client, error) { return w.fakes[0].open(ctx, s) })
}

// stamps records when transactions happen.
type stamps struct {
	mu sync.Mutex
	at []time.Time
}

func (s *stamps) answer(_ context.Context, _ *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
	return all(t, delivered)
}

// most is the most in any window of that length.
func (s *stamps) most(window time.Duration) int {
	most := 0
	for i := range s.at {
		n := 0
		for _, at := range s.at[i:] {
			if at.Sub(s.at[i]) < window {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestRatePerMinute(t *testing.T) {
	for _, rate := range []int{1, 30, 1200} { // 1200: in blocks
		synctest.Test(t, func(t *testing.T) {
			var s stamps
			w := timed(t, &fake{answer: s.answer})
			w.servers[0].RatePerMinute = rate
			// Two flushes at once, and connections that take a while: what was counted
			// long before it happened is counted anew.
			w.fakes[0].dial = func(context.Context, int) error { time.Sleep(10 * time.Second); return nil }
			begin := time.Now()
			a, b := w.timedRun(), w.timedRun()
			var wg sync.WaitGroup
			for _, r := range []*Route{a, b} {
				wg.Go(func() {
					if got := w.many(r, 2*rate); got["delivered"] != 2*rate {
						t.Errorf("%v", got)
					}
				})
			}
			wg.Wait()
			w.end2(a, b)
			if most := s.most(time.Minute); most > rate || len(s.at) != 4*rate {
				t.Errorf("%d in one minute, limit %d", most, rate)
			}
			if d := time.Since(begin); d > 5*time.Minute {
				t.Errorf("4 minutes' worth took %v", d)
			}
		})
	}
}

func (w *world) end2(routes ...*Route) {
	for _, r := range routes {
		if err := r.Close(context.Background()); err != nil {
			w.t.Error(err)
		}
	}
}

func TestRatePerDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s stamps
		w := timed(t, &fake{answer: s.answer})
		w.servers[0].RatePerDay = 10
		for range 48 {
			r := w.timedRun()
			got := w.many(r, 5)
			d := w.deliver(r)
			if d.Wait == spool.Limited && !d.Until.After(time.Now()) {
				t.Errorf("limited until %v, now %v", d.Until, time.Now())
			}
			if got["delivered"]+got["limit"] != 5 {
				t.Errorf("%v", got)
			}
			w.end2(r)
			time.Sleep(time.Hour)
		}
		if most := s.most(24 * time.Hour); most != 10 || len(s.at) < 20 {
			t.Errorf("%d in one day, %d in all", most, len(s.at))
		}
	})
}

// A limit is no reason to ask another server, and costs one look at the state.
func TestLimitedAsksNobodyElse(t *testing.T) {
	one, two := &fake{}, &fake{}
	w := newWorld(t, one, two)
	w.servers[0].RatePerDay = 3
	r := w.run()
	got := w.many(r, 100)
	w.end(r)
	if got["delivered"] != 3 || got["limit"] != 97 || two.dials != 0 || w.state.updates > 5 {
		t.Errorf("%v; server 2 dialled %d times, %d updates", got, two.dials, w.state.updates)
	}
}

// A day that is used up is told as such only where no message has another way out.
func TestSpent(t *testing.T) {
	used := "rate_per_day of server 1 is used up"
	for name, c := range map[string]struct {
		change func(*world)
		to     []string
		spent  bool
		why    string
	}{
		"the only server's day":  {func(*world) {}, []string{"b@example.net"}, true, used},
		"[[limit]]":              {func(w *world) { w.servers[0].RatePerDay = 9 }, []string{"a@gmail.com"}, false, gmail(1, time.Hour).String() + " is used up"},
		"both":                   {func(*world) {}, []string{"a@gmail.com", "b@example.net"}, true, used},
		"Server 2 has some left": {func(w *world) { w.addServer(5) }, []string{"b@example.net"}, true, used}, // a used-up day leads to no other server
		"Server 1 is out of order": {func(w *world) {
			w.addServer(1)
			w.servers[0].RatePerDay = 9
			w.fakes[0].dial = fails(noConn)
			w.once("b@example.net") // by the backup
		}, []string{"b@example.net"}, true, "rate_per_day of server 2 is used up"},
	} {
		w := newWorld(t, &fake{})
		w.limits = []rate.Limit{gmail(1, time.Hour)}
		w.servers[0].RatePerDay = 1
		w.once("a@gmail.com")
		c.change(w)
		d := w.once(c.to...)
		if d.Wait != spool.Limited || d.QuotaExhausted != c.spent || len(d.Outcomes) == 0 || d.Outcomes[0].Reply.Text != c.why || !d.Until.After(w.clock.now()) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// addServer adds a backup that works.
func (w *world) addServer(perDay int) {
	f := &fake{name: "2"}
	s := Server{Connections: 4, RatePerDay: perDay}
	s.Name, s.Host = "2", "mail2.example.org"
	w.fakes, w.servers = append(w.fakes, f), append(w.servers, s)
}

// What waits for a [[limit]] is not counted anew by a run that did not ask for all.
func TestSpentLeavesTheCountOfALimit(t *testing.T) {
	w := newWorld(t, &fake{})
	w.limits = []rate.Limit{gmail(1, time.Hour)}
	w.servers[0].RatePerDay = 2
	r := w.run()
	for range 5 {
		w.deliver(r, "a@gmail.com")
	}
	w.end(r)
	w.once("b@example.net")
	r = w.run()
	w.deliver(r, "a@gmail.com")
	w.deliver(r, "b@example.net") // the engine stops here
	w.end(r)
	use, err := rate.Usages(context.Background(), w.state, w.limits, w.clock.now())
	if err != nil || use[0].Waiting != 4 {
		t.Errorf("%+v, %v", use, err)
	}
}

// Transactions that never happened are not counted.
func TestRateGivesBack(t *testing.T) {
	f := &fake{dial: fails(noConn)}
	w := newWorld(t, f)
	w.servers[0].RatePerDay = 2
	for range 5 {
		w.once()
		w.clock.pass(time.Hour)
	}
	f.dial = nil
	r := w.run()
	got := w.many(r, 3)
	w.end(r)
	if got["delivered"] != 2 || got["limit"] != 1 {
		t.Errorf("%v", got)
	}
}

// A big message of several transactions that meets the limit goes on another day.
func TestLimitedInMidMessage(t *testing.T) {
	f := &fake{}
	w := newWorld(t, f)
	w.servers[0].RatePerDay = 2
	w.servers[0].RecipientsPerMessage = 1
	d := w.once("a@example.com", "b@example.com", "c@example.com")
	if classes(d) != "delivered delivered deferred" || d.Wait != spool.Attempted || d.Outcomes[2].Reason != spool.ReasonRate {
		t.Errorf("%+v", d)
	}
}
