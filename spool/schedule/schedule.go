// Package schedule is the arithmetic of [retry]: when a message that could not be sent
// is tried again, and when its time is over. It is pure: the caller passes the clock and the
// random source, so that a test prints the whole life of a message at once
// (testdata/ladder.golden, which notices.toml(5) quotes).
//
// All times are whole seconds, as the spool keeps them.
package schedule

import "time"

// Policy is the [retry] section. Its durations are whole seconds.
type Policy struct {
	ShortRange time.Duration    // until this age, delays are short; after it, long
	ShortDelay [2]time.Duration // low, high: uniformly random in [low, high)
	LongDelay  [2]time.Duration
	GiveUp     time.Duration
}

// Age is what a message's schedule depends on.
type Age struct {
	QueuedAt  time.Time
	ExpiresAt time.Time // from --expires, replaces GiveUp; zero: not given
}

// EffectiveQueueTime is the time from which the age of a message counts. A queueing time in
// the future was written by a wrong clock. Before any attempt now is used instead; afterwards
// seen, the time of the earliest recorded event (zero: all events are after queued). If seen is
// so long before queued that the message's time would have been over by then, the wrong clock
// wrote seen, and queued is used once it is past.
func (p Policy) EffectiveQueueTime(queued, seen, now time.Time) time.Time {
	switch {
	case seen.IsZero() || now.Before(seen):
		return earlier(queued, now)
	case seen.Before(queued) && (now.Before(queued) || queued.Sub(seen) <= p.GiveUp+p.Longest()):
		return seen
	}
	return queued
}

// Deadline is when the message's time is over. The last attempt is made then; if it fails,
// the message is returned.
func (p Policy) Deadline(a Age) time.Time {
	if !a.ExpiresAt.IsZero() {
		return a.ExpiresAt
	}
	return a.QueuedAt.Add(p.GiveUp)
}

// Next draws the next send time of a message that failed at now. Its age decides between a
// short and a long delay. It is never past the deadline. random(n) is uniform in [0, n), like
// Int64N of math/rand/v2.
func (p Policy) Next(a Age, now time.Time, random func(n int64) int64) time.Time {
	return earlier(p.NextPastDeadline(a, now, random), p.Deadline(a))
}

// NextPastDeadline is Next without the deadline. It is for a message that is past its deadline
// and not returned yet, because its account waits for a person, the machine was off, or a
// crash may interrupt the coming attempt.
func (p Policy) NextPastDeadline(a Age, now time.Time, random func(n int64) int64) time.Time {
	delay := p.LongDelay
	if now.Sub(a.QueuedAt) < p.ShortRange {
		delay = p.ShortDelay
	}
	return draw(now, delay, random)
}

// NextLong draws a long delay whatever the age, for an attempt whose outcome is uncertain. The
// caller has to observe the deadline.
func (p Policy) NextLong(now time.Time, random func(n int64) int64) time.Time {
	return draw(now, p.LongDelay, random)
}

// Due reports whether a message with that next send time is to be tried at now. If the next
// send is further away than the longest delay, the clock was wrong then or is wrong now, and
// the message is due.
func (p Policy) Due(next, now time.Time) bool {
	return !next.After(now) || next.Sub(now) > p.Longest()
}

// Longest is the upper bound of all delays. If a message is overdue by more than that, the
// machine was off when it was due.
func (p Policy) Longest() time.Duration {
	return max(p.ShortDelay[0], p.ShortDelay[1], p.LongDelay[0], p.LongDelay[1])
}

// draw adds a random delay in [low, high) to t. It rounds t up to a whole second, so that the
// delay is never shorter than low.
func draw(t time.Time, delay [2]time.Duration, random func(n int64) int64) time.Time {
	low, high := seconds(delay[0]), seconds(delay[1])
	if high-low > 1 {
		low += random(high - low)
	}
	if whole := t.Truncate(time.Second); whole.Before(t) {
		t = whole.Add(time.Second)
	}
	return t.Add(time.Duration(low) * time.Second)
}

// seconds rounds up.
func seconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
