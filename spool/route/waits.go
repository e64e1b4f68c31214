package route

import (
	"strings"
	"time"
)

// Waits tells what waits for limits alone.
type Waits struct{ under map[string]*Usage }

// WaitsFor makes it of what Usages returned.
func WaitsFor(list []Usage) Waits {
	w := Waits{map[string]*Usage{}}
	for i := range list {
		for _, d := range list[i].Domains {
			w.under[asciiDomain(d)] = &list[i]
		}
	}
	return w
}

// Until is when a message to these recipients is due as far as limits go, and the limit
// that it waits for: when the first of them may get it; or, where that has come, when the
// last flush put messages off, for the next one takes only some of them. nil: a recipient
// waits for no limit.
func (w Waits) Until(recipients []string) (at time.Time, limit *Usage) {
	for _, to := range recipients {
		u := w.under[asciiDomain(to[strings.LastIndexByte(to, '@')+1:])]
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
