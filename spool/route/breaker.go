package route

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"notices/spool"
)

// How long a server in trouble is left alone after the run that met it: the first
// is doubled with each trouble in a row, up to the last. SPEC section 5.
const (
	firstPause = time.Minute
	lastPause  = 10 * time.Minute
	authPause  = time.Hour // at most; a changed secret ends it
)

// How many different messages in a row must meet it before a server is left alone
// for losing connections: one poisonous message must not stop the queue. Without
// an answer to the final dot more are needed, for each is held in the end.
const (
	lossesInARow    = 2
	uncertainsInRow = 5
	refusalsInARow  = 3
)

// provenTime is how long a message that a server took shows that it serves the account.
const provenTime = time.Hour

// breakerState is how a server stands as a message comes by.
type breakerState int

const (
	breakerClosed breakerState = iota // mail may go there; while half-open, one message at a time
	breakerPaused                     // open since an earlier run: a last resort
	breakerLocked                     // the same, for a refused secret: not even that
	breakerOpen                       // since trouble in this run
)

// breaker is the circuit breaker of a server: what this run and earlier ones met. It does no
// I/O; what it remembers between runs is a spool.Health.
type breaker struct {
	now  func() time.Time
	host string
	// halfOpen: the server is not known to work. One message at a time until it does, so that
	// a limit or a dead server costs one message its attempt.
	halfOpen atomic.Bool

	mu              sync.Mutex
	ignore          bool // the pause of an earlier run
	open            bool // for the rest of this run
	inTrouble       bool // its last word to an earlier run was trouble
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

// unverified is what is remembered of troubles that this run has not met again, nor seen to be
// over, and whose pause is over; ok: there are such.
func (b *breaker) unconfirmed() (h spool.Health, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.health, b.inTrouble && !b.worked && !b.open && !b.now().Before(b.health.DownUntil)
}

// retry ends the pause of an earlier run for this one, if there is one.
func (b *breaker) retry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ignore = true
}

// current is what is kept of the server's troubles, with the last and the end of the pause.
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
		return false // met by a message that was on its way already
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

// pauseFor the nth trouble in a row: 1, 2, 4, 8, 10, 10... minutes.
func pauseFor(n int) time.Duration {
	pause := firstPause
	for ; n > 1 && pause < lastPause; n-- {
		pause *= 2
	}
	return min(pause, lastPause)
}

// reset notes that the server does its work. It reports whether that ends what an
// earlier run remembered: after refusals only a message that it takes does.
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

// noteDelivered notes that the server took a message that has a sender. One without proves nothing: a
// provider that shut the account may still take returns.
func (b *breaker) noteDelivered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliveredAt = b.now()
	b.health.Refused = nil
}

// noteRefused notes that the server refused the message as a whole. It reports whether that
// makes it several different ones in a row. A report counts for nothing: it goes out once
// more with a sender.
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
// whether that makes it several different messages in a row.
func (b *breaker) noteLost(id spool.ID) (tooOften bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost.add(id) >= lossesInARow
}

// noteUncertain is noteLost for a final dot without an answer. The server took all but that: no
// reason to go one by one.
func (b *breaker) noteUncertain(id spool.ID) (tooOften bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halfOpen.Store(b.inTrouble)
	return b.uncertain.add(id) >= uncertainsInRow
}

// servesAccount reports whether the server took a message in this run or in the last hour: then
// it serves the account, and what it refuses as a whole it refuses for the message. Several
// refused in a row since then make that doubtful again: the account may have been shut.
func (b *breaker) servesAccount() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.health.Refused) < refusalsInARow && (!b.deliveredAt.IsZero() || b.deliveredBefore())
}

func (b *breaker) deliveredBefore() bool {
	age := b.now().Sub(b.health.AcceptedAt)
	return age <= provenTime && age > -time.Minute // the clock may have been set back
}

// end is what is to be remembered at the end of the run, when the pause of a server in trouble
// begins. Mostly that has not changed.
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
