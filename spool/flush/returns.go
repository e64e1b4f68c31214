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
)

// canTell: there is somebody to tell of what failed in attempt n. Nobody is told of a
// report that fails, but one that was refused, with its null sender or as a whole, goes out
// once more. Whether the sender wants to hear of it is seen to in Record.UnreturnedIn.
func (j *job) canTell(n int) bool {
	env := &j.rec.Envelope
	if env.Form != spool.Report {
		return env.ReturnAddress() != ""
	}
	return j.mayResend() && j.refusedWhole(n)
}

// mayResend: it is a report that can go out once more, with a sender.
func (j *job) mayResend() bool {
	env := &j.rec.Envelope
	return env.Form == spool.Report && env.Sender == "" && j.engine.Site.Address != ""
}

// refusedWhole: in attempt n every server refused the message as a whole, or its sender.
func (j *job) refusedWhole(n int) bool {
	for _, i := range j.rec.FailedIn(n) {
		o := &j.rec.Recipients[i].Outcome
		if o.Scope != spool.MessageScope || o.Reason != spool.ReasonSender && o.Reason != "" {
			return false
		}
	}
	return true
}

// tell stores the return for what failed in attempt n, then says so in the record.
func (j *job) tell(n int) error {
	if j.rec.Envelope.Form == spool.Report {
		return j.resend(n)
	}
	failed := j.wanting(spool.OnFailure, j.rec.FailedIn(n))
	id := j.id().Return(n)
	stored, err := j.compose(bounce.Report{ID: id, Kind: bounce.Failed, Recipients: failed})
	if err == nil {
		err = j.append(spool.Event{Kind: spool.Returned, At: j.engine.now(), N: n}, spool.Now)
	}
	if err != nil {
		return err
	}
	j.returned = true
	j.engine.addMade(stored)
	j.engine.Log.Returned(j.id(), id, j.rec.Envelope.ReturnAddress(), len(failed))
	return nil
}

// tellRelayed stores the report on those whom attempt n handed on to a server that
// reports no success, then says so in the record.
func (j *job) tellRelayed(n int) error {
	id, to := relayedID(j.id(), n), j.rec.RelayedIn(n)
	stored, err := j.compose(bounce.Report{ID: id, Kind: bounce.Relayed, Recipients: to})
	if err == nil {
		err = j.append(spool.Event{Kind: spool.Relayed, At: j.engine.now(), N: n}, spool.Now)
	}
	if err != nil {
		return err
	}
	j.sent = !j.pending()
	j.engine.addMade(stored)
	j.engine.Log.Returned(j.id(), id, j.rec.Envelope.ReturnAddress(), len(to))
	return nil
}

// tellAdmin stores a copy of what goes to failed/, for [site] admin. Of a message to the
// admin alone there is none: it would follow the same way.
func (j *job) tellAdmin() error {
	admin := j.engine.Site.Admin
	toAdmin := func(to string) bool { return strings.EqualFold(to, admin) }
	if env := &j.rec.Envelope; admin == "" || j.rec.GivenUp || len(env.Recipients) == 1 && toAdmin(env.Recipients[0]) {
		return nil
	}
	var failed []int
	for i := range j.rec.Recipients {
		if j.rec.Recipients[i].State == spool.RecipientFailed {
			failed = append(failed, i)
		}
	}
	stored, err := j.compose(bounce.Report{ID: failedNoticeID(j.id()), Kind: bounce.Kept, Recipients: failed, To: admin})
	if err == nil {
		j.engine.addMade(stored)
	}
	return err
}

// wanting keeps those recipients of whom the sender wants to be told when that happens.
func (j *job) wanting(word string, to []int) []int {
	env := &j.rec.Envelope
	if env.DSNParams.Empty() {
		return to
	}
	return slices.DeleteFunc(to, func(i int) bool { return !env.Notifies(word, i) })
}

// resend stores a report once more, from the site's address.
func (j *job) resend(n int) error {
	env := j.rec.Envelope
	env.ID, env.Sender, env.Form, env.QueuedAt = plainID(env.ID), j.engine.Site.Address, spool.PlainReport, j.engine.now()
	env.UTF8 = env.UTF8 || strings.ContainsFunc(env.Sender, func(r rune) bool { return r >= 0x80 })
	stored, err := j.put(env, func(w io.Writer) error {
		return bounce.Readdress(w, io.NewSectionReader(&j.body, 0, j.body.Size()), j.engine.Site)
	})
	if err == nil {
		err = j.append(spool.Event{Kind: spool.Returned, At: j.engine.now(), N: n, Note: "sent once more, from " + j.engine.Site.Address}, spool.Now)
	}
	if err != nil {
		return err
	}
	j.deferred = true
	j.engine.addMade(stored)
	j.engine.Log.Returned(j.id(), env.ID, env.Recipients[0], len(env.Recipients))
	return nil
}

// warn tells the sender once that the message is late.
func (j *job) warn(failedAt time.Time) error {
	if j.engine.WarnAfter <= 0 || j.rec.Warned || failedAt.Sub(j.age().QueuedAt) < j.engine.WarnAfter ||
		j.rec.Envelope.ReturnAddress() == "" {
		return nil
	}
	id := warningID(j.id())
	pending := j.wanting(spool.OnDelay, j.rec.Pending())
	if len(pending) == 0 {
		return nil
	}
	stored, err := j.compose(bounce.Report{ID: id, Kind: bounce.Delayed, Recipients: pending, Until: j.until()})
	if err == nil {
		err = j.append(spool.Event{Kind: spool.Warned, At: j.engine.now()}, spool.Soon)
	}
	if err != nil {
		return err
	}
	j.engine.addMade(stored)
	j.engine.Log.Returned(j.id(), id, j.rec.Envelope.ReturnAddress(), len(pending))
	return nil
}

// until is when a warned sender gets the message back; zero: not known.
func (j *job) until() time.Time {
	if deadline := j.engine.Policy.Deadline(j.age()); j.engine.now().Before(deadline) {
		return deadline
	}
	return time.Time{}
}

// compose composes a report on the message and stores it durably. It returns no
// entry if it was stored before.
func (j *job) compose(r bounce.Report) ([]spool.Entry, error) {
	r.Record, r.Now, r.Original = j.rec, j.engine.Now(), &j.body
	stored, err := j.putReport(r)
	if err != nil && j.body.failed != nil { // its sender hears of it without it
		r.Original = noBody{}
		stored, err = j.putReport(r)
	}
	return stored, err
}

func (j *job) putReport(r bounce.Report) ([]spool.Entry, error) {
	eightBit, utf8 := r.Encoding()
	return j.put(spool.Envelope{
		ID: r.ID, Recipients: []string{r.Addressee()}, QueuedAt: j.engine.now(), Ref: j.rec.Envelope.Ref,
		MessageID: j.engine.Site.MessageID(r.ID), EightBit: eightBit, UTF8: utf8, Form: spool.Report,
	}, func(w io.Writer) error { return bounce.Compose(w, j.engine.Site, r) })
}

// put stores a message durably, unless it is there.
func (j *job) put(env spool.Envelope, write func(io.Writer) error) ([]spool.Entry, error) {
	d, err := j.engine.store.New(j.engine.work, env.ID)
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
		_, err = j.engine.store.Commit(j.engine.work, d)
	}
	if errors.Is(err, spool.ErrExists) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the report %s cannot be stored: %w", env.ID, err)
	}
	return []spool.Entry{{ID: env.ID, Next: env.QueuedAt, State: spool.StateQueued, Expires: env.ExpiresAt}}, nil
}
