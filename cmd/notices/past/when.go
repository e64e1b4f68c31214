package past

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"notices/config"
)

// When is an option for a point in time, as --since and --until take it.
type When struct {
	time.Time // zero: the option was not given
	now       func() time.Time
	text      string
}

// NewWhen is an option that counts durations back from now.
func NewWhen(now func() time.Time) When { return When{now: now} }

// Set is pflag's.
func (w *When) Set(s string) (err error) {
	w.text = s
	if w.Time, err = ParseWhen(s, w.now()); err == nil && w.IsZero() {
		w.Time = w.Add(time.Second) // the zero time means that the option was not given
	}
	return err
}

func (w *When) String() string { return w.text }

// Type is pflag's.
func (w *When) Type() string { return "WHEN" }

// ParseWhen reads a point in time: a duration back from now (7d, 36h), a date, which is its
// midnight here, a time here, a time with its zone, today or yesterday.
func ParseWhen(s string, now time.Time) (time.Time, error) {
	now = now.Local()
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch s {
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if back, ok := config.ParseDuration(s); ok {
		return now.Add(-back), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02T15:04", time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if days, n := strings.TrimSuffix(s, "w"), 1; s != "" {
		if days != s {
			n = 7
		}
		if count, err := strconv.Atoi(days); err == nil && count > 0 && count < 1000 {
			return time.Time{}, fmt.Errorf("did you mean %dd? A duration back has a unit: s, m, h or d, like 7d or 36h", count*n)
		}
	}
	return time.Time{}, errors.New(`give a duration back, like 7d or 36h, a date, like 2026-11-23, a time, like "2026-11-23 14:30" or 2026-11-23T13:30:00Z, or today or yesterday`)
}

// checkRange refuses a range with nothing in it.
func checkRange(since, until When) error {
	if since.IsZero() || until.IsZero() || since.Before(until.Time) {
		return nil
	}
	return errors.New("--since " + since.text + " is not before --until " + until.text + ": nothing is between them")
}
