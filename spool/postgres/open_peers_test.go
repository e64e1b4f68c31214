//go:build peers

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"notices/spool"
	"notices/spool/postgres"
)

func tryOpen(url, password string) error {
	o := postgres.Options{URL: url}
	if password != "" {
		o.Password = func(context.Context) (string, error) { return password, nil }
	}
	s, err := postgres.Open(context.Background(), o)
	if err != nil {
		return err
	}
	return s.Close()
}

// TestTablesByMany: hosts that start at once make the tables once.
func TestTablesByMany(t *testing.T) {
	name := newDatabase(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := tryOpen(server.URL(name), ""); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := sql(t, name, `select string_agg(version::text, ' ' order by version) from notices.schema_version`); got != "1 7" {
		t.Errorf("versions: %s", got)
	}
}

// TestNewerTables: an older program harms nothing.
func TestNewerTables(t *testing.T) {
	name := newDatabase(t)
	open(t, name).Close()
	sql(t, name, `insert into notices.schema_version values (1000)`)
	err := tryOpen(server.URL(name), "")
	if !errors.Is(err, spool.ErrMisconfigured) || !strings.Contains(err.Error(), "1000") {
		t.Errorf("an older program: %v", err)
	}
}

// TestRights: once the tables are there, a role needs no CREATE; and without rights it is told
// which.
func TestRights(t *testing.T) {
	name := newDatabase(t)
	role := "role_" + name
	url := fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s", role, server.Port, name)
	sql(t, name, `create role `+role+` login`)
	if err := tryOpen(url, ""); !errors.Is(err, spool.ErrMisconfigured) {
		t.Errorf("no tables, and no right to make them: %v", err)
	}
	open(t, name).Close()
	sql(t, name, `grant usage on schema notices to `+role+`; grant select on notices.schema_version to `+role)
	s, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Writable(t.Context()); !errors.Is(err, spool.ErrMisconfigured) || !strings.Contains(err.Error(), "grant select, insert") {
		t.Errorf("tables without rights: %v", err)
	}
	sql(t, name, `grant select, insert, update, delete on all tables in schema notices to `+role)
	if err := s.Writable(t.Context()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(put(small)(s), onIt(deliver)(s)); err != nil {
		t.Error(err)
	}
}

// TestCannotOpen: each way to fail is of its kind, is one line, and says no password.
func TestCannotOpen(t *testing.T) {
	name := newDatabase(t)
	sql(t, name, `create role `+name+` login password 'right'`)
	hba := server.Dir + "/data/pg_hba.conf"
	before, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(hba, append([]byte("host all "+name+" 127.0.0.1/32 scram-sha-256\n"), before...), 0o600); err != nil {
		t.Fatal(err)
	}
	sql(t, name, `select pg_reload_conf()`)
	for url, want := range map[string]error{
		"postgres://USER:hidden@HOST/NAME":                                 spool.ErrMisconfigured, // password
		"postgres://USER:right@HOST/none":                                  spool.ErrMisconfigured,
		"postgres://nobody:hidden@HOST/NAME":                               spool.ErrMisconfigured,
		"postgres://USER:hidden@HOST/NAME?sslmode=neither":                 spool.ErrMisconfigured,
		"postgres://USER:hidden@127.0.0.1:1/NAME":                          spool.ErrUnreachable,
		"postgres://USER:right@HOST/NAME?sslmode=require":                  spool.ErrUnreachable,
		"postgres://USER:right@HOST/postgres?target_session_attrs=standby": spool.ErrMisconfigured, // it could never write
		"host=/nowhere user=USER password=hidden dbname=NAME":              spool.ErrUnreachable,
	} {
		url = strings.NewReplacer("USER", name, "HOST", fmt.Sprintf("127.0.0.1:%d", server.Port), "NAME", name).Replace(url)
		err := tryOpen(url, "")
		if !errors.Is(err, want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "right@") {
			t.Errorf("%s: %v", url, err)
		}
	}
	url := fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s", name, server.Port, "postgres")
	if err := tryOpen(url, "right"); !errors.Is(err, spool.ErrMisconfigured) { // it may not make tables there
		t.Errorf("with the password from elsewhere: %v", err)
	}
	sql(t, name, `create database latin1 encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'`)
	if err := tryOpen(server.URL("latin1"), ""); !errors.Is(err, spool.ErrMisconfigured) {
		t.Errorf("another encoding: %v", err)
	}
}

// TestReadOnly: nothing is sent when what becomes of it cannot be written.
func TestReadOnly(t *testing.T) {
	name := newDatabase(t)
	open(t, name).Close()
	sql(t, name, `alter database `+name+` set default_transaction_read_only = on`)
	s := open(t, name)
	defer s.Close()
	if err := s.Writable(t.Context()); !errors.Is(err, spool.ErrUnreachable) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("Writable: %v", err)
	}
	if err := put(small)(s); !errors.Is(err, spool.ErrUnreachable) || errors.Is(err, spool.ErrUnsure) {
		t.Errorf("Commit: %v", err)
	}
}

// TestServerRestarts: a store that has worked waits for a server that comes again.
func TestServerRestarts(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	defer s.Close()
	if err := put(small)(s); err != nil {
		t.Fatal(err)
	}
	c := claimed(t, s)
	if err := try(c); err != nil {
		t.Fatal(err)
	}
	if err := server.Halt(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- c.Remove(result(spool.Delivered), spool.Now) }()
	if err := server.Again(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := stateOf(t, name); got != absent {
		t.Error(got)
	}
}
