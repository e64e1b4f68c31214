//go:build peers

package main

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNetworks has hosts in network namespaces of their own: they are killed, stand still, and
// are cut off from the database or from the mail server. Nothing is lost, and nothing is
// doubled but what was in flight.
func TestNetworks(t *testing.T) {
	if !inHub(t) {
		return
	}
	h := newHub(t)
	t.Run("", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *hub){
			"killed":                 hostsKilled,
			"frozen":                 hostsFrozen,
			"cut off":                cutOff(bothWays),
			"cannot send":            cutOff(toServer),
			"cannot receive":         cutOff(fromServer),
			"cut off for a moment":   cutForAMoment(bothWays),
			"cannot send a moment":   cutForAMoment(toServer),
			"cannot receive a while": cutForAMoment(fromServer),
			"between messages":       cutBetween,
			"no mail server":         cutFromMail,
			"clocks":                 clocksOff,
			"storm":                  storm,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, h)
			})
		}
	})
}

// hostsKilled: half of eight hosts are killed in mid-send. The others send the rest, and also what the
// killed ones had claimed, when their leases have run out in real time.
func hostsKilled(t *testing.T, h *hub) {
	f := h.fleet(t, 8, 400)
	letGo := f.gate.hold(40)
	var dead []*run
	for _, host := range []string{"h1", "h2", "h3", "h4"} {
		dead = append(dead, f.startUntilHeld(host))
	}
	for _, r := range dead {
		if err := r.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		r.ends(-1)
	}
	if n := f.sql(`select count(*) from notices.session where expires > clock_timestamp() + interval '1 minute'`); n != "0" {
		t.Errorf("%s sessions last longer than a minute", n)
	}
	f.gate.open()
	letGo()
	var others []*run
	for _, host := range []string{"h5", "h6", "h7"} {
		others = append(others, f.start(host, "flush", "--all", "--json"))
	}
	f.flushesAll("h8")
	for _, r := range others {
		r.ends(0)
	}
	f.done(4 * fleetInFlight)
}

// hostsFrozen: two hosts stand still in mid-send until their leases have run out in real time and
// others have sent everything. They wake, and write nothing.
func hostsFrozen(t *testing.T, h *hub) {
	f := h.fleet(t, 4, 200)
	letGo := f.gate.hold(20)
	frozen := []*run{f.startUntilHeld("h1"), f.startUntilHeld("h2")}
	for _, r := range frozen {
		r.signal(syscall.SIGSTOP)
	}
	f.gate.open()
	f.flushesAll("h3")
	before := f.sql(`select * from notices.history order by queued, id, n`)
	letGo()
	for _, r := range frozen {
		r.signal(syscall.SIGCONT)
		r.ends(0, `{"sent":`)
	}
	f.flushesAll("h4")
	if after := f.sql(`select * from notices.history order by queued, id, n`); after != before {
		t.Errorf("hosts that woke changed the history:\n%s\nbefore:\n%s", after, before)
	}
	f.done(2 * fleetInFlight)
}

// cutOff: a host is cut off from the database in mid-send, for good. It ends with 75. Another
// sends what is left.
func cutOff(ways int) func(*testing.T, *hub) {
	return func(t *testing.T, h *hub) {
		f := h.fleet(t, 2, 100)
		letGo := f.gate.hold(20)
		r := f.startUntilHeld("h1")
		f.cut("h1", f.server.Port, ways)
		f.gate.open()
		letGo()
		f.claimsEndSoon()
		f.run("h2", "flush", "--all")
		r.ends(75, "the database cannot be used now")
		if n := strings.Count(r.said.String(), "the database"); n != 1 {
			t.Errorf("it is said %d times: %s", n, r.said)
		}
		f.flushesAll("h2")
		f.done(fleetInFlight)
	}
}

// cutForAMoment: the same, but the host is back soon. What it said meanwhile arrives late, after
// another host has claimed the messages, and does not change them.
func cutForAMoment(ways int) func(*testing.T, *hub) {
	return func(t *testing.T, h *hub) {
		f := h.fleet(t, 2, 100)
		toFirst := f.gate.hold(20)
		r := f.startUntilHeld("h1")
		inFlight := strings.Fields(f.sql(`select id from notices.message where holder is not null`))
		f.cut("h1", f.server.Port, ways)
		f.claimsEndSoon()
		toSecond := f.gate.hold(0)
		other := f.startUntilHeld("h2", inFlight...)
		const claimed = `select * from notices.message where holder in (select id from notices.session where expires > clock_timestamp()) order by id`
		before := f.sql(claimed)
		f.gate.open()
		toFirst()
		f.awaits("its answers", func() bool { return f.taken() >= fleetFirst+20+fleetInFlight })
		f.heal("h1", f.server.Port, ways)
		r.ends(0, "the claim on the message was lost")
		if after := f.sql(claimed); after != before {
			t.Errorf("the first host changed messages of the second:\n%s\nbefore:\n%s", after, before)
		}
		toSecond()
		other.ends(0)
		f.flushesAll("h2")
		f.done(fleetInFlight)
	}
}

// cutBetween: a host is cut off while mail goes through, at no particular step. One that is cut off
// from the beginning sends nothing.
func cutBetween(t *testing.T, h *hub) {
	f := h.fleet(t, 3, 300)
	f.cut("h3", f.server.Port, bothWays)
	off := f.start("h3", "flush", "--all")
	r := f.start("h1", "flush", "--all")
	f.awaits("the first messages", func() bool { return f.taken() > 60 })
	f.cut("h1", f.server.Port, bothWays)
	f.run("h2", "flush", "--all")
	r.ends(75, "the database cannot be used now")
	off.ends(75, "[spool] database")
	f.claimsEndSoon()
	f.flushesAll("h2")
	f.done(fleetInFlight)
}

// cutFromMail: a host is cut off from the mail server in mid-send, and not from the database. Its
// messages are deferred, and another one, which reaches the server, sends them.
func cutFromMail(t *testing.T, h *hub) {
	f := h.fleet(t, 2, 60)
	f.rewrite("h1", `data_timeout = "1m"`, `data_timeout = "5s"`)
	letGo := f.gate.hold(20)
	r := f.startUntilHeld("h1")
	f.cut("h1", f.smtp.Port(), bothWays)
	f.gate.open()
	letGo()
	r.ends(0, `"deferred":`)
	f.run("h2", "test-server")
	f.run("h2", "retry", "--all")
	f.flushesAll("h2")
	f.done(fleetInFlight)
}

// clocksOff: hosts whose clocks are hours ahead or behind do not take what another one has claimed:
// claims go by the clock of the database.
func clocksOff(t *testing.T, h *hub) {
	f := h.fleet(t, 3, 100)
	ahead, behind := f.hosts["h2"], f.hosts["h3"]
	ahead.env, behind.env = []string{"CLOCK=9h"}, []string{"CLOCK=-9h"}
	f.hosts["h2"], f.hosts["h3"] = ahead, behind
	letGo := f.gate.hold(20)
	r := f.startUntilHeld("h1")
	f.gate.open()
	for _, host := range []string{"h3", "h2"} {
		if got := f.run(host, "flush", "--all", "--json"); host == "h2" && !strings.Contains(got, `"sent":0,`) {
			t.Errorf("the claims of another host were taken: %s", got)
		}
	}
	// The first host has claimed those in flight, and some that come next.
	if got := f.sql(`select count(*) between 4 and 12, count(*) = count(holder), count(distinct holder) from notices.message`); got != "t|t|1" {
		t.Errorf("left are 4 to 12 messages, all claimed, by so many hosts: %s", got)
	}
	letGo()
	r.ends(0)
	f.done(0)
}

const stormEvents = 45

// storm: six hosts flush all the time. Again and again one of them is killed, or stands still past its
// lease, or is cut off from the database in one direction or both. In the end nothing is lost.
func storm(t *testing.T, h *hub) {
	f := h.fleet(t, 6, 1500)
	f.gate.slow(100 * time.Millisecond) // then most events hit a host with mail in flight
	var members []*member
	for host := range f.hosts {
		members = append(members, f.keepsFlushing(host))
	}
	counts := map[string]int{}
	for range stormEvents {
		m := members[rand.IntN(len(members))]
		// Mail goes through meanwhile. The next event is to come at a random moment of an attempt; no
		// result depends on how long this is.
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		switch rand.IntN(3) {
		case 0:
			counts["kills"]++
			m.signal(syscall.SIGKILL)
		case 1:
			counts["freezes"]++
			m.signal(syscall.SIGSTOP)
			f.leaseEnds(m.host)
			time.AfterFunc(time.Second, func() { m.signal(syscall.SIGCONT) })
		default:
			counts["cuts"]++
			ways := 1 + rand.IntN(bothWays)
			f.cut(m.host, f.server.Port, ways)
			f.leaseEnds(m.host)
			// Other hosts may claim its messages meanwhile, or not: both have to be right.
			time.Sleep(500 * time.Millisecond)
			f.heal(m.host, f.server.Port, ways)
		}
	}
	for _, m := range members {
		m.stop()
	}
	f.claimsEndSoon()
	f.flushesAll("h1")
	f.done(fleetInFlight * stormEvents)
	t.Logf("of 6 hosts: %v", counts)
}
