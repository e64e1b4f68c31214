package queue

import (
	"time"

	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/schedule"
)

// messageJSON is a message as list and show print it: SPEC section 3, exactly.
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
		NextSendAt: term.Stamp(NextSend(r)),
		ExpiresAt:  term.Stamp(deadline(r, policy)),
		Ref:        r.Envelope.Ref,
		LastError:  r.LastError,
	}
	for _, to := range r.Recipients {
		m.Recipients = append(m.Recipients, recipientJSON{to.Address, to.State, to.Outcome.Reply.String()})
	}
	return m
}

// NextSend is when a message is sent next; zero if it will not be sent.
func NextSend(r *spool.Record) time.Time {
	if r.Held || r.GivenUp || r.Finished() {
		return time.Time{}
	}
	return r.NextSendAt
}

// deadline is when the message is given up. What outlived that waits for a person and is
// not returned for its age (zero), or is owed one more attempt (SPEC section 6).
func deadline(r *spool.Record, policy schedule.Policy) time.Time {
	at := r.QueuedAt
	if n := len(r.Events); n > 0 {
		at = r.Events[n-1].At
	}
	over := policy.Deadline(flush.AgeOf(policy, r, at))
	switch {
	case !r.Envelope.ExpiresAt.IsZero(), at.Before(over), NextSend(r).IsZero(), r.InFlight:
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

// history tells a record's events: an attempt by the answers that it brought.
func history(r *spool.Record) []historyJSON {
	told := make([]historyJSON, 0, len(r.Events))
	for i, e := range r.Events {
		switch e.Kind {
		case spool.Try:
			switch {
			case i == len(r.Events)-1:
				told = append(told, underWay(e))
			case !answered(r.Events[i+1:]):
				told = append(told, historyJSON{At: term.Stamp(e.At), Outcome: "interrupted"})
			}
		case spool.Result:
			told = append(told, answers(e)...)
		default:
			told = append(told, historyJSON{At: term.Stamp(e.At), Outcome: string(e.Kind), Reply: e.Note})
		}
	}
	return told
}

// underWay tells of a try of which nothing came yet. The record of one whose flush was
// killed just now is the same, and to claim the message for the difference would keep it
// from being sent.
func underWay(try spool.Event) historyJSON {
	return historyJSON{At: term.Stamp(try.At), Outcome: "under way", Reply: "or interrupted, if no flush is running"}
}

// answered reports whether the result of a try follows before another try.
func answered(events []spool.Event) bool {
	for _, e := range events {
		if e.Kind == spool.Try || e.Kind == spool.Result {
			return e.Kind == spool.Result
		}
	}
	return false
}

func answers(e spool.Event) []historyJSON {
	var told []historyJSON
	for _, a := range e.Results {
		at := a.Reply.At
		if at.IsZero() {
			at = e.At
		}
		told = append(told, historyJSON{term.Stamp(at), a.Reply.Server, string(a.Class), a.Reply.String()})
	}
	return told
}
