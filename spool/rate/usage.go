package rate

import (
	"cmp"
	"context"
	"slices"
	"time"

	"notices/spool"
)

// ServerUsage is how far the rates of a server are used up.
type ServerUsage struct {
	Minute, Day int // transactions counted in the windows that end now
	// When the next is allowed, if none is now; else zero.
	MinuteFree, DayFree time.Time
}

// UsageOf looks at the count of a server's rates, changing nothing.
func UsageOf(ctx context.Context, state spool.State, s Server, now time.Time) (u ServerUsage, err error) {
	if s.PerMinute <= 0 && s.PerDay <= 0 {
		return u, nil
	}
	l, err := spool.LoadState[ledger](ctx, state, spool.RateName+s.Name)
	if err != nil {
		return u, err
	}
	u.Minute, u.MinuteFree = window{&l.Minute, time.Minute, s.PerMinute}.usage(now)
	u.Day, u.DayFree = window{&l.Long, day, s.PerDay}.usage(now)
	return u, nil
}

// Usage is how far a limit is used up.
type Usage struct {
	Limit
	Used    int       // transactions in the window that ends now
	Free    time.Time // when the next is allowed, if none is now; else zero
	Waiting int       // messages that the last run with mail for its domains put off
	At      time.Time // when that was; zero: there was no such run
}

// Usages looks at all limits, changing nothing. Those that messages wait for come first.
func Usages(ctx context.Context, state spool.State, list []Limit, now time.Time) ([]Usage, error) {
	var all []Usage
	for _, limit := range list {
		l, err := spool.LoadState[ledger](ctx, state, limit.stateName())
		if err != nil {
			return nil, err
		}
		u := Usage{Limit: limit, Waiting: l.Waiting, At: l.At}
		u.Used, u.Free = window{&l.Long, limit.Per, limit.Messages}.usage(now)
		all = append(all, u)
	}
	slices.SortStableFunc(all, func(a, b Usage) int { return cmp.Compare(b.Waiting, a.Waiting) })
	return all, nil
}

// Waits is the limit of each domain: it tells which messages wait only for limits.
type Waits map[string]*Usage

// WaitsFor makes Waits of what Usages returned.
func WaitsFor(list []Usage) Waits {
	w := Waits{}
	for i := range list {
		for _, d := range list[i].Domains {
			w[asciiDomain(d)] = &list[i]
		}
	}
	return w
}

// Until is when a message to these recipients is due as far as limits go, and the limit that it
// waits for. That is when the first recipient may get it; if that time has come, it is when the last
// flush put messages off, for the next one takes only some of them. nil: a recipient waits for no
// limit.
func (w Waits) Until(recipients []string) (at time.Time, limit *Usage) {
	for _, to := range recipients {
		u := w[domainOf(to)]
		if u == nil || u.Free.IsZero() && u.Waiting == 0 {
			return time.Time{}, nil
		}
		free := u.Free
		if free.IsZero() {
			free = u.At
		}
		if limit == nil || free.Before(at) {
			at, limit = free, u
		}
	}
	return at, limit
}
