package spool

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Ending is what became of a message for one recipient. The words are part of the on-disk
// format, notices-spool(5), and of `history --json`.
type Ending string

// Endings. A message in the queue has none of them yet.
const (
	EndedDelivered Ending = "delivered" // a server took it
	EndedReturned  Ending = "returned"  // it failed, and its sender was told
	EndedFailed    Ending = "failed"    // it failed, and nobody was told; in failed/, or removed from there
	EndedRemoved   Ending = "removed"   // a person removed it before it was delivered
	EndedBounced   Ending = "bounced"   // delivered, and another server returned it later
)

// HistoryEntry is what is kept of a message for one recipient after it has left the queue.
// It has nothing of what the message says: no subject and no body.
type HistoryEntry struct {
	ID         ID
	Index      int       // of the recipient in the envelope; ID and Index name an entry
	QueuedAt   time.Time // Envelope.QueuedAt
	EndedAt    time.Time
	Sender     string // empty: the null sender
	Recipient  string
	Ref        string
	Site       string `json:",omitempty"` // Envelope.Site
	MessageID  string // with < >
	EnvelopeID string // ENVID, if the sender gave one
	Form       Form
	Attempts   int
	Ending     Ending
	// Last is the last outcome for the recipient. Of what bounced, Reply.Host and the words are those of
	// the server that returned it, and Reply.Server is the server of ours that had taken it.
	Last Outcome
	// Accepted is, of what bounced, what the server of ours said when it took it.
	Accepted Reply `json:",omitzero"`
}

// HistoryQuery chooses entries. An empty field chooses all.
type HistoryQuery struct {
	IDs []ID
	// Recipient and Sender are an address, a domain (@example.org) or a part of an address, in
	// any case. See MatchesAddress.
	Recipient string
	Sender    string
	Ref       string // the whole reference
	Site      string // of a service
	// SiteSince leaves out what was handed in by Site earlier, with its returns: then another customer
	// had that name.
	SiteSince time.Time
	Server    string // the name of a server of ours, or its host
	Endings   []Ending
	Since     time.Time // ended then or later
	Until     time.Time // ended before
	// Keys are ids, message ids, envelope ids and recipients in lower case: an entry that has one
	// of them is chosen. With them a late return is matched.
	Keys map[string]struct{}
}

// Chooses reports whether the query chooses an entry.
func (q *HistoryQuery) Chooses(e *HistoryEntry) bool {
	switch {
	case !q.ChoosesMessage(e):
	case q.Server != "" && q.Server != e.Last.Reply.Server && !strings.EqualFold(q.Server, e.Last.Reply.Host):
	case len(q.Endings) > 0 && !slices.Contains(q.Endings, e.Ending):
	case !q.Since.IsZero() && e.EndedAt.Before(q.Since):
	case !q.Until.IsZero() && !e.EndedAt.Before(q.Until):
	default:
		return true
	}
	return false
}

// ChoosesMessage is Chooses by what never changes: not by the ending, its time and its server.
func (q *HistoryQuery) ChoosesMessage(e *HistoryEntry) bool {
	switch {
	case len(q.IDs) > 0 && !slices.Contains(q.IDs, e.ID):
	case q.Recipient != "" && !MatchesAddress(e.Recipient, q.Recipient):
	case q.Sender != "" && !MatchesAddress(e.Sender, q.Sender):
	case q.Ref != "" && q.Ref != e.Ref:
	case q.Site != "" && (q.Site != e.Site || e.ID.HandedIn(e.QueuedAt).Before(q.SiteSince)):
	case q.Keys != nil && !q.hasKey(e):
	default:
		return true
	}
	return false
}

func (q *HistoryQuery) hasKey(e *HistoryEntry) bool {
	for _, key := range [...]string{string(e.ID), e.MessageID, e.EnvelopeID, strings.ToLower(e.Recipient)} {
		if _, ok := q.Keys[key]; ok && key != "" {
			return true
		}
	}
	return false
}

// MatchesAddress reports whether an address is, is at (@example.org), or has in it what was
// asked for, in any case. "<>" is the null sender.
func MatchesAddress(address, want string) bool {
	if want == "<>" {
		return address == ""
	}
	address, want = strings.ToLower(address), strings.ToLower(want)
	switch at := strings.IndexByte(want, '@'); {
	case at > 0:
		return address == want
	case at == 0:
		return strings.HasSuffix(address, want)
	}
	return strings.Contains(address, want)
}

// Endings are the history entries of a message that leaves the queue now. last is what
// happened to it that the record does not hold yet: a Result or a GiveUp; the zero Event:
// nothing. Recipients that are pending then were removed by a person. A message in failed/
// ended when it was moved there.
func (r *Record) Endings(last Event, now time.Time) []HistoryEntry {
	switch {
	case last.Kind == GiveUp:
		now = last.At
	case r.GivenUp:
		now = givenUpAt(r)
	}
	outcomes, failed := r.lastOutcomes(last)
	list := make([]HistoryEntry, len(outcomes))
	for i := range outcomes {
		env := &r.Envelope
		list[i] = HistoryEntry{
			ID: env.ID, Index: i, QueuedAt: env.QueuedAt, EndedAt: now.UTC().Truncate(time.Second),
			Sender: env.Sender, Recipient: env.Recipients[i], Ref: env.Ref, Site: env.Site,
			MessageID: env.MessageID, EnvelopeID: env.EnvelopeID, Form: env.Form,
			Attempts: cmp.Or(r.Recipients[i].EndedIn, max(r.Attempts, last.N)), Last: outcomes[i],
			Ending: r.ending(i, outcomes[i].Class == Delivered, failed[i], last.Kind == GiveUp),
		}
		// A recipient has ended before the message has, if others still waited.
		switch at := r.Recipients[i].EndedAt; {
		case outcomes[i].Class == Delivered:
			list[i].EndedAt = acceptedAt(outcomes[i], list[i].EndedAt)
		case list[i].Ending == EndedReturned && !at.IsZero():
			list[i].EndedAt = at
		}
	}
	return list
}

// lastOutcomes are the outcomes of all recipients, those of last among them, and whether each has
// failed: the outcome of one that was revived since does not count.
func (r *Record) lastOutcomes(last Event) (list []Outcome, failed []bool) {
	list, failed = make([]Outcome, len(r.Recipients)), make([]bool, len(r.Recipients))
	for i := range r.Recipients {
		list[i], failed[i] = r.Recipients[i].Outcome, r.Recipients[i].State == RecipientFailed
	}
	for _, a := range last.Results {
		for _, i := range a.To {
			if i >= 0 && i < len(list) {
				list[i], failed[i] = a.Outcome, a.Class == Failed
			}
		}
	}
	return list, failed
}

func (r *Record) ending(i int, delivered, failed, givenUp bool) Ending {
	switch {
	case delivered:
		return EndedDelivered
	case r.Recipients[i].State == RecipientFailed && r.returned(i):
		return EndedReturned
	case r.GivenUp || givenUp || failed:
		return EndedFailed
	}
	return EndedRemoved
}

// CompareHistory orders entries: oldest first, by when the message was queued.
func CompareHistory(a, b *HistoryEntry) int {
	return cmp.Or(a.QueuedAt.Compare(b.QueuedAt), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Index, b.Index))
}
