package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// TooLong reports whether a text is a duration that is too long for ParseDuration.
func TooLong(s string) bool {
	n, ok := ParseDuration(s)
	return !ok && n > century
}

// century is the longest duration: far from an overflow.
const century = 100 * 365 * 24 * time.Hour

func (v value) duration(to *time.Duration) {
	take(v, to, `a number with s, m, h or d, like "90s" or "4h", or "0"`, durationOf)
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

// ParseDuration reads a duration as notices.toml(5) describes it: a number with s, m, h
// or d, or "0".
func ParseDuration(s string) (time.Duration, bool) {
	n, ok := parseUnits(s, unit{"s", float64(time.Second)}, unit{"m", float64(time.Minute)}, unit{"h", float64(time.Hour)}, unit{"d", 24 * float64(time.Hour)})
	if n > float64(century) {
		return century + 1, false
	}
	return time.Duration(math.Round(n)), ok || s == "0"
}

func sizeOf(raw any) (int64, bool) {
	n, ok := raw.(int64)
	if s, isText := raw.(string); isText {
		n, ok = parseSize(s)
	}
	return n, ok && n > 0
}

// parseSize reads a number of octets with or without a unit; the decimal units are
// taken too.
func parseSize(s string) (int64, bool) {
	n, ok := parseUnits(s, unit{"KiB", 1 << 10}, unit{"MiB", 1 << 20}, unit{"GiB", 1 << 30},
		unit{"kB", 1e3}, unit{"KB", 1e3}, unit{"MB", 1e6}, unit{"GB", 1e9}, unit{" B", 1}, unit{"B", 1}, unit{"", 1})
	return int64(math.Round(n)), ok && n <= 1<<50
}

type unit struct {
	name string
	size float64
}

// parseUnits reads a number that ends in one of the units, of which the first counts.
// Numbers look like 12 or 1.5; the other forms of ParseFloat are refused.
func parseUnits(s string, units ...unit) (float64, bool) {
	for _, u := range units {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		if len(u.name) > 1 {
			number = strings.TrimSuffix(number, " ")
		}
		n, err := strconv.ParseFloat(number, 64)
		return n * u.size, err == nil && strings.Trim(number, "0123456789.") == ""
	}
	return 0, false
}
