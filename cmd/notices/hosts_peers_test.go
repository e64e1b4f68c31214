//go:build peers

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"notices/cmd/internal/app"
)

// TestHostKilled: a host is killed in the middle of a flush. The other one sends the rest, and
// what was in flight when the claims are over.
func TestHostKilled(t *testing.T) {
	f := newFleet(t)
	letGo := f.gate.hold(40)
	desk, _ := f.flushUntilHeld("desk")
	if err := errors.Join(desk.Process.Kill(), ignoreExit(desk.Wait())); err != nil {
		t.Fatal(err)
	}
	f.gate.open()
	letGo()
	// Those in flight, and some that come next.
	claimed, err := strconv.Atoi(f.sql(`select count(holder) from notices.message`))
	if err != nil || claimed < fleetInFlight || claimed > 3*fleetInFlight {
		t.Errorf("the killed host has %d messages claimed, %v", claimed, err)
	}
	if sent := f.run("office", "flush", "--all", "--json"); !strings.Contains(sent, fmt.Sprintf(`"sent":%d,`, fleetMessages-fleetFirst-40-claimed)) {
		t.Errorf("within the lease the other host flushed %s", sent)
	}
	f.claimsEndSoon()
	if sent := f.run("office", "flush", "--all", "--json"); !strings.Contains(sent, fmt.Sprintf(`"sent":%d,`, claimed)) {
		t.Errorf("after the lease the other host flushed %s", sent)
	}
	f.done(fleetInFlight)
}

// TestHostFrozen: a host stands still for longer than its lease, in the middle of a flush.
// Another claims what it had in flight. The one that wakes gets its answers, changes nothing
// of those messages, and sends others.
func TestHostFrozen(t *testing.T) {
	f := newFleet(t)
	toDesk := f.gate.hold(40)
	desk, said := f.flushUntilHeld("desk")
	if err := desk.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.claimsEndSoon()
	const claimed = `from notices.message m join notices.session s on s.id = m.holder where s.expires > now()`
	inFlight := strings.Fields(f.sql(`select id from notices.message where holder is not null and events > 0`))
	toOffice := f.gate.hold(0)
	office, _ := f.flushUntilHeld("office", inFlight...)
	before := f.sql(`select m.* ` + claimed + ` order by m.id`)
	if n := f.sql(`select count(*) ` + claimed); n != fmt.Sprint(fleetInFlight) {
		t.Errorf("the other host has claimed %s messages:\n%s", n, before)
	}

	f.gate.open()
	toDesk()
	if err := errors.Join(desk.Process.Signal(syscall.SIGCONT), desk.Wait()); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf(`{"sent":%d,"deferred":0,"returned":0,"failed":0}`, fleetMessages-fleetFirst-fleetInFlight)
	if !strings.HasPrefix(said.String(), want) || strings.Count(said.String(), "the claim on the message was lost") != fleetInFlight {
		t.Errorf("the host that woke said %s, want %s and the claims that it lost", said, want)
	}
	if after := f.sql(`select m.* ` + claimed + ` order by m.id`); after != before {
		t.Errorf("the host that woke changed messages of the other one:\n%s\nbefore:\n%s", after, before)
	}
	toOffice()
	if err := office.Wait(); err != nil {
		t.Error(err)
	}
	f.run("office", "flush", "--all")
	f.done(fleetInFlight)
}

// TestImportFrozen: a host stands still for longer than its lease, in the middle of an import. Another
// one imports the same meanwhile. The first one wakes, queues nothing more, and says so.
func TestImportFrozen(t *testing.T) {
	f := startFleet(t, startDatabases(t), 0, map[string]place{"desk": {address: "127.0.0.1"}, "office": {address: "127.0.0.1"}})
	f.run("office", "status") // which makes the tables
	f.write("two.mbox", twoMessages)
	in, out := io.Pipe()
	desk := f.command("desk", "import", "-")
	var said bytes.Buffer
	desk.Stdin, desk.Stdout, desk.Stderr = in, &said, &said
	if err := desk.Start(); err != nil {
		t.Fatal(err)
	}
	f.awaits("the lock of the import", func() bool { return f.sql(`select count(*) from notices.lock`) == "1" })
	if err := desk.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.sql(`update notices.session set expires = now()`)
	f.run("office", "import", "two.mbox")
	if err := desk.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	_, err := io.WriteString(out, twoMessages)
	if err := errors.Join(err, out.Close(), ignoreExit(desk.Wait())); err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, host: "desk", cmd: desk, said: &said}
	r.ended(app.ExitTryLater, "stopped; queued 0 of 2 messages", "another import has begun", "run the same command again")
	if n := f.sql(`select count(*) from notices.message`); n != "2" {
		t.Errorf("%s messages are queued, want 2: %s", n, said.String())
	}
	again := f.startWith("desk", twoMessages, "import", "-")
	again.ends(app.ExitOK, "2 were queued by an earlier import")
	if n := f.sql(`select count(*) from notices.message`); n != "2" {
		t.Errorf("%s messages are queued after the repeat, want 2", n)
	}
}

// TestImportKilledBehindPgBouncer: nobody sees that an import was killed. The next one says for how long it may
// have to wait, and goes on when the lease is over.
func TestImportKilledBehindPgBouncer(t *testing.T) {
	f := newFleet(t)
	pooler, err := f.server.StartPooler(3)
	if err != nil {
		t.Fatal(err)
	}
	defer pooler.Stop()
	for host := range f.hosts {
		f.rewrite(host, f.server.URL(f.database), pooler.URL(f.database))
	}
	if err := syscall.Mkfifo(filepath.Join(f.dir, "pipe.mbox"), 0o600); err != nil {
		t.Fatal(err)
	}
	killed := f.start("desk", "import", "pipe.mbox")
	f.awaits("its lock", func() bool { return f.sql(`select count(*) from notices.lock`) == "1" })
	killed.signal(syscall.SIGKILL)
	killed.ends(-1)

	said, err := os.Create(filepath.Join(f.dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	next := &run{t: t, host: "office", cmd: f.command("office", "import", "--again", "notices.mbox"), said: &bytes.Buffer{}}
	next.cmd.Stderr = said
	if err := next.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.awaits("a word about the lock", func() bool {
		text, err := os.ReadFile(said.Name())
		return err == nil && strings.Contains(string(text), "another import is running, or was killed, and then its lock is free within 45 seconds; waiting for it to end")
	})
	f.claimsEndSoon()
	next.ends(0)
	if n := f.sql(`select count(*) from notices.message`); n != fmt.Sprint(2*fleetMessages-fleetFirst) {
		t.Errorf("%s messages are queued", n)
	}
}
