package route

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/smtpclient"
)

// many delivers n messages with as many workers as the route wants.
func (w *world) many(r *Route, n int) map[string]int {
	w.t.Helper()
	todo := make(chan struct{}, n)
	for range n {
		todo <- struct{}{}
	}
	close(todo)
	got := map[string]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range r.Workers() {
		wg.Go(func() {
			for range todo {
				d := w.deliver(r)
				what := classes(d)
				if d.Wait != spool.Attempted {
					what = string(d.Wait)
				}
				mu.Lock()
				got[what]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return got
}

func TestDeadServerIsDialledOnce(t *testing.T) {
	one, two := &fake{dial: fails(noConn)}, &fake{}
	w := newWorld(t, one, two)
	r := w.run()
	got := w.many(r, 1000)
	w.end(r)
	if got["delivered"] != 1000 || one.dials != 1 || two.dials > 4 {
		t.Errorf("%v; dials %d and %d", got, one.dials, two.dials)
	}
}

func TestNoServerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(context.Context, int) error {
			time.Sleep(time.Minute)
			return &smtpclient.Error{Outcome: noConn}
		}
		one, two := &fake{dial: silent}, &fake{dial: silent}
		w := newWorld(t, one, two)
		w.state.delay = time.Second // the one who found out is slower than those it woke
		r := w.run()
		begin := time.Now()
		got := w.many(r, 1000)
		if d := time.Since(begin); got["deferred"] != 1 || got["no server"] != 999 || one.dials != 1 || two.dials != 1 || d > 3*time.Minute {
			t.Errorf("%v in %v; dials %d and %d", got, d, one.dials, two.dials)
		}
		d := w.deliver(r)
		w.end(r)
		if want := w.clock.now().Add(time.Minute); !d.Until.Equal(want) || len(d.Outcomes) != 1 || d.Outcomes[0] != noConn {
			t.Errorf("no server: %+v", d)
		}
	})
}

// The pause over the runs: 1, 2, 4, 8, 10, 10 minutes from the end of each.
func TestPauseDoubles(t *testing.T) {
	f := &fake{dial: fails(noConn)}
	w := newWorld(t, f, &fake{})
	for i, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		w.once()
		if f.dials != i+1 {
			t.Fatalf("run %d: %d dials", i+1, f.dials)
		}
		if got := w.health("1").DownUntil.Sub(w.clock.now()); got != want*time.Minute {
			t.Errorf("trouble %d: paused for %v, want %v minutes", i+1, got, want)
		}
		w.clock.pass(want*time.Minute - time.Second)
		w.once()
		if f.dials != i+1 {
			t.Errorf("dialled in the pause")
		}
		w.clock.pass(time.Second)
	}
	f.dial = nil
	w.once()
	if h := w.health("1"); h.Troubles != 0 || !h.DownUntil.IsZero() || h.Last.Reply.Text != "" || h.AcceptedAt.IsZero() {
		t.Errorf("after success: %+v", h)
	}
	updates := w.state.updates
	w.once()
	if w.state.updates != updates {
		t.Error("the state was written though nothing changed")
	}
}

// A long run: the server is left alone for its rest and a minute after.
func TestPauseBeginsWithTheEndOfTheRun(t *testing.T) {
	f := &fake{dial: fails(noConn)}
	w := newWorld(t, f, &fake{})
	r := w.run()
	w.deliver(r)
	w.clock.pass(time.Hour)
	w.deliver(r)
	w.end(r)
	if until := w.health("1").DownUntil; f.dials != 1 || !until.Equal(w.clock.now().Add(time.Minute)) {
		t.Errorf("%d dials, until %v", f.dials, until)
	}
}

// With all servers paused by an earlier run, a run tries one message for real.
func TestEachRunTriesOne(t *testing.T) {
	one, two := &fake{dial: fails(noConn)}, &fake{dial: fails(noConn)}
	w := newWorld(t, one, two)
	w.once()
	w.clock.pass(time.Second)
	r := w.run()
	got := w.many(r, 100)
	w.end(r)
	if got["deferred"] != 1 || got["no server"] != 99 || one.dials != 2 || two.dials != 2 {
		t.Errorf("%v; dials %d and %d", got, one.dials, two.dials)
	}
	one.dial = nil
	r = w.run()
	got = w.many(r, 100)
	w.end(r)
	if got["delivered"] != 100 || two.dials != 2 {
		t.Errorf("server 1 is back: %v; dials %d and %d", got, one.dials, two.dials)
	}
}

// One message finds out whether a server that was in trouble takes mail again,
// though its connections work.
func TestSuspectIsTriedByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{answer: slow(time.Second, dayLimit)}
		w := newWorld(t, f)
		w.once()
		r := w.run()
		got := w.many(r, 100)
		w.end(r)
		if f.sends != 2 || got["deferred"] != 1 {
			t.Errorf("%v, %d transactions", got, f.sends)
		}
	})
}

func TestIgnoreBreaker(t *testing.T) {
	f := &fake{dial: fails(badAuth)}
	w := newWorld(t, f)
	w.once()
	if d := w.once(); d.Wait != spool.NoServer || f.dials != 1 {
		t.Errorf("%+v, %d dials", d, f.dials)
	}
	w.ignore = true
	r := w.run()
	got := w.many(r, 10)
	w.end(r)
	if f.dials != 2 || got["deferred"] != 1 || got["no server"] != 9 {
		t.Errorf("--all: %v, %d dials", got, f.dials)
	}
}

// A refused password is tried again when it is another one, or after an hour.
func TestRefusedSecret(t *testing.T) {
	secret := "one"
	reads := 0
	f := &fake{dial: fails(badAuth)}
	w := newWorld(t, f)
	w.servers[0].Login = "library"
	w.servers[0].Password = func(context.Context) (string, error) { reads++; return secret, nil }
	w.once()
	h := w.health("1")
	if !h.DownUntil.Equal(w.clock.now().Add(time.Hour)) || h.Secret == "" || h.Last != badAuth {
		t.Errorf("health %+v", h)
	}
	w.clock.pass(59 * time.Minute)
	reads = 0
	if d := w.once(); d.Wait != spool.NoServer || f.dials != 1 || reads != 1 || !d.Outcomes[0].NeedsPerson() {
		t.Errorf("same password: %+v, %d dials, read %d times", d, f.dials, reads)
	}
	secret = "two"
	w.once()
	if f.dials != 2 {
		t.Error("another password was not tried")
	}
	w.clock.pass(time.Hour)
	f.dial = nil
	if d := w.once(); classes(d) != "delivered" {
		t.Errorf("an hour later: %+v", d)
	}
	w.once()
	if h := w.health("1"); h.Troubles != 0 || h.Secret != "" {
		t.Errorf("afterwards: %+v", h)
	}
}

// So it is when the login, host or port it was refused for is corrected.
func TestRefusedAccountCorrected(t *testing.T) {
	for what, correct := range map[string]func(*Server){
		"login": func(s *Server) { s.Login = "library2" },
		"host":  func(s *Server) { s.Host = "mail2.example.org" },
		"port":  func(s *Server) { s.Port++ },
	} {
		f := &fake{dial: fails(badAuth)}
		w := newWorld(t, f)
		w.servers[0].Login = "library"
		w.servers[0].Password = func(context.Context) (string, error) { return "one", nil }
		w.once()
		w.once()
		if f.dials != 1 {
			t.Fatalf("%s: dialled %d times before", what, f.dials)
		}
		correct(&w.servers[0])
		f.dial = nil
		if d := w.once(); classes(d) != "delivered" {
			t.Errorf("another %s was not tried: %+v", what, d)
		}
	}
}

// Without a secret no server can be asked, so no attempt is made until the secret can be read.
func TestSecretUnreadable(t *testing.T) {
	var missing error = errors.New("/etc/notices/server1.password: permission denied")
	f := &fake{}
	w := newWorld(t, f)
	w.servers[0].Login = "library"
	w.servers[0].Password = func(context.Context) (string, error) { return "x", missing }
	d := w.once()
	if d.Wait != spool.NoServer || f.dials != 0 || d.Outcomes[0].Reason != spool.ReasonSecret || d.Outcomes[0].Reply.Text != "no password for library: "+missing.Error() {
		t.Errorf("%+v, %d dials", d, f.dials)
	}
	if d := w.once(); d.Wait != spool.NoServer || f.dials != 0 {
		t.Errorf("%+v, %d dials", d, f.dials)
	}
	missing = nil
	if d := w.once(); classes(d) != "delivered" {
		t.Errorf("%+v", d)
	}
}

// Two different messages in a row must be lost before the server is left alone.
func TestLostTwice(t *testing.T) {
	one, two := &fake{answer: says(lost)}, &fake{}
	w := newWorld(t, one, two)
	r := w.run()
	w.deliver(r)
	one.answer = nil
	w.deliver(r)
	one.answer = says(lost)
	w.deliver(r)
	if one.sends != 3 || two.sends != 2 || w.health("1").Troubles != 0 {
		t.Errorf("one lost, one well, one lost: %d and %d transactions", one.sends, two.sends)
	}
	w.deliver(r)
	w.deliver(r)
	w.end(r)
	if one.sends != 4 || two.sends != 4 || w.health("1").Troubles != 1 {
		t.Errorf("two lost in a row: %d and %d transactions", one.sends, two.sends)
	}
}

// The pause ends what waits, closes the connections, and outlives a late success.
func TestDiesInMidRun(t *testing.T) {
	one, two := &fake{}, &fake{}
	one.answer = func(_ context.Context, l *fakeClient, t *smtpclient.Transaction) smtpclient.Result {
		one.mu.Lock()
		n := one.sends
		one.mu.Unlock()
		if n > 50 {
			return all(t, dayLimit)
		}
		return all(t, delivered)
	}
	w := newWorld(t, one, two)
	r := w.run()
	got := w.many(r, 200)
	w.end(r)
	if got["delivered"] != 200 || one.sends > 50+r.Workers() || w.health("1").Troubles != 1 {
		t.Errorf("%v; %d and %d transactions, %+v", got, one.sends, two.sends, w.health("1"))
	}
}

func TestUncertainInARow(t *testing.T) {
	one, two := &fake{answer: says(uncertain)}, &fake{}
	w := newWorld(t, one, two)
	r := w.run()
	for range 10 {
		w.deliver(r)
	}
	w.end(r)
	if one.sends != uncertainsInRow || two.sends != 10-uncertainsInRow {
		t.Errorf("%d and %d transactions", one.sends, two.sends)
	}
}

// A state that cannot be read or written stops no mail.
func TestStateBroken(t *testing.T) {
	one, two := &fake{dial: fails(noConn)}, &fake{}
	w := newWorld(t, one, two)
	ctx := context.Background()
	if err := w.state.Update(ctx, spool.HealthName+"1", false, func([]byte) ([]byte, error) { return []byte("{torn"), nil }); err != nil {
		t.Fatal(err)
	}
	if d := w.once(); classes(d) != "delivered" || w.health("1").Troubles != 1 {
		t.Errorf("%+v", d)
	}
}
