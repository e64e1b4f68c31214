package route

import (
	"context"
	"time"

	"notices/spool"
)

// RateUsage is how far the rates of a server are used up.
type RateUsage struct {
	Minute, Day int // transactions counted in the windows that end now
	// When the next is allowed, if none is now; else zero.
	MinuteFree, DayFree time.Time
}

// UsedRates looks at the count of a server's rates, changing nothing.
func UsedRates(ctx context.Context, state spool.State, s Server, now time.Time) (RateUsage, error) {
	q := newServerQuota(s, state, func() time.Time { return now })
	if q.unlimited() {
		return RateUsage{}, nil
	}
	led, err := spool.LoadState[ledger](ctx, state, q.name)
	if err != nil {
		return RateUsage{}, err
	}
	var u RateUsage
	u.Minute, u.MinuteFree = usedUp(led.Minute, now, time.Minute, q.budget.perMinute)
	u.Day, u.DayFree = usedUp(led.Long, now, q.budget.long, q.budget.perLong)
	return u, nil
}

func usedUp(list []span, now time.Time, window time.Duration, most int) (used int, free time.Time) {
	list = slide(list, now, window)
	if used = count(list); most > 0 && used >= most {
		free = frees(list, window)
	}
	return used, free
}
