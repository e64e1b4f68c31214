package route

import "time"

// ledger is the value rate-SERVER or limit-DOMAIN in the spool's State: the
// transactions of the last minute and those of the last long window, a day or the
// time that a [[limit]] names. The windows slide: whoever counts from any moment
// never counts more than the limit. Transactions close together are kept as one
// span, which leaves the window with its last.
type ledger struct {
	Minute []span `json:"minute,omitempty"`
	Long   []span `json:"day,omitempty"`

	// Of a [[limit]]: how many messages the last run left waiting for it, and when.
	Waiting int       `json:"waiting,omitempty"`
	At      time.Time `json:"at,omitzero"`
}

// span is N transactions from First to Last, in milliseconds since 1970.
type span struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
	N     int   `json:"n"`
}

// budget is what a ledger is held to. 0: no limit.
type budget struct {
	perMinute int
	perLong   int
	long      time.Duration // the long window
	grace     time.Duration // how long a transaction may begin after it was counted
}

// spans is into how many parts a window is cut.
const spans = 60

const day = 24 * time.Hour

// reserve counts up to want transactions as happening now, as far as both limits
// allow (0: none). When nothing is granted, the limit in the way says until when:
// the long one, if it is both.
func (l *ledger) reserve(now time.Time, want int, b budget) (granted int, minuteFree, longFree time.Time) {
	l.Minute = slide(l.Minute, now, time.Minute)
	l.Long = slide(l.Long, now, b.long)
	if want == 0 {
		return 0, time.Time{}, time.Time{}
	}
	granted = want
	if b.perLong > 0 {
		granted = min(granted, b.perLong-count(l.Long))
	}
	if granted <= 0 {
		return 0, time.Time{}, frees(l.Long, b.long)
	}
	if b.perMinute > 0 {
		granted = min(granted, b.perMinute-count(l.Minute))
	}
	if granted <= 0 {
		return 0, frees(l.Minute, time.Minute), time.Time{}
	}
	if b.perMinute > 0 {
		l.Minute = add(l.Minute, now, time.Minute, b.grace, granted)
	}
	if b.perLong > 0 {
		l.Long = add(l.Long, now, b.long, b.grace, granted)
	}
	return granted, time.Time{}, time.Time{}
}

// giveBack takes out a transaction that was counted at that time.
func (l *ledger) giveBack(at time.Time) {
	drop(l.Minute, at.UnixMilli())
	drop(l.Long, at.UnixMilli())
}

// slide drops what left the window, and what lies in the future because the clock
// was set back since.
func slide(list []span, now time.Time, window time.Duration) []span {
	kept := list[:0]
	ms := now.UnixMilli()
	for _, s := range list {
		if s.N > 0 && s.Last > ms-window.Milliseconds() && s.Last <= ms+time.Minute.Milliseconds() {
			kept = append(kept, s)
		}
	}
	return kept
}

func count(list []span) int {
	n := 0
	for _, s := range list {
		n += s.N
	}
	return n
}

// frees is when the first span leaves the window.
func frees(list []span, window time.Duration) time.Time {
	first := list[0].Last
	for _, s := range list {
		first = min(first, s.Last)
	}
	return time.UnixMilli(first).Add(window)
}

// add counts n transactions that happen within grace from now.
func add(list []span, now time.Time, window, grace time.Duration, n int) []span {
	ms := now.UnixMilli()
	last := ms + grace.Milliseconds()
	if k := len(list) - 1; k >= 0 && ms >= list[k].First && ms-list[k].First < (window/spans).Milliseconds() {
		list[k].N += n
		list[k].Last = max(list[k].Last, last)
		return list
	}
	return append(list, span{First: ms, Last: last, N: n})
}

func drop(list []span, at int64) {
	for k := range list {
		if s := &list[k]; s.First <= at && at <= s.Last && s.N > 0 {
			s.N--
			return
		}
	}
}
