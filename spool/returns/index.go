package returns

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/recode"
)

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
	for _, p := range x.about(r) {
		switch {
		case p.entry.Ending == spool.EndedDelivered:
			x.bounce(p.entry, r, p.says)
			res.Verdict, res.Entries = Bounced, append(res.Entries, *p.entry)
		case res.Verdict == NotOurs:
			res.Verdict = Known
		}
	}
	return res
}

// pair is an entry, and what a return says of its recipient.
type pair struct {
	entry *spool.HistoryEntry
	says  *Recipient
}

// about finds the message that a return is about, and which of its recipients failed.
func (x *index) about(r *Return) []pair {
	failed := r.failed()
	if len(failed) == 0 {
		return nil
	}
	if named := x.named(r); len(named) > 0 {
		return pairs(r, failed, x.one(r, failed, named))
	}
	candidates := slices.DeleteFunc(x.to(failed[0]), func(e *spool.HistoryEntry) bool { return !x.mayBe(r, failed[0], e) })
	slices.Reverse(candidates) // the last message comes first
	slices.SortStableFunc(candidates, func(a, b *spool.HistoryEntry) int { return sentAt(b).Compare(sentAt(a)) })
	for _, e := range candidates {
		message := x.byID[string(e.ID)]
		if len(message) < len(failed) {
			continue
		}
		if all := matched(failed, message); len(all) == len(failed) {
			return all
		}
	}
	return nil
}

// failed are the recipients that failed, each once.
func (r *Return) failed() []*Recipient {
	var list []*Recipient
	seen := map[string]bool{}
	for i := range r.Recipients {
		c := &r.Recipients[i]
		key := canonical(cmp.Or(c.Original, c.Final))
		if c.Kind == Failed && !seen[key] {
			seen[key] = true
			list = append(list, c)
		}
	}
	return list
}

// named are the entries that have the id of the return.
func (x *index) named(r *Return) []*spool.HistoryEntry {
	for _, id := range r.envelopeIDs() {
		if found := x.byID[id]; len(found) > 0 {
			return found
		}
		if found := x.byEnvelopeID[id]; len(found) > 0 {
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

// one leaves the entries of one message. Several messages may have the same id, the sender's own
// ENVID for example: then it is that with the most of the recipients that failed, and of those the
// last one before the return. Of one message the time does not matter, since clocks are wrong.
func (x *index) one(r *Return, failed []*Recipient, named []*spool.HistoryEntry) []*spool.HistoryEntry {
	addresses := map[string]bool{}
	for _, c := range failed {
		addresses[canonical(c.Final)], addresses[canonical(c.Original)] = true, true
	}
	hits := map[spool.ID]int{}
	for _, e := range named {
		if addresses[canonical(e.Recipient)] {
			hits[e.ID]++
		}
	}
	made := x.madeAt(r, failed[0]).Add(clockSkew)
	last := named[0]
	for _, e := range named {
		later := sentAt(last).After(made) || !sentAt(e).After(made) && !sentAt(e).Before(sentAt(last))
		if hits[e.ID] > hits[last.ID] || hits[e.ID] == hits[last.ID] && later {
			last = e
		}
	}
	return slices.DeleteFunc(slices.Clone(named), func(e *spool.HistoryEntry) bool { return e.ID != last.ID })
}

// pairs are the recipients of the named message that failed. A message to one recipient may have
// failed for other addresses.
func pairs(r *Return, failed []*Recipient, message []*spool.HistoryEntry) []pair {
	found := matched(failed, message)
	if len(found) == 0 && len(message) == 1 && len(failed) <= maxForwards && r.Form != anyWords {
		return []pair{{message[0], failed[0]}}
	}
	return found
}

// matched finds among the entries of one message those whose recipients failed.
func matched(failed []*Recipient, message []*spool.HistoryEntry) []pair {
	byRecipient := make(map[string]*spool.HistoryEntry, len(message))
	for _, e := range message {
		byRecipient[canonical(e.Recipient)] = e
	}
	var found []pair
	for _, c := range failed {
		if e := cmp.Or(byRecipient[canonical(c.Original)], byRecipient[canonical(c.Final)]); e != nil {
			found = append(found, pair{e, c})
		}
	}
	return found
}

// sentAt is when a message was delivered: before it bounced, if it did.
func sentAt(e *spool.HistoryEntry) time.Time {
	if e.Ending == spool.EndedBounced && !e.Accepted.At.IsZero() {
		return e.Accepted.At
	}
	return e.EndedAt
}

// mayBe reports whether a return that names no message of ours may be about that entry.
func (x *index) mayBe(r *Return, c *Recipient, e *spool.HistoryEntry) bool {
	if !r.hasID() {
		made, at := x.madeAt(r, c), sentAt(e)
		return !at.After(made.Add(clockSkew)) && at.After(made.Add(-Window)) && r.goesTo(e.Sender)
	}
	said := "" // by the server that accepted it: that it gave the message the id of the return
	switch e.Ending {
	case spool.EndedDelivered:
		said = e.Last.Reply.Text
	case spool.EndedBounced:
		said = e.Accepted.Text
	}
	return slices.ContainsFunc(r.MessageIDs, func(id string) bool {
		local, _, _ := strings.Cut(strings.Trim(id, "<>"), "@")
		return len(local) >= minRenamed && strings.Contains(said, local)
	})
}

// to are the entries to an address that failed, in a list of its own.
func (x *index) to(c *Recipient) []*spool.HistoryEntry {
	if canonical(c.Original) == canonical(c.Final) {
		return slices.Clone(x.byRecipient[canonical(c.Final)])
	}
	return slices.Concat(x.byRecipient[canonical(c.Final)], x.byRecipient[canonical(c.Original)])
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
