package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history"
)

// leave is a message that left the queue: delivered to one recipient, returned for another.
func (w *world) leave(id spool.ID) endedMessage {
	w.T.Helper()
	w.Queue(id, "ann@example.net", "gone@example.com")
	reply := func(code int, enhanced, text string) spool.Reply {
		return spool.Reply{Server: "1", Host: "mail.example.org", Code: code, Enhanced: enhanced, Text: text, At: w.Now}
	}
	w.Try(id, 1,
		spool.Answer{To: []int{0}, Outcome: spool.Outcome{Class: spool.Delivered, Reply: reply(250, "2.0.0", "Ok: queued as 4F2A1BC0D3")}},
		spool.Answer{To: []int{1}, Outcome: spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(550, "5.1.1", "User unknown in virtual mailbox table")}})
	c := w.Claim(id)
	w.Check(c.Append(spool.Event{Kind: spool.Returned, At: w.Now, N: 1}, spool.Now))
	entries := c.Record().Endings(spool.Event{}, w.Now)
	w.Check(c.Remove(spool.Event{}, spool.Now))
	w.Check(w.Store.AddHistory(context.Background(), entries...)) // at this time, not at that of the spool's clock
	var m endedMessage
	_, err := history.Search(context.Background(), w.Store, spool.HistoryQuery{IDs: []spool.ID{id}}, func(r *history.Row) bool { m = append(m, *r); return true })
	w.Check(err)
	return m
}

// TestShowEnded: a message that left the queue is shown by what the history keeps.
func TestShowEnded(t *testing.T) {
	fakesite.InUTC(t)
	w := newWorld(t)
	m := w.leave("1K0WSE1DCR0RRWKC")
	for _, columns := range screens {
		text := &messageText{&term.Page{Width: columns}, w.Now}
		text.writeEnded(m)
		fakesite.Golden(t, fmt.Sprintf("ended-%d.txt", columns), text.Text())
		for line := range strings.Lines(text.Text()) {
			if n := term.Columns(strings.TrimSuffix(line, "\n")); columns > 0 && n > columns {
				t.Errorf("in %d columns there is a line of %d: %s", columns, n, line)
			}
		}
	}
	w.Check(w.q.Show(context.Background(), ShowOptions{ID: "1K0WSE1DCR0RRWKC", JSON: true}))
	const want = `{"id":"1K0WSE1DCR0RRWKC","state":"returned","sender":"desk@example.org","recipients":[` +
		`{"address":"ann@example.net","state":"delivered","reply":"250 2.0.0 Ok: queued as 4F2A1BC0D3"},` +
		`{"address":"gone@example.com","state":"failed","reply":"550 5.1.1 User unknown in virtual mailbox table"}],` +
		`"size":0,"attempts":1,"queued_at":"2026-11-24T10:00:00Z","next_send_at":null,"expires_at":null,"ref":"",` +
		`"last_error":"550 5.1.1 User unknown in virtual mailbox table","headers":[],"history":[` +
		`{"at":"2026-11-24T10:00:00Z","server":"1","outcome":"delivered","reply":"250 2.0.0 Ok: queued as 4F2A1BC0D3"},` +
		`{"at":"2026-11-24T10:00:00Z","server":"1","outcome":"returned","reply":"550 5.1.1 User unknown in virtual mailbox table"}]}` + "\n"
	if got := w.Out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestShowBounced: both steps are shown: a server of ours accepted it, and another one returned it.
func TestShowBounced(t *testing.T) {
	fakesite.InUTC(t)
	w := newWorld(t)
	m := w.leave("1K0WSE1DCR0RRWKC")[:1]
	m[0].Accepted = spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Enhanced: "2.0.0", Text: "Ok: queued as 4F2A1BC0D3", At: w.Now}
	m[0].Outcome, m[0].EndedAt.Time, m[0].Host, m[0].Reply = spool.EndedBounced, w.Now.Add(time.Hour), "mx.example.net", "550 5.2.1 closed"
	text := &messageText{&term.Page{Width: 120}, w.Now}
	text.writeEnded(m)
	for _, want := range []string{
		"  2026-11-24 10:00  server 1        delivered  250 2.0.0 Ok: queued as 4F2A1BC0D3\n",
		"  2026-11-24 11:00  mx.example.net  bounced    550 5.2.1 closed\n",
	} {
		if !strings.Contains(text.Text(), want) {
			t.Errorf("%q is not in\n%s", want, text.Text())
		}
	}
	shown := m.json()
	if n := len(shown.History); n != 2 || shown.History[0].Server != "1" || shown.History[1].Server != "mx.example.net" {
		t.Errorf("%+v", shown.History)
	}
}

// TestStateOfEnded: a message goes by the recipient that most needs a person.
func TestStateOfEnded(t *testing.T) {
	for want, outcomes := range map[spool.MessageState][]spool.Ending{
		"delivered": {spool.EndedDelivered, spool.EndedDelivered},
		"removed":   {spool.EndedDelivered, spool.EndedRemoved},
		"returned":  {spool.EndedRemoved, spool.EndedReturned, spool.EndedDelivered},
		"bounced":   {spool.EndedBounced, spool.EndedReturned},
		"failed":    {spool.EndedReturned, spool.EndedFailed, spool.EndedBounced},
	} {
		var m endedMessage
		for _, o := range outcomes {
			m = append(m, history.Row{Outcome: o})
		}
		if got := m.state(); got != want {
			t.Errorf("%v: %s", outcomes, got)
		}
	}
}

// TestShowUnknown: what is in neither is exit 66, and the words name both.
func TestShowUnknown(t *testing.T) {
	w := newWorld(t)
	err := w.q.Show(context.Background(), ShowOptions{ID: "nosuch"})
	if app.ExitCode(err) != app.ExitUnknown || !strings.Contains(err.Error(), "notices list") || !strings.Contains(err.Error(), "notices history") {
		t.Error(err)
	}
	w.q.NoHistory = true // then no search can help, and a key does
	err = w.q.Show(context.Background(), ShowOptions{ID: "nosuch"})
	if app.ExitCode(err) != app.ExitUnknown || strings.Contains(err.Error(), "notices history") || !strings.Contains(err.Error(), `keep_history = "90d"`) {
		t.Error(err)
	}
}
