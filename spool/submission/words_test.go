package submission

import (
	"testing"
	"time"
)

// TestInWords: a wait is told in the largest unit that says enough, rounded up.
func TestInWords(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		0: "1 seconds", 90 * time.Second: "90 seconds", 121 * time.Second: "3 minutes", 2 * time.Hour: "120 minutes",
		2*time.Hour + time.Second: "3 hours", 24 * time.Hour: "24 hours",
	} {
		if got := inWords(wait); got != want {
			t.Errorf("%v: %s, want %s", wait, got, want)
		}
	}
}
