package flush

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/feed"
)

// reporter makes the reports on a message.
type reporter struct{ job *job }

// canReturn reports whether there is somebody to send a return for attempt n to. A failed
// report has no return. But a report that was refused as a whole, or for its null sender, is
// resent once. Record.UnreturnedIn knows whether the sender wants a return.
func (r reporter) canReturn(n int) bool {
	env := &r.job.rec.Envelope
	if env.Form != spool.Report {
		return env.ReturnAddress() != ""
	}
	return r.canResend() && r.refusedWhole(n)
}

// canResend reports whether this is a report that can be resent with a sender.
func (r reporter) canResend() bool {
	env := &r.job.rec.Envelope
	return env.Form == spool.Report && env.Sender == "" && r.job.engine.Site.Address != ""
}

// refusedWhole reports whether every server in attempt n refused the message as a whole, or
// its sender.
func (r reporter) refusedWhole(n int) bool {
	return !slices.ContainsFunc(r.job.rec.FailedIn(n), func(i int) bool {
		o := &r.job.rec.Recipients[i].Outcome
		return o.Scope != spool.MessageScope || o.Reason != spool.ReasonSender && o.Reason != ""
	})
}

// notifiable keeps the recipients for which the sender wants to be notified of that event.
func (r reporter) notifiable(event string, to []int) []int {
	env := &r.job.rec.Envelope
	if env.DSNParams.Empty() {
		return to
	}
	return slices.DeleteFunc(to, func(i int) bool { return !env.Notifies(event, i) })
}

// sendReturn sends the return for what failed in attempt n.
func (r reporter) sendReturn(n int) error {
	j := r.job
	if j.rec.Envelope.Form == spool.Report {
		return r.resend(n)
	}
	report := bounce.Report{ID: j.id().Return(n), Kind: bounce.Failed, Recipients: r.notifiable(spool.OnFailure, j.rec.FailedIn(n))}
	err := r.sendReport(report, spool.Event{Kind: spool.Returned, At: j.engine.now(), N: n}, spool.Now)
	j.returned = j.returned || err == nil
	return err
}

// sendRelayReport sends the report on the recipients that attempt n handed to a server that
// does not report success.
func (r reporter) sendRelayReport(n int) error {
	j := r.job
	report := bounce.Report{ID: relayedID(j.id(), n), Kind: bounce.Relayed, Recipients: j.rec.RelayedIn(n)}
	err := r.sendReport(report, spool.Event{Kind: spool.Relayed, At: j.engine.now(), N: n}, spool.Now)
	if err == nil {
		j.sent = !pending(j.rec)
	}
	return err
}

// warn tells the sender, once, that the message is late.
func (r reporter) warn(failedAt time.Time) error {
	j := r.job
	now, after := j.engine.now(), j.engine.WarnAfter
	late := failedAt.Sub(j.timing.age(now).QueuedAt) >= after
	if after <= 0 || !late || j.rec.Warned || j.rec.Envelope.ReturnAddress() == "" {
		return nil
	}
	report := bounce.Report{ID: warningID(j.id()), Kind: bounce.Delayed, Recipients: r.notifiable(spool.OnDelay, j.rec.Pending())}
	if len(report.Recipients) == 0 {
		return nil
	}
	if deadline := j.timing.deadline(now); now.Before(deadline) {
		report.Until = deadline
	}
	return r.sendReport(report, spool.Event{Kind: spool.Warned, At: now}, spool.Soon)
}

// notifyAdmin stores a copy of what goes to failed/ for [site] admin. A message to the admin
// alone gets none, because it would fail in the same way.
func (r reporter) notifyAdmin() error {
	j := r.job
	admin := j.engine.Site.Admin
	env := &j.rec.Envelope
	if admin == "" || j.rec.GivenUp || len(env.Recipients) == 1 && strings.EqualFold(env.Recipients[0], admin) {
		return nil
	}
	report := bounce.Report{ID: failedNoticeID(j.id()), Kind: bounce.Kept, To: admin}
	for i := range j.rec.Recipients {
		if j.rec.Recipients[i].State == spool.RecipientFailed {
			report.Recipients = append(report.Recipients, i)
		}
	}
	stored, err := r.storeReport(report)
	r.addReports(stored)
	return err
}

// sendReport stores a report durably, then records e, which says so. The report is sent at
// the end of the run.
func (r reporter) sendReport(report bounce.Report, e spool.Event, d spool.Durability) error {
	j := r.job
	stored, err := r.storeReport(report)
	if err == nil {
		err = j.append(e, d)
	}
	if err != nil {
		return err
	}
	r.addReports(stored)
	j.engine.Log.Returned(j.id(), report.ID, j.rec.Envelope.ReturnAddress(), len(report.Recipients))
	return nil
}

// resend stores a report once more, from the site's address.
func (r reporter) resend(n int) error {
	j := r.job
	env := j.rec.Envelope
	env.ID, env.Sender, env.Form, env.QueuedAt = plainID(env.ID), j.engine.Site.Address, spool.PlainReport, j.engine.now()
	env.UTF8 = env.UTF8 || strings.ContainsFunc(env.Sender, func(r rune) bool { return r >= 0x80 })
	stored, err := r.store(env, func(w io.Writer) error {
		return bounce.Readdress(w, io.NewSectionReader(&j.body, 0, j.body.Size()), j.engine.Site)
	})
	if err == nil {
		err = j.append(spool.Event{Kind: spool.Returned, At: j.engine.now(), N: n, Note: "sent once more, from " + j.engine.Site.Address}, spool.Now)
	}
	if err != nil {
		return err
	}
	j.deferred = true
	r.addReports(stored)
	j.engine.Log.Returned(j.id(), env.ID, env.Recipients[0], len(env.Recipients))
	return nil
}

// addReports has reports sent that were stored: at the end of the run, or at once by a run that
// takes in more while it lasts.
func (r reporter) addReports(stored []spool.Entry) {
	e := r.job.engine
	if e.feed == nil {
		e.results.addReports(stored)
		return
	}
	for _, entry := range stored {
		e.feed.Add(r.job.rec.Envelope.Site, feed.Task{Kind: feed.Made, Entry: entry})
	}
}

// storeReport composes a report on the message and stores it durably. If the message cannot
// be read, the report goes without it.
func (r reporter) storeReport(report bounce.Report) (stored []spool.Entry, err error) {
	j := r.job
	report.Record, report.Now = j.rec, j.engine.Now()
	for _, report.Original = range []spool.Body{&j.body, noBody{}} {
		eightBit, utf8 := report.Encoding()
		env := spool.Envelope{
			ID: report.ID, Recipients: []string{report.Addressee()}, QueuedAt: j.engine.now(), Ref: j.rec.Envelope.Ref,
			MessageID: j.engine.Site.MessageID(report.ID), EightBit: eightBit, UTF8: utf8, Form: spool.Report,
			Site: j.rec.Envelope.Site,
		}
		stored, err = r.store(env, func(w io.Writer) error { return bounce.Compose(w, j.engine.Site, report) })
		if err == nil || j.body.failed == nil {
			break
		}
	}
	return stored, err
}

// store stores a message durably. If it is stored already, it returns no entry.
func (r reporter) store(env spool.Envelope, write func(io.Writer) error) ([]spool.Entry, error) {
	j := r.job
	d, err := j.engine.Store.New(j.engine.work, env.ID)
	if err != nil {
		return nil, fmt.Errorf("the report %s cannot be stored: %w", env.ID, err)
	}
	defer func() { _ = d.Abort() }() // harmless after Commit
	err = write(d)
	if err == nil {
		env.Size = d.Len()
		err = d.Seal(env)
	}
	if err == nil {
		_, err = j.engine.Store.Commit(j.engine.work, d)
	}
	if errors.Is(err, spool.ErrExists) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the report %s cannot be stored: %w", env.ID, err)
	}
	return []spool.Entry{{ID: env.ID, Next: env.QueuedAt, State: spool.StateQueued, Expires: env.ExpiresAt}}, nil
}
