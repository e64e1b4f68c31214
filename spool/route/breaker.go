package route

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"notices/spool"
)

// How long a server is paused after the run in which it failed, notices-flush(1). Each time
// it fails again the pause is twice as long, up to lastPause.
const (
	firstPause = time.Minute
	lastPause  = 10 * time.Minute
	authPause  = time.Hour // after a refused login; a changed secret ends it
)

// How many different messages in a row trip the breaker because a connection was lost, the final dot
// had no answer, or the message was refused as a whole: one poisonous message must not stop the
// queue. Without an answer to the final dot more are needed, for each is held in the end.
const (
	lossesInARow    = 2
	uncertainsInRow = 5
	refusalsInARow  = 3
)

// servesTime is how long a delivered message shows that the server serves the account.
const servesTime = time.Hour

// breakerState decides whether a message may go to the server.
type breakerState int

const (
	breakerClosed breakerState = iota // mail may go there; while half-open, one message at a time
	breakerPaused                     // open since an earlier run: a last resort
	breakerLocked                     // open since an earlier run, for a refused secret: not even that
	breakerOpen                       // open since trouble in this run
)

// breaker is the circuit breaker of a server: what this run and earlier ones met. It does no
// I/O; what it remembers between runs is a spool.Health.
type breaker struct {
	now  func() time.Time
	host string
	// halfOpen: the server is not known to work. Until it does, messages go one at a time, so that
	// a limit or a dead server costs only one of them its attempt.
	halfOpen atomic.Bool

	mu              sync.Mutex
	ignore          bool // the pause of an earlier run
	open            bool // for the rest of this run
	inTrouble       bool // an earlier run met trouble, and it is not over
	health          spool.Health
	restoredRefused []spool.ID // health.Refused as it was read
	worked          bool       // in this run
	deliveredAt     time.Time  // in this run, a message that has a sender

	lost, uncertain streak
}

// streak counts different messages in a row.
type streak struct {
	n    int
	last spool.ID
}

func (k *streak) add(id spool.ID) int {
	if k.n == 0 || k.last != id {
		k.n, k.last = k.n+1, id
	}
	return k.n
}

// restore sets what earlier runs remembered.
func (b *breaker) restore(h spool.Health) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.health, b.restoredRefused = h, h.Refused
	b.inTrouble = h.Troubles > 0
	b.halfOpen.Store(b.inTrouble || !b.deliveredBefore())
}

func (b *breaker) state() breakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.open:
		return breakerOpen
	case b.ignore || !b.now().Before(b.health.DownUntil):
		return breakerClosed
	case b.health.Secret != "":
		return breakerLocked
	}
	return breakerPaused
}

// unconfirmed returns the health if it has trouble whose pause is over and that this run has neither
// met again nor seen to end.
func (b *breaker) unconfirmed() (h spool.Health, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.health, b.inTrouble && !b.worked && !b.open && !b.now().Before(b.health.DownUntil)
}

// retry lets this run use a server that an earlier run paused.
func (b *breaker) retry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ignore = true
}

// current is the health as it is now, with the last trouble and the end of the pause.
func (b *breaker) current() spool.Health {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.health
}

// trip takes the server out for the rest of the run. It reports whether that is news.
func (b *breaker) trip(o spool.Outcome) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open {
		return false // a message that was on its way already met the same
	}
	b.open = true
	h := &b.health
	if h.Troubles == 0 || !h.Of(b.host) {
		h.Since = b.now().UTC().Truncate(time.Second)
	}
	h.Last, h.Secret = o, ""
	h.Troubles++
	h.DownUntil = b.now().Add(pauseFor(h.Troubles))
	if o.Reason == spool.ReasonAuth || o.Reason == spool.ReasonSecret {
		h.DownUntil = b.now().Add(authPause)
	}
	return true
}

// pauseFor is the pause after the nth trouble in a row: 1, 2, 4, 8, 10, 10... minutes.
func pauseFor(n int) time.Duration {
	return min(firstPause<<min(max(n-1, 0), 4), lastPause)
}

// reset notes that the server works. It reports whether that ends the trouble of an earlier run:
// after refusals only a delivered message does.
func (b *breaker) reset(delivered bool) (recovered bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost.n, b.uncertain.n, b.worked = 0, 0, true
	h := &b.health
	if !delivered && h.Last.Reason == spool.ReasonRefused {
		return false
	}
	b.halfOpen.Store(false)
	if b.open || !b.inTrouble {
		return false
	}
	b.inTrouble = false
	h.Troubles, h.DownUntil, h.Last, h.Secret = 0, time.Time{}, spool.Outcome{}, ""
	return true
}

// noteDelivered notes that the server took a message that has a sender. A report shows nothing: a
// provider that shut the account may still take returns.
func (b *breaker) noteDelivered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliveredAt = b.now()
	b.health.Refused = nil
}

// noteRefusal notes that the server refused the message as a whole. It reports whether it has now
// refused several different ones in a row. A report does not count: it goes out again with a sender.
func (b *breaker) noteRefusal(m *spool.Message) (tooOften bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost.n, b.uncertain.n = 0, 0
	if m.Sender == "" {
		return false
	}
	if r := b.health.Refused; !slices.Contains(r, m.ID) {
		r = append(slices.Clone(r), m.ID)
		b.health.Refused = r[max(0, len(r)-refusalsInARow):]
	}
	return len(b.health.Refused) >= refusalsInARow
}

// noteLost notes that the connection was lost before the message's final dot. It reports
// whether that has now happened to several different messages in a row.
func (b *breaker) noteLost(id spool.ID) (tooOften bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost.add(id) >= lossesInARow
}

// noteUncertain is noteLost for a final dot without an answer. Everything up to the dot worked, so
// messages need not go one at a time.
func (b *breaker) noteUncertain(id spool.ID) (tooOften bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halfOpen.Store(b.inTrouble)
	return b.uncertain.add(id) >= uncertainsInRow
}

// servesAccount reports whether the server took a message in this run or in the last hour. Then it
// serves the account, and when it refuses a message as a whole, that is because of the message. After
// several refusals in a row since then it is unknown again: the account may have been shut.
func (b *breaker) servesAccount() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.health.Refused) < refusalsInARow && (!b.deliveredAt.IsZero() || b.deliveredBefore())
}

func (b *breaker) deliveredBefore() bool {
	age := b.now().Sub(b.health.AcceptedAt)
	return age <= servesTime && age > -time.Minute // the clock may have been set back
}

// atEnd is the health to be kept at the end of the run, when the pause of a server in trouble begins,
// and whether this run changed it. Mostly it did not.
func (b *breaker) atEnd() (h spool.Health, worked, changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := b.now().Add(pauseFor(b.health.Troubles)); b.open && until.After(b.health.DownUntil.Add(time.Second)) {
		b.health.DownUntil, changed = until, true
	}
	if took := b.deliveredAt.UTC().Truncate(time.Second); took.Sub(b.health.AcceptedAt) >= time.Minute {
		b.health.AcceptedAt, changed = took, true
	}
	return b.health, b.worked, changed || !slices.Equal(b.health.Refused, b.restoredRefused)
}
