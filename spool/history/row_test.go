package history

import (
	"encoding/json"
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
