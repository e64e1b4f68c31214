//go:build peers

package postgres_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/flush"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
	"notices/spool/schedule"
)

// queue queues a message of each id.
func queue(t *testing.T, s spool.Store, ids ...spool.ID) {
	t.Helper()
	var drafts []spool.Draft
	for _, id := range ids {
		drafts = append(drafts, sealed(t, s, id, small))
	}
	if _, err := s.Commit(t.Context(), drafts...); err != nil {
		t.Fatal(err)
	}
}

// together makes steps share a transaction, and returns their errors.
func together(s *postgres.Store, steps ...func() error) []error {
	resume := s.Hold()
	errs := make([]error, len(steps))
	var wg sync.WaitGroup
	for i, step := range steps {
		wg.Go(func() { errs[i] = step() })
	}
	for s.Waiting() < len(steps) {
		runtime.Gosched()
	}
	resume()
	wg.Wait()
	return errs
}

// claimInto is a step that claims a message.
func claimInto(t *testing.T, s spool.Store, id spool.ID, state spool.MessageState, c *spool.Claim) func() error {
	return func() (err error) {
		*c, err = s.Claim(t.Context(), spool.Entry{ID: id, State: state})
		return err
	}
}

// TestSharedCalls: calls that share a statement get the answers that each would get alone.
func TestSharedCalls(t *testing.T) {
	name := newDatabase(t)
	p := startProxy(t)
	a, b := openAt(t, p.URL(name)), open(t, name)
	defer a.Close()
	defer b.Close()
	queue(t, a, "A", "B", "C", "D", "E", "F", "G", "H")
	var others, failed spool.Claim
	if err := errors.Join(claimInto(t, b, "H", spool.StateQueued, &others)(), claimInto(t, b, "F", spool.StateQueued, &failed)()); err != nil {
		t.Fatal(err)
	}
	if err := failed.Fail(event(spool.GiveUp, 300)); err != nil {
		t.Fatal(err)
	}
	if err := a.Writable(t.Context()); err != nil { // the session begins
		t.Fatal(err)
	}
	p.Plan(cluster.Cut{})
	var c [9]spool.Claim
	check := func(errs []error, want ...error) {
		t.Helper()
		for i, err := range errs {
			if !errors.Is(err, want[i]) {
				t.Errorf("call %d: %v, want %v", i, err, want[i])
			}
		}
	}
	q, f := spool.StateQueued, spool.StateFailed
	check(together(a,
		claimInto(t, a, "H", q, new(spool.Claim)), claimInto(t, a, "A", q, &c[1]), claimInto(t, a, "none", q, new(spool.Claim)), claimInto(t, a, "B", q, &c[2]),
		claimInto(t, a, "F", q, new(spool.Claim)), claimInto(t, a, "F", f, &c[3]), claimInto(t, a, "C", q, &c[4]), claimInto(t, a, "D", q, &c[5]),
		claimInto(t, a, "E", q, &c[6])),
		spool.ErrBusy, nil, spool.ErrGone, nil, spool.ErrGone, nil, nil, nil, nil)
	if n := p.Executed(); n != 2 { // the first transaction also sets how the connection is watched
		t.Errorf("claims: %d statements", n)
	}
	for i, id := range []spool.ID{"A", "B", "F", "C", "D", "E"} {
		if got := c[i+1].Record().Envelope.ID; got != id || c[i+1].Entry().ID != id {
			t.Errorf("the claim of %s has the envelope of %s", id, got)
		}
	}
	sql(t, name, `update notices.message set token = 1, holder = null where id in ('C', 'D'); delete from notices.message where id = 'E'`)
	p.Plan(cluster.Cut{})
	check(together(a,
		claimInto(t, a, "G", q, &c[7]),
		func() error { return c[1].Remove(result(spool.Delivered), spool.Soon) },
		func() error { return try(c[2]) },
		func() error { return c[4].Remove(result(spool.Delivered), spool.Soon) },
		func() error { return try(c[5]) },
		func() error { return c[6].Remove(result(spool.Delivered), spool.Soon) },
		func() error { return c[3].Release() }),
		nil, nil, nil, spool.ErrClaimLost, spool.ErrClaimLost, spool.ErrClaimLost, nil)
	if n := p.Executed(); n != 4 {
		t.Errorf("remove, append, release and claim: %d statements", n)
	}
	got := sql(t, name, `select string_agg(id || ' ' || state::text || events || case when holder is null then '' else '*' end, ', ' order by id) from notices.message`)
	if want := "B q1*, C q0, D q0, F f1, G q0*, H q0*"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := sql(t, name, `select string_agg(id || ' ' || ending, ', ' order by id) from notices.history`); got != "A delivered, F failed" {
		t.Errorf("the history has %s", got)
	}
}

// TestCutOfSharedCalls loses the connection when calls of several messages share a transaction, before it
// or before its answer: nobody notices. Then it loses it for good: all of it was done, or nothing.
func TestCutOfSharedCalls(t *testing.T) {
	name := newDatabase(t)
	open(t, name).Close()
	p := startProxy(t)
	ids := []spool.ID{"A", "B", "C", "D", "E"}
	const n = 5
	claims := make([]spool.Claim, n)
	each := func(step func(int) error) (steps []func() error) {
		for i := range n {
			steps = append(steps, func() error { return step(i) })
		}
		return steps
	}
	stages := []struct {
		name   string
		steps  func(*postgres.Store) []func() error
		before string // messages, claimed, events, entries
		after  string
	}{
		{"claim", func(s *postgres.Store) []func() error {
			return each(func(i int) error { return claimInto(t, s, ids[i], spool.StateQueued, &claims[i])() })
		}, "5|0|0|0", "5|5|0|0"},
		{"begin", func(*postgres.Store) []func() error { return each(func(i int) error { return try(claims[i]) }) }, "5|5|0|0", "5|5|5|0"},
		{"defer", func(*postgres.Store) []func() error {
			return each(func(i int) error { return claims[i].Append(result(spool.Deferred), spool.Lazy) })
		}, "5|5|5|0", "5|5|10|0"},
		{"release", func(*postgres.Store) []func() error { return each(func(i int) error { return claims[i].Release() }) }, "5|5|10|0", "5|0|10|0"},
		{"claim again", func(s *postgres.Store) []func() error {
			return each(func(i int) error { return claimInto(t, s, ids[i], spool.StateQueued, &claims[i])() })
		}, "5|0|10|0", "5|5|10|0"},
		{"remove", func(*postgres.Store) []func() error {
			return each(func(i int) error { return claims[i].Remove(result(spool.Delivered), spool.Soon) })
		}, "5|5|10|0", "0|0|0|5"},
	}
	for last := range stages {
		for _, late := range []bool{false, true} {
			for _, stays := range []bool{false, true} {
				sql(t, name, `truncate notices.session, notices.message, notices.content, notices.history`)
				p.Plan(cluster.Cut{})
				s := openAt(t, p.URL(name))
				queue(t, s, ids...)
				if err := s.Writable(t.Context()); err != nil { // the session begins
					t.Fatal(err)
				}
				for i, stage := range stages[:last+1] {
					if i == last {
						p.Plan(cluster.Cut{At: 1, Late: late, Stays: stays})
						if stays {
							s.SetRetryFor(0)
						}
					}
					errs := together(s, stage.steps(s)...)
					for _, err := range errs {
						if cut := i == last && stays; cut != (err != nil) || cut && !errors.Is(err, spool.ErrUnreachable) {
							t.Errorf("%s, late %t, stays %t: %v", stage.name, late, stays, err)
						}
					}
				}
				want := stages[last].after
				if stays && !late {
					want = stages[last].before
				}
				got := sql(t, name, `select count(*), count(holder), coalesce(sum(events), 0), (select count(*) from notices.history) from notices.message`)
				if got != want {
					t.Errorf("%s, late %t, stays %t: messages, claims, events and entries are %s, want %s", stages[last].name, late, stays, got, want)
				}
				p.Plan(cluster.Cut{At: 1, Stays: true})
				s.SetRetryFor(0)
				s.Close()
			}
		}
	}
}

// TestHostsShareQueue: two hosts flush the same messages. Each is sent once, and neither waits for the
// other in a circle, which the server would end only after a second.
func TestHostsShareQueue(t *testing.T) {
	name := newDatabase(t)
	a, b := open(t, name), open(t, name)
	const n = 1000
	fill(t, a, n)
	var wg sync.WaitGroup
	var sent [2]int
	for i, s := range []*postgres.Store{a, b} {
		wg.Go(func() {
			tally, err := flush.Run(t.Context(), flush.Options{Store: s, Deliverer: sink{}, KeepHistory: 1e6 * time.Hour, Policy: schedule.Policy{GiveUp: 1e6 * time.Hour}})
			if err != nil {
				t.Error(err)
			}
			sent[i] = tally.Sent
		})
	}
	wg.Wait()
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	disconnected(t, name)
	if sent[0]+sent[1] != n {
		t.Errorf("%d messages were sent, of %d", sent, n)
	}
	if got := sql(t, name, `select deadlocks from pg_stat_database where datname = current_database()`); got != "0" {
		t.Errorf("%s deadlocks", got)
	}
	got := sql(t, name, `select (select count(*) from notices.message), count(*), count(distinct id) from notices.history`)
	if want := fmt.Sprintf("0|%d|%d", n, n); strings.TrimSpace(got) != want {
		t.Errorf("messages, entries and their ids: %s, want %s", got, want)
	}
}

// TestClaimAhead: what is claimed ahead is asked for without a further statement, no other host gets it, and
// what is not asked for is free again.
func TestClaimAhead(t *testing.T) {
	name := newDatabase(t)
	p := startProxy(t)
	a, b := openAt(t, p.URL(name)), open(t, name)
	defer a.Close()
	defer b.Close()
	ids := []spool.ID{"A", "B", "C", "D"}
	queue(t, a, ids...)
	var c, others spool.Claim
	if err := claimInto(t, b, "D", spool.StateQueued, &others)(); err != nil {
		t.Fatal(err)
	}
	entries := []spool.Entry{{ID: "none"}, {ID: "not an id"}}
	for _, id := range ids {
		entries = append(entries, spool.Entry{ID: id})
	}
	a.ClaimAhead(t.Context(), entries...)
	a.ClaimAhead(t.Context(), entries...)
	claim := func(s spool.Store, id spool.ID, want error) {
		t.Helper()
		if err := claimInto(t, s, id, spool.StateQueued, &c)(); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
	claim(a, "A", nil)
	p.Plan(cluster.Cut{})
	claim(a, "B", nil)
	if c.Entry().ID != "B" || c.Record().Envelope.ID != "B" {
		t.Errorf("claimed is %s", c.Entry().ID)
	}
	claim(a, "D", spool.ErrBusy)
	claim(a, "none", spool.ErrGone)
	if n := p.Executed(); n != 0 {
		t.Errorf("%d statements", n)
	}
	claim(b, "C", spool.ErrBusy)
	claim(a, "B", spool.ErrBusy)
	a.ClaimAhead(t.Context())
	claim(b, "C", nil)
	if err := deliver(c); err != nil {
		t.Error(err)
	}
	if got := sql(t, name, `select string_agg(id || ' ' || next || case when holder is null then '' else '*' end, ', ' order by id) from notices.message`); got != "A 100*, B 100*, D 100*" {
		t.Error(got)
	}
}

// TestFrozenAhead: a host that stood still for longer than its lease sends nothing that it had claimed ahead,
// unless it can claim that again.
func TestFrozenAhead(t *testing.T) {
	name := newDatabase(t)
	a, b := open(t, name), open(t, name)
	defer a.Close()
	defer b.Close()
	queue(t, a, "A", "B", "C")
	var mine, others spool.Claim
	a.ClaimAhead(t.Context(), spool.Entry{ID: "A"}, spool.Entry{ID: "B"}, spool.Entry{ID: "C"})
	if err := claimInto(t, a, "C", spool.StateQueued, &mine)(); err != nil { // so all were claimed
		t.Fatal(err)
	}
	a.Freeze()
	if err := cmpErr(claimInto(t, b, "A", spool.StateQueued, &others)(), func() error { return try(others) }); err != nil {
		t.Fatal(err)
	}
	if err := a.Sync(t.Context()); err != nil { // it learns that its session is over
		t.Fatal(err)
	}
	if err := claimInto(t, a, "A", spool.StateQueued, &mine)(); !errors.Is(err, spool.ErrBusy) {
		t.Errorf("what another host claimed since: %v", err)
	}
	if err := cmpErr(claimInto(t, a, "B", spool.StateQueued, &mine)(), func() error { return deliver(mine) }); err != nil {
		t.Errorf("what nobody claimed since: %v", err)
	}
}
