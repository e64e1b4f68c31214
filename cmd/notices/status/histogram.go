package status

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// histogram counts next sends by how far away they are.
type histogram struct {
	now  time.Time
	due  int
	bins [5]int
}

// bins are those that the default delays fall into: minutes while a message is young, an
// hour or so after that.
func bins() (names [5]string, limits [5]time.Duration) {
	return [5]string{"within 5 min", "5 to 15 min", "15 to 60 min", "1 to 2 hours", "later"},
		[5]time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 2 * time.Hour, 1<<63 - 1}
}

func (h *histogram) add(next time.Time) {
	_, limits := bins()
	for i := range limits {
		if next.Sub(h.now) <= limits[i] {
			h.bins[i]++
			return
		}
	}
}

// lines draws the bars in so many columns; a bin with anything in it shows at least one
// mark.
func (h *histogram) lines(width int) []string {
	const before = 27 // columns before the bar
	names, _ := bins()
	counts := append([]int{h.due}, h.bins[:]...)
	most, longest := max(slices.Max(counts), 1), min(max(width-before-5, 10), 100)
	var lines []string
	for i, name := range append([]string{"due now"}, names[:]...) {
		bar := strings.Repeat("#", (counts[i]*longest+most-1)/most)
		lines = append(lines, strings.TrimRight(fmt.Sprintf("  %-14s %8d  %s", name, counts[i], bar), " "))
	}
	return lines
}
