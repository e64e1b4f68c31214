package config

import (
	"strings"
	"time"

	"notices/config/units"
)

// TooLong reports whether a text is a duration that is too long for ParseDuration.
func TooLong(s string) bool {
	n, ok := ParseDuration(s)
	return !ok && n > units.Century
}

// ParseDuration reads a duration as notices.toml(5) describes it: a number with s, m, h
// or d, or "0".
func ParseDuration(s string) (time.Duration, bool) { return units.Duration(s) }

func (v value) duration(to *time.Duration) {
	like := `"90s" or "4h"`
	if s, _ := v.raw.(string); strings.HasSuffix(s, "y") || strings.HasSuffix(s, "w") {
		like = `"7d" or "365d"` // which are meant by a week or a year
	}
	take(v, to, "a number with s, m, h or d, like "+like+`, or "0"`, durationOf)
}

// timeout is a duration above 0.
func (v value) timeout(to *time.Duration) {
	take(v, to, `more than 0: a number with s, m, h or d, like "90s"`, func(raw any) (time.Duration, bool) {
		d, ok := durationOf(raw)
		return d, ok && d > 0
	})
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

func sizeOf(raw any) (int64, bool) {
	n, ok := raw.(int64)
	if s, isText := raw.(string); isText {
		n, ok = units.Size(s)
	}
	return n, ok && n > 0
}
