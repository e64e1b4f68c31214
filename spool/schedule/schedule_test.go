package schedule

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

// defaults is the default [retry] of notices.toml(5).
var defaults = Policy{
	ShortRange: 3 * time.Hour,
	ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
	LongDelay:  [2]time.Duration{60 * time.Minute, 90 * time.Minute},
	GiveUp:     100 * time.Hour,
}

var queued = time.Date(2026, 3, 28, 18, 0, 0, 0, time.UTC) // a clock change is near

func lowest(int64) int64    { return 0 }
func middle(n int64) int64  { return n / 2 }
func highest(n int64) int64 { return n - 1 }

// ladder returns the times of all attempts of a message that always fails.
func ladder(p Policy, a Age, random func(int64) int64) []time.Time {
	at := []time.Time{a.QueuedAt}
	for now := a.QueuedAt; now.Before(p.Deadline(a)); {
		now = p.Next(a, now, random)
		at = append(at, now)
	}
	return at
}

func TestLadder(t *testing.T) {
	var b bytes.Buffer
	fmt.Fprintln(&b, "# A message that always fails: attempt, its age, delay since the one before.")
	fmt.Fprintln(&b, "# short_range 3h, short_delay 3m to 9m, long_delay 60m to 90m, give_up 100h.")
	for _, c := range []struct {
		name   string
		random func(int64) int64
	}{{"every draw the lowest", lowest}, {"every draw in the middle", middle}, {"every draw the highest", highest}} {
		fmt.Fprintf(&b, "\n%s\n", c.name)
		times := ladder(defaults, Age{QueuedAt: queued}, c.random)
		for i, at := range times {
			delay := time.Duration(0)
			if i > 0 {
				delay = at.Sub(times[i-1])
			}
			fmt.Fprintf(&b, "%3d %10s %9s\n", i+1, clock(at.Sub(queued)), clock(delay))
		}
		if last := times[len(times)-1]; !last.Equal(queued.Add(100 * time.Hour)) {
			t.Errorf("%s: last attempt at %v, want exactly 100 h after queueing", c.name, last.Sub(queued))
		}
	}
	golden(t, "testdata/ladder.golden", b.Bytes())
}

func clock(d time.Duration) string {
	s := int64(d / time.Second)
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew); got:\n%s", name, got)
	}
}

// someMessage draws a policy, an age and a random source.
func someMessage(t *rapid.T) (Policy, Age, func(int64) int64) {
	sec := func(label string, low, high int) time.Duration {
		return time.Duration(rapid.IntRange(low, high).Draw(t, label)) * time.Second
	}
	var p Policy
	p.ShortRange = sec("short range", 0, 20_000)
	p.ShortDelay[0] = sec("short low", 1, 1000)
	p.ShortDelay[1] = p.ShortDelay[0] + sec("short span", 0, 1000)
	p.LongDelay[0] = sec("long low", 1, 9000)
	p.LongDelay[1] = p.LongDelay[0] + sec("long span", 0, 9000)
	p.GiveUp = sec("give up", 0, 400_000)
	a := Age{QueuedAt: queued}
	if rapid.Bool().Draw(t, "expires") {
		a.ExpiresAt = queued.Add(sec("expires", 0, 400_000))
	}
	random := func(n int64) int64 {
		if n <= 0 {
			t.Fatalf("random(%d)", n)
		}
		return rapid.Int64Range(0, n-1).Draw(t, "random")
	}
	return p, a, random
}

func TestDelaysStayInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, a, random := someMessage(t)
		now := queued.Add(time.Duration(rapid.Int64Range(-1e15, 1e15).Draw(t, "age in ns")))
		want := p.LongDelay
		if now.Sub(queued) < p.ShortRange {
			want = p.ShortDelay
		}
		next, deadline := p.Next(a, now, random), p.Deadline(a)
		if next.After(deadline) {
			t.Fatalf("next %v is past the deadline %v", next, deadline)
		}
		if !next.Equal(next.Truncate(time.Second)) {
			t.Fatalf("next %v is no whole second", next)
		}
		within(t, "Free", p.NextPastDeadline(a, now, random).Sub(now), want)
		within(t, "Long", p.NextLong(now, random).Sub(now), p.LongDelay)
		if next.Before(deadline) {
			within(t, "Next", next.Sub(now), want)
		}
	})
}

// within checks low <= d < high. A range without width is one value, to the second.
func within(t *rapid.T, what string, d time.Duration, r [2]time.Duration) {
	high := max(r[1], r[0]+time.Second)
	if d < r[0] || d >= high {
		t.Fatalf("%s: delay %v is not in [%v, %v)", what, d, r[0], high)
	}
}

func TestLadderEndsAtTheDeadline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, a, random := someMessage(t)
		// Short delays and a far deadline make long ladders that test nothing more.
		p.ShortDelay[0], p.ShortDelay[1] = p.ShortDelay[0]+60*time.Second, p.ShortDelay[1]+60*time.Second
		p.LongDelay[0], p.LongDelay[1] = p.LongDelay[0]+600*time.Second, p.LongDelay[1]+600*time.Second
		now, n := queued, 0
		for now.Before(p.Deadline(a)) {
			next := p.Next(a, now, random)
			if !next.After(now) {
				t.Fatalf("attempt %d at %v, the next not later: %v", n, now, next)
			}
			if p.Due(next, now) || !p.Due(next, next) {
				t.Fatalf("next send %v: due at %v: %v, due then: %v", next, now, p.Due(next, now), p.Due(next, next))
			}
			if now, n = next, n+1; n > 2000 {
				t.Fatal("the ladder does not end")
			}
		}
		if want := p.Deadline(a); want.After(queued) && !now.Equal(want) {
			t.Fatalf("last attempt at %v, want %v", now, want)
		}
	})
}

func TestExpiresReplacesGiveUp(t *testing.T) {
	for _, after := range []time.Duration{time.Minute, 2 * time.Hour, 200 * time.Hour} {
		a := Age{QueuedAt: queued, ExpiresAt: queued.Add(after)}
		times := ladder(defaults, a, middle)
		if last := times[len(times)-1]; !last.Equal(a.ExpiresAt) {
			t.Errorf("--expires %v: last attempt after %v", after, last.Sub(queued))
		}
	}
}

func TestDue(t *testing.T) {
	now := queued
	for _, c := range []struct {
		next time.Duration
		want bool
	}{
		{0, true}, {-time.Hour, true}, {-1000 * time.Hour, true}, {time.Second, false}, {90 * time.Minute, false},
		{90*time.Minute + time.Second, true}, // no delay is that long: the clock jumped
		{20 * 365 * 24 * time.Hour, true},
	} {
		if got := defaults.Due(now.Add(c.next), now); got != c.want {
			t.Errorf("next send in %v: due %v, want %v", c.next, got, c.want)
		}
	}
}

func TestClockSetBackTriesSoon(t *testing.T) {
	a := Age{QueuedAt: queued}
	now := queued.Add(-10 * 365 * 24 * time.Hour)
	if next := defaults.Next(a, now, highest); next.Sub(now) >= 9*time.Minute {
		t.Errorf("a message from the future is tried again after %v", next.Sub(now))
	}
}

func TestDrawsSpread(t *testing.T) {
	a := Age{QueuedAt: queued}
	seen := map[time.Time]bool{}
	for i := range int64(360) {
		seen[defaults.Next(a, queued, func(n int64) int64 { return i % n })] = true
	}
	if len(seen) != 360 {
		t.Errorf("360 draws of 3m to 9m give %d different seconds", len(seen))
	}
}

// TestEffectiveQueueTime: the time from which a message counts its age, when a clock was wrong. Times
// are in hours.
func TestEffectiveQueueTime(t *testing.T) {
	p := Policy{ShortRange: 3 * time.Hour, ShortDelay: [2]time.Duration{time.Minute, time.Hour}, LongDelay: [2]time.Duration{time.Hour, 2 * time.Hour}, GiveUp: 100 * time.Hour}
	at := func(hours int) time.Time {
		return time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours) * time.Hour)
	}
	const never = -1000
	for name, c := range map[string]struct{ queued, seen, now, want int }{
		"not tried yet":                       {0, never, 5, 0},
		"queued in the future, not tried yet": {500, never, 5, 5},
		"tried":                               {0, 1, 5, 0},
		"queued in the future, and tried":     {500, 4, 5, 4},
		"a little in the future, now past":    {50, 4, 60, 4},
		"the clock was wrong at the attempt":  {500, 4, 510, 500},
		"the clock was set back since":        {0, 400, 5, 0},
		"queued by the same wrong clock":      {390, 400, 5, 5},
	} {
		seen := time.Time{}
		if c.seen != never {
			seen = at(c.seen)
		}
		if got := p.EffectiveQueueTime(at(c.queued), seen, at(c.now)); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s, want %s", name, got, at(c.want))
		}
	}
}
