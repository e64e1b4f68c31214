package flush

import (
	"time"

	"notices/spool"
	"notices/spool/schedule"
)

// AgeOf is what the schedule of a message depends on at now. If the clock was wrong when the
// message was queued, so that it seems younger than it can be, or older than this program
// (spool.ClockUnset), --expires moves by the same amount.
func AgeOf(p schedule.Policy, r *spool.Record, now time.Time) schedule.Age {
	a := schedule.Age{QueuedAt: p.EffectiveQueueTime(r.QueuedAt, r.SeenAt, now), ExpiresAt: r.Envelope.ExpiresAt}
	unset := spool.ClockUnset(r.QueuedAt) && !spool.ClockUnset(now)
	if unset {
		if a.QueuedAt = r.SeenAt; a.QueuedAt.IsZero() || now.Before(a.QueuedAt) {
			a.QueuedAt = now
		}
	}
	if ahead := r.QueuedAt.Sub(a.QueuedAt); (unset || ahead > 0) && !a.ExpiresAt.IsZero() && r.QueuedAt.Equal(r.Envelope.QueuedAt) {
		a.ExpiresAt = a.ExpiresAt.Add(-ahead)
	}
	return a
}

// timing is what the schedule says about a message that is being attempted.
type timing struct {
	policy schedule.Policy
	random func(n int64) int64
	rec    *spool.Record

	scheduled time.Time // when it was to be sent
	began     time.Time
}

func (t *timing) due() bool { return t.policy.Due(t.scheduled, t.began) }

func (t *timing) age(now time.Time) schedule.Age { return AgeOf(t.policy, t.rec, now) }

func (t *timing) deadline(now time.Time) time.Time { return t.policy.Deadline(t.age(now)) }

// next is the next send time. It is not past the deadline, unless now is.
func (t *timing) next(now time.Time) time.Time {
	if now.Before(t.deadline(now)) {
		return t.policy.Next(t.age(now), now, t.random)
	}
	return t.policy.NextPastDeadline(t.age(now), now, t.random)
}

// nextLong is the next send time after an uncertain attempt: after a long delay, whatever
// the age, but not past the deadline.
func (t *timing) nextLong(now time.Time) time.Time {
	next, deadline := t.policy.NextLong(now, t.random), t.deadline(now)
	if now.Before(deadline) && deadline.Before(next) {
		return deadline
	}
	return next
}

// over decides whether a message that is not delivered by now is given up, or gets another
// try because the machine was off when it was due. needsPerson: its account waits for a person,
// and such a message is not given up for its age.
func (t *timing) over(now time.Time, needsPerson bool) (over, grace bool) {
	switch {
	case now.Before(t.deadline(now)):
		return false, false
	case !t.rec.Envelope.ExpiresAt.IsZero():
		return true, false // --expires always counts
	case needsPerson:
		return false, false
	case !t.rec.Grace && t.began.Sub(t.scheduled) > t.policy.Longest():
		return false, true
	}
	return true, false
}
