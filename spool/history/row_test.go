package history

import (
	"encoding/json"
	"strings"
	"testing"

	"notices/spool"
)

// TestWaitingRow: what waits shows its last error and its next send, and why a person is needed.
func TestWaitingRow(t *testing.T) {
	fresh := queued("A1", 0, "ann@example.net")
	busy := queued("A2", 0, "ann@example.net")
	try(busy, 1, full, 0)
	put := queued("A3", 0, "ann@example.net")
	try(put, 1, full, 0)
	put.Apply(spool.Event{Kind: spool.Postpone, At: minutes(6), Next: minutes(20), Note: "no server works"})
	held := queued("A4", 0, "ann@example.net")
	try(held, 1, full, 0)
	held.Apply(spool.Event{Kind: spool.Hold, At: minutes(6), Next: minutes(9000)})
	for want, r := range map[string]*spool.Record{
		`["waiting","","","","2026-11-23T09:00:00Z"]`:                                                           fresh,
		`["waiting","4.2.2","452 4.2.2 over quota","The mailbox is full.","2026-11-23T09:06:00Z"]`:              busy,
		`["waiting","4.2.2","no server works","No mail server could accept it so far.","2026-11-23T09:20:00Z"]`: put,
		`["waiting","4.2.2","452 4.2.2 over quota","It is held until a person releases it.",null]`:              held,
	} {
		row := FromRecord(r)[0]
		got, err := json.Marshal([]any{row.Outcome, row.Status, row.Reply, row.Reason, row.NextSendAt})
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", r.Envelope.ID, got, err, want)
		}
		if !row.InQueue || !row.EndedAt.IsZero() {
			t.Errorf("%s: %+v", r.Envelope.ID, row)
		}
	}
}

// TestRowWaitsForItsReturn: a recipient that failed has no ending until its return is stored, if
// there is to be one.
func TestRowWaitsForItsReturn(t *testing.T) {
	for what, c := range map[string]struct {
		change func(*spool.Envelope)
		event  spool.Kind
		want   spool.Ending
	}{
		"not stored yet":     {func(*spool.Envelope) {}, spool.Try, Waiting},
		"stored":             {func(*spool.Envelope) {}, spool.Returned, spool.EndedReturned},
		"given up":           {func(*spool.Envelope) {}, spool.GiveUp, spool.EndedFailed},
		"no sender":          {func(e *spool.Envelope) { e.Sender = "" }, spool.Try, spool.EndedFailed},
		"no return is asked": {func(e *spool.Envelope) { e.Notify = "never" }, spool.Try, spool.EndedFailed},
	} {
		env := queued("A1", 0, "ann@example.net").Envelope
		c.change(&env)
		r := spool.NewRecord(env)
		try(r, 1, unknown, 0)
		r.Apply(spool.Event{Kind: c.event, N: 1, At: minutes(6), Next: minutes(7)})
		row := FromRecord(r)[0]
		if row.Outcome != c.want || row.EndedAt.IsZero() != (c.want == Waiting) {
			t.Errorf("%s: %+v", what, row)
		}
		if waits := strings.HasSuffix(row.Reason, "The return to its sender is still to be stored."); waits != (c.want == Waiting) || row.NextSendAt.IsZero() == waits {
			t.Errorf("%s: %q, next %v", what, row.Reason, row.NextSendAt)
		}
	}
}

// TestQueuedInTheFuture: a wrong clock does not make a message end before it was queued.
func TestQueuedInTheFuture(t *testing.T) {
	row := FromEntry(&spool.HistoryEntry{QueuedAt: minutes(60), EndedAt: minutes(5), Ending: spool.EndedDelivered})
	if !row.QueuedAt.Equal(row.EndedAt.Time) {
		t.Errorf("queued at %v, ended at %v", row.QueuedAt, row.EndedAt)
	}
}
