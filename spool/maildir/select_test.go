package maildir_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/history"
	"notices/spool/maildirtest"
)

// searched is a store without Select.
type searched struct{ history.Source }

// TestSelect: a search that looks at the bytes of the sidecars first finds what one finds that reads them all.
func TestSelect(t *testing.T) {
	s := maildirtest.New()
	dice := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		live(t, s, i, dice.IntN(7))
	}
	for _, q := range []spool.HistoryQuery{
		{}, {Recipient: "Patron17@Example.net"}, {Recipient: "@example.net"}, {Recipient: "tron1"}, {Recipient: "ü7@example.net"}, {Recipient: "nobody"},
		{Sender: "desk3@example.org"}, {Sender: "<>"}, {Ref: "ref 5"}, {Ref: "ref"}, {Site: "north"}, {IDs: []spool.ID{"M0007", "M0008"}},
	} {
		for _, endings := range [][]spool.Ending{nil, {history.Waiting}, {spool.EndedDelivered}, {spool.EndedFailed, spool.EndedReturned}, {spool.EndedDelivered, history.Waiting}, {spool.EndedBounced}} {
			q.Endings = endings
			want, got := rowsOf(t, searched{s}, q), rowsOf(t, s, q)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v: %d rows, want %d", q, len(got), len(want))
			}
		}
	}
}

// TestSelectDamaged: what cannot be read is told, whatever the query asks for.
func TestSelectDamaged(t *testing.T) {
	s := maildirtest.New()
	live(t, s, 1, 0)
	live(t, s, 2, 0)
	s.Damage("M0001")
	anomalies, err := history.Search(t.Context(), s, spool.HistoryQuery{Recipient: "nobody"}, func(*history.Row) bool { return true })
	if err != nil || len(anomalies) != 1 {
		t.Errorf("%v, %v", anomalies, err)
	}
}

func rowsOf(t *testing.T, s history.Source, q spool.HistoryQuery) (rows []history.Row) {
	t.Helper()
	if _, err := history.Search(t.Context(), s, q, func(r *history.Row) bool { rows = append(rows, *r); return true }); err != nil {
		t.Fatal(err)
	}
	return rows
}

// live lets a message live until it waits, or is gone.
func live(t *testing.T, s *maildirtest.Spool, i, life int) {
	t.Helper()
	at := func(n int) time.Time { return time.Unix(1_900_000_000+int64(100*i+n), 0).UTC() }
	env := spool.Envelope{ID: spool.ID(fmt.Sprintf("M%04d", i)), QueuedAt: at(0), Ref: fmt.Sprintf("ref %d", i%9), Recipients: []string{fmt.Sprintf("Patron%d@example.net", i), fmt.Sprintf("Ü%d@Example.net", i)}}
	if i%5 > 0 {
		env.Sender = fmt.Sprintf("desk%d@example.org", i%5)
	}
	if i%4 == 0 {
		env.Site = "north"
	}
	d, err := s.New(t.Context(), env.ID)
	if err == nil {
		err = d.Seal(env)
	}
	if err == nil {
		_, err = s.Commit(t.Context(), d)
	}
	if err != nil || life == 0 {
		check(t, err)
		return
	}
	result := func(classes ...spool.Class) spool.Event {
		e := spool.Event{Kind: spool.Result, At: at(2), N: 1, Next: at(90)}
		for i, class := range classes {
			e.Results = append(e.Results, spool.Answer{Outcome: spool.Outcome{Class: class, Reply: spool.Reply{Code: 450, Text: `it is "failed"`}}, To: []int{i}})
		}
		return e
	}
	c := claim(t, s, env.ID)
	check(t, c.Begin(spool.Event{Kind: spool.Try, At: at(1), N: 1, Next: at(50)}))
	switch life {
	case 1:
		err = c.Append(result(spool.Deferred, spool.Deferred), spool.Lazy)
	case 2:
		err = c.Append(result(spool.Delivered, spool.Deferred), spool.Lazy)
	case 3:
		err = c.Append(result(spool.Failed, spool.Uncertain), spool.Now)
	case 4:
		err = c.Remove(result(spool.Delivered, spool.Delivered), spool.Soon)
	case 5, 6:
		check(t, c.Append(result(spool.Failed, spool.Failed), spool.Now))
		err = c.Fail(spool.Event{At: at(3)})
	}
	check(t, err)
	check(t, c.Release())
	if life == 6 {
		c = claim(t, s, env.ID)
		check(t, c.Revive(spool.Event{At: at(4), Next: at(5)}))
		check(t, c.Release())
	}
}

func claim(t *testing.T, s *maildirtest.Spool, id spool.ID) spool.Claim {
	t.Helper()
	e, err := spool.FindOne(context.Background(), s, id)
	check(t, err)
	c, err := s.Claim(t.Context(), e)
	check(t, err)
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
