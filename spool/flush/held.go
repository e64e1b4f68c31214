package flush

import (
	"context"
	"slices"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/schedule"
)

// HoldUntil is the next send time to record when a message is held. Held mail is neither
// sent nor returned for its age, but --expires always counts: this time shows a listing when
// it is over. Without --expires it is never.
func HoldUntil(p schedule.Policy, r *spool.Record, now time.Time) time.Time {
	if expires := AgeOf(p, r, now).ExpiresAt; !expires.IsZero() {
		return expires
	}
	return time.Unix(9_999_999_999, 0).UTC() // the last time that ten digits hold
}

// hold stops sending a message whose answers were lost three times in a row. It may have
// arrived three times, so a person has to decide. The sender is told first.
func (j *job) hold() error {
	now, n := j.engine.now(), j.rec.Attempts
	uncertain := slices.DeleteFunc(j.rec.Pending(), func(i int) bool { return j.rec.Recipients[i].Outcome.Class != spool.Uncertain })
	r := bounce.Report{ID: heldNoticeID(j.id(), n), Kind: bounce.Held, Recipients: reporter{j}.notifiable(spool.OnFailure, uncertain)}
	why := "three times in a row, no answer came after it was sent: it may have arrived; to send it again, run: notices release " + string(j.id())
	e := spool.Event{Kind: spool.Hold, At: now, N: n, Next: HoldUntil(j.engine.Policy, j.rec, now), Note: why}
	var err error
	if j.rec.Envelope.ReturnAddress() != "" && len(r.Recipients) > 0 {
		err = reporter{j}.sendReport(r, e, spool.Now)
	} else {
		err = j.append(e, spool.Now)
	}
	if err != nil {
		return err
	}
	j.deferred = true
	j.engine.Log.Held(j.id(), why)
	return nil
}

// serveHeld returns a held message whose --expires is over. One that was held without a time
// gets one, so that no further listing finds it.
func (e *engine) serveHeld(_ context.Context, entry spool.Entry) {
	e.withClaim(entry, func(j *job) error {
		now := e.now()
		expires := j.timing.age(now).ExpiresAt
		switch {
		case !j.rec.Held:
			return nil
		case expires.IsZero() || now.Before(expires):
			until := HoldUntil(e.Policy, j.rec, now)
			return j.append(spool.Event{Kind: spool.Hold, At: now, N: j.rec.Attempts, Next: until}, spool.Lazy)
		}
		return j.giveUp(now, func(r spool.Recipient) spool.Outcome {
			o := expired(normalize(r.Outcome, now))
			if o.Reply.String() == "" {
				o.Reply.Text = "it was held until its time was over"
			}
			return o
		})
	})
}
