package spool

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const keepOutages = 90 * 24 * time.Hour

func setHealth(t *testing.T, state State, h Health) {
	t.Helper()
	err := UpdateState(t.Context(), state, HealthName+"1", false, func(old *Health) error { *old = h; return nil })
	if err != nil {
		t.Fatal(err)
	}
}

func down(since time.Time) Health {
	return Health{Troubles: 2, Since: since, Last: Outcome{Reason: ReasonConnect, Reply: Reply{Host: "mail.example.org", At: since}}}
}

// TestOutages: what ended is kept, once though two flushes see the end, and what lasts is
// told from the health.
func TestOutages(t *testing.T) {
	state, began := values{}, time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	ended := began.Add(90 * time.Minute)
	load := func(now time.Time) (Outages, bool) {
		t.Helper()
		list, lasts, err := LoadOutages(t.Context(), state, "1", now)
		if err != nil {
			t.Fatal(err)
		}
		return list, lasts
	}
	end := func(at time.Time, keep time.Duration) {
		t.Helper()
		if err := EndOutage(t.Context(), state, "1", at, keep); err != nil {
			t.Fatal(err)
		}
	}
	if list, lasts := load(ended); len(list) > 0 || lasts {
		t.Errorf("a server that always worked: %v", list)
	}
	end(ended, keepOutages) // it works: nothing is written
	setHealth(t, state, down(began))
	end(ended, 0)
	if list, lasts := load(began.Add(time.Hour)); len(list) != 1 || !lasts || list[0].Lasted() != time.Hour || list[0].Reason != ReasonConnect {
		t.Errorf("while it lasts: %+v", list)
	}
	end(ended, keepOutages)
	end(ended.Add(time.Second), keepOutages)
	setHealth(t, state, Health{})
	list, lasts := load(ended.Add(time.Hour))
	if len(list) != 1 || lasts || list[0].Lasted() != 90*time.Minute+time.Second || list[0].Host != "mail.example.org" {
		t.Errorf("after its end: %+v", list)
	}
	later := ended.Add(keepOutages + time.Hour)
	setHealth(t, state, down(later))
	end(later.Add(time.Minute), keepOutages)
	setHealth(t, state, Health{})
	if list, _ := load(later.Add(time.Hour)); len(list) != 1 || !list[0].Since.Equal(later) {
		t.Errorf("what is older than is to be kept stays: %+v", list)
	}
	end(later, 0)
	if list, _ := load(later); len(list) > 0 || state["outages-1"] != nil {
		t.Errorf("keep_history = \"0\" keeps %+v", list)
	}
}

func TestOutageWithin(t *testing.T) {
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	one := Outage{Since: noon, Until: noon.Add(2 * time.Hour)}
	joined := Outage{Since: noon, Until: noon.Add(10 * time.Hour), N: 20, Down: 3600}
	for _, c := range []struct {
		o            Outage
		since, until time.Duration // from noon
		n            int
		lasted       time.Duration
	}{
		{one, -time.Hour, 3 * time.Hour, 1, 2 * time.Hour},
		{one, time.Hour, 3 * time.Hour, 1, time.Hour},
		{one, -time.Hour, time.Minute, 1, time.Minute},
		{one, 3 * time.Hour, 4 * time.Hour, 0, 0},
		{one, -time.Hour, 0, 1, 0}, // it begins in the last second
		{one, -2 * time.Hour, -time.Second, 0, 0},
		{one, 2 * time.Hour, 3 * time.Hour, 0, 0},
		{joined, -time.Hour, 24 * time.Hour, 20, time.Hour},
		{joined, 5 * time.Hour, 24 * time.Hour, 10, 30 * time.Minute},
		{joined, 9*time.Hour + 59*time.Minute, 24 * time.Hour, 1, 6 * time.Second},
	} {
		n, lasted := c.o.Within(noon.Add(c.since), noon.Add(c.until))
		if n != c.n || lasted.Round(time.Second) != c.lasted {
			t.Errorf("%+v from %s to %s: %d, %s; want %d, %s", c.o, c.since, c.until, n, lasted, c.n, c.lasted)
		}
	}
}

// TestOutagesAreBounded: a server that comes and goes every minute fills no disk, and the sums
// stay right.
func TestOutagesAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list Outages
		first := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		at, count, sum := first, 0, time.Duration(0)
		step := time.Duration(rapid.IntRange(1, 3000).Draw(t, "minutes between")) * time.Minute
		for range rapid.IntRange(0, 700).Draw(t, "outages") {
			since := at.Add(step)
			at = since.Add(time.Duration(count%50) * time.Second)
			list.add(Outage{Host: "mail.example.org", Since: since, Until: at, Reason: ReasonConnect})
			count, sum = count+1, sum+at.Sub(since)
		}
		if raw, err := json.Marshal(list); err != nil || len(raw) > 64<<10 {
			t.Fatalf("%d octets, %v", len(raw), err)
		}
		gotCount, gotSum := 0, time.Duration(0)
		for i := range list {
			n, lasted := list[i].Within(first, at.Add(time.Second))
			gotCount, gotSum = gotCount+n, gotSum+lasted
		}
		if gotCount != count || (gotSum-sum).Abs() > time.Second {
			t.Fatalf("%d outages of %s became %d of %s", count, sum, gotCount, gotSum)
		}
	})
}
