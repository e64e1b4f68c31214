package alert

import (
	"context"
	"testing"
	"time"

	"notices/spool/maildirtest"
)

// TestEvents: each new event is told, at most once an hour, with their number.
func TestEvents(t *testing.T) {
	state := maildirtest.State()
	failed := func(n int) []Alert { return []Alert{{Key: "failed", Kind: "failed", Text: "one failed", Events: n}} }
	for _, c := range []struct {
		minute, failed int
		told           bool
		missed         int
	}{
		{0, 1, true, 0},
		{1, 0, false, 0},
		{2, 1, false, 0},
		{30, 2, false, 0},
		{59, 0, false, 0},
		{60, 0, true, 3},
		{61, 0, false, 0},
		{200, 1, true, 0},
		{201, 4, false, 0},
		{260, 1, true, 4},
		{2000, 0, false, 0},
	} {
		var met []Alert
		if c.failed > 0 {
			met = failed(c.failed)
		}
		begun, _ := Update(context.Background(), start.Add(time.Duration(c.minute)*time.Minute), met, lasts, state)
		if (len(begun) == 1) != c.told || c.told && begun[0].Unsent != c.missed {
			t.Errorf("minute %d: %+v", c.minute, begun)
		}
	}
}

// TestRepeat: a problem that keeps the mail about it from being queued is told again, less and
// less often while it lasts.
func TestRepeat(t *testing.T) {
	state := maildirtest.State()
	lost := down("full")
	lost.Repeat = true
	told := 0
	for minute := range 7 * 24 * 60 {
		begun, _ := Update(context.Background(), start.Add(time.Duration(minute)*time.Minute), []Alert{lost}, lasts, state)
		told += len(begun)
	}
	if told != 11 { // at 0, 1, 3, 7, 15 and 31 hours, then once a day
		t.Errorf("told %d times in a week", told)
	}
}
