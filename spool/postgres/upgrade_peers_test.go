//go:build peers

package postgres_test

import (
	"os"
	"testing"

	"notices/spool"
)

// TestTablesOfEarlierVersion: what an earlier version wrote is there after the upgrade, and a message
// that it queued is found and delivered.
func TestTablesOfEarlierVersion(t *testing.T) {
	first, err := os.ReadFile("testdata/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	name := newDatabase(t)
	sql(t, name, `create schema notices; create table notices.schema_version (version integer primary key, at timestamptz not null default now());
		insert into notices.schema_version (version) values (1)`)
	sql(t, name, string(first))
	sql(t, name, `select notices.add_history('{A}', '{0}', '{1760000000}', '{1760000060}', '{delivered}', '{ann@example.net}', '{desk@example.org}', '{""}', '{<1@x>}', '{""}',
		array[convert_to('{"ID":"A","Index":0,"QueuedAt":"2025-10-09T08:53:20Z","EndedAt":"2025-10-09T08:54:20Z","Recipient":"ann@example.net","Ending":"delivered"}', 'UTF8')])`)
	sql(t, name, `select notices.put('{`+string(theID)+`}', '{q}', '{1760000000}', '{null}', '{200}', '{7}',
		array[convert_to('{"id":"`+string(theID)+`","sender":"desk@example.org","recipients":["ben@example.net"],"queued_at":"2025-10-09T08:53:20Z","size":4}', 'UTF8')],
		array['text'::bytea], '{}', '{}', '{}', '{2}',
		'{`+string(theID)+`,`+string(theID)+`}', '{1,0}', array[convert_to('{"kind":"result","at":"2025-10-09T08:53:22Z","n":1,"next":"2025-10-09T08:59:20Z"}', 'UTF8'),
			convert_to('{"kind":"try","at":"2025-10-09T08:53:21Z","n":1,"next":"2025-10-09T08:59:20Z"}', 'UTF8')])`)
	s := open(t, name)
	defer s.Close()
	if got := found(t, s, spool.HistoryQuery{Recipient: "ben"}); len(got) != 1 {
		t.Errorf("the queued message: found %q", got)
	}
	c := claimed(t, s)
	if r := c.Record(); len(r.Events) != 2 || r.Events[0].Kind != spool.Try || r.Attempts != 1 {
		t.Errorf("the queued message has %+v", r.Events)
	}
	if err := deliver(c); err != nil {
		t.Error(err)
	}
	if got := sql(t, name, `select string_agg(id || ' ' || ending, ', ' order by id) from notices.history`); got != string(theID)+" delivered, A delivered" {
		t.Errorf("the history has %s", got)
	}
	if got := found(t, s, spool.HistoryQuery{Recipient: "ann@example.net"}); len(got) != 1 {
		t.Errorf("the history: found %q", got)
	}
	if _, err := s.History(t.Context(), spool.HistoryQuery{Site: "east"}, func(e *spool.HistoryEntry) bool { t.Errorf("%+v", e); return true }); err != nil {
		t.Error(err)
	}
}

// TestTablesOfDevelopment: the tables of versions 2 to 6, which were in no release, are brought up to date,
// too, and no function is left of them.
func TestTablesOfDevelopment(t *testing.T) {
	first, err := os.ReadFile("testdata/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	name := newDatabase(t)
	sql(t, name, `create schema notices; create table notices.schema_version (version integer primary key, at timestamptz not null default now());
		insert into notices.schema_version (version) values (1), (6)`)
	sql(t, name, string(first))
	sql(t, name, `alter table notices.history add column site text collate "C" not null default '';
		create index history_site on notices.history (site, queued) where site <> '';
		alter table notices.message add column search text collate "C";
		create index history_ref on notices.history (ref) where ref <> ''`)
	functions := `select string_agg(oid::regprocedure::text, ' ' order by oid::regprocedure::text) from pg_proc where pronamespace = 'notices'::regnamespace`
	s := open(t, name)
	defer s.Close()
	if err := put(small)(s); err != nil {
		t.Fatal(err)
	}
	if err := deliver(claimed(t, s)); err != nil {
		t.Error(err)
	}
	fresh := newDatabase(t)
	open(t, fresh).Close()
	if got, want := sql(t, name, functions), sql(t, fresh, functions); got != want {
		t.Errorf("the functions are %s, and in new tables %s", got, want)
	}
}
