package past

import (
	"strings"
	"testing"
	"time"

	"notices/cmd/notices/fakesite"
)

// TestWhen reads all forms, in the zone of the machine.
func TestWhen(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	local := time.Local
	time.Local = zone
	t.Cleanup(func() { time.Local = local })
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"7d":                        "2026-11-17T10:00:00Z",
		"36h":                       "2026-11-22T22:00:00Z",
		"90m":                       "2026-11-24T08:30:00Z",
		"30s":                       "2026-11-24T09:59:30Z",
		"1.5d":                      "2026-11-22T22:00:00Z",
		"0":                         "2026-11-24T10:00:00Z",
		"today":                     "2026-11-23T23:00:00Z",
		"yesterday":                 "2026-11-22T23:00:00Z",
		"2026-11-23":                "2026-11-22T23:00:00Z",
		"2026-07-01":                "2026-06-30T22:00:00Z", // summer time
		"2026-11-23 14:30":          "2026-11-23T13:30:00Z",
		"2026-11-23T14:30":          "2026-11-23T13:30:00Z",
		"2026-11-23 14:30:15":       "2026-11-23T13:30:15Z",
		"2026-11-23T14:30:00Z":      "2026-11-23T14:30:00Z",
		"2026-11-23T14:30:00-05:00": "2026-11-23T19:30:00Z",
	} {
		got, err := ParseWhen(text, now)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q: %v, %v; want %s", text, got.UTC(), err, want)
		}
	}
	for _, text := range []string{"", "soon", "-7d", "7", "7 days", "1w", "2026", "2026-11", "2026-13-01", "2026-11-31", "23.11.2026", "11/23/2026", "14:30", "2026-11-23 25:00", "1e9d", "99999999d"} {
		if got, err := ParseWhen(text, now); err == nil || !strings.Contains(err.Error(), "like 7d") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"7": "did you mean 7d?", "1w": "did you mean 7d?", "2w": "did you mean 14d?"} {
		if _, err := ParseWhen(text, now); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestRange: a range with nothing in it is a mistake.
func TestRange(t *testing.T) {
	fakesite.InUTC(t)
	now := func() time.Time { return time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		since, until string
		ok           bool
	}{{"7d", "1d", true}, {"7d", "", true}, {"", "7d", true}, {"1d", "7d", false}, {"2026-11-23", "2026-11-23", false}} {
		since, until := NewWhen(now), NewWhen(now)
		if c.since != "" && since.Set(c.since) != nil || c.until != "" && until.Set(c.until) != nil {
			t.Fatal(c)
		}
		if err := checkRange(since, until); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
