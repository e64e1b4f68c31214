package metrics

import (
	"maps"
	"slices"
	"sync"
)

// Histogram counts values by their size. The zero value is of no use; NewHistogram makes one.
type Histogram struct {
	bounds []float64
	mu     sync.Mutex
	counts []int64 // of values up to the bound of that index, and above the one before
	n      int64
	sum    float64
}

// NewHistogram makes one with those upper bounds, which rise.
func NewHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]int64, len(bounds))}
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i, _ := slices.BinarySearch(h.bounds, v); i < len(h.bounds) {
		h.counts[i]++
	}
	h.n++
	h.sum += v
}

// maxWords is how many words a Tally tells apart: a label that could have any value would fill
// the memory, here and in Prometheus.
const maxWords = 100

// Tally counts events by a word. The zero value is ready.
type Tally struct {
	mu sync.Mutex
	by map[string]int64
}

// Add counts one.
func (t *Tally) Add(word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]int64{}
	}
	if _, known := t.by[word]; !known && len(t.by) >= maxWords {
		word = "other"
	}
	t.by[word]++
}

// points are the counts, with the word as that label.
func (t *Tally) points(label string) []Point {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Point
	for _, word := range slices.Sorted(maps.Keys(t.by)) {
		list = append(list, Value(t.by[word], label, word))
	}
	return list
}
