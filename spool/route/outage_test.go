package route

import (
	"testing"
	"time"

	"notices/spool"
)

// TestOutagesAreKept: an outage begins with the failure that pauses the server, lasts over
// all failures that follow, and ends when the server works. Runs of a server that works write
// nothing of it.
func TestOutagesAreKept(t *testing.T) {
	f := &fake{dial: fails(noConn)}
	w := newWorld(t, f)
	began := w.clock.now()
	outages := func() spool.Outages {
		t.Helper()
		list, _, err := spool.LoadOutages(t.Context(), w.state, "1", w.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	for range 3 {
		w.once()
		w.clock.pass(10 * time.Minute)
	}
	if list := outages(); len(list) != 1 || !list[0].Since.Equal(began) || list[0].Lasted() != 30*time.Minute {
		t.Errorf("while it lasts: %+v", list)
	}
	f.dial = nil
	w.once()
	w.clock.pass(time.Hour)
	want := spool.Outage{Since: began, Until: began.Add(30 * time.Minute), Reason: spool.ReasonConnect}
	if list := outages(); len(list) != 1 || list[0] != want {
		t.Errorf("after its end: %+v", list)
	}
	before := w.state.updates
	w.once()
	w.clock.pass(time.Second)
	w.once()
	if w.state.updates > before+1 { // that it accepted a message
		t.Errorf("%d updates of a server that works", w.state.updates-before)
	}
	f.dial = fails(noConn)
	w.once()
	w.clock.pass(time.Minute)
	if list := outages(); len(list) != 2 || list[1].Lasted() != time.Minute+0 {
		t.Errorf("the second: %+v", list)
	}
}

// TestOutageOfAnotherHost: when server 1 becomes another one in the config, the outage of the
// old one ends with its last failure.
func TestOutageOfAnotherHost(t *testing.T) {
	refused := noConn
	f := &fake{}
	w := newWorld(t, f)
	fail := func(host string) {
		refused.Reply.Host, refused.Reply.At = host, w.clock.now()
		w.servers[0].Host, f.dial = host, fails(refused)
		w.once()
		w.clock.pass(10 * time.Minute)
	}
	fail("old.example.org")
	fail("old.example.org")
	fail("new.example.org")
	list, lasts, err := spool.LoadOutages(t.Context(), w.state, "1", w.clock.now())
	if err != nil || !lasts || len(list) != 2 || list[0].Host != "old.example.org" || list[1].Host != "new.example.org" ||
		list[0].Lasted() != 10*time.Minute || list[1].Lasted() != 10*time.Minute {
		t.Errorf("%+v, %v", list, err)
	}
}
