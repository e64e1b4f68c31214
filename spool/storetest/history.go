package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"notices/spool"
)

// history is what a query finds.
func (k checks) history(s spool.Store, q spool.HistoryQuery) []spool.HistoryEntry {
	k.Helper()
	var all []spool.HistoryEntry
	damage, err := s.History(k.Context(), q, func(e *spool.HistoryEntry) bool {
		all = append(all, *e)
		return true
	})
	k.ok(err, "History")
	if len(damage) > 0 {
		k.Errorf("History finds damage: %v", damage)
	}
	if !slices.IsSortedFunc(all, func(a, b spool.HistoryEntry) int { return spool.CompareHistory(&a, &b) }) {
		k.Errorf("the history is not in order: %v", all)
	}
	return all
}

// ended checks that exactly these entries are found: "ID/INDEX ENDING", in order.
func (k kit) ended(what string, s spool.Store, q spool.HistoryQuery, want ...string) {
	k.Helper()
	var got []string
	for _, e := range k.history(s, q) {
		got = append(got, fmt.Sprintf("%s/%d %s", e.ID, e.Index, e.Ending))
	}
	if !slices.Equal(got, want) {
		k.Errorf("%s: the history is %q, want %q", what, got, want)
	}
}

// took is the result of an attempt that delivered to these recipients.
func took(n int, to ...int) spool.Event {
	return result(n, n, time.Time{}, answer(spool.Delivered, 250, "taken by attempt "+fmt.Sprint(n), to...))
}

// testHistoryEndings: all that can become of a message, for each recipient.
func testHistoryEndings(k kit, h Harness) {
	k.ended("empty", h.Store, spool.HistoryQuery{})
	k.putSample(h.Store, "waits")
	k.put(h.Store, sample("A", 3), content(10))
	c := k.claim(h.Store, "A")
	k.append(c, try(1, 1, later(60)), spool.Lazy)
	k.append(c, result(1, 1, later(60), answer(spool.Delivered, 250, "taken", 0), answer(spool.Failed, 550, "no such user", 1), deferral(2)), spool.Now)
	k.append(c, spool.Event{Kind: spool.Returned, At: later(1), N: 1}, spool.Now)
	k.append(c, try(2, 2, later(60)), spool.Lazy)
	k.ended("one waits", h.Store, spool.HistoryQuery{})
	k.ok(c.Remove(took(2, 2), spool.Soon), "Remove")
	k.ended("all is done", h.Store, spool.HistoryQuery{}, "A/0 delivered", "A/1 returned", "A/2 delivered")

	k.put(h.Store, sample("B", 2), content(10))
	c = k.claim(h.Store, "B")
	k.append(c, result(1, 1, later(60), answer(spool.Delivered, 250, "taken", 1), deferral(0)), spool.Now)
	k.ok(c.Remove(spool.Event{}, spool.Soon), "Remove by hand")
	k.put(h.Store, sample("C", 1), content(10))
	c = k.claim(h.Store, "C")
	k.append(c, result(1, 1, later(60), answer(spool.Failed, 550, "no such user", 0)), spool.Now)
	k.ok(c.Fail(giveUp(5)), "Fail")
	want := []string{"A/0 delivered", "A/1 returned", "A/2 delivered", "B/0 removed", "B/1 delivered", "C/0 failed"}
	k.ended("one of each", k.opened(h.Reopen()), spool.HistoryQuery{}, want...)
	k.ok(k.claim(h.Store, "C").Remove(spool.Event{}, spool.Now), "Remove of a failed one")
	k.ended("removed from the failed ones", h.Store, spool.HistoryQuery{}, want...)
	if e := k.history(h.Store, spool.HistoryQuery{IDs: []spool.ID{"C"}})[0]; !e.EndedAt.Equal(later(5)) {
		k.Errorf("a failed message ended at %v, not when it failed", e.EndedAt)
	}
}

// testHistoryEntry: an entry has all that the envelope and the last outcome say.
func testHistoryEntry(k kit, h Harness) {
	env := full("full")
	env.EnvelopeID = "library+2B\t1"
	rec := k.putFolded(h.Store, env, content(300))
	c := k.claim(h.Store, "full")
	e := try(7, 7, later(60))
	k.append(c, e, spool.Lazy)
	rec.Apply(e)
	last := took(7, 0, 1, 2)
	last.Results[0].Reason, last.Results[0].Reply.Enhanced = spool.ReasonRelayed, "2.0.0"
	last.Results[0].Reply.Text = "Ok \\ \t\u202e\x00\xff \"queued\""
	k.ok(c.Remove(last, spool.Now), "Remove")
	got, want := k.history(h.Store, spool.HistoryQuery{}), rec.Endings(last, start)
	if !slices.Equal(got, want) {
		k.Errorf(" got %+v\nwant %+v", got, want)
	}
}

// testHistorySupersedes: of each recipient of a message the history has what was last.
func testHistorySupersedes(k kit, h Harness) {
	other := k.opened(h.Reopen())
	k.put(h.Store, sample("A", 2), content(10))
	c := k.claim(h.Store, "A")
	k.append(c, result(1, 1, later(60), answer(spool.Delivered, 250, "taken", 0), answer(spool.Failed, 550, "no", 1)), spool.Now)
	k.ok(c.Fail(giveUp(1)), "Fail")
	k.ended("failed", other, spool.HistoryQuery{}, "A/0 delivered", "A/1 failed")
	k.ok(k.claim(h.Store, "A").Revive(fresh(2)), "Revive")
	c = k.claim(other, "A")
	k.append(c, try(2, 2, later(60)), spool.Lazy)
	k.ok(c.Remove(took(2, 1), spool.Soon), "Remove")
	all := k.history(h.Store, spool.HistoryQuery{})
	k.ended("revived and delivered", h.Store, spool.HistoryQuery{}, "A/0 delivered", "A/1 delivered")
	all[0].Accepted = spool.Reply{Server: "1", Code: 250, Text: "Ok \\ \t\u202e\xff", At: later(1)}
	all[0].Ending, all[0].EndedAt, all[0].Last.Reply.Text = spool.EndedBounced, later(90), "mailbox full"
	k.ok(h.Store.AddHistory(k.Context(), all[0]), "AddHistory")
	k.ended("returned later", other, spool.HistoryQuery{}, "A/0 bounced", "A/1 delivered")
	if got := k.history(other, spool.HistoryQuery{}); got[0] != all[0] {
		k.Errorf("returned later:\n got %+v\nwant %+v", got[0], all[0])
	}
	k.ended("the ending that was", other, spool.HistoryQuery{Endings: []spool.Ending{spool.EndedDelivered}}, "A/1 delivered")
	k.ended("the ending that is", other, spool.HistoryQuery{Endings: []spool.Ending{spool.EndedBounced}}, "A/0 bounced")
	k.ended("the time that it was", other, spool.HistoryQuery{Until: later(90)}, "A/1 delivered")
	k.ok(h.Store.AddHistory(k.Context()), "AddHistory of nothing")
	k.ok(h.Store.HistoryError(), "HistoryError")
}

// testHistoryQuery: what a query asks for is found, and nothing else.
func testHistoryQuery(k kit, h Harness) {
	for i, env := range []spool.Envelope{
		{ID: "0A", Sender: "Library@Example.org", Recipients: []string{"Ann@example.net", "bob@other.example"}, Ref: "patron 1", Site: "east", MessageID: "<1@x>"},
		{ID: "0A-1", Recipients: []string{"Library@Example.org"}, Form: spool.Report, Ref: "patron 1", MessageID: "<2@x>"},
		{ID: "0B", Sender: "school@example.org", Recipients: []string{"Ärzte@BÜCHER.example", `"a \ b"@example.net`}, Ref: "patron 11", Site: "eastern", DSNParams: spool.DSNParams{EnvelopeID: "env"}},
	} {
		env.QueuedAt = later(10 - i)
		k.put(h.Store, env, content(10))
		last := took(1)
		last.Results[0].Reply.Server, last.Results[0].Reply.At = fmt.Sprint(i+1), later(20+i)
		for n := range env.Recipients {
			last.Results[0].To = append(last.Results[0].To, n)
		}
		k.ok(k.claim(h.Store, env.ID).Remove(last, spool.Soon), "Remove")
	}
	for what, c := range map[string]struct {
		q    spool.HistoryQuery
		want string
	}{
		"all, by time":      {spool.HistoryQuery{}, "0B/0 0B/1 0A-1/0 0A/0 0A/1"},
		"an id":             {spool.HistoryQuery{IDs: []spool.ID{"0A"}}, "0A/0 0A/1"},
		"ids":               {spool.HistoryQuery{IDs: []spool.ID{"0A-1", "0B", "0C"}}, "0B/0 0B/1 0A-1/0"},
		"an address":        {spool.HistoryQuery{Recipient: "ANN@EXAMPLE.NET"}, "0A/0"},
		"an odd address":    {spool.HistoryQuery{Recipient: `"a \ b"@example.net`}, "0B/1"},
		"not ASCII":         {spool.HistoryQuery{Recipient: "ÄRZTE@bücher.example"}, "0B/0"},
		"a domain":          {spool.HistoryQuery{Recipient: "@Example.Net"}, "0B/1 0A/0"},
		"a part":            {spool.HistoryQuery{Recipient: "example"}, "0B/0 0B/1 0A-1/0 0A/0 0A/1"},
		"a sender":          {spool.HistoryQuery{Sender: "library@example.org"}, "0A/0 0A/1"},
		"the null sender":   {spool.HistoryQuery{Sender: "<>"}, "0A-1/0"},
		"a reference":       {spool.HistoryQuery{Ref: "patron 1"}, "0A-1/0 0A/0 0A/1"},
		"no such reference": {spool.HistoryQuery{Ref: "patron"}, ""},
		"a site":            {spool.HistoryQuery{Site: "east", SiteSince: later(10)}, "0A/0 0A/1"},
		"two of them":       {spool.HistoryQuery{Ref: "patron 1", Recipient: "bob"}, "0A/1"},
		"a server":          {spool.HistoryQuery{Server: "3"}, "0B/0 0B/1"},
		"a host":            {spool.HistoryQuery{Server: "Mail.Example.org"}, "0B/0 0B/1 0A-1/0 0A/0 0A/1"},
		"since":             {spool.HistoryQuery{Since: later(21)}, "0B/0 0B/1 0A-1/0"},
		"until":             {spool.HistoryQuery{Until: later(21)}, "0A/0 0A/1"},
		"keys":              {spool.HistoryQuery{Keys: map[string]struct{}{"<2@x>": {}, "env": {}, "bob@other.example": {}, "Ann": {}}}, "0B/0 0B/1 0A-1/0 0A/1"},
		"a key":             {spool.HistoryQuery{Keys: map[string]struct{}{"ann@example.net": {}}}, "0A/0"},
		"no keys":           {spool.HistoryQuery{Keys: map[string]struct{}{}}, ""},
	} {
		var got []string
		for _, e := range k.history(h.Store, c.q) {
			got = append(got, fmt.Sprintf("%s/%d", e.ID, e.Index))
		}
		if strings.Join(got, " ") != c.want {
			k.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
	seen := 0
	_, err := h.Store.History(k.Context(), spool.HistoryQuery{}, func(*spool.HistoryEntry) bool { seen++; return seen < 2 })
	if err != nil || seen != 2 {
		k.Errorf("History went on to %d when told to stop at 2: %v", seen, err)
	}
}

// testHistoryForget: entries go by when they were written.
func testHistoryForget(k kit, h Harness) {
	k.put(h.Store, sample("A", 1), content(10))
	k.ok(k.claim(h.Store, "A").Remove(took(1, 0), spool.Now), "Remove")
	k.ok(h.Store.ForgetHistory(k.Context(), time.Now().AddDate(0, 0, -1)), "ForgetHistory")
	k.ended("not yet", h.Store, spool.HistoryQuery{}, "A/0 delivered")
	k.ok(h.Store.ForgetHistory(k.Context(), time.Now().AddDate(0, 0, 3)), "ForgetHistory")
	k.ended("forgotten", h.Store, spool.HistoryQuery{})
	k.put(h.Store, sample("B", 1), content(10))
	k.ok(k.claim(h.Store, "B").Remove(took(1, 0), spool.Now), "Remove")
	k.ended("afterwards", k.opened(h.Reopen()), spool.HistoryQuery{}, "B/0 delivered")
	if h.NoHistory == nil {
		return
	}
	none := k.opened(h.NoHistory())
	k.put(none, sample("C", 1), content(10))
	k.ok(k.claim(none, "C").Remove(took(1, 0), spool.Now), "Remove")
	k.ok(none.AddHistory(k.Context(), k.history(h.Store, spool.HistoryQuery{})...), "AddHistory")
	k.ended("without a history", none, spool.HistoryQuery{}, "B/0 delivered")
}

// testHistoryWriters: entries of many writers, over two handles, while others read.
func testHistoryWriters(k kit, h Harness) {
	const workers, each = 8, 25
	race(k, h, workers, func(n int, s spool.Store) {
		for i := range each {
			id := spool.ID(fmt.Sprintf("%016d", n*each+i))
			e := k.put(s, sample(id, 1), content(10))
			c, err := s.Claim(k.Context(), e)
			for errors.Is(err, spool.ErrBusy) { // the sweeper looks whether it is left over
				c, err = s.Claim(k.Context(), e)
			}
			k.ok(err, "Claim")
			k.ok(c.Remove(took(1, 0), spool.Soon), "Remove")
			if i%5 == 0 {
				k.history(s, spool.HistoryQuery{})
			}
		}
	})
	if got := len(k.history(h.Store, spool.HistoryQuery{Endings: []spool.Ending{spool.EndedDelivered}})); got != workers*each {
		k.Errorf("%d entries, want %d", got, workers*each)
	}
}

// testHistoryCut: a killed process loses no entry, a power cut none that was synced.
func testHistoryCut(k kit, h Harness, cut func() spool.Store, power bool) {
	if cut == nil {
		return
	}
	d := spool.Soon
	if power {
		d = spool.Now
	}
	k.putSample(h.Store, "A")
	k.ok(k.claim(h.Store, "A").Remove(took(1, 0, 1, 2), d), "Remove")
	k.putSample(h.Store, "B")
	k.ok(k.claim(h.Store, "B").Fail(giveUp(1)), "Fail")
	e := k.history(h.Store, spool.HistoryQuery{IDs: []spool.ID{"A"}})[1]
	e.Ending = spool.EndedBounced
	k.ok(h.Store.AddHistory(k.Context(), e), "AddHistory")
	k.ended("afterwards", k.opened(cut()), spool.HistoryQuery{IDs: []spool.ID{"A"}}, "A/0 delivered", "A/1 bounced", "A/2 delivered")
}
