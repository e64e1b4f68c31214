package returns

import (
	"context"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/records"
)

// History is what a Matcher needs of a spool.Store.
type History interface {
	History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error)
	AddHistory(ctx context.Context, entries ...spool.HistoryEntry) error
}

// Verdict is what a message means for the history.
type Verdict string

// Verdicts.
const (
	Bounced Verdict = "bounced"      // an entry became bounced, or several did
	Known   Verdict = "known"        // the history says already that it failed
	Delay   Verdict = "delay"        // a message of anybody's is still being tried
	Other   Verdict = "not a return" // or a return that reports success
	NotOurs Verdict = "not ours"     // a return of a message that the history does not have
	// InQueue: its message still waits in the queue, for another recipient. The history has
	// nothing of it before it leaves, so the return is to be read again then.
	InQueue Verdict = "in the queue"
)

// Result is the verdict on one message.
type Result struct {
	Return  *Return
	Verdict Verdict
	Entries []spool.HistoryEntry // those that became bounced, as they are in the history now
}

// Counts counts messages. Read is the sum of the others.
type Counts struct {
	Read       int `json:"read"`
	Bounced    int `json:"bounced"`
	Known      int `json:"known"`
	Delays     int `json:"delays"`
	NotReturns int `json:"not_returns"`
	NotOurs    int `json:"not_ours"`
	InQueue    int `json:"in_queue"`
}

// count adds one message.
func (c *Counts) count(v Verdict) {
	c.Read++
	switch v {
	case Bounced:
		c.Bounced++
	case Known:
		c.Known++
	case Delay:
		c.Delays++
	case Other:
		c.NotReturns++
	case NotOurs:
		c.NotOurs++
	case InQueue:
		c.InQueue++
	}
}

// Matcher finds the history entries that returns are about. A search of a year's history takes
// seconds, so returns are collected, and one search serves them all:
//
//	for each message { r, err := Parse(...); m.Add(r); if m.Full() { m.Settle(ctx) } }
//	m.Settle(ctx)
//
// A return is about one message: the one with its envelope id, or with the queue id in an address
// (VERP), or with its Message-ID, whichever it has first that the history knows. What failed has to
// be recipients of that message. Only a message to one recipient may come back for other addresses,
// up to maxForwards of them: an alias or a forward stands between.
//
// Some relays (Amazon SES, Brevo) replace the Message-ID, and say the new one when they take the
// message: it counts, too. If a return has any such id, and the history knows none of them, it is
// about mail that was sent without us.
//
// Only a return without any id is matched by recipients and time: it is about the last message that
// was delivered to all that failed in the Window before it, and whose sender it was addressed to.
// Anybody can write such a return, but only for one message at a time: if its recipients are of
// different messages, or one of them is of none, it is not ours.
//
// Only what is delivered becomes bounced. So a forged return can do no more than that, to a message
// whose id the forger knows; and a return that is read twice changes nothing.
type Matcher struct {
	Counts Counts // of what was settled
	// Queue has the messages that wait. nil: they are not looked at, and their returns are NotOurs.
	Queue records.Store
	// Before is called with what Settle decided, before it writes that. After an error nothing is
	// written, and the same results come again. nil: nobody is asked.
	Before func(context.Context, []Result) error

	history History
	now     func() time.Time
	waiting []*Return
	weight  int // recipients and ids of those that wait
}

// Window is how long before a return without any id its message was delivered, at most. Servers
// try for five days; some for longer.
const Window = 14 * 24 * time.Hour

// clockSkew is how far the clock of the server that made the return may be behind ours.
const clockSkew = time.Hour

// maxForwards is how many addresses a message to one recipient may fail for.
const maxForwards = 10

// minRenamed is how long an id is at least that is looked for in a server's words.
const minRenamed = 12

// maxWeight bounds the memory of a Matcher.
const maxWeight = 50_000

// NewMatcher returns a Matcher for that history.
func NewMatcher(h History, now func() time.Time) *Matcher { return &Matcher{history: h, now: now} }

// Add takes a message up for the next Settle.
func (m *Matcher) Add(r *Return) {
	m.waiting = append(m.waiting, r)
	m.weight += 1 + len(r.Recipients) + len(r.IDs) + len(r.MessageIDs)
}

// Full reports whether Settle is to be called before more is added.
func (m *Matcher) Full() bool { return m.weight >= maxWeight }

// Settle decides on what was added, and writes the entries that became bounced; when it returns,
// they are durable. The results are in the order of Add. The anomalies are damaged lines of the
// history that were passed over. After an error nothing was counted, and Settle may be called again.
func (m *Matcher) Settle(ctx context.Context) ([]Result, []spool.Anomaly, error) {
	results, anomalies, err := m.decide(ctx)
	if err == nil && m.Before != nil {
		err = m.Before(ctx, results)
	}
	if err != nil {
		return nil, anomalies, err
	}
	var bounced []spool.HistoryEntry
	for i := range results {
		bounced = append(bounced, results[i].Entries...)
	}
	if len(bounced) > 0 {
		if err := m.history.AddHistory(ctx, bounced...); err != nil {
			return nil, anomalies, err
		}
	}
	for i := range results {
		m.Counts.count(results[i].Verdict)
	}
	m.waiting, m.weight = nil, 0
	return results, anomalies, nil
}

// hasID reports whether a return names its message in any way.
func (r *Return) hasID() bool { return r.EnvelopeID != "" || len(r.IDs)+len(r.MessageIDs) > 0 }

// envelopeIDs are the envelope id as the history may have it. Some servers do not decode it, put it
// into < >, or change upper and lower case, which a queue id bears.
func (r *Return) envelopeIDs() []string {
	bare := strings.Trim(r.EnvelopeID, "<> ")
	ids := []string{r.EnvelopeID, fromXtext(r.EnvelopeID), bare}
	if id := spool.ID(strings.ToUpper(bare)); id.Valid() && id.Generated() {
		ids = append(ids, string(id))
	}
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}
