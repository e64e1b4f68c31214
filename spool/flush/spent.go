package flush

import (
	"time"

	"notices/spool"
)

// spent: what the day allows is used up, for all messages.
type spent struct {
	why   string
	until time.Time // zero: not known
}

// oneIn so many messages is opened although the way out is used up. The listing is a
// hint, and a run that died may have left something undone that needs no server: with a
// run every minute each message is seen to about once an hour.
const oneIn = 64

// spend notes that there is no way out. A run that goes on until there may be one again
// finds out anew.
func (e *engine) spend(d spool.Delivery, why string) {
	if d.Spent {
		e.spent.Store(&spent{why, d.Until})
	}
}

// passOver leaves a message due without opening it, because the way out is used up: of a
// hundred thousand that wait for tomorrow each run would claim and read all. A message
// that is over by --expires is not passed over, nor one that was asked for by its id. It
// is counted by what the listing says of it.
func (e *engine) passOver(entry spool.Entry) bool {
	s := e.spent.Load()
	if s == nil || len(e.IDs) > 0 {
		return false
	}
	now := e.now()
	switch {
	case !s.until.IsZero() && !now.Before(s.until):
		return false
	case !entry.Expires.IsZero() && !now.Before(entry.Expires):
		return false
	case e.Random(oneIn) == 0:
		return false
	case e.Policy.Due(entry.Next, now):
		e.putOff(s.why)
	}
	return true
}

// putOff counts a message as one that stays due and waits for a limit.
func (e *engine) putOff(why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.limited == nil {
		e.limited = map[string]int{}
	}
	e.limited[why]++
}
