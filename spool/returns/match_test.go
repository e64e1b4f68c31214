package returns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// history is a store's history in memory.
type history struct {
	entries  []spool.HistoryEntry
	searches int
	refuses  error
}

func (h *history) History(_ context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	h.searches++
	for i := range h.entries {
		if e := h.entries[i]; q.Chooses(&e) && !yield(&e) {
			break
		}
	}
	return nil, nil
}

func (h *history) AddHistory(_ context.Context, entries ...spool.HistoryEntry) error {
	if h.refuses != nil {
		return h.refuses
	}
	for _, e := range entries {
		i := slices.IndexFunc(h.entries, func(o spool.HistoryEntry) bool { return o.ID == e.ID && o.Index == e.Index })
		h.entries[i] = e
	}
	return nil
}

const (
	first  = spool.ID("0AAAAAAAAAAAAAA1")
	second = spool.ID("0AAAAAAAAAAAAAA2")
	third  = spool.ID("0AAAAAAAAAAAAAA3")
	fourth = spool.ID("0AAAAAAAAAAAAAA4")
	fifth  = spool.ID("0AAAAAAAAAAAAAA5")
)

var sent = time.Date(2026, 3, 2, 8, 15, 0, 0, time.UTC)

// site's history: one message to Ann, one to Ann and Bob, one that was returned to its sender, and
// two from another sender that have the same Message-ID.
func siteHistory() *history {
	entry := func(id spool.ID, index int, to string, at time.Time) spool.HistoryEntry {
		return spool.HistoryEntry{
			ID: id, Index: index, QueuedAt: at, EndedAt: at.Add(time.Minute), Sender: "library@example.org", Recipient: to,
			Ref: "patron 4711", MessageID: "<" + string(id) + "@mail.example.org>", Attempts: 1, Ending: spool.EndedDelivered,
			Last: spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Text: "queued", At: at.Add(time.Minute)}},
		}
	}
	h := &history{entries: []spool.HistoryEntry{
		entry(first, 0, "ann@example.net", sent),
		entry(second, 0, "ann@example.net", sent.Add(time.Hour)),
		entry(second, 1, "bob@example.net", sent.Add(time.Hour)),
		entry(third, 0, "carl@example.net", sent.Add(2*time.Hour)),
		entry(fourth, 0, "ann@example.net", sent.Add(-3*time.Hour)),
		entry(fifth, 0, "ann@example.net", sent.Add(20*time.Hour)),
	}}
	h.entries[4].MessageID, h.entries[5].MessageID = "<twice@example.org>", "<twice@example.org>"
	h.entries[4].Sender, h.entries[5].Sender = "desk@example.org", "desk@example.org"
	h.entries[1].EnvelopeID, h.entries[2].EnvelopeID = "run=7", "run=7"
	h.entries[0].Last.Reply.Text = "Ok 0102018f00aa-000000"
	h.entries[3].Ending = spool.EndedReturned
	return h
}

// failure is a return about an address, made a day after.
func failure(address string, change func(*Return)) *Return {
	r := &Return{
		Kind: Failed, At: sent.Add(24 * time.Hour), ReportingMTA: "mx.example.net",
		Recipients: []Recipient{{Final: address, Kind: Failed, Status: "5.1.1", Code: 550, Text: "no such user"}},
	}
	if change != nil {
		change(r)
	}
	return r
}

func messageID(id spool.ID) func(*Return) {
	return func(r *Return) { r.MessageIDs = []string{"<" + string(id) + "@mail.example.org>"} }
}

// also adds a recipient that failed.
func also(address string) func(*Return) {
	return func(r *Return) {
		r.Recipients = append(r.Recipients, Recipient{Final: address, Kind: Failed, Status: "5.1.1"})
	}
}

func alsoMany(n int) func(*Return) {
	return func(r *Return) {
		for i := range n {
			also(fmt.Sprintf("reader%d@else.example", i))(r)
		}
	}
}

func settle(t *testing.T, h *history, list ...*Return) (results []Result, counts Counts) {
	t.Helper()
	m := NewMatcher(h, func() time.Time { return sent.Add(48 * time.Hour) })
	for _, r := range list {
		m.Add(r)
	}
	results, _, err := m.Settle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return results, m.Counts
}

// bounced are the names of the entries that are bounced.
func (h *history) bounced() string {
	var names []string
	for _, e := range h.entries {
		if e.Ending == spool.EndedBounced {
			names = append(names, fmt.Sprintf("%s/%d", strings.TrimLeft(string(e.ID), "0A"), e.Index))
		}
	}
	return strings.Join(names, " ")
}

// TestMatch: which entry a return is about, by whatever it names its message.
func TestMatch(t *testing.T) {
	ours := func(r *Return) { r.Addressees = []string{"Library+x@example.org"} }
	for _, c := range []struct {
		name    string
		r       *Return
		verdict Verdict
		bounced string
	}{
		{"Message-ID", failure("ann@example.net", messageID(first)), Bounced, "1/0"},
		{"upper case", failure("Ann@Example.NET", messageID(first)), Bounced, "1/0"},
		{"Message-ID, one of two recipients", failure("bob@example.net", messageID(second)), Bounced, "2/1"},
		{"VERP", failure("ann@example.net", func(r *Return) { r.IDs = []spool.ID{second} }), Bounced, "2/0"},
		{"ENVID is the queue id", failure("ann@example.net", func(r *Return) { r.EnvelopeID = string(first) }), Bounced, "1/0"},
		{"ENVID in < >", failure("ann@example.net", func(r *Return) { r.EnvelopeID = "<" + string(first) + ">" }), Bounced, "1/0"},
		{"ENVID in lower case", failure("ann@example.net", func(r *Return) { r.EnvelopeID = strings.ToLower(string(first)) }), Bounced, "1/0"},
		{"ENVID in lower case and < >", failure("ann@example.net", func(r *Return) { r.EnvelopeID = "<" + strings.ToLower(string(first)) + ">" }), Bounced, "1/0"},
		{"ENVID of the sender", failure("ann@example.net", func(r *Return) { r.EnvelopeID = "run=7" }), Bounced, "2/0"},
		{"ENVID of the sender, not decoded", failure("ann@example.net", func(r *Return) { r.EnvelopeID = "run+3D7" }), Bounced, "2/0"},
		{"ENVID of another system", failure("ann@example.net", func(r *Return) { r.EnvelopeID = "QQ"; messageID(first)(r) }), Bounced, "1/0"},
		{"forwarded, known as ours", failure("ann@home.example", func(r *Return) { r.Recipients[0].Original = "ann@example.net"; messageID(second)(r) }), Bounced, "2/0"},
		{"forwarded, message to one", failure("ann@home.example", messageID(first)), Bounced, "1/0"},
		{"forwarded to ten, message to one", failure("ann@home.example", func(r *Return) { messageID(first)(r); alsoMany(9)(r) }), Bounced, "1/0"},
		{"forwarded to eleven, message to one", failure("ann@home.example", func(r *Return) { messageID(first)(r); alsoMany(10)(r) }), NotOurs, ""},
		{"the recipient among many others", failure("ann@example.net", func(r *Return) { messageID(first)(r); alsoMany(500)(r) }), Bounced, "1/0"},
		{"words of any language, another recipient", failure("ann@home.example", func(r *Return) { messageID(first)(r); r.Form = anyWords }), NotOurs, ""},
		{"words of any language", failure("ann@example.net", func(r *Return) { messageID(first)(r); r.Form = anyWords }), Bounced, "1/0"},
		{"forwarded, message to two", failure("ann@home.example", messageID(second)), NotOurs, ""},
		{"the Message-ID of mail that we did not send", failure("ann@example.net", func(r *Return) { messageID("X")(r); ours(r) }), NotOurs, ""},
		{"a clock that is years behind", failure("bob@example.net", func(r *Return) { messageID(second)(r); r.At = sent.AddDate(-3, 0, 0) }), Bounced, "2/1"},
		{"an id of two messages, made between them", failure("ann@example.net", func(r *Return) {
			r.MessageIDs = []string{"<twice@example.org>"}
			r.At = sent.Add(10 * time.Minute)
		}), Bounced, "4/0"},
		{"an id of two messages, made after them", failure("ann@example.net", func(r *Return) { r.MessageIDs = []string{"<twice@example.org>"} }), Bounced, "5/0"},
		{"an id of two messages, made before them", failure("ann@example.net", func(r *Return) {
			r.MessageIDs = []string{"<twice@example.org>"}
			r.At = sent.AddDate(0, -1, 0)
		}), Bounced, "5/0"},
		{"an id that our server gave the message", failure("ann@example.net", func(r *Return) {
			r.MessageIDs = []string{"<0102018f00aa-000000@ses.example.com>"}
		}), Bounced, "1/0"},
		{"the same of another recipient", failure("bob@example.net", func(r *Return) {
			r.MessageIDs = []string{"<0102018f00aa-000000@ses.example.com>"}
		}), NotOurs, ""},
		{"a short id", failure("ann@example.net", func(r *Return) { r.MessageIDs = []string{"<Ok@ses.example.com>"} }), NotOurs, ""},
		{"recipient and time", failure("ann@example.net", ours), Bounced, "2/0"},
		{"recipient and time, too late", failure("ann@example.net", func(r *Return) { ours(r); r.At = sent.Add(-time.Hour * 2) }), NotOurs, ""},
		{"recipient and time, addressed to somebody else", failure("ann@example.net", func(r *Return) { r.Addressees = []string{"x@example.org"} }), NotOurs, ""},
		{"recipient and time, addressed to nobody", failure("ann@example.net", nil), NotOurs, ""},
		{"recipients and time, two of one message", failure("ann@example.net", func(r *Return) { ours(r); also("bob@example.net")(r) }), Bounced, "2/0 2/1"},
		{"recipients and time, of two messages", failure("ann@example.net", func(r *Return) { ours(r); also("carl@example.net")(r) }), NotOurs, ""},
		{"recipients and time, one of no message", failure("ann@example.net", func(r *Return) { ours(r); also("zoe@example.net")(r) }), NotOurs, ""},
		{"an id of our server, recipients of two messages", failure("ann@example.net", func(r *Return) {
			r.MessageIDs = []string{"<0102018f00aa-000000@ses.example.com>"}
			also("bob@example.net")(r)
		}), NotOurs, ""},
		{"nobody", failure("zoe@example.net", ours), NotOurs, ""},
		{"returned already", failure("carl@example.net", messageID(third)), Known, ""},
		{"our own return", failure("carl@example.net", func(r *Return) { r.QueueID = third }), Known, ""},
		{"the return of another notices", failure("ann@example.net", func(r *Return) { r.QueueID = "0ZZZZZZZZZZZZZZZ"; messageID(first)(r) }), Bounced, "1/0"},
		{"delayed", &Return{Kind: Delayed, Recipients: []Recipient{{Final: "ann@example.net", Kind: Delayed}}, EnvelopeID: string(first)}, Delay, ""},
		{"failed for one, delayed for the other", failure("ann@example.net", func(r *Return) {
			messageID(second)(r)
			r.Recipients = append(r.Recipients, Recipient{Final: "bob@example.net", Kind: Delayed})
		}), Bounced, "2/0"},
		{"success", &Return{Kind: Succeeded, EnvelopeID: string(first)}, Other, ""},
		{"auto-reply", &Return{Kind: AutoReply, MessageIDs: []string{"<" + string(first) + "@mail.example.org>"}}, Other, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := siteHistory()
			results, _ := settle(t, h, c.r)
			if got := results[0].Verdict; got != c.verdict || h.bounced() != c.bounced {
				t.Errorf("%s, bounced are %q; want %s, %q", got, h.bounced(), c.verdict, c.bounced)
			}
			if again, _ := settle(t, h, c.r); h.bounced() != c.bounced || again[0].Verdict == Bounced || c.verdict == Bounced && again[0].Verdict != Known {
				t.Errorf("read again: %s, bounced are %q", again[0].Verdict, h.bounced())
			}
		})
	}
}

// TestForged: one mail, whatever it names, cannot mark the recipients of many messages.
func TestForged(t *testing.T) {
	const messages = 3000
	for name, change := range map[string]func(*Return){
		"no id":                          func(r *Return) {},
		"an id that all messages have":   func(r *Return) { r.EnvelopeID = "run=7" },
		"words that the server says":     func(r *Return) { r.MessageIDs = []string{"<prod.example.com@x>"} },
		"an id of one of the messages":   func(r *Return) { r.IDs = []spool.ID{"0AAAAAAAAAAA0007"} },
		"an id of nobody":                func(r *Return) { r.MessageIDs = []string{"<1@x>"} },
		"a queue id that looks like one": func(r *Return) { r.QueueID = "0ZZZZZZZZZZZZZZZ" },
	} {
		h, r := &history{}, &Return{Kind: Failed, At: sent.Add(time.Hour), Addressees: []string{"library@example.org"}}
		for i := range messages {
			e := siteHistory().entries[0]
			e.ID, e.Recipient, e.EnvelopeID = spool.ID(fmt.Sprintf("0AAAAAAAAAAA%04d", i)), fmt.Sprintf("reader%d@example.net", i), "run=7"
			e.Last.Reply.Text = "2.6.0 Queued by AM0.prod.example.com"
			h.entries = append(h.entries, e)
			also(e.Recipient)(r)
		}
		change(r)
		if settle(t, h, r); strings.Count(h.bounced(), "/") > 1 {
			t.Errorf("%s: %.100s are bounced", name, h.bounced())
		}
	}
}

// TestSharedID: of the messages that have an id, the return is about the one with the most of its
// recipients, even if another one is later.
func TestSharedID(t *testing.T) {
	h := siteHistory()
	h.entries[5].EnvelopeID = "run=7"
	settle(t, h, failure("ann@example.net", func(r *Return) { r.EnvelopeID = "run=7"; also("bob@example.net")(r) }))
	if h.bounced() != "2/0 2/1" {
		t.Errorf("bounced are %q", h.bounced())
	}
	h.entries[5].EnvelopeID = "run=7"
	if settle(t, h, failure("ann@example.net", func(r *Return) { r.EnvelopeID = "run=7" })); h.bounced() != "2/0 2/1 5/0" {
		t.Errorf("bounced are %q", h.bounced())
	}
}

// TestSameSecond: of two messages to one recipient that left within a second, a return without any
// id is about the last one.
func TestSameSecond(t *testing.T) {
	h := &history{entries: siteHistory().entries[:2]}
	h.entries[1].EndedAt, h.entries[1].Last.Reply.At = h.entries[0].EndedAt, h.entries[0].EndedAt
	settle(t, h, failure("ann@example.net", func(r *Return) { r.Addressees = []string{"library@example.org"} }))
	if h.bounced() != "2/0" {
		t.Errorf("bounced are %q", h.bounced())
	}
}

// TestTheEntry: what the history says of a message that bounced.
func TestTheEntry(t *testing.T) {
	h := siteHistory()
	was := h.entries[0]
	r := failure("ann@example.net", messageID(first))
	r.Recipients[0].RemoteMTA = "mx2.example.net"
	results, _ := settle(t, h, r)
	want := was
	want.Ending, want.EndedAt, want.Accepted = spool.EndedBounced, sent.Add(24*time.Hour), was.Last.Reply
	want.Last = spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{
		Server: "1", Host: "mx2.example.net", Code: 550, Enhanced: "5.1.1", Text: "no such user", At: sent.Add(24 * time.Hour)}}
	if h.entries[0] != want {
		t.Errorf("got  %+v\nwant %+v", h.entries[0], want)
	}
	if len(results[0].Entries) != 1 || results[0].Entries[0] != want {
		t.Errorf("the result has %+v", results[0].Entries)
	}
}

// TestRenamedAgain: a second copy of a return that names its message by the id that our server
// gave it is known, though it was made at another time.
func TestRenamedAgain(t *testing.T) {
	h := siteHistory()
	renamed := func(r *Return) { r.MessageIDs = []string{"<0102018f00aa-000000@ses.example.com>"} }
	results, _ := settle(t, h, failure("ann@example.net", renamed), failure("ann@example.net", func(r *Return) {
		renamed(r)
		r.At = r.At.Add(time.Hour)
	}))
	if results[0].Verdict != Bounced || results[1].Verdict != Known {
		t.Errorf("%s, %s", results[0].Verdict, results[1].Verdict)
	}
}

// TestTimes: an entry ends neither before it was delivered nor in the future.
func TestTimes(t *testing.T) {
	now := sent.Add(48 * time.Hour)
	for _, c := range []struct{ at, want time.Time }{
		{sent.Add(24 * time.Hour), sent.Add(24 * time.Hour)},
		{time.Time{}, now},
		{now.Add(time.Hour), now},
		{sent, sent.Add(time.Minute)},
	} {
		h := siteHistory()
		settle(t, h, failure("ann@example.net", func(r *Return) { messageID(first)(r); r.At = c.at }))
		if got := h.entries[0]; got.Ending != spool.EndedBounced || !got.EndedAt.Equal(c.want) {
			t.Errorf("made at %v: %s at %v, want %v", c.at, got.Ending, got.EndedAt, c.want)
		}
	}
}

// TestReasons: what a temporary status says of a return, and what a status is about.
func TestReasons(t *testing.T) {
	for status, want := range map[string]spool.Outcome{
		"5.1.1": {Scope: spool.RecipientScope},
		"":      {Scope: spool.RecipientScope},
		"4.4.7": {Scope: spool.RecipientScope, Reason: spool.ReasonExpired},
		"4.2.2": {Scope: spool.RecipientScope},
		"4.7.1": {Scope: spool.MessageScope, Reason: spool.ReasonExpired},
		"5.7.1": {Scope: spool.MessageScope},
		"5.3.4": {Scope: spool.MessageScope},
	} {
		h := siteHistory()
		settle(t, h, failure("ann@example.net", func(r *Return) { messageID(first)(r); r.Recipients[0].Status = status }))
		if got := h.entries[0].Last; got.Class != spool.Failed || got.Scope != want.Scope || got.Reason != want.Reason {
			t.Errorf("%q: %+v", status, got)
		}
	}
}

// TestOneSearch: however many returns there are, the history is read once; two copies of one
// return count once; and nothing is read if nothing is a return.
func TestOneSearch(t *testing.T) {
	h := siteHistory()
	_, counts := settle(t, h,
		failure("ann@example.net", messageID(first)), failure("ann@example.net", messageID(first)),
		failure("bob@example.net", messageID(second)), failure("zoe@example.net", messageID(second)),
		&Return{Kind: Delayed}, &Return{Kind: NotReturn}, &Return{Kind: Complaint})
	if want := (Counts{Read: 7, Bounced: 2, Known: 1, Delays: 1, NotReturns: 2, NotOurs: 1}); counts != want || h.searches != 1 {
		t.Errorf("%d searches, %+v, want %+v", h.searches, counts, want)
	}
	h = siteHistory()
	if settle(t, h, &Return{Kind: Delayed}, &Return{Kind: NotReturn}); h.searches != 0 {
		t.Errorf("%d searches for no return", h.searches)
	}
}

// TestRefused: what could not be written is not counted, and is written the next time.
func TestRefused(t *testing.T) {
	h := siteHistory()
	h.refuses = errors.New("disk full")
	m := NewMatcher(h, func() time.Time { return sent.Add(48 * time.Hour) })
	m.Add(failure("ann@example.net", messageID(first)))
	if _, _, err := m.Settle(t.Context()); !errors.Is(err, h.refuses) || m.Counts != (Counts{}) {
		t.Fatalf("%v, %+v", err, m.Counts)
	}
	h.refuses = nil
	results, _, err := m.Settle(t.Context())
	if err != nil || len(results) != 1 || results[0].Verdict != Bounced || h.bounced() != "1/0" {
		t.Errorf("%v, %+v, bounced are %s", err, results, h.bounced())
	}
}

// TestFull: many recipients fill a Matcher before they fill the memory.
func TestFull(t *testing.T) {
	m := NewMatcher(siteHistory(), time.Now)
	for added := 0; !m.Full(); added++ {
		if added > 10 {
			t.Fatal("100,000 recipients wait")
		}
		m.Add(&Return{Kind: Failed, Recipients: make([]Recipient, maxRecipients)})
	}
}
