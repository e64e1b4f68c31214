package route

import (
	"context"
	"slices"
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

// provenFor is how long a message that a server took shows that it serves the account.
const provenFor = time.Hour

// standing is how a server stands as a message comes by.
type standing int

const (
	up      standing = iota
	resting          // paused by an earlier run
	refused          // the same, for a refused secret: not even tried as a last resort
	down             // met trouble in this run
)

// breaker remembers a server's troubles. All of it is guarded by server.mu.
type breaker struct {
	ignore  bool // what earlier runs remembered
	down    bool // for the rest of this run
	suspect bool // its last word to an earlier run was trouble
	// unproven: it is not known to work. One message at a time until it does, so that a limit
	// or a dead server costs one message its attempt.
	unproven bool
	health   spool.Health
	recalled []spool.ID // health.Refused as it was read
	worked   bool       // in this run
	tookAt   time.Time  // in this run, a message that has a sender

	lost, uncertain streak
	kinds, notices  []string // this run's, for Health.Notice
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

// standing loads the server's health when it is first asked for.
func (s *server) standing(ctx context.Context) standing {
	s.load.Do(func() { s.recall(ctx) })
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.breaker
	switch {
	case b.down:
		return down
	case b.ignore || !s.now().Before(b.health.DownUntil):
		return up
	case b.health.Secret != "":
		return refused
	}
	return resting
}

// rouse ends a pause of an earlier run for this one, if there is one.
func (s *server) rouse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breaker.ignore = true
}

// trouble is why the server is paused and until when.
func (s *server) trouble() (spool.Outcome, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.breaker.health.Last, s.breaker.health.DownUntil
}

// fall takes the server out for the rest of the run. It reports whether that is
// news; then the caller saves it, without the lock.
func (s *server) fall(j *job, o spool.Outcome) bool {
	b := &s.breaker
	if b.down {
		return false // met by a message that was on its way already
	}
	b.down, j.tripped = true, true
	if b.health.Troubles == 0 || !b.health.Of(s.Host) {
		b.health.Since = s.now().UTC().Truncate(time.Second)
	}
	b.health.Last = o
	b.health.Troubles++
	b.health.Secret = ""
	b.health.DownUntil = s.now().Add(pauseFor(b.health.Troubles))
	if o.Reason == spool.ReasonAuth || o.Reason == spool.ReasonSecret {
		b.health.DownUntil = s.now().Add(authPause)
	}
	j.scout(s.scouts)
	s.clear()
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

// failed takes note that no connection could be opened. It reports whether only
// one more was refused beside working ones: then there are fewer from now on, and
// the message waits for one of those. A refused secret is never that.
func (s *server) failed(ctx context.Context, j *job, p *place, o spool.Outcome) (busy bool) {
	s.mu.Lock()
	l := &s.pool
	l.opening--
	l.slots--
	l.flights--
	// A 421 to replacements of all connections at once is the same: it worked just now.
	if o.Reason != spool.ReasonAuth && o.Reason != spool.ReasonSecret &&
		(l.working(p) || o.Reply.Code == 421 && l.replacing(p)) {
		s.shrink(p)
		s.dispatch()
		s.mu.Unlock()
		return true
	}
	news := s.fall(j, o)
	s.mu.Unlock()
	if news {
		s.saveTrouble(ctx, o)
	}
	return false
}

// landed takes note of how a transaction went and frees its place. It reports whether the
// message was refused only because too many connections are open: it goes over another.
func (s *server) landed(ctx context.Context, j *job, p *place, v verdict) (busy bool) {
	s.mu.Lock()
	s.pool.flights--
	p.m.flights--
	recovered, news := false, false
	if v.delivered && j.m.Sender != "" {
		s.took()
	}
	switch v.landing {
	case landedWell:
		recovered = s.works(v.delivered)
	case landedRefused:
		if s.refuse(j) {
			news = s.fall(j, refusedTrouble(*v.pass))
		}
	case landedBadly:
		if busy = v.pass.Reason == spool.ReasonBusy && s.fewer(p.m); !busy {
			news = s.fall(j, *v.pass)
		}
	case landedLost:
		if s.breaker.lost.add(j.m.ID) >= lossesInARow {
			news = s.fall(j, *v.pass)
		}
	case landedUncertain:
		s.breaker.unproven = s.breaker.suspect // it took all but the answer: no reason to go one by one
		if s.breaker.uncertain.add(j.m.ID) >= uncertainsInRow {
			news = s.fall(j, s.own(spool.ReasonLost, "no answer to several messages in a row"))
		}
	}
	s.rest(p.m)
	s.dispatch()
	last := s.breaker.health.Last
	s.mu.Unlock()
	switch {
	case recovered:
		s.saveWell(ctx)
	case news:
		s.saveTrouble(ctx, last)
	}
	return busy
}

// isDown reports whether the server met trouble in this run.
func (s *server) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.breaker.down
}

// took notes that the server took a message. One without a sender proves nothing: a
// provider that shut the account may still take returns.
func (s *server) took() {
	s.breaker.tookAt = s.now()
	s.breaker.health.Refused = nil
}

// proven reports whether the server took a message in this run or in the last hour: then
// it serves the account, and what it refuses as a whole it refuses for the message. Several
// refused in a row since then make that doubtful again: the account may have been shut.
func (s *server) proven() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &s.breaker
	return len(b.health.Refused) < refusalsInARow && (!b.tookAt.IsZero() || b.provenBefore(s.now()))
}

func (b *breaker) provenBefore(now time.Time) bool {
	age := now.Sub(b.health.TookAt)
	return age <= provenFor && age > -time.Minute // the clock may have been set back
}

// refuse notes that the server refused the message as a whole. It reports whether that
// makes it several different ones in a row. A report counts for nothing: it goes out once
// more with a sender.
func (s *server) refuse(j *job) bool {
	b := &s.breaker
	s.pool.proofs++
	b.lost.n, b.uncertain.n = 0, 0
	if j.m.Sender == "" {
		return false
	}
	if r := b.health.Refused; !slices.Contains(r, j.m.ID) {
		r = append(slices.Clone(r), j.m.ID)
		b.health.Refused = r[max(0, len(r)-refusalsInARow):]
	}
	return len(b.health.Refused) >= refusalsInARow
}

// refusedTrouble makes the server's trouble of the refusal of one more message.
func refusedTrouble(o spool.Outcome) spool.Outcome {
	return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonRefused, Reply: o.Reply}
}

// works notes that the server does its work. It reports whether that ends what an
// earlier run remembered: after refusals only a message that it takes does.
func (s *server) works(delivered bool) bool {
	b := &s.breaker
	s.pool.proofs++
	b.lost.n, b.uncertain.n, b.worked = 0, 0, true
	if !delivered && b.health.Last.Reason == spool.ReasonRefused {
		return false
	}
	b.unproven = false
	if b.down || !b.suspect {
		return false
	}
	b.suspect = false
	b.health.Troubles, b.health.DownUntil, b.health.Last, b.health.Secret = 0, time.Time{}, spool.Outcome{}, ""
	return true
}
