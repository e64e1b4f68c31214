//go:build peers

package postgres_test

import (
	"errors"
	"os"
	"testing"

	"notices/spool"
	"notices/spool/postgres"
	"notices/spool/postgres/cluster"
	"notices/spool/storetest"
)

var server *cluster.Server

func TestMain(m *testing.M) { os.Exit(cluster.Run(&server, m.Run)) }

// TestStore holds the store against the suite.
func TestStore(t *testing.T) { storetest.Run(t, harness) }

// TestModel compares random histories with a model, with kills of hosts and of the server.
func TestModel(t *testing.T) { storetest.RunModel(t, harness, 30) }

// harness is a store on a new database. A host that is killed is one whose lease runs out; the
// tests need not wait for that. A power cut is a crash of the server.
func harness(t *testing.T) storetest.Harness {
	name := newDatabase(t)
	s := open(t, name)
	reopen := func() spool.Store { return open(t, name) }
	return storetest.Harness{
		Store: s, Reopen: reopen,
		Crash: func() spool.Store {
			s.Freeze()
			s = open(t, name)
			return s
		},
		PowerCut: func() spool.Store {
			crashServer(t)
			sql(t, name, `update notices.session set expires = now()`)
			s = open(t, name)
			return s
		},
	}
}

func crashServer(t *testing.T) {
	t.Helper()
	if err := errors.Join(server.Halt(), server.Again()); err != nil {
		t.Fatal(err)
	}
}

func newDatabase(t *testing.T) string {
	t.Helper()
	name, err := server.NewDatabase()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func startProxy(t *testing.T) *cluster.Proxy {
	t.Helper()
	p, err := server.StartProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	return p
}

func open(t *testing.T, database string) *postgres.Store {
	t.Helper()
	return openAt(t, server.URL(database))
}

func openAt(t *testing.T, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Options{URL: url, Host: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sql(t *testing.T, database, statements string) string {
	t.Helper()
	out, err := server.SQL(database, statements)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestUpdatesOfValue: a store that alone writes a value changes it in one statement. If another one has
// changed it, it is read again.
func TestUpdatesOfValue(t *testing.T) {
	name := newDatabase(t)
	p := startProxy(t)
	a, b := openAt(t, p.URL(name)), open(t, name)
	defer a.Close()
	defer b.Close()
	add := func(s *postgres.Store) int {
		t.Helper()
		p.Plan(cluster.Cut{})
		if err := s.State().Update(t.Context(), "count", false, func(old []byte) ([]byte, error) { return append(old, 'x'), nil }); err != nil {
			t.Fatal(err)
		}
		return p.Count()
	}
	for i, want := range []int{2, 2, 1, 1} {
		if got := add(a); got != want {
			t.Errorf("update %d: %d statements, want %d", i, got, want)
		}
	}
	add(b)
	for i, want := range []int{3, 2, 1} {
		if got := add(a); got != want {
			t.Errorf("update %d after another host's: %d statements, want %d", i, got, want)
		}
	}
	if text, err := a.State().Load(t.Context(), "count"); err != nil || string(text) != "xxxxxxxx" {
		t.Errorf("the value is %q, %v", text, err)
	}
}
