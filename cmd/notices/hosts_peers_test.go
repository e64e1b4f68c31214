//go:build peers

package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
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
	if sent := f.run("office", "flush", "--all", "--json"); !strings.Contains(sent, fmt.Sprintf(`"sent":%d,`, fleetMessages-fleetFirst-40-fleetInFlight)) {
		t.Errorf("within the lease the other host flushed %s", sent)
	}
	f.claimsEndSoon()
	if sent := f.run("office", "flush", "--all", "--json"); !strings.Contains(sent, fmt.Sprintf(`"sent":%d,`, fleetInFlight)) {
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
	inFlight := strings.Fields(f.sql(`select id from notices.message where holder is not null`))
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
