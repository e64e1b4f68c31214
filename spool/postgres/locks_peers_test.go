//go:build peers

package postgres_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"notices/spool"
	"notices/spool/postgres"
)

// lockTable locks a table until letGo is called.
func lockTable(t *testing.T, database, table string) (pid uint32, letGo func()) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), server.URL(database))
	if err == nil {
		_, err = c.Exec(t.Context(), `begin; lock table `+table)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c.PgConn().PID(), func() { c.Close(t.Context()) }
}

func openPatient(t *testing.T, url string, patience time.Duration) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), postgres.Options{URL: url, Host: "test", Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLocked: the server gives up waiting for the lock of another session, so that nothing is half done
// and nothing is done later. The error names the session. Behind a pooler it is the role, or the database,
// that has a limit.
func TestLocked(t *testing.T) {
	pooler, err := server.StartPooler(3)
	if err != nil {
		t.Fatal(err)
	}
	defer pooler.Stop()
	for what, url := range map[string]func(string) string{"direct": server.URL, "pooled": pooler.URL} {
		name := newDatabase(t)
		open(t, name).Close()
		if what == "pooled" {
			sql(t, name, `alter database `+name+` set lock_timeout = '100ms'`)
		}
		writer, claimer := openPatient(t, url(name), 300*time.Millisecond), openPatient(t, url(name), 300*time.Millisecond)
		fill(t, claimer, 60)
		var claims []spool.Claim
		if err := claimer.Scan(t.Context(), func(e spool.Entry) bool {
			c, err := claimer.Claim(t.Context(), e)
			claims = append(claims, c)
			return err == nil
		}); err != nil || len(claims) != 60 {
			t.Fatal(err, len(claims))
		}
		if _, err := writer.Server(t.Context()); err != nil {
			t.Errorf("%s: nobody holds a lock: %v", what, err)
		}
		pid, letGo := lockTable(t, name, "notices.message")
		if _, err := writer.Server(t.Context()); !errors.Is(err, spool.ErrUnreachable) || !strings.Contains(err.Error(), fmt.Sprintf("process %d of user postgres", pid)) {
			t.Errorf("%s: beside the lock, Locked says %v", what, err)
		}
		told := put(small)(writer)
		who := fmt.Sprintf("process %d of user postgres", pid)
		if !errors.Is(told, spool.ErrUnreachable) || errors.Is(told, spool.ErrUnsure) || !strings.Contains(told.Error(), who) || !strings.Contains(told.Error(), fmt.Sprintf("pg_terminate_backend(%d)", pid)) || strings.Contains(told.Error(), "\n") {
			t.Errorf("%s: %v", what, told)
		}
		ends := make(chan error)
		for _, c := range claims {
			go func() { ends <- try(c) }()
		}
		for range claims {
			if err := <-ends; !errors.Is(err, spool.ErrUnreachable) {
				t.Errorf("%s: an attempt beside the lock: %v", what, err)
			}
		}
		letGo()
		if got := sql(t, name, `select count(*), sum(events) from notices.message`); got != "60|0" {
			t.Errorf("%s: afterwards: %s", what, got)
		}
		writer.Close()
		claimer.Close()
	}
}

// TestRowLocked: the same for one row, in a transaction that a person did not end.
func TestRowLocked(t *testing.T) {
	name := newDatabase(t)
	s := openPatient(t, server.URL(name), 300*time.Millisecond)
	defer s.Close()
	add := func() error {
		return s.State().Update(t.Context(), "count", true, func(old []byte) ([]byte, error) { return append(old, 'x'), nil })
	}
	if err := add(); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), server.URL(name))
	if err == nil {
		_, err = c.Exec(t.Context(), `begin; update notices.value set data = data`)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if err := add(); !errors.Is(err, spool.ErrUnreachable) || !strings.Contains(err.Error(), fmt.Sprintf("process %d of user postgres (idle in transaction", c.PgConn().PID())) {
		t.Error(err)
	}
}

// TestLockedForAMoment: what waits for a lock goes on when it is free.
func TestLockedForAMoment(t *testing.T) {
	name := newDatabase(t)
	s := open(t, name)
	defer s.Close()
	_, letGo := lockTable(t, name, "notices.message")
	done := make(chan error)
	go func() { done <- put(small)(s) }()
	sql(t, name, `do $$ begin while not exists (select from pg_locks where not granted) loop perform pg_sleep(0.01), pg_stat_clear_snapshot(); end loop; end $$`)
	letGo()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// guards ends the connections that hold the lock of an import, as the system does when a process is killed.
const guards = `select count(pg_terminate_backend(pid, 10000)) from pg_locks join pg_database d on d.oid = database where locktype = 'advisory' and datname = current_database()`

// TestImportKilled: the lock of an import that was killed is free at once, though its session is alive by its
// lease. Should it go on after all, it queues nothing more.
func TestImportKilled(t *testing.T) {
	name := newDatabase(t)
	a, b := open(t, name), open(t, name)
	defer a.Close()
	defer b.Close()
	_, release, err := a.Imported(t.Context(), at(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Imported(t.Context(), at(0)); !errors.Is(err, spool.ErrBusy) || strings.Contains(err.Error(), "killed") {
		t.Errorf("a second import: %v", err)
	}
	if got := sql(t, name, guards); got != "1" {
		t.Fatalf("%s guards", got)
	}
	_, releaseB, err := b.Imported(t.Context(), at(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := put(small)(a); !errors.Is(err, spool.ErrLockLost) {
		t.Errorf("the first one goes on: %v", err)
	}
	if err := errors.Join(release(), put(small)(b)); err != nil {
		t.Error(err)
	}
	if _, _, err := a.Imported(t.Context(), at(0)); !errors.Is(err, spool.ErrBusy) {
		t.Errorf("beside the second one: %v", err)
	}
	if err := releaseB(); err != nil {
		t.Error(err)
	}
	if got := sql(t, name, guards); got != "0" {
		t.Errorf("%s guards are left", got)
	}
}

// TestImportBehindPgBouncer: there is no guard, and the lock ends with the lease.
func TestImportBehindPgBouncer(t *testing.T) {
	pooler, err := server.StartPooler(3)
	if err != nil {
		t.Fatal(err)
	}
	defer pooler.Stop()
	name := newDatabase(t)
	a, b := openAt(t, pooler.URL(name)), open(t, name)
	defer a.Close()
	defer b.Close()
	_, release, err := a.Imported(t.Context(), at(0))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Imported(t.Context(), at(0)); !errors.Is(err, spool.ErrBusy) || !strings.Contains(err.Error(), "was killed, and then its lock is free within 45 seconds") {
		t.Errorf("a second import: %v", err)
	}
	if got := sql(t, name, guards); got != "0" {
		t.Errorf("%s guards", got)
	}
	a.Freeze()
	_, releaseB, err := b.Imported(t.Context(), at(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(release(), releaseB()); err != nil {
		t.Error(err)
	}
}
