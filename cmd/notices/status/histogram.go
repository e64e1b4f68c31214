package status

import (
	"fmt"
	"strings"
	"time"
)

// histogram counts next sends by how far away they are.
type histogram struct {
	now  time.Time
	due  int
	bins []bin
}

type bin struct {
	name  string
	until time.Duration
	n     int
}

// newHistogram has bins that the default delays fall into: minutes while a message
// is young, an hour or so after that.
func newHistogram(now time.Time) histogram {
	return histogram{now: now, bins: []bin{
		{name: "within 5 min", until: 5 * time.Minute},
		{name: "5 to 15 min", until: 15 * time.Minute},
		{name: "15 to 60 min", until: time.Hour},
		{name: "1 to 2 hours", until: 2 * time.Hour},
		{name: "later", until: 1<<63 - 1},
	}}
}

func (h *histogram) add(next time.Time) {
	for i := range h.bins {
		if next.Sub(h.now) <= h.bins[i].until {
			h.bins[i].n++
			return
		}
	}
}

// lines draws the bars in so many columns; a bin with anything in it shows at least one
// mark.
func (h *histogram) lines(width int) []string {
	const names = 27 // what stands before the bar
	bins := append([]bin{{name: "due now", n: h.due}}, h.bins...)
	most, longest := 0, min(max(width-names-5, 10), 100)
	for _, b := range bins {
		most = max(most, b.n)
	}
	var lines []string
	for _, b := range bins {
		bar := ""
		if most > 0 {
			bar = strings.Repeat("#", (b.n*longest+most-1)/most)
		}
		lines = append(lines, strings.TrimRight(fmt.Sprintf("  %-14s %8d  %s", b.name, b.n, bar), " "))
	}
	return lines
}
