//go:build peers

package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/history"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
)

// found searches, and writes each row as "ID INDEX".
func found(t *testing.T, s history.Source, q spool.HistoryQuery) (rows []string) {
	t.Helper()
	bad, err := history.Search(t.Context(), s, q, func(r *history.Row) bool {
		rows = append(rows, fmt.Sprintf("%s %d", r.ID, r.Index))
		return true
	})
	if err != nil || len(bad) > 0 {
		t.Fatal(bad, err)
	}
	return rows
}

// plain is a store that can only list all messages.
type plain struct{ s *postgres.Store }

func (p plain) Scan(ctx context.Context, yield func(spool.Entry) bool) error {
	return p.s.Scan(ctx, yield)
}

func (p plain) ScanFailed(ctx context.Context, yield func(spool.Entry) bool) error {
	return p.s.ScanFailed(ctx, yield)
}

func (p plain) Peek(ctx context.Context, e spool.Entry) (*spool.Record, spool.PeekedBody, error) {
	return p.s.Peek(ctx, e)
}

func (p plain) Find(ctx context.Context, ids ...spool.ID) (map[spool.ID]spool.Entry, error) {
	return p.s.Find(ctx, ids...)
}

func (p plain) History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	return p.s.History(ctx, q, yield)
}

// TestCandidates: a search by the column finds what a search of all records finds, also messages that
// were queued before there was that column.
func TestCandidates(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	defer s.Close()
	var drafts []spool.Draft
	for i, env := range []spool.Envelope{
		{Sender: "Desk@Example.org", Recipients: []string{"Ann@Example.net", "ben@example.net"}, Ref: "R-1"},
		{Sender: "", Recipients: []string{"ann@example.network"}, Ref: "r-1"},
		{Sender: "desk@example.org", Recipients: []string{"joann@example.net"}, Ref: "R-1\nR-2"},
		{Sender: "ann@example.net", Recipients: []string{"ÄNN@BÜCHER.example"}, Ref: "R%_\\\xff\x00"},
		{Sender: "desk@example.org", Recipients: []string{`"a'%_\"@example.net`}},
		{Sender: "desk@example.org", Recipients: many(5000)},
	} {
		env.ID, env.QueuedAt = spool.ID(fmt.Sprint("M", i)), at(int64(i))
		d, err := s.New(t.Context(), env.ID)
		if err == nil {
			err = d.Seal(env)
		}
		if err != nil {
			t.Fatal(err)
		}
		drafts = append(drafts, d)
	}
	if _, err := s.Commit(t.Context(), drafts...); err != nil {
		t.Fatal(err)
	}
	addresses := []string{"", "<>", "ann@example.net", "ANN@EXAMPLE.NET", "ann", "ann@", "@example.net", "@EXAMPLE.net", "example.net", "änn@bücher.example", "ÜCHER",
		`%`, `_`, `\`, `'`, "patron4999@example.com", "atron12", "nobody", "\n"}
	compare := func(what string) {
		for _, recipient := range addresses {
			for _, q := range []spool.HistoryQuery{
				{Recipient: recipient}, {Sender: recipient}, {Recipient: recipient, Sender: "desk"}, {Recipient: recipient, Ref: "R-1"},
				{Recipient: recipient, Ref: "R%_\\\xff\x00"}, {Recipient: recipient, IDs: []spool.ID{"M0", "M3"}},
			} {
				if got, want := found(t, s, q), found(t, plain{s}, q); !slices.Equal(got, want) {
					t.Errorf("%s, %+q: found %d, want %d: %q and %q", what, q, len(got), len(want), short(got), short(want))
				}
			}
		}
	}
	compare("new")
	sql(t, name, `update notices.message set search = null where id in ('M0', 'M3')`)
	compare("from before")
}

func short(list []string) []string { return list[:min(5, len(list))] }

func many(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("patron%d@example.com", i))
	}
	return list
}

// TestSearchReadsNoRecords: the search for one among many that wait takes few statements, and the
// addresses of a message to many are not in its row, which is written again by each claim.
func TestSearchReadsNoRecords(t *testing.T) {
	name := newDatabase(t)
	p := startProxy(t)
	s := openAt(t, p.URL(name))
	defer s.Close()
	const n = 3000
	fill(t, s, n)
	p.Plan(cluster.Cut{})
	if rows := found(t, s, spool.HistoryQuery{Recipient: "patron1234@example.net"}); len(rows) != 1 {
		t.Errorf("found %q", rows)
	}
	if got := p.Count(); got > 4 {
		t.Errorf("%d statements", got)
	}
	d, err := s.New(t.Context(), "wide")
	if err == nil {
		err = d.Seal(spool.Envelope{ID: "wide", Sender: "desk@example.org", Recipients: many(1000), QueuedAt: at(0)})
	}
	if err == nil {
		_, err = s.Commit(t.Context(), d)
	}
	if err != nil {
		t.Fatal(err)
	}
	if size := sql(t, name, `select max(pg_column_size(m.*)) < 1000 from notices.message m where id <> 'wide'`); size != "t" {
		t.Error("rows of messages are wide")
	}
	if where := sql(t, name, `select pg_relation_size(reltoastrelid) > 0 from pg_class where oid = 'notices.message'::regclass`); !strings.HasPrefix(where, "t") {
		t.Error("the addresses of a message to 1000 stand in its row")
	}
}
