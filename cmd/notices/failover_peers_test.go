//go:build peers

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"notices/spool/postgres/cluster"
)

// TestFailover: the server is lost in the middle of a flush, and a standby, the other host of the
// address, takes over. The flush goes on there, and what was queued is sent.
func TestFailover(t *testing.T) {
	f := newFleet(t)
	standby := startStandby(t, f)
	both := fmt.Sprintf("127.0.0.1:%d,127.0.0.1:%d/%s?target_session_attrs=read-write&", f.server.Port, standby.Port, f.database)
	for _, host := range []string{"desk", "office"} {
		f.rewrite(host, fmt.Sprintf("127.0.0.1:%d/%s?", f.server.Port, f.database), both)
	}
	letGo := f.gate.hold(40)
	desk := f.startUntilHeld("desk")
	f.awaits("the standby, to be in step,", func() bool {
		return f.sql(`select bool_and(replay_lsn >= pg_current_wal_insert_lsn()) from pg_stat_replication`) == "t"
	})
	if err := f.server.Halt(); err != nil {
		t.Fatal(err)
	}
	f.gate.open()
	letGo()
	if err := standby.Promote(); err != nil {
		t.Fatal(err)
	}
	f.server = standby
	desk.ends(0)
	f.runWith("office", "Subject: Overdue\n\nPlease bring it back.\n", "enqueue", fmt.Sprintf("patron%d@example.net", f.messages))
	f.messages++
	f.run("office", "flush", "--all")
	f.done(0)
}

// startStandby starts a standby of the fleet's server.
func startStandby(t *testing.T, f *fleet) *cluster.Server {
	t.Helper()
	standby, err := f.server.Standby()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standby.Stop(); err != nil {
			t.Error(err)
		}
	})
	return standby
}

// TestStandbyAlone: a standby can be read. Commands that write end with 75.
func TestStandbyAlone(t *testing.T) {
	f := newFleet(t)
	standby := startStandby(t, f)
	before := fmt.Sprintf("127.0.0.1:%d/%s?", f.server.Port, f.database)
	there := fmt.Sprintf("127.0.0.1:%d/%s?", standby.Port, f.database)
	f.rewrite("desk", before, there)
	f.rewrite("office", before, there+"target_session_attrs=read-write&")
	queued := f.sql(`select count(*) from notices.message`)
	for host, words := range map[string]string{"desk": "add target_session_attrs=read-write", "office": "has to be promoted"} {
		for _, argv := range []string{"enqueue someone@example.net", "flush", "import notices.mbox"} {
			r := f.startWith(host, "Subject: Overdue\n\nPlease bring it back.\n", strings.Fields(argv)...)
			r.ends(75, words)
			r.oneLine()
		}
	}
	if got := strings.Count(f.run("desk", "list"), "@example.net"); fmt.Sprint(got) != queued {
		t.Errorf("%d messages are listed, and %s are queued", got, queued)
	}
	if got := f.sql(`select count(*) from notices.message`); got != queued {
		t.Errorf("%s messages are queued, and were %s", got, queued)
	}
}

// TestServerCrashesInFlush: the server crashes in the middle of a flush, and is started again. The
// flush goes on. What the server had not written to its disk yet may be sent twice.
func TestServerCrashesInFlush(t *testing.T) {
	f := newFleet(t)
	letGo := f.gate.hold(40)
	desk := f.startUntilHeld("desk")
	if err := f.server.Halt(); err != nil {
		t.Fatal(err)
	}
	f.gate.open()
	letGo()
	if err := f.server.Again(); err != nil {
		t.Fatal(err)
	}
	desk.ends(0)
	f.claimsEndSoon()
	f.run("office", "flush", "--all")
	f.done(40 + fleetInFlight)
}

// TestDatabaseDiskFull: commands end with 75 when the server's disk is full, and queue nothing by half.
// When there is room again, all is sent.
func TestDatabaseDiskFull(t *testing.T) {
	f := newFleet(t)
	disk := filepath.Join(f.server.Dir, "disk")
	err := os.Mkdir(disk, 0o700)
	if err = errors.Join(err, syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=32m"), f.server.Own(disk)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := f.server.SQL("postgres", "drop database "+f.database)
		_, spaceErr := f.server.SQL("postgres", "drop tablespace small")
		if err := errors.Join(err, spaceErr, syscall.Unmount(disk, 0)); err != nil {
			t.Error(err)
		}
	})
	f.sql(`create tablespace small location '` + disk + `'`)
	if _, err := f.server.SQL("postgres", `alter database `+f.database+` set tablespace small`); err != nil {
		t.Fatal(err)
	}
	letter := "Subject: Overdue\n\n" + strings.Repeat("Please bring it back, all of it.\n", 30_000)
	for full := false; !full; {
		r := f.startWith("desk", letter, "enqueue", fmt.Sprintf("patron%d@example.net", f.messages))
		if err := r.cmd.Wait(); err == nil {
			f.messages++
			continue
		}
		full = true
		r.ended(75, "space left on device")
		r.oneLine()
	}
	if n := f.sql(`select count(*) from notices.message`); n != fmt.Sprint(f.messages-fleetFirst) {
		t.Errorf("%s messages are queued, want %d", n, f.messages-fleetFirst)
	}
	f.run("desk", "list")
	r := f.start("desk", "flush")
	_ = r.cmd.Wait() // rows that are updated may find room
	if code := r.cmd.ProcessState.ExitCode(); code != 0 && code != 75 {
		t.Errorf("a flush ended with %d: %s", code, r.said)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=128m"); err != nil {
		t.Fatal(err)
	}
	f.claimsEndSoon()
	f.run("desk", "flush", "--all")
	f.done(fleetInFlight)
}

// TestStatementTimeout: if statement_timeout is too short, the command ends with 75 and names it.
func TestStatementTimeout(t *testing.T) {
	f := newFleet(t)
	f.sql(`create function notices.slow() returns trigger language plpgsql as $$ begin perform pg_sleep(10); return new; end $$;
		create trigger slow before insert on notices.message for each row execute function notices.slow();
		alter role postgres in database ` + f.database + ` set statement_timeout = '200ms'`)
	before := f.sql(`select count(*) from notices.message`)
	r := f.startWith("desk", "Subject: Overdue\n\nPlease bring it back.\n", "enqueue", "someone@example.net")
	r.ends(75, "statement_timeout")
	r.oneLine()
	if n := f.sql(`select count(*) from notices.message`); n != before {
		t.Errorf("%s messages are queued, and were %s", n, before)
	}
	f.run("desk", "flush", "--all") // it inserts no message
}
