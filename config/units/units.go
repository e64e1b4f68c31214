// Package units reads numbers with units as notices.toml(5) has them: durations and sizes.
package units

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Century is the longest duration: far from an overflow.
const Century = 100 * 365 * 24 * time.Hour

// Duration reads a duration as notices.toml(5) describes it: a number with s, m, h
// or d, or "0".
func Duration(s string) (time.Duration, bool) {
	n, ok := parseUnits(s, unit{"s", float64(time.Second)}, unit{"m", float64(time.Minute)}, unit{"h", float64(time.Hour)}, unit{"d", 24 * float64(time.Hour)})
	if n > float64(Century) {
		return Century + 1, false
	}
	return time.Duration(math.Round(n)), ok || s == "0"
}

// Size reads a number of octets with or without a unit; the decimal units are
// taken too.
func Size(s string) (int64, bool) {
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
