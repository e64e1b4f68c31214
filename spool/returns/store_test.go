package returns

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// TestWithAStore: returns of messages that left a real store. What bounced takes the place of what
// was delivered, and stays so when the returns are read again.
func TestWithAStore(t *testing.T) {
	now := sent.Add(48 * time.Hour)
	store := maildirtest.NewAt(func() time.Time { return sent })
	for _, id := range []spool.ID{first, second} {
		deliver(t, store, id)
	}
	dsn := samples(t)["dsn-postfix"]
	other := bytes.ReplaceAll(dsn, []byte(first), []byte(second))
	for run, want := range []Counts{{Read: 3, Bounced: 2, Known: 1}, {Read: 3, Known: 3}} {
		matcher := NewMatcher(store, func() time.Time { return now })
		for _, b := range [][]byte{dsn, other, dsn} {
			r, err := Parse(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			matcher.Add(r)
		}
		if _, anomalies, err := matcher.Settle(t.Context()); err != nil || len(anomalies) > 0 || matcher.Counts != want {
			t.Errorf("run %d: %+v, %v, %v", run, matcher.Counts, anomalies, err)
		}
	}
	var got []string
	_, err := store.History(t.Context(), spool.HistoryQuery{}, func(e *spool.HistoryEntry) bool {
		got = append(got, strings.Join([]string{string(e.ID), e.Recipient, string(e.Ending), e.Last.Reply.Server, e.Last.Reply.Host, e.Last.Reply.String(), "accepted by", e.Accepted.Server, e.Accepted.String()}, " "))
		return true
	})
	want := " ann@example.net bounced 1 store.example.net 550 5.1.1 <ann@example.net>: Recipient address rejected: User unknown in virtual mailbox table accepted by 1 250 queued"
	if err != nil || strings.Join(got, "\n") != string(first)+want+"\n"+string(second)+want {
		t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
	}
}

// deliver puts a message to Ann into a store and takes it out as delivered.
func deliver(t *testing.T, store spool.Store, id spool.ID) {
	t.Helper()
	claim := queue(t, store, id, "ann@example.net")
	err := claim.Begin(spool.Event{Kind: spool.Try, N: 1, At: sent})
	if err == nil {
		err = claim.Remove(spool.Event{Kind: spool.Result, N: 1, At: sent, Results: []spool.Answer{{To: []int{0}, Outcome: spool.Outcome{
			Class: spool.Delivered, Reply: spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Text: "queued", At: sent},
		}}}}, spool.Now)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// queue puts a message into a store and claims it.
func queue(t *testing.T, store spool.Store, id spool.ID, to ...string) spool.Claim {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	d, err := store.New(t.Context(), id)
	must(err)
	n, err := d.Write([]byte("Subject: x\r\n\r\nx\r\n"))
	must(err)
	must(d.Seal(spool.Envelope{
		ID: id, Sender: "library@example.org", Recipients: to, QueuedAt: sent,
		MessageID: "<" + string(id) + "@mail.example.org>", Size: int64(n),
	}))
	_, err = store.Commit(t.Context(), d)
	must(err)
	e, err := spool.FindOne(t.Context(), store, id)
	must(err)
	claim, err := store.Claim(t.Context(), e)
	must(err)
	return claim
}
