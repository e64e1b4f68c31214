package flush

import (
	"time"

	"notices/spool"
)

// exhausted says that a day's quota is used up for all messages.
type exhausted struct {
	why   string
	until time.Time // zero: unknown
}

// openOneIn is how rarely a message is opened although the quota is exhausted. The listing
// is a hint, and a killed run may have left something that needs no server. With a run every
// minute, each message is opened about once an hour.
const openOneIn = 64

// skip leaves a message due without opening it, because the quota is exhausted. Otherwise,
// each run would claim and read all of the hundred thousand messages that wait for tomorrow.
// A message that was asked for by its id, or is over by --expires, is not skipped. What is
// skipped is counted by what the listing says of it.
func (e *engine) skip(entry spool.Entry) bool {
	q := e.exhausted.Load()
	if q == nil || len(e.IDs) > 0 {
		return false
	}
	now := e.now()
	switch {
	case !q.until.IsZero() && !now.Before(q.until):
		return false
	case !entry.Expires.IsZero() && !now.Before(entry.Expires):
		return false
	case e.Random(openOneIn) == 0:
		return false
	case e.Policy.Due(entry.Next, now):
		e.results.countLimited(q.why)
	}
	return true
}
