// Package schedule is the arithmetic of SPEC section 6: when a message that could
// not be sent is tried again, and when its time is over. It is pure: the clock and
// the random source come from the caller, so that a test prints the whole life of
// a message in one go (testdata/ladder.golden, which notices.toml(5) quotes).
//
// All times are whole seconds, as the spool keeps them.
package schedule

import "time"

// Policy is the [retry] section. Its durations are whole seconds.
type Policy struct {
	ShortRange time.Duration    // from queueing: short delays until then, long ones after
	ShortDelay [2]time.Duration // low, high: uniformly random in [low, high)
	LongDelay  [2]time.Duration
	GiveUp     time.Duration
}

// Age is what a message's schedule depends on.
type Age struct {
	QueuedAt  time.Time
	ExpiresAt time.Time // from --expires, replaces GiveUp; zero: none
}

// Queued is the queueing time that the age of a message runs from. One in the future was
// written by a clock that was wrong (SPEC 4.7): it counts as now, and once an attempt has
// seen the message, as seen, the time of the earliest event on its record (zero: all
// events follow queued). What was seen so long before it was queued that its time was over
// by then was seen by a clock that was wrong, and the queueing time holds once it is past.
func (p Policy) EffectiveQueueTime(queued, seen, now time.Time) time.Time {
	switch {
	case seen.IsZero() || now.Before(seen):
		return earlier(queued, now)
	case seen.Before(queued) && (now.Before(queued) || queued.Sub(seen) <= p.GiveUp+p.Longest()):
		return seen
	}
	return queued
}

// Deadline is when the message's time is over: the last attempt is made then, and
// if it fails too the message is returned.
func (p Policy) Deadline(a Age) time.Time {
	if !a.ExpiresAt.IsZero() {
		return a.ExpiresAt
	}
	return a.QueuedAt.Add(p.GiveUp)
}

// Next is the next send time of a message that failed at now: a short or a long
// delay later by its age, and never past the deadline. random(n) is uniform in
// [0, n), like Int64N of math/rand/v2.
func (p Policy) Next(a Age, now time.Time, random func(n int64) int64) time.Time {
	return earlier(p.NextPastDeadline(a, now, random), p.Deadline(a))
}

// Free is Next without regard to the deadline: for a message that is past it and
// is still not returned, because its account waits for a person, because the
// machine was off, or because a crash may cut the attempt about to be made.
func (p Policy) NextPastDeadline(a Age, now time.Time, random func(n int64) int64) time.Time {
	delay := p.LongDelay
	if now.Sub(a.QueuedAt) < p.ShortRange {
		delay = p.ShortDelay
	}
	return draw(now, delay, random)
}

// Long is a long delay from now whatever the age: for an attempt whose outcome is
// uncertain. The caller minds the deadline.
func (p Policy) NextLong(now time.Time, random func(n int64) int64) time.Time {
	return draw(now, p.LongDelay, random)
}

// Due reports whether a message with that next send time is to be tried at now. A
// next send further away than the longest delay was written by a clock that was
// wrong then or is wrong now: it counts as due (SPEC 4.7).
func (p Policy) Due(next, now time.Time) bool {
	return !next.After(now) || next.Sub(now) > p.Longest()
}

// Longest is the upper bound of all delays. A message overdue by more than that
// was not looked at in time: the machine was off.
func (p Policy) Longest() time.Duration {
	return max(p.ShortDelay[0], p.ShortDelay[1], p.LongDelay[0], p.LongDelay[1])
}

// draw adds a random delay in [low, high) to t. t is rounded up to a whole second,
// so that the delay is not shorter than low even then.
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
