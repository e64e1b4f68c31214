package returns

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/recode"
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
// A return is about a message if it has the message's envelope id, or its queue id in an address
// (VERP), or its Message-ID: the first of these that it has and the history knows. Its recipient
// has to be one of the message's. A message to one recipient may come back for another address: an
// alias or a forward stands between. Some relays (Amazon SES, Brevo) replace the Message-ID, and say
// the new one when they take the message: it counts, too. If a return has any such id, and the
// history knows none of them, it is about mail that was sent without us.
//
// Only a return without any id is matched by recipient and time: to the last message to that
// recipient that was delivered in the Window before the return, and whose sender the return was
// addressed to.
//
// Only what is delivered becomes bounced. So a forged return can do no more than that, to a message
// whose id the forger knows; and a return that is read twice changes nothing.
type Matcher struct {
	Counts Counts // of what was settled
	// Queue has the messages that wait. nil: they are not looked at, and their returns are NotOurs.
	Queue records.Store

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

// index holds entries by what returns name them.
type index struct {
	now                                          time.Time
	byID, byMessageID, byEnvelopeID, byRecipient map[string][]*spool.HistoryEntry
}

func (x *index) add(e spool.HistoryEntry) {
	put := func(m map[string][]*spool.HistoryEntry, key string) {
		if key != "" {
			m[key] = append(m[key], &e)
		}
	}
	put(x.byID, string(e.ID))
	put(x.byMessageID, e.MessageID)
	put(x.byEnvelopeID, e.EnvelopeID)
	put(x.byRecipient, canonical(e.Recipient))
}

// canonical is an address as addresses are compared here: servers change upper and lower case, and
// the form of a domain in another script.
func canonical(address string) string {
	if ascii, err := recode.ASCIIDomain(address); err == nil {
		address = ascii
	}
	return strings.ToLower(address)
}

// decide judges one message. Entries that it changes are changed in x, so that a second copy of
// the return finds them so.
func (x *index) decide(r *Return) Result {
	res := Result{Return: r, Verdict: Other}
	switch r.Kind {
	case Delayed:
		res.Verdict = Delay
		return res
	case Failed:
	default:
		return res
	}
	if r.QueueID != "" && len(x.byID[string(r.QueueID)]) > 0 { // our own return: it is not late
		res.Verdict = Known
		return res
	}
	res.Verdict = NotOurs
	entries := x.named(r)
	for i := range r.Recipients {
		c := &r.Recipients[i]
		if c.Kind != Failed {
			continue
		}
		switch e := x.find(r, c, entries); {
		case e == nil:
		case e.Ending == spool.EndedDelivered:
			x.bounce(e, r, c)
			res.Verdict, res.Entries = Bounced, append(res.Entries, *e)
		case res.Verdict == NotOurs:
			res.Verdict = Known
		}
	}
	return res
}

// named are the entries of the message that the return names by an id.
func (x *index) named(r *Return) []*spool.HistoryEntry {
	for _, id := range []string{r.EnvelopeID, fromXtext(r.EnvelopeID)} {
		if found := slices.Concat(x.byID[id], x.byEnvelopeID[id]); id != "" && len(found) > 0 {
			return found
		}
	}
	for _, id := range r.IDs {
		if found := x.byID[string(id)]; len(found) > 0 {
			return found
		}
	}
	for _, id := range r.MessageIDs {
		if found := x.byMessageID[id]; len(found) > 0 {
			return found
		}
	}
	return nil
}

// find is the entry that a return means with a recipient, or nil.
func (x *index) find(r *Return, c *Recipient, named []*spool.HistoryEntry) *spool.HistoryEntry {
	if !r.hasID() {
		return x.latest(r, c)
	}
	// Several messages may have the same id, the sender's own ENVID for example: then it is the last
	// one before the return. Of one message the time does not matter, since clocks are wrong.
	made := x.madeAt(r, c).Add(clockSkew)
	var last *spool.HistoryEntry
	for _, e := range named {
		if c.is(e.Recipient) && (last == nil || last.EndedAt.After(made) || !e.EndedAt.After(made) && !e.EndedAt.Before(last.EndedAt)) {
			last = e
		}
	}
	switch {
	case last != nil:
		return last
	case len(named) == 1: // an alias or a forward
		return named[0]
	case len(named) > 1:
		return nil
	}
	return x.renamed(r, c)
}

// renamed finds the entry whose server said that it gave the message the id that the return has.
func (x *index) renamed(r *Return, c *Recipient) *spool.HistoryEntry {
	for _, e := range x.to(c) {
		var said string // by the server that accepted it
		switch e.Ending {
		case spool.EndedDelivered:
			said = e.Last.Reply.Text
		case spool.EndedBounced:
			said = e.Accepted.Text
		}
		for _, id := range r.MessageIDs {
			local, _, _ := strings.Cut(strings.Trim(id, "<>"), "@")
			if len(local) >= minRenamed && strings.Contains(said, local) {
				return e
			}
		}
	}
	return nil
}

// to are the entries to the addresses that failed.
func (x *index) to(c *Recipient) []*spool.HistoryEntry {
	list := x.byRecipient[canonical(c.Final)]
	if canonical(c.Original) != canonical(c.Final) {
		list = slices.Concat(list, x.byRecipient[canonical(c.Original)])
	}
	return list
}

// is reports whether an address of ours is the one that failed.
func (c *Recipient) is(address string) bool {
	address = canonical(address)
	return c.Final != "" && canonical(c.Final) == address || c.Original != "" && canonical(c.Original) == address
}

// latest finds the entry by recipient and time.
func (x *index) latest(r *Return, c *Recipient) *spool.HistoryEntry {
	made := x.madeAt(r, c)
	var last *spool.HistoryEntry
	for _, e := range x.to(c) {
		inTime := !e.EndedAt.After(made.Add(clockSkew)) && e.EndedAt.After(made.Add(-Window))
		if inTime && r.goesTo(e.Sender) && (last == nil || e.EndedAt.After(last.EndedAt)) {
			last = e
		}
	}
	return last
}

// goesTo reports whether the return was addressed to that sender, or to one that differs only
// behind a +.
func (r *Return) goesTo(sender string) bool {
	sender = withoutDetail(sender)
	return sender != "" && slices.ContainsFunc(r.Addressees, func(a string) bool { return withoutDetail(a) == sender })
}

func withoutDetail(address string) string {
	address = canonical(address)
	local, domain, _ := strings.Cut(address, "@")
	base, _, _ := strings.Cut(local, "+")
	if base == "" || domain == "" {
		return address
	}
	return base + "@" + domain
}

// madeAt is when the recipient failed, as far as that is known, and not in the future.
func (x *index) madeAt(r *Return, c *Recipient) time.Time {
	at := r.At
	if at.IsZero() {
		at = c.At
	}
	if at.IsZero() || at.After(x.now) {
		at = x.now
	}
	return at.UTC().Truncate(time.Second)
}

// bounce changes an entry to bounced.
func (x *index) bounce(e *spool.HistoryEntry, r *Return, c *Recipient) {
	at := x.madeAt(r, c)
	if at.Before(e.EndedAt) { // a clock is wrong
		at = e.EndedAt
	}
	e.Ending, e.EndedAt, e.Accepted = spool.EndedBounced, at, e.Last.Reply
	e.Last = spool.Outcome{Class: spool.Failed, Scope: scope(c.Status), Reply: spool.Reply{
		Server: e.Last.Reply.Server, Host: cmp.Or(c.RemoteMTA, r.ReportingMTA),
		Code: c.Code, Enhanced: c.Status, Text: c.Text, At: at,
	}}
	if strings.HasPrefix(c.Status, "4.") && !aboutMailbox(c.Status) {
		e.Last.Reason = spool.ReasonExpired // it was tried in vain for some days
	}
}

// scope is what a status code is about, RFC 3463 section 3: its subject 3 detail 4, 6 and 7 are
// about the message.
func scope(status string) spool.Scope {
	if status == "" || len(status) < 4 {
		return spool.RecipientScope
	}
	if detail := status[2:]; startsWithAny(detail, "6.", "7.") || detail == "3.4" || detail == "2.3" {
		return spool.MessageScope
	}
	return spool.RecipientScope
}

// aboutMailbox: the status says what is wrong with the address or the mailbox, such as that it is
// full. That tells more than that the time was over.
func aboutMailbox(status string) bool {
	return startsWithAny(status[2:], "1.", "2.") && !strings.HasSuffix(status, ".0")
}
