package flush

import (
	"context"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/schedule"
)

// HoldUntil is the next send time that a Hold of a message is given. Held mail is
// not sent and not returned for age, but --expires always counts: a listing shows
// by this time that it is over. Without --expires it is never.
func HoldUntil(p schedule.Policy, r *spool.Record, now time.Time) time.Time {
	if expires := AgeOf(p, r, now).ExpiresAt; !expires.IsZero() {
		return expires
	}
	return time.Unix(9_999_999_999, 0).UTC() // the last time that ten digits hold
}

// hold stops sending a message whose answers were lost three times in a row. It
// may have arrived three times: a person has to look. The sender is told first.
func (j *job) hold() error {
	n := j.rec.Attempts
	var made []spool.Entry
	about := j.wanting(spool.OnFailure, j.uncertain())
	if to := j.rec.Envelope.ReturnAddress(); to != "" && len(about) > 0 {
		var err error
		id := heldNoticeID(j.id(), n)
		if made, err = j.compose(bounce.Report{ID: id, Kind: bounce.Held, Recipients: about}); err != nil {
			return err
		}
		j.engine.Log.Returned(j.id(), id, to, len(about))
	}
	why := "three times in a row no answer came after it was sent: it may have arrived; notices release " + string(j.id()) + " sends it again"
	e := spool.Event{Kind: spool.Hold, At: j.engine.now(), N: n, Next: HoldUntil(j.engine.Policy, j.rec, j.engine.now()), Note: why}
	if err := j.append(e, spool.Now); err != nil {
		return err
	}
	j.deferred = true
	j.engine.addMade(made)
	j.engine.Log.Held(j.id(), why)
	return nil
}

// uncertain are the recipients of whom nobody knows.
func (j *job) uncertain() []int {
	var list []int
	for _, i := range j.rec.Pending() {
		if j.rec.Recipients[i].Outcome.Class == spool.Uncertain {
			list = append(list, i)
		}
	}
	return list
}

// serveHeld returns a held message whose --expires is over. One that was held
// without saying until when is told so, that no listing stops at it again.
func (e *engine) serveHeld(_ context.Context, entry spool.Entry) {
	j := e.claim(entry)
	if j == nil {
		return
	}
	defer j.end()
	now, expires := j.engine.now(), j.age().ExpiresAt
	switch {
	case !j.rec.Held:
	case !expires.IsZero() && !now.Before(expires):
		j.err = j.giveUp(now, func(r spool.Recipient) spool.Outcome {
			o := expired(tidy(r.Outcome, now))
			if o.Reply.String() == "" {
				o.Reply.Text = "it was held until its time was over"
			}
			return o
		})
	default:
		j.err = j.append(spool.Event{Kind: spool.Hold, At: now, N: j.rec.Attempts, Next: HoldUntil(j.engine.Policy, j.rec, j.engine.now())}, spool.Lazy)
	}
}
