package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"notices/config"
	"notices/spool/schedule"
)

// village is a small world, for quick tests.
var village = world{
	Machines: 12, Messages: 24, Away: 30 * time.Minute, Queued: 8 * time.Minute,
	Trip: 10 * time.Millisecond, Seed: 7,
}

func compared(t *testing.T, w world) []result {
	t.Helper()
	r, err := w.compare(policies()) // which checks that each message was taken once
	if err != nil {
		t.Fatal(err)
	}
	return r.Policies
}

// TestSums: what is counted by minute and by second is all there was, nothing is taken
// while the server is away, and nobody is turned away by one that takes all comers.
func TestSums(t *testing.T) {
	for _, r := range compared(t, village) {
		if taken, _, _ := r.sums(); taken != village.Machines*village.Messages {
			t.Errorf("%s: %d messages were taken", r.Name, taken)
		}
		for i, m := range r.Minutes {
			if away := time.Duration(i)*time.Minute < village.Away; away && m.Taken > 0 || !away && m.TurnedAway > 0 {
				t.Errorf("%s, minute %d: %+v", r.Name, i, m)
			}
		}
		if last := int(r.Last / time.Minute); last != len(r.Minutes)-1 || r.Minutes[last].Taken == 0 {
			t.Errorf("%s: done at %v of %d minutes", r.Name, r.Last, len(r.Minutes))
		}
		seconds := 0
		for _, n := range r.Busiest {
			seconds += n
		}
		if busiest := mostAfter(r, village.Away); seconds != busiest {
			t.Errorf("%s: %d in the seconds of the busiest minute, which had %d", r.Name, seconds, busiest)
		}
	}
}

func mostAfter(r result, back time.Duration) (most int) {
	for _, m := range r.Minutes[back/time.Minute:] {
		most = max(most, m.sends())
	}
	return most
}

// TestSpread is what the schedule, --splay and the circuit breaker promise.
func TestSpread(t *testing.T) {
	all := compared(t, village)
	splayed, plain, fixed, exponential := all[0], all[1], all[2], all[3]
	for _, ours := range []result{splayed, plain} {
		_, inVain, busiest := ours.sums()
		for _, other := range []result{fixed, exponential} {
			if _, theirs, most := other.sums(); 2*busiest > most || inVain > theirs {
				t.Errorf("%s: %d in a minute, %d turned away; %s: %d, %d", ours.Name, busiest, inVain, other.Name, most, theirs)
			}
		}
		// All that is due fails with one connection a run and machine.
		if most := (int(village.Away/time.Minute) - 8) * village.Machines; inVain > most {
			t.Errorf("%s: %d connections turned away, at most %d runs", ours.Name, inVain, most)
		}
		// The longest of the short delays, and what cron, splay and a second run add.
		if late := ours.Last - village.Away; late > 11*time.Minute {
			t.Errorf("%s: done %v after the server's return", ours.Name, late)
		}
	}
	if 2*splayed.Second > plain.Second {
		t.Errorf("%d in one second with --splay, %d without", splayed.Second, plain.Second)
	}
}

// TestSmallServer: a server that turns connections away gets everything all the same.
// With --splay it has to turn hardly any away.
func TestSmallServer(t *testing.T) {
	w := village.small()
	w.Sessions = 3
	for i, r := range compared(t, w) {
		full := 0
		for _, m := range r.Minutes[w.Away/time.Minute:] {
			full += m.TurnedAway
		}
		if splayed := i == 0; !splayed && full == 0 || splayed && full > w.Machines {
			t.Errorf("%s: %d machines met a full server %d times", r.Name, w.Machines, full)
		}
		if most := int(time.Minute / w.Each); mostTaken(r) > most+1 {
			t.Errorf("%s: %d taken in a minute, the server takes %d", r.Name, mostTaken(r), most)
		}
	}
}

func mostTaken(r result) (most int) {
	for _, m := range r.Minutes {
		most = max(most, m.Taken)
	}
	return most
}

func TestSameSeedSameResult(t *testing.T) {
	w := village
	w.Machines, w.Messages = 5, 10
	first := compared(t, w)
	if again := compared(t, w); !reflect.DeepEqual(first, again) {
		t.Errorf("twice the same seed:\n%+v\n%+v", first, again)
	}
	w.Seed++
	if other := compared(t, w); reflect.DeepEqual(first[0], other[0]) {
		t.Error("another seed changes nothing")
	}
}

// TestOurs: the simulated schedule is the one that notices.toml has by default.
func TestOurs(t *testing.T) {
	name := filepath.Join(t.TempDir(), "notices.toml")
	if err := os.WriteFile(name, []byte("[[server]]\nhost = \"mail.example.org\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	r := c.Retry
	if want := (schedule.Policy{ShortRange: r.ShortRange, ShortDelay: r.ShortDelay, LongDelay: r.LongDelay, GiveUp: r.GiveUp}); ours != want {
		t.Errorf("simulated is %+v, the default is %+v", ours, want)
	}
}

// TestClock: those of one moment wake in the order in which they lay down, and whoever
// sleeps to a moment that is over goes on at once.
func TestClock(t *testing.T) {
	var c clock
	var woke []string
	live := func(name string, until ...time.Duration) func() {
		return func() {
			for _, u := range until {
				c.sleep(u)
				woke = append(woke, name+c.now.String())
			}
		}
	}
	c.start(0, live("a", 2, 5, 1))
	c.start(1, live("b", 2, 3))
	c.run()
	if want := []string{"a2ns", "b2ns", "b3ns", "a5ns", "a5ns"}; !reflect.DeepEqual(woke, want) {
		t.Errorf("woke %v, want %v", woke, want)
	}
}
