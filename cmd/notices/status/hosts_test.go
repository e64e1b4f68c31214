package status

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"notices/cmd/notices/fakesite"
	"notices/spool"
)

// shared is a store that several hosts share.
type shared struct {
	spool.Store
	list []spool.Host
}

func (s shared) Flushed(context.Context) error { return nil }

func (s shared) Hosts(_ context.Context, claims bool) ([]spool.Host, error) {
	list := append([]spool.Host(nil), s.list...)
	for i := range list {
		if !claims {
			list[i].Claimed = 0
		}
	}
	return list, nil
}

// share makes the spool one of these hosts.
func (w *world) share(list ...spool.Host) {
	w.q.Store = shared{w.Store, list}
}

func (w *world) host(name string, age time.Duration) spool.Host {
	return spool.Host{Name: name, LastFlush: w.Now.Add(-age), Age: age}
}

// TestHosts: a person, a program and a monitor hear when each host last flushed and what it
// has claimed. By the clock of the spool: that of this host may be wrong.
func TestHosts(t *testing.T) {
	fakesite.InUTC(t)
	w := newWorld(t)
	w.flushed(0)
	busy := w.host("a.example.org", time.Minute)
	busy.Claimed = 3
	w.share(busy, spool.Host{Name: "new.example.org", Claimed: 1}, spool.Host{Name: "z.example.org", LastFlush: w.Now.AddDate(-1, 0, 0), Age: 24 * time.Hour})

	w.Check(Run(context.Background(), w.q, Options{}))
	text := strings.Join(strings.Fields(w.Out.String()), " ")
	for _, want := range []string{
		"Hosts a.example.org: last flush 2026-11-24 09:59", "(1m ago), 3 messages claimed now new.example.org: its first flush runs, 1 message claimed now", "z.example.org: last flush 2025-11-24 10:00 (1d 0h ago)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, w.Out.String())
		}
	}
	w.Out.Reset()
	w.Check(Run(context.Background(), w.q, Options{JSON: true}))
	var got struct{ Hosts json.RawMessage }
	w.Check(json.Unmarshal([]byte(w.Out.String()), &got))
	const want = `[{"host":"a.example.org","last_flush":"2026-11-24T09:59:00Z","claimed":3},` +
		`{"host":"new.example.org","last_flush":null,"claimed":1},{"host":"z.example.org","last_flush":"2025-11-24T10:00:00Z","claimed":0}]`
	if string(got.Hosts) != want {
		t.Errorf("hosts: %s", got.Hosts)
	}
	m := w.metrics(Options{})
	if m["notices_host_claimed_messages{host=a.example.org}"] != 3 || m["notices_host_last_flush_timestamp_seconds{host=a.example.org}"] != float64(w.Now.Add(-time.Minute).Unix()) {
		t.Errorf("metrics: %v", m)
	}
	if code, line := w.checkLine(statusDefaults()); code != OK {
		t.Errorf("check: %d %s", code, line)
	}
}

// TestHostThatIsAway: a host that has not flushed for a day is named; of many some are.
func TestHostThatIsAway(t *testing.T) {
	for _, c := range []struct {
		away int
		want string
	}{
		{1, "host a last flushed 2d 0h ago: cron or a timer should run notices flush there; if it is gone for good, notices-machines(7) says how it is forgotten |"},
		{3, "host c last flushed"},
		{4, "; 1 more host has not flushed for a day |"},
		{5, "; 2 more hosts have not flushed for a day |"},
	} {
		w := newWorld(t)
		w.flushed(0)
		list := []spool.Host{w.host("here", 24*time.Hour)}
		for i := range c.away {
			list = append(list, w.host(string(rune('a'+i)), 48*time.Hour))
		}
		w.share(list...)
		code, line := w.checkLine(statusDefaults())
		if code != Warning || !strings.Contains(line, c.want) || strings.Contains(line, "host here") {
			t.Errorf("%d hosts away: %d %s", c.away, code, line)
		}
	}
}
