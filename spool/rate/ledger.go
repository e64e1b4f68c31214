package rate

import "time"

// ledger is the value rate-SERVER or limit-DOMAIN in the spool's State: the
// transactions of the last minute and those of the last long window, a day or the
// time that a [[limit]] names. The windows slide: no window, wherever it begins, has more than the
// limit. Transactions close together are kept as one span, which leaves the window with its last.
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

const day = 24 * time.Hour

// reserve counts up to want transactions as happening now, as far as both limits
// allow. If it grants none, until is when the limit that forbids it allows the next one, and long
// says that this is the long window's.
func (l *ledger) reserve(now time.Time, want int, b budget) (granted int, until time.Time, long bool) {
	windows := [...]window{{&l.Long, b.long, b.perLong}, {&l.Minute, time.Minute, b.perMinute}}
	granted = want
	for i, w := range windows {
		used, free := w.usage(now)
		if w.most > 0 {
			granted = min(granted, w.most-used)
		}
		if want > 0 && granted <= 0 {
			return 0, free, i == 0
		}
	}
	for _, w := range windows {
		if granted > 0 && w.most > 0 {
			w.add(now, b.grace, granted)
		}
	}
	return max(granted, 0), time.Time{}, false
}

// giveBack takes out a transaction that was counted at that time.
func (l *ledger) giveBack(at time.Time) {
	for _, spans := range [...][]span{l.Long, l.Minute} {
		for k := range spans {
			if s := &spans[k]; s.First <= at.UnixMilli() && at.UnixMilli() <= s.Last && s.N > 0 {
				s.N--
				break
			}
		}
	}
}

// window is one of a ledger's lists, and how many transactions it may hold; 0: any number.
type window struct {
	spans  *[]span
	length time.Duration
	most   int
}

// parts is into how many spans a window is cut.
const parts = 60

// usage drops what has left the window, and what lies in the future because the clock was set
// back. It counts the rest; free is when the first span leaves, if no more may be added.
func (w window) usage(now time.Time) (used int, free time.Time) {
	kept := (*w.spans)[:0]
	ms := now.UnixMilli()
	first := int64(0)
	for _, s := range *w.spans {
		if s.N > 0 && s.Last > ms-w.length.Milliseconds() && s.Last <= ms+time.Minute.Milliseconds() {
			if used == 0 || s.Last < first {
				first = s.Last
			}
			used += s.N
			kept = append(kept, s)
		}
	}
	*w.spans = kept
	if w.most > 0 && used >= w.most {
		free = time.UnixMilli(first).Add(w.length)
	}
	return used, free
}

// add counts n transactions that happen within grace from now.
func (w window) add(now time.Time, grace time.Duration, n int) {
	ms := now.UnixMilli()
	last := ms + grace.Milliseconds()
	if k := len(*w.spans) - 1; k >= 0 {
		if s := &(*w.spans)[k]; ms >= s.First && ms-s.First < (w.length/parts).Milliseconds() {
			s.N += n
			s.Last = max(s.Last, last)
			return
		}
	}
	*w.spans = append(*w.spans, span{First: ms, Last: last, N: n})
}
