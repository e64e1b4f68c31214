package returns

import (
	"context"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// TestInTheQueue: a return of a message that still waits for another recipient is told from one of
// other mail, and counts when the message has left.
func TestInTheQueue(t *testing.T) {
	store := maildirtest.NewAt(func() time.Time { return sent })
	claim := queue(t, store, first, "ann@example.net", "bob@example.net")
	accepted := spool.Outcome{Class: spool.Delivered, Reply: spool.Reply{Server: "1", Code: 250, At: sent}}
	if err := claim.Begin(spool.Event{Kind: spool.Try, N: 1, At: sent}); err != nil {
		t.Fatal(err)
	}
	next := sent.Add(time.Hour)
	if err := claim.Append(spool.Event{Kind: spool.Result, N: 1, At: sent, Next: next, Results: []spool.Answer{{To: []int{0}, Outcome: accepted}}}, spool.Now); err != nil {
		t.Fatal(err)
	}
	settled := func(h History, r *Return) Verdict {
		t.Helper()
		m := NewMatcher(h, func() time.Time { return sent.Add(48 * time.Hour) })
		m.Queue = store
		m.Add(r)
		results, _, err := m.Settle(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return results[0].Verdict
	}
	byTime := func(r *Return) { r.Addressees = []string{"library@example.org"} }
	for name, c := range map[string]struct {
		r    *Return
		want Verdict
	}{
		"by Message-ID":    {failure("ann@example.net", messageID(first)), InQueue},
		"by ENVID":         {failure("ann@example.net", func(r *Return) { r.EnvelopeID = string(first) }), InQueue},
		"by time":          {failure("ann@example.net", byTime), InQueue},
		"not yet taken":    {failure("bob@example.net", byTime), NotOurs},
		"another message":  {failure("ann@example.net", messageID(second)), NotOurs},
		"another address":  {failure("eve@example.net", messageID(first)), NotOurs},
		"still being sent": {&Return{Kind: Delayed}, Delay},
	} {
		if got := settled(store, c.r); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}

	// A message that leaves while the history is searched is not missed.
	leaves := leaving{store, func() {
		failed := spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: spool.Reply{Server: "1", Code: 550, At: sent}}
		if claim == nil {
			return
		}
		if err := claim.Remove(spool.Event{Kind: spool.Result, N: 1, At: sent, Results: []spool.Answer{{To: []int{1}, Outcome: failed}}}, spool.Now); err != nil {
			t.Error(err)
		}
		claim = nil
	}}
	if got := settled(leaves, failure("ann@example.net", messageID(first))); got != Bounced {
		t.Errorf("it left meanwhile: %s", got)
	}
}

// leaving is a store whose message leaves behind a search.
type leaving struct {
	spool.Store
	leave func()
}

func (l leaving) History(ctx context.Context, q spool.HistoryQuery, yield func(*spool.HistoryEntry) bool) ([]spool.Anomaly, error) {
	defer l.leave()
	return l.Store.History(ctx, q, yield)
}
