package route

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/smtpclient"
)

func slow(d time.Duration, then spool.Outcome) func(context.Context, *fakeClient, *smtpclient.Transaction) smtpclient.Result {
	return func(_ context.Context, _ *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
		time.Sleep(d) // in a bubble
		return all(t, then)
	}
}

func TestOneConnectionForOneWorker(t *testing.T) {
	f := &fake{}
	w := newWorld(t, f)
	r := w.run()
	for range 100 {
		w.deliver(r)
	}
	w.end(r)
	if f.dials != 1 || !f.lines[0].quit {
		t.Errorf("%d dials", f.dials)
	}
}

func TestNeverMoreThanConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: slow(time.Millisecond, delivered)}
		w := newWorld(t, f)
		w.servers[0].MessagesPerConnection = 7
		r := w.run()
		got := w.many(r, 500)
		w.end(r)
		most := 0
		for _, l := range f.lines {
			most = max(most, l.most)
			if l.sent > 7 || !l.quit {
				t.Errorf("connection %d carried %d, quit %v", l.id, l.sent, l.quit)
			}
		}
		if got["delivered"] != 500 || f.peak != 4 || f.dials < 500/7 || most != 1 {
			t.Errorf("%v; peak %d, %d dials, %d at once on one", got, f.peak, f.dials, most)
		}
	})
}

// Too many connections, said at a transaction beside working ones: fewer for the rest of the
// run, no message loses its attempt for it. Said on the only one it is the server's trouble.
func TestTooManyConnectionsAtTransaction(t *testing.T) {
	for _, allowed := range []int{1, 2, 5} {
		for _, breaks := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var f *fake
				f = &fake{answer: func(_ context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
					f.mu.Lock()
					over := f.now > allowed
					f.mu.Unlock()
					time.Sleep(time.Millisecond)
					if over {
						if breaks {
							l.breaks()
						}
						return all(t, busy)
					}
					return all(t, delivered)
				}}
				w := newWorld(t, f, &fake{})
				w.servers[0].Connections = 6
				r := w.run()
				got := w.many(r, 200)
				limit := r.servers[0].pool.max
				w.end(r)
				if got["delivered"] != 200 || w.health("1").Troubles != 0 || w.fakes[1].dials != 0 || limit != allowed {
					t.Errorf("%d allowed: %v, %d dials, limit %d, server 2 dialled %d times", allowed, got, f.dials, limit, w.fakes[1].dials)
				}
			})
		}
	}
	w := newWorld(t, &fake{answer: says(busy)}, &fake{})
	if d := w.once(); classes(d) != "delivered" || len(d.Skipped) != 1 || w.health("1").Troubles != 1 {
		t.Errorf("the only connection: %+v", d)
	}
}

// QUIT is said behind the messages' back, and in bounded time.
func TestQuitHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		w := newWorld(t, f)
		w.servers[0].MessagesPerConnection = 1
		w.servers[0].Connections = 2
		inner := w.run()
		open := inner.servers[0].open
		inner.servers[0].open = func(ctx context.Context, s *smtpclient.Server) (client, error) {
			l, err := open(ctx, s)
			return &slowQuit{client: l, hangUp: make(chan struct{})}, err
		}
		begin := time.Now()
		w.deliver(inner)
		w.deliver(inner)
		if d := time.Since(begin); d != 0 {
			t.Errorf("the second message waited %v for the first one's QUIT", d)
		}
		w.end(inner)
		if d := time.Since(begin); d != quitTime {
			t.Errorf("Close took %v", d)
		}
	})
}

type slowQuit struct {
	client
	hangUp chan struct{}
}

func (l *slowQuit) Quit() { <-l.hangUp; l.client.Quit() }
func (l *slowQuit) Close() {
	select {
	case <-l.hangUp:
	default:
		close(l.hangUp)
	}
	l.client.Close()
}

// One more connection refused beside working ones: fewer, no pause, nothing lost.
func TestFewerConnections(t *testing.T) {
	for _, o := range []spool.Outcome{busy, noConn} {
		synctest.Test(t, func(t *testing.T) {
			one := &fake{answer: slow(time.Second, delivered)}
			two := &fake{}
			one.dial = func(ctx context.Context, n int) error {
				time.Sleep(time.Millisecond)
				if n > 2 {
					return &smtpclient.Error{Outcome: o}
				}
				return nil
			}
			w := newWorld(t, one, two)
			r := w.run()
			got := w.many(r, 40)
			w.end(r)
			if got["delivered"] != 40 || one.sends != 40 || one.peak != 2 || one.dials > 4 || two.dials != 0 {
				t.Errorf("%v; %d dials, %d transactions, peak %d", got, one.dials, one.sends, one.peak)
			}
			if h := w.health("1"); h.Troubles != 0 {
				t.Errorf("health %+v", h)
			}
		})
	}
}

// A password refused beside working connections pauses all the same.
func TestSecretRefusedBesideWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: slow(time.Second, delivered)}
		f.dial = func(ctx context.Context, n int) error {
			if n > 1 {
				return &smtpclient.Error{Outcome: badAuth}
			}
			return nil
		}
		w := newWorld(t, f)
		r := w.run()
		got := w.many(r, 40)
		w.end(r)
		if w.health("1").Secret == "" || got["delivered"] > 2 || got["deferred"] != 1 || f.dials > 4 {
			t.Errorf("%v, %d dials", got, f.dials)
		}
	})
}

// A connection that ended between two messages is no failed attempt.
func TestStale(t *testing.T) {
	f := &fake{answer: stale(3)}
	w := newWorld(t, f, &fake{})
	r := w.run()
	for i := range 10 {
		if d := w.deliver(r); classes(d) != "delivered" || len(d.Skipped) != 0 {
			t.Errorf("message %d: %+v", i, d)
		}
	}
	w.end(r)
	if f.dials != 5 {
		t.Errorf("%d dials", f.dials)
	}
}

// If the fresh one meets it too, it is the server's trouble.
func TestStaleAndThenDead(t *testing.T) {
	one, two := &fake{answer: stale(2)}, &fake{}
	one.dial = func(ctx context.Context, n int) error {
		if n > 1 {
			return &smtpclient.Error{Outcome: noConn}
		}
		return nil
	}
	w := newWorld(t, one, two)
	r := w.run()
	w.deliver(r)
	d := w.deliver(r)
	w.end(r)
	if classes(d) != "delivered" || len(d.Skipped) != 1 || two.sends != 1 || w.health("1").Troubles != 1 {
		t.Errorf("%+v", d)
	}
}

// All connections ended, and the server is gone: one time-out tells.
func TestAllStaleAndDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := false
		one, two := &fake{}, &fake{}
		one.dial = func(ctx context.Context, n int) error {
			if dead {
				time.Sleep(time.Minute)
				return &smtpclient.Error{Outcome: noConn}
			}
			return nil
		}
		one.answer = func(ctx context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
			if dead {
				return stale(0)(ctx, l, t)
			}
			return slow(time.Second, delivered)(ctx, l, t)
		}
		w := newWorld(t, one, two)
		r := w.run()
		w.many(r, 40)
		before := one.dials
		dead = true
		begin := time.Now()
		got := w.many(r, 100)
		if d := time.Since(begin); got["delivered"] != 100 || d > time.Minute {
			t.Errorf("%v in %v", got, d)
		}
		w.end(r)
		if n := one.dials - before; n > 4 {
			t.Errorf("%d dials of a dead server", n)
		}
	})
}

// A run that is stopped tells what it did not send, and blames no server.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		f.answer = func(ctx context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
			<-ctx.Done()
			l.breaks()
			return all(t, lost)
		}
		w := newWorld(t, f, &fake{})
		w.servers[0].Connections = 1
		r := w.run()
		ctx, stop := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, stop)
		type result struct {
			d   spool.Delivery
			err error
		}
		results := make(chan result, 2)
		for i := range 2 {
			go func() {
				d, err := r.Deliver(ctx, message(spool.ID(fmt.Sprint(i)), "ann@example.com"))
				results <- result{d, err}
			}()
		}
		var sent, waited int
		for range 2 {
			switch got := <-results; {
			case errors.Is(got.err, context.Canceled):
				waited++
			case got.err == nil && got.d.Wait == spool.Stopped:
				sent++
			default:
				t.Errorf("%+v", got)
			}
		}
		w.end(r)
		if sent != 1 || waited != 1 || f.dials != 1 || w.fakes[1].dials != 0 || w.health("1").Troubles != 0 {
			t.Errorf("%d sent, %d waited, dials %d and %d", sent, waited, f.dials, w.fakes[1].dials)
		}
	})
}

// What cannot be recorded is not sent.
func TestBeginFails(t *testing.T) {
	f := &fake{}
	w := newWorld(t, f)
	r := w.run()
	full := errors.New("disk full")
	m := message("M", "ann@example.com")
	m.Begin = func() error { return full }
	if _, err := r.Deliver(context.Background(), m); !errors.Is(err, full) || f.dials != 0 {
		t.Errorf("%v, %d dials", err, f.dials)
	}
	w.deliver(r)
	w.end(r)
}
