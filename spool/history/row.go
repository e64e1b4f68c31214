// Package history answers what became of a message, for each recipient: it puts the entries that
// a store keeps of messages that left the queue together with what still waits there, and
// writes them as JSON and as CSV.
//
// A row shows nothing of what a message says: no subject and no body.
package history

import (
	"cmp"
	"time"

	"notices/spool"
	"notices/spool/bounce"
	"notices/spool/printable"
	"notices/spool/records"
)

// Waiting is the outcome of a row that has no ending yet: the message is still in the queue for
// this recipient. In a query it may stand among the endings.
const Waiting spool.Ending = "waiting"

// Outcomes are the words of Row.Outcome.
func Outcomes() []spool.Ending {
	return []spool.Ending{Waiting, spool.EndedDelivered, spool.EndedReturned, spool.EndedFailed, spool.EndedRemoved, spool.EndedBounced}
}

// Time is a time that is null in JSON if it is zero, and else in whole seconds of UTC.
type Time struct{ time.Time }

// MarshalJSON writes RFC 3339.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().Truncate(time.Second).MarshalJSON()
}

// Row is one recipient of a message. The JSON is that of notices-history(1).
type Row struct {
	ID         spool.ID     `json:"id"`
	QueuedAt   Time         `json:"queued_at"`
	EndedAt    Time         `json:"ended_at"` // zero: it waits
	Sender     string       `json:"sender"`   // empty: the null sender
	Recipient  string       `json:"recipient"`
	Ref        string       `json:"ref"`
	Outcome    spool.Ending `json:"outcome"` // one of Outcomes
	Status     string       `json:"status"`  // RFC 3463; empty: nothing was tried, or a person removed it
	Attempts   int          `json:"attempts"`
	Server     string       `json:"server"`       // ours: "1", "2", "google", ...; empty: no server was asked
	Reply      string       `json:"reply"`        // the last one, or what happened instead
	Reason     string       `json:"reason"`       // in plain words; empty: delivered, or there is nothing to explain
	NextSendAt Time         `json:"next_send_at"` // zero: it has ended, or is held
	Site       string       `json:"site,omitempty"`

	Index int    `json:"-"` // of the recipient in the envelope
	Host  string `json:"-"` // the name of the server, or of the one that returned it
	// Accepted is, of what bounced, what Server said when it took it. Its zero value: that is not known.
	Accepted spool.Reply `json:"-"`
	Form     spool.Form  `json:"-"` // Ordinary, or a return of our own
	InQueue  bool        `json:"-"` // the message waits in the queue, for this recipient or another one
}

// FromEntry is the row of an entry.
func FromEntry(e *spool.HistoryEntry) Row {
	row := common(e)
	row.EndedAt, row.Outcome = Time{e.EndedAt}, e.Ending
	row.Status, row.Reason = bounce.Explain(e)
	if e.QueuedAt.After(e.EndedAt) { // by a clock that was wrong
		row.QueuedAt = row.EndedAt
	}
	return row
}

// common is what a row has of an entry, however it ended.
func common(e *spool.HistoryEntry) Row {
	return Row{
		ID: e.ID, Index: e.Index, QueuedAt: Time{e.QueuedAt}, Sender: e.Sender, Recipient: e.Recipient, Ref: e.Ref,
		Attempts: e.Attempts, Server: e.Last.Reply.Server, Host: e.Last.Reply.Host, Site: e.Site, Accepted: e.Accepted, Form: e.Form,
		Reply: printable.Line(e.Last.Reply.String()),
	}
}

// FromRecord is a message of the spool in rows, one for each recipient. One that failed waits until
// its return is stored. One that was delivered or returned has ended, though others still wait.
func FromRecord(r *spool.Record) []Row {
	entries := r.Endings(spool.Event{}, lastEventAt(r))
	rows := make([]Row, len(entries))
	for i := range entries {
		e := &entries[i]
		switch {
		case r.ToReturn(i):
			rows[i] = FromEntry(e)
			rows[i].Outcome, rows[i].EndedAt, rows[i].NextSendAt = Waiting, Time{}, Time{records.NextSend(r)}
			rows[i].Reason += " The return to its sender is still to be stored."
		case r.Recipients[i].State == spool.RecipientPending && !r.GivenUp:
			rows[i] = waiting(r, i, e)
		default:
			if at := r.Recipients[i].EndedAt; !at.IsZero() && !r.GivenUp {
				e.EndedAt = at
			}
			rows[i] = FromEntry(e)
		}
		rows[i].InQueue = !r.GivenUp
	}
	return rows
}

func lastEventAt(r *spool.Record) time.Time {
	if n := len(r.Events); n > 0 {
		return r.Events[n-1].At
	}
	return r.Envelope.QueuedAt
}

// waiting is the row of a recipient that the message still waits for.
func waiting(r *spool.Record, i int, e *spool.HistoryEntry) Row {
	row := common(e)
	row.Outcome, row.NextSendAt = Waiting, Time{records.NextSend(r)}
	row.Status, row.Reason = bounce.ExplainDelay(r.Recipients[i].Outcome)
	last := printable.Line(r.LastError)
	if n := len(r.Events); n > 0 && (r.Events[n-1].Kind == spool.Postpone || r.Events[n-1].Kind == spool.Hold) {
		row.Reply = last // newer than the reply for this recipient
		if r.Events[n-1].Kind == spool.Postpone {
			_, row.Reason = bounce.ExplainDelay(spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope})
		}
	}
	row.Reply = cmp.Or(row.Reply, last)
	if r.Held {
		row.Reason = "It is held until a person releases it."
	}
	return row
}
