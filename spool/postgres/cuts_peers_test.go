//go:build peers

package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
)

// A story is something that a host does, and what may be true of the message if it was cut off
// for good, and what must be true once it returned nil.
type story struct {
	name   string
	before func(spool.Store) error
	tell   func(spool.Store) error
	half   []string
	whole  string
}

const (
	absent   = "absent"
	queued   = "queued"
	deferred = "queued, next send 500"
	held     = "held"
	failed   = "failed"
	revived  = "queued, next send 400"

	theID = spool.ID("0CKRP4W3R1A9B8C7")
)

var (
	small = bytes.Repeat([]byte("0123456789abcde\r\n"), 300)
	big   = bytes.Repeat([]byte("0123456789abcde\r\n"), 60_000) // four chunks
)

func put(text []byte) func(spool.Store) error {
	return func(s spool.Store) error {
		d, err := s.New(context.Background(), theID)
		if err != nil {
			return err
		}
		if _, err = d.Write(text); err == nil {
			env := spool.Envelope{ID: theID, Sender: "a@example.org", Recipients: []string{"b@example.net"}, QueuedAt: at(100), ImportKeys: []spool.ImportKey{{1}}}
			if err = d.Seal(env); err == nil {
				_, err = s.Commit(context.Background(), d)
			}
		}
		if err != nil && !errors.Is(err, spool.ErrUnsure) {
			d.Abort()
		}
		return err
	}
}

func onIt(do func(spool.Claim) error) func(spool.Store) error {
	return func(s spool.Store) error {
		e, err := spool.FindOne(context.Background(), s, theID)
		if err != nil {
			return err
		}
		c, err := s.Claim(context.Background(), e)
		if err != nil {
			return err
		}
		defer c.Release()
		body := make([]byte, c.Body().Size())
		if _, err := c.Body().ReadAt(body, 0); err != nil {
			return err
		}
		return do(c)
	}
}

func at(seconds int64) time.Time { return time.Unix(seconds, 0).UTC() }

func event(k spool.Kind, seconds int64) spool.Event { return spool.Event{Kind: k, At: at(seconds)} }

func result(class spool.Class) spool.Event {
	e := event(spool.Result, 201)
	e.N, e.Next = 1, at(500)
	e.Results = []spool.Answer{{Outcome: spool.Outcome{Class: class}, To: []int{0}}}
	return e
}

func try(c spool.Claim) error {
	e := event(spool.Try, 200)
	e.N, e.Next = 1, at(500)
	return c.Begin(e)
}

func deferIt(c spool.Claim) error {
	return cmpErr(try(c), func() error { return c.Append(result(spool.Deferred), spool.Lazy) })
}

func deliver(c spool.Claim) error {
	return cmpErr(try(c), func() error { return c.Remove(result(spool.Delivered), spool.Soon) })
}

func cmpErr(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

func both(first, second func(spool.Store) error) func(spool.Store) error {
	return func(s spool.Store) error { return cmpErr(first(s), func() error { return second(s) }) }
}

var (
	failIt   = onIt(func(c spool.Claim) error { return c.Fail(event(spool.GiveUp, 300)) })
	reviveIt = onIt(func(c spool.Claim) error {
		e := event(spool.Retry, 400)
		e.Next = at(400)
		return c.Revive(e)
	})
	stories = []story{
		{"enqueue", nil, put(small), []string{absent, queued}, queued},
		{"enqueue what is big", nil, put(big), []string{absent, queued}, queued},
		{"defer", put(small), onIt(deferIt), []string{queued, deferred}, deferred},
		{"hold", put(small), onIt(func(c spool.Claim) error { return c.Append(event(spool.Hold, 300), spool.Now) }), []string{queued, held}, held},
		{"deliver", put(small), onIt(deliver), []string{queued, deferred, absent}, absent},
		{"deliver what is big", put(big), onIt(deliver), []string{queued, deferred, absent}, absent},
		{"remove", put(small), onIt(func(c spool.Claim) error { return c.Remove(spool.Event{}, spool.Now) }), []string{queued, absent}, absent},
		{"fail", put(small), failIt, []string{queued, failed}, failed},
		{"revive", both(put(small), failIt), reviveIt, []string{failed, revived}, revived},
		{"set a value", nil, func(s spool.Store) error {
			return s.State().Update(context.Background(), "n", true, func(old []byte) ([]byte, error) { return append(old, 'x'), nil })
		}, []string{absent}, absent},
		{"import", nil, func(s spool.Store) error {
			_, release, err := s.Imported(context.Background(), at(0))
			if err != nil {
				return err
			}
			return errors.Join(put(small)(s), release())
		}, []string{absent, queued}, queued},
	}
)

// TestCutAtEveryStatement loses the connection once, before each statement and before each
// answer: nobody notices. Then it loses it for good: nothing is lost, doubled or half done.
func TestCutAtEveryStatement(t *testing.T) {
	name := newDatabase(t)
	open(t, name).Close()
	p := startProxy(t)
	places := 0
	for _, st := range stories {
		statements := tell(t, name, p, st, cluster.Cut{})
		for k := 1; k <= statements; k++ {
			for _, late := range []bool{false, true} {
				for _, stays := range []bool{false, true} {
					places++
					tell(t, name, p, st, cluster.Cut{At: k, Late: late, Stays: stays})
				}
			}
		}
	}
	t.Logf("%d cuts", places)
}

// tell tells a story, cuts the connection as given, and looks at what there is then.
func tell(t *testing.T, name string, p *cluster.Proxy, st story, c cluster.Cut) (statements int) {
	t.Helper()
	sql(t, name, `truncate notices.session, notices.message, notices.content, notices.chunk, notices.draft, notices.import_key, notices.lock, notices.value, notices.history`)
	p.Plan(cluster.Cut{})
	s, err := postgres.Open(t.Context(), postgres.Options{URL: p.URL(name)})
	if err != nil {
		t.Fatal(err)
	}
	if st.before != nil {
		direct := open(t, name)
		if err := st.before(direct); err != nil {
			t.Fatalf("%s: before: %v", st.name, err)
		}
		direct.Close()
	}
	if c.Stays {
		s.SetRetryFor(0)
	}
	p.Plan(c)
	told := st.tell(s)
	statements = p.Count()
	p.Plan(cluster.Cut{At: 1, Stays: true}) // it is cut off, and cannot say that it ends
	s.SetRetryFor(0)
	s.Close()

	what := fmt.Sprintf("%s, cut %+v of %d (%v)", st.name, c, statements, told)
	if told != nil && !c.Stays {
		t.Errorf("%s: the loss of one connection was noticed", what)
	}
	if told != nil && !errors.Is(told, spool.ErrUnreachable) {
		t.Errorf("%s: another error", what)
	}
	sql(t, name, `update notices.session set expires = now()`)
	got := stateOf(t, name)
	switch {
	case told == nil && got != st.whole:
		t.Errorf("%s: %s", what, got)
	case told != nil && !slices.Contains(st.half, got):
		t.Errorf("%s: %s", what, got)
	case got == queued && st.before == nil && told != nil && !errors.Is(told, spool.ErrUnsure) && c.At > 0 && st.name != "import":
		t.Errorf("%s: it is queued, and that was not said", what)
	}
	return statements
}

// stateOf says where the message is, in exactly one place, whole, or nowhere, without
// remains; and that the history has it if and only if it has left.
func stateOf(t *testing.T, name string) string {
	t.Helper()
	s := open(t, name)
	defer s.Close()
	if _, err := s.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	remains := sql(t, name, `select (select count(*) from notices.draft),
		(select count(*) from notices.content where id not in (select id from notices.message)),
		(select count(*) from notices.chunk where body not in (select body from notices.message)),
		(select count(*) from notices.message where id not in (select id from notices.content))`)
	if remains != "0|0|0|0" {
		t.Errorf("remains: %s", remains)
	}
	got := described(t, s)
	entries := sql(t, name, `select string_agg(ending, ' ') from notices.history`)
	if left := got == failed || got == absent && entries != ""; left && strings.Count(entries, " ") > 0 || got == queued && entries != "" || got == failed && entries == "" {
		t.Errorf("%s, and the history has %q", got, entries)
	}
	return got
}

func described(t *testing.T, s *postgres.Store) string {
	t.Helper()
	var all []spool.Entry
	keep := func(e spool.Entry) bool { all = append(all, e); return true }
	if err := errors.Join(s.Scan(t.Context(), keep), s.ScanFailed(t.Context(), keep)); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		return absent
	}
	if len(all) > 1 {
		t.Fatalf("one message, listed as %v", all)
	}
	c, err := s.Claim(t.Context(), all[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	text := make([]byte, c.Body().Size())
	if _, err := c.Body().ReadAt(text, 0); err != nil || !bytes.Equal(text, small) && !bytes.Equal(text, big) {
		t.Fatalf("the message changed: %d octets, %v", len(text), err)
	}
	switch r := c.Record(); {
	case r.GivenUp:
		return failed
	case r.Held:
		return held
	case r.NextSendAt.Unix() != 100:
		return fmt.Sprintf("queued, next send %d", r.NextSendAt.Unix())
	}
	return queued
}
