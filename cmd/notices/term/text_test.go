package term

import (
	"testing"
	"time"
)

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 5 * time.Minute: "5m", 100 * time.Hour: "4d 4h", 3*time.Hour + 20*time.Minute: "3h 20m",
	} {
		if got := Span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestListed(t *testing.T) {
	for want, names := range map[string][]string{
		"a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}, "a, b and 3 more": {"a", "b", "c", "d", "e"},
	} {
		if got := Listed(names); got != want {
			t.Errorf("%q: %q, want %q", names, got, want)
		}
	}
}
