package status

import (
	"strings"
	"testing"
	"time"
)

// TestHistogram: each next send is in one bin, and one message shows among a
// thousand.
func TestHistogram(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	h := histogram{now: now}
	h.due = 1
	for range 1000 {
		h.add(now.Add(7 * time.Minute))
	}
	h.add(now.Add(time.Hour))
	h.add(now.Add(100 * time.Hour))
	for width, bar := range map[int]int{20: 10, 80: 48, 120: 88, 300: 100} {
		want := []string{
			"  due now               1  #",
			"  within 5 min          0",
			"  5 to 15 min        1000  " + strings.Repeat("#", bar),
			"  15 to 60 min          1  #",
			"  1 to 2 hours          0",
			"  later                 1  #",
		}
		for i, line := range h.lines(width) {
			if line != want[i] {
				t.Errorf("%d columns, line %d is %q, want %q", width, i, line, want[i])
			}
		}
	}
}
