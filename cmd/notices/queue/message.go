package queue

import (
	"slices"
	"time"

	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/records"
	"notices/spool/schedule"
)

// messageJSON is a message as list and show print it with --json, see notices-list(1).
type messageJSON struct {
	ID         spool.ID           `json:"id"`
	State      spool.MessageState `json:"state"`
	Sender     string             `json:"sender"`
	Recipients []recipientJSON    `json:"recipients"`
	Size       int64              `json:"size"`
	Attempts   int                `json:"attempts"`
	QueuedAt   *time.Time         `json:"queued_at"`
	NextSendAt *time.Time         `json:"next_send_at"` // null: held or failed, it will not be sent
	ExpiresAt  *time.Time         `json:"expires_at"`
	Ref        string             `json:"ref"`
	LastError  string             `json:"last_error"`
	Site       string             `json:"site,omitempty"` // of a hosted service
}

type recipientJSON struct {
	Address string               `json:"address"`
	State   spool.RecipientState `json:"state"`
	Reply   string               `json:"reply"`
}

func describe(r *spool.Record, policy schedule.Policy) messageJSON {
	m := messageJSON{
		ID:         r.Envelope.ID,
		State:      r.State(),
		Sender:     r.Envelope.Sender,
		Recipients: make([]recipientJSON, 0, len(r.Recipients)),
		Size:       r.Envelope.Size,
		Attempts:   r.Attempts,
		QueuedAt:   term.Stamp(r.QueuedAt),
		NextSendAt: term.Stamp(records.NextSend(r)),
		ExpiresAt:  term.Stamp(deadline(r, policy)),
		Ref:        r.Envelope.Ref,
		LastError:  r.LastError,
		Site:       r.Envelope.Site,
	}
	for _, to := range r.Recipients {
		m.Recipients = append(m.Recipients, recipientJSON{to.Address, to.State, to.Outcome.Reply.String()})
	}
	return m
}

// deadline is when the message is given up. A message that outlived it waits for a person and
// is not returned for its age (zero), or gets one more attempt.
func deadline(r *spool.Record, policy schedule.Policy) time.Time {
	at := r.QueuedAt
	if n := len(r.Events); n > 0 {
		at = r.Events[n-1].At
	}
	over := policy.Deadline(flush.AgeOf(policy, r, at))
	switch {
	case !r.Envelope.ExpiresAt.IsZero(), at.Before(over), records.NextSend(r).IsZero(), r.InFlight:
		return over
	case r.Grace:
		return r.NextSendAt
	}
	return time.Time{}
}

// historyJSON is one entry of a message's history. The outcome is that of an
// attempt, or the word for what else happened: interrupted, under way, postponed, hold...
type historyJSON struct {
	At      *time.Time `json:"at"`
	Server  string     `json:"server"`
	Outcome string     `json:"outcome"`
	Reply   string     `json:"reply"`
}

// eventsOf are a record's events: an attempt is shown by the answers that it brought.
func eventsOf(r *spool.Record) []historyJSON {
	list := make([]historyJSON, 0, len(r.Events))
	add := func(at time.Time, server, outcome, reply string) {
		list = append(list, historyJSON{term.Stamp(at), server, outcome, reply})
	}
	for i, e := range r.Events {
		switch {
		case e.Kind == spool.Result:
			for _, a := range e.Results {
				at := a.Reply.At
				if at.IsZero() {
					at = e.At
				}
				add(at, a.Reply.Server, string(a.Class), a.Reply.String())
			}
		case e.Kind != spool.Try:
			add(e.At, "", string(e.Kind), e.Note)
		case i == len(r.Events)-1:
			// The record of an attempt whose flush was killed just now is the same, and to claim
			// the message for the difference would keep it from being sent.
			add(e.At, "", "under way", "or interrupted, if no flush is running")
		case !hasResult(r.Events[i+1:]):
			add(e.At, "", "interrupted", "")
		}
	}
	return list
}

// hasResult reports whether the result of an attempt follows before another attempt.
func hasResult(events []spool.Event) bool {
	i := slices.IndexFunc(events, func(e spool.Event) bool { return e.Kind == spool.Try || e.Kind == spool.Result })
	return i >= 0 && events[i].Kind == spool.Result
}
