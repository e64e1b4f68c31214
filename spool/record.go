package spool

import "time"

// Kind names an event in the life of a message. The words are part of the
// on-disk format, notices-spool(5).
type Kind string

// Kinds of events, in the order in which they usually come.
const (
	Try      Kind = "try"      // attempt N begins; without a result behind it: interrupted
	Result   Kind = "result"   // what attempt N brought
	Postpone Kind = "postpone" // not attempted, every server is paused
	Returned Kind = "returned" // the return for attempt N is stored durably
	Relayed  Kind = "relayed"  // the report on the recipients relayed in attempt N is stored durably
	Warned   Kind = "warned"   // a warning of the delay is stored durably
	Hold     Kind = "hold"     // by a person, or by the third uncertain attempt in a row
	Release  Kind = "release"  // due again at Next
	Retry    Kind = "retry"    // due at Next; Fresh: as if queued at At
	GiveUp   Kind = "giveup"   // moved to failed/, because nobody can get its return
)

// Event is one entry of a message's record. Times are whole seconds in UTC.
type Event struct {
	Kind    Kind      `json:"kind"`
	At      time.Time `json:"at"`
	N       int       `json:"n,omitempty"`       // the attempt's number, from 1; with Postpone: it began, and no server was asked
	Next    time.Time `json:"next,omitzero"`     // the next send time from now on
	Results []Answer  `json:"results,omitempty"` // with Result
	Note    string    `json:"note,omitempty"`    // why, for a person
	Fresh   bool      `json:"fresh,omitempty"`   // with Retry: age and failed recipients start anew
	// Grace, with Result or Postpone: the message was overdue because the machine was
	// off, and this was its first try since; it is owed one more.
	Grace bool `json:"grace,omitempty"`
}

// Answer is an outcome and the recipients that it is for.
type Answer struct {
	Outcome
	// To holds indices into Envelope.Recipients. It is nil for an answer that is kept for the
	// history alone: that of a server that was skipped in an attempt, and an uncertain one to
	// recipients whose time is over, which stand in another Answer as failed.
	To []int `json:"to,omitempty"`
}

// RecipientState is where one recipient stands.
type RecipientState string

// Recipient states, as in `list --json`.
const (
	RecipientPending   RecipientState = "pending"
	RecipientDelivered RecipientState = "delivered"
	RecipientFailed    RecipientState = "failed"
)

// Recipient is one recipient, and its latest outcome.
type Recipient struct {
	Address string
	State   RecipientState
	Outcome Outcome
	// FailedIn is the attempt that failed it; 0: it has not failed.
	FailedIn int
	// RelayedIn is the attempt that delivered to it with ReasonRelayed; 0: none.
	RelayedIn int
	// EndedAt is when it was delivered to or failed, in attempt EndedIn; zero: it is pending.
	EndedAt time.Time
	EndedIn int
}

// MessageState is where a message stands.
type MessageState string

// Message states, as in `list --json`.
const (
	StateQueued   MessageState = "queued"
	StateDeferred MessageState = "deferred"
	StateHeld     MessageState = "held"
	StateFailed   MessageState = "failed"
)

// Record is a message's envelope and all that has happened to it.
type Record struct {
	Envelope   Envelope
	Recipients []Recipient
	Events     []Event

	Attempts        int
	QueuedAt        time.Time // Envelope.QueuedAt, or the last fresh Retry
	SeenAt          time.Time // the earliest event before QueuedAt, or, if that is ClockUnset, the earliest that is not; zero: no such event
	NextSendAt      time.Time
	Held            bool
	GivenUp         bool // in failed/
	Touched         bool // an attempt or a postponement happened
	InFlight        bool // a Try without a Result: running now, or interrupted
	Uncertain       int  // uncertain results in a row
	Grace           bool // the extra try of an overdue message is owed
	Warned          bool
	ReturnedIn      int // the last attempt whose return is stored
	RelayReportedIn int // the last attempt whose report of ReasonRelayed is stored
	LastError       string
}

// NewRecord is the record of a message to which so much has happened; without events it was
// just queued.
func NewRecord(env Envelope, events ...Event) *Record {
	r := &Record{
		Envelope:   env,
		QueuedAt:   env.QueuedAt,
		NextSendAt: env.QueuedAt,
		Recipients: make([]Recipient, len(env.Recipients)),
	}
	for i, address := range env.Recipients {
		r.Recipients[i] = Recipient{Address: address, State: RecipientPending}
	}
	for i := range events {
		r.Apply(events[i])
	}
	return r
}

// ClockUnset reports whether a time is older than this program: that of a machine without a
// battery for its clock, before it was set.
func ClockUnset(t time.Time) bool {
	return !t.IsZero() && t.Before(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))
}

// Apply adds the next event. It keeps and skips an event that it does not know, so that an
// older program can read a newer one's record.
func (r *Record) Apply(e Event) {
	r.Events = append(r.Events, e)
	before := e.At.Before(r.QueuedAt)
	if ClockUnset(r.QueuedAt) {
		before = !ClockUnset(e.At)
	}
	if before && !e.At.IsZero() && (r.SeenAt.IsZero() || e.At.Before(r.SeenAt)) {
		r.SeenAt = e.At
	}
	if !e.Next.IsZero() {
		r.NextSendAt = e.Next
	}
	switch e.Kind {
	case Try:
		r.Attempts, r.InFlight, r.Touched = e.N, true, true
	case Result:
		r.applyResult(e)
	case Postpone:
		if e.N > 0 && e.N == r.Attempts {
			r.Attempts--
		}
		r.Touched, r.InFlight, r.LastError, r.Grace = true, false, e.Note, r.Grace || e.Grace
	case Returned:
		r.ReturnedIn = max(r.ReturnedIn, e.N)
	case Relayed:
		r.RelayReportedIn = max(r.RelayReportedIn, e.N)
	case Warned:
		r.Warned = true
	case Hold:
		r.Held = true
		if e.Note != "" {
			r.LastError = e.Note
		}
	case Release:
		r.Held, r.Uncertain = false, 0
	case Retry:
		r.applyRetry(e)
	case GiveUp:
		r.GivenUp = true
	}
}

func (r *Record) applyResult(e Event) {
	r.InFlight, r.Grace = false, e.Grace
	uncertain := false
	for _, a := range e.Results {
		if a.Class != Delivered {
			r.LastError = a.Reply.String()
		}
		uncertain = uncertain || a.Class == Uncertain
		for _, i := range a.To {
			if i >= 0 && i < len(r.Recipients) {
				r.Recipients[i].apply(a.Outcome, e.N, e.At)
			}
		}
	}
	if uncertain {
		r.Uncertain++
	} else {
		r.Uncertain = 0
	}
}

func (r *Recipient) apply(o Outcome, n int, at time.Time) {
	r.Outcome = o
	if o.Class == Delivered || o.Class == Failed {
		r.EndedAt, r.EndedIn = at, n
	}
	switch o.Class {
	case Delivered:
		r.State, r.EndedAt = RecipientDelivered, acceptedAt(o, at)
		if o.Reason == ReasonRelayed {
			r.RelayedIn = n
		}
	case Failed:
		r.State, r.FailedIn = RecipientFailed, n
	}
}

// acceptedAt is when a server took the message: when it said so, or when that was recorded.
func acceptedAt(o Outcome, recorded time.Time) time.Time {
	if o.Reply.At.IsZero() {
		return recorded
	}
	return o.Reply.At
}

func (r *Record) applyRetry(e Event) {
	if !e.Fresh {
		return
	}
	r.GivenUp, r.Held, r.InFlight, r.Grace, r.Warned = false, false, false, false, false
	r.QueuedAt, r.Uncertain, r.Touched, r.LastError = e.At, 0, false, ""
	r.SeenAt = time.Time{}
	for i := range r.Recipients {
		if r.Recipients[i].State == RecipientFailed && !r.returned(i) {
			p := &r.Recipients[i]
			p.State, p.FailedIn, p.EndedIn, p.EndedAt = RecipientPending, 0, 0, time.Time{}
		}
	}
}

// State is the message's state as the lists show it.
func (r *Record) State() MessageState {
	switch {
	case r.GivenUp:
		return StateFailed
	case r.Held:
		return StateHeld
	case r.Touched:
		return StateDeferred
	}
	return StateQueued
}

// Pending returns the indices of the recipients that still wait for the message.
func (r *Record) Pending() []int { return r.withState(RecipientPending, 0) }

// FailedIn returns the indices of the recipients that failed in attempt n.
func (r *Record) FailedIn(n int) []int { return r.withState(RecipientFailed, n) }

// withState returns the recipients in state s, and if n > 0 only those failed in n.
func (r *Record) withState(s RecipientState, n int) []int {
	var found []int
	for i := range r.Recipients {
		if r.Recipients[i].State == s && (n == 0 || r.Recipients[i].FailedIn == n) {
			found = append(found, i)
		}
	}
	return found
}

// RelayedIn returns the indices of the recipients that attempt n relayed.
func (r *Record) RelayedIn(n int) []int {
	var found []int
	for i := range r.Recipients {
		if r.Recipients[i].RelayedIn == n {
			found = append(found, i)
		}
	}
	return found
}

// returned reports whether the failure of a recipient was reported to the sender.
func (r *Record) returned(i int) bool {
	return r.Recipients[i].FailedIn <= r.ReturnedIn && r.Envelope.Notifies(OnFailure, i)
}

// ToReturn reports whether a recipient failed, and its return is still to be stored.
func (r *Record) ToReturn(i int) bool {
	return !r.GivenUp && r.Recipients[i].FailedIn > r.ReturnedIn && r.Envelope.Notifies(OnFailure, i) && r.Envelope.ReturnAddress() != ""
}

// Unreturned reports whether a recipient failed and that was not reported to the sender, because the
// return is still to be made or is not wanted.
func (r *Record) Unreturned() bool {
	for i := range r.Recipients {
		if r.Recipients[i].FailedIn > 0 && !r.returned(i) {
			return true
		}
	}
	return false
}

// Finished reports whether nothing is left to do: no recipient is pending, and all that is
// to be reported was reported.
func (r *Record) Finished() bool {
	for i := range r.Recipients {
		if r.Recipients[i].State == RecipientPending {
			return false
		}
	}
	return !r.Unreturned() && r.UnreportedIn() == 0
}

// UnreturnedIn is the first attempt with failed recipients whose return is wanted and not
// recorded yet; 0: no such attempt.
func (r *Record) UnreturnedIn() int {
	first := 0
	for i := range r.Recipients {
		n := r.Recipients[i].FailedIn
		if n > r.ReturnedIn && (first == 0 || n < first) && r.Envelope.Notifies(OnFailure, i) {
			first = n
		}
	}
	return first
}

// UnreportedIn is the first attempt whose relayed recipients still have to be reported to
// the sender; 0: no such attempt.
func (r *Record) UnreportedIn() int {
	first := 0
	for i := range r.Recipients {
		n := r.Recipients[i].RelayedIn
		if n > r.RelayReportedIn && (first == 0 || n < first) && r.Envelope.ReturnAddress() != "" {
			first = n
		}
	}
	return first
}

// Entry is what the listing of a store must show of the message.
func (r *Record) Entry() Entry {
	e := Entry{ID: r.Envelope.ID, Next: r.NextSendAt, State: StateQueued}
	switch {
	case r.GivenUp:
		e.State, e.Next = StateFailed, givenUpAt(r)
	case r.Held:
		e.State = StateHeld
	case !r.Envelope.ExpiresAt.IsZero():
		e.Expires = r.Envelope.ExpiresAt.UTC().Truncate(time.Second)
	}
	return e
}

// givenUpAt is when the message was last moved to failed/; its next send time if it never was.
func givenUpAt(r *Record) time.Time {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if r.Events[i].Kind == GiveUp {
			return r.Events[i].At
		}
	}
	return r.NextSendAt
}
