//go:build peers

package postgres_test

import (
	"os"
	"testing"

	"notices/spool"
)

// TestTablesOfEarlierVersion: what an earlier version wrote is there after the upgrade.
func TestTablesOfEarlierVersion(t *testing.T) {
	first, err := os.ReadFile("migrations/0001.sql")
	if err != nil {
		t.Fatal(err)
	}
	name := newDatabase(t)
	sql(t, name, `create schema notices; create table notices.schema_version (version integer primary key, at timestamptz not null default now());
		insert into notices.schema_version (version) values (1)`)
	sql(t, name, string(first))
	sql(t, name, `select notices.add_history('{A}', '{0}', '{1760000000}', '{1760000060}', '{delivered}', '{ann@example.net}', '{desk@example.org}', '{""}', '{<1@x>}', '{""}',
		array[convert_to('{"ID":"A","Index":0,"QueuedAt":"2025-10-09T08:53:20Z","EndedAt":"2025-10-09T08:54:20Z","Recipient":"ann@example.net","Ending":"delivered"}', 'UTF8')])`)
	s := open(t, name)
	defer s.Close()
	for _, q := range []spool.HistoryQuery{{}, {Recipient: "ann@example.net"}} {
		var found []spool.ID
		if _, err := s.History(t.Context(), q, func(e *spool.HistoryEntry) bool { found = append(found, e.ID); return true }); err != nil || len(found) != 1 {
			t.Errorf("%+v: %v, %v", q, found, err)
		}
	}
	if _, err := s.History(t.Context(), spool.HistoryQuery{Site: "east"}, func(e *spool.HistoryEntry) bool { t.Errorf("%+v", e); return true }); err != nil {
		t.Error(err)
	}
}
