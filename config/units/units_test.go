package units

import (
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "1s": time.Second, "90m": 90 * time.Minute, "100h": 100 * time.Hour,
		"30d": 30 * 24 * time.Hour, "1.5h": 90 * time.Minute, "0.1s": 100 * time.Millisecond, "36500d": Century,
	} {
		if got, ok := Duration(s); !ok || got != want {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "s", "5", "-1h", "+1h", "1e3s", "1h30m", "5 m", "5M", "inf s", "0x1s", "1_0s", "1.1.1s",
		".s", "36501d", strings.Repeat("9", 400) + "d", "5m\n", "٣m"} {
		if got, ok := Duration(s); ok {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
}

func TestSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "1B": 1, "10KiB": 10240, "50MiB": 50 << 20, "2GiB": 2 << 30, "1kB": 1000, "5MB": 5e6, "1GB": 1e9, "0.5MiB": 1 << 19, "50 MiB": 50 << 20,
	} {
		if got, ok := Size(s); !ok || got != want {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "MiB", "-1", "50M", "50mib", "1e9", "99999999999GiB", "50  MiB", "5 0MiB"} {
		if got, ok := Size(s); ok {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
}
