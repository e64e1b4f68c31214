package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	durationForm = `a number with s, m, h or d, like "90s" or "4h", or "0"`
	sizeForm     = `a number of octets, or one with KiB, MiB or GiB, like "50MiB"`
)

// TooLong reports whether a text is a duration, but a longer one than any that is taken.
func TooLong(s string) bool {
	n, ok := ParseDuration(s)
	return !ok && n > century
}

// century is longer than anybody waits, and far from an overflow.
const century = 100 * 365 * 24 * time.Hour

func (v value) duration(to *time.Duration) {
	d, ok := durationOf(v.raw)
	if !ok {
		v.bad(durationForm)
		return
	}
	*to = d
}

// timeout is a duration that ends.
func (v value) timeout(to *time.Duration) {
	d, ok := durationOf(v.raw)
	if !ok || d == 0 {
		v.bad(`more than 0: a number with s, m, h or d, like "90s"`)
		return
	}
	*to = d
}

// span is the range [low, high) from which a delay is drawn.
func (v value) span(to *[2]time.Duration) {
	list, _ := v.raw.([]any)
	if len(list) != 2 {
		v.bad(`two durations, low and high, like ["3m", "9m"]`)
		return
	}
	low, ok1 := durationOf(list[0])
	high, ok2 := durationOf(list[1])
	switch {
	case !ok1 || !ok2:
		wrong := list[0]
		if ok1 {
			wrong = list[1]
		}
		v.l.bad(v.at, `must be two durations, low and high, like ["3m", "9m"]; `+show(wrong)+" is not one")
	case high == 0:
		v.l.bad(v.at, "must have a high end above 0")
	case low > high:
		v.l.bad(v.at, "has a low end above its high end: "+show(list[0])+", "+show(list[1]))
	default:
		*to = [2]time.Duration{low, high}
	}
}

func durationOf(raw any) (time.Duration, bool) {
	switch x := raw.(type) {
	case string:
		return ParseDuration(x)
	case int64:
		return 0, x == 0
	}
	return 0, false
}

// ParseDuration reads what SPEC section 2 calls a duration: a number with s, m, h
// or d, or "0".
func ParseDuration(s string) (time.Duration, bool) {
	if s == "0" {
		return 0, true
	}
	if s == "" {
		return 0, false
	}
	n, ok := parseNumber(s[:len(s)-1])
	if !ok {
		return 0, false
	}
	switch s[len(s)-1] {
	case 's':
		n *= float64(time.Second)
	case 'm':
		n *= float64(time.Minute)
	case 'h':
		n *= float64(time.Hour)
	case 'd':
		n *= float64(24 * time.Hour)
	default:
		return 0, false
	}
	if n > float64(century) {
		return century + 1, false
	}
	return time.Duration(math.Round(n)), true
}

// parseNumber takes 12 and 1.5, and none of the other things that ParseFloat takes.
func parseNumber(s string) (float64, bool) {
	if strings.Trim(s, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

func (v value) size(to *int64) {
	n, ok := v.raw.(int64)
	if s, isText := v.raw.(string); isText {
		n, ok = parseSize(s)
	}
	if !ok || n < 1 {
		v.bad(sizeForm)
		return
	}
	*to = n
}

// parseSize reads a number of octets with or without a unit; the decimal units are
// taken too.
func parseSize(s string) (int64, bool) {
	units := [...]struct {
		name   string
		octets float64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
		{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
	}
	times := 1.0
	for _, u := range units {
		if number, ok := strings.CutSuffix(s, u.name); ok {
			s, times = strings.TrimSuffix(number, " "), u.octets
			break
		}
	}
	n, ok := parseNumber(s)
	n *= times
	return int64(math.Round(n)), ok && n <= 1<<50
}
