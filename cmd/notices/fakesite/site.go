// Package fakesite is a site for the tests of the commands: a spool on a simulated disk, a
// clock, and what was said.
package fakesite

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
	"notices/spool/flush"
	"notices/spool/maildirtest"
	"notices/spool/schedule"
	"notices/spool/storetest"
)

// Site is a spool, a clock, and what a program printed and said.
type Site struct {
	T       *testing.T
	Program *app.Program
	Store   *maildirtest.Spool
	Policy  schedule.Policy
	Now     time.Time
	Out     strings.Builder // standard output
	Said    strings.Builder // standard error
}

// New is a site whose spool is empty.
func New(t *testing.T) *Site {
	w := &Site{T: t, Now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), Store: maildirtest.New()}
	w.Program = app.New()
	w.Program.Stdout, w.Program.Stderr = &w.Out, &w.Said
	w.Program.Now = func() time.Time { return w.Now }
	w.Policy = schedule.Policy{
		ShortRange: 3 * time.Hour,
		ShortDelay: [2]time.Duration{3 * time.Minute, 9 * time.Minute},
		LongDelay:  [2]time.Duration{time.Hour, 90 * time.Minute},
		GiveUp:     100 * time.Hour,
	}
	return w
}

// Queue puts a message into the spool.
func (w *Site) Queue(id spool.ID, recipients ...string) {
	w.T.Helper()
	env := spool.Envelope{ID: id, Sender: "desk@example.org", Recipients: recipients, QueuedAt: w.Now}
	storetest.Put(w.T, w.Store, env, "Subject: x\r\n\r\ntext\r\n")
}

// Try gives a message an attempt with those answers; without any it is under way.
func (w *Site) Try(id spool.ID, n int, answers ...spool.Answer) {
	w.T.Helper()
	c := w.Claim(id)
	next := w.Now.Add(5 * time.Minute)
	w.Check(c.Begin(spool.Event{Kind: spool.Try, At: w.Now, N: n, Next: next}))
	if answers != nil {
		w.Check(c.Append(spool.Event{Kind: spool.Result, At: w.Now, N: n, Next: next, Results: answers}, spool.Lazy))
	}
	w.Check(c.Release())
}

// Hold holds a message.
func (w *Site) Hold(id spool.ID) {
	w.T.Helper()
	c := w.Claim(id)
	w.Check(c.Append(spool.Event{Kind: spool.Hold, At: w.Now, Next: flush.HoldUntil(w.Policy, c.Record(), w.Now)}, spool.Soon))
	w.Check(c.Release())
}

// Claim claims a message.
func (w *Site) Claim(id spool.ID) spool.Claim {
	w.T.Helper()
	c, err := w.Store.Claim(context.Background(), w.find(id))
	w.Check(err)
	return c
}

func (w *Site) find(id spool.ID) spool.Entry {
	w.T.Helper()
	e, err := spool.FindOne(context.Background(), w.Store, id)
	w.Check(err)
	return e
}

// Record is what is known of a message.
func (w *Site) Record(id spool.ID) *spool.Record {
	w.T.Helper()
	r, body, err := w.Store.Peek(context.Background(), w.find(id))
	w.Check(err)
	w.Check(body.Close())
	return r
}

// SetState keeps a value as its owner does.
func (w *Site) SetState(name string, value any) {
	w.T.Helper()
	w.Check(w.Store.State().Update(context.Background(), name, false, func([]byte) ([]byte, error) { return json.Marshal(value) }))
}

// Check ends the test at an error.
func (w *Site) Check(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// InUTC has times shown in UTC.
func InUTC(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = zone })
}

// LongAddress is wider than its column.
const LongAddress = "family.van.der.berg@kindergarten-aan-de-amstel.example.net"

// BadDay is a site on a bad day: one server down, a sign-in that is over, mail in every
// state.
func BadDay(t *testing.T) *Site {
	w := New(t)
	today := w.Now
	at := func(ago time.Duration) { w.Now = today.Add(-ago) }
	reply := func(server string, code int, enhanced, text string) spool.Reply {
		return spool.Reply{Server: server, Host: "mail.example.org", Code: code, Enhanced: enhanced, Text: text, At: w.Now}
	}
	noConnection := func() spool.Outcome {
		return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonConnect,
			Reply: reply("1", 0, "", "no connection to mail.example.org:587: connection refused")}
	}

	at(100 * time.Hour)
	w.Queue("1K0B53YFSP0T2V5Y", "gone@example.net")
	w.Try("1K0B53YFSP0T2V5Y", 1, spool.Answer{To: []int{0}, Outcome: spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope,
		Reply: reply("2", 550, "5.1.1", "User unknown in virtual mailbox table")}})
	w.Check(w.Claim("1K0B53YFSP0T2V5Y").Fail(spool.Event{Kind: spool.GiveUp, At: w.Now}))
	at(30 * time.Hour)
	w.Queue("1K0VZX6536080Q7N", "用户@例え.example")
	w.Hold("1K0VZX6536080Q7N")
	at(2 * time.Hour)
	w.Queue("1K0WSE1DCR0RRWKC", LongAddress, "anna@example.com")
	for n, ago := range []time.Duration{time.Hour, 4 * time.Minute} {
		at(ago)
		w.Try("1K0WSE1DCR0RRWKC", n+1, spool.Answer{Outcome: noConnection()},
			spool.Answer{To: []int{0}, Outcome: spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: reply("2", 452, "4.2.2",
				"The email account that you tried to reach is over quota. Please direct the recipient to https://support.example.com/mail/?p=OverQuotaTemp a1-20020a05sm1")}},
			spool.Answer{To: []int{1}, Outcome: spool.Outcome{Class: spool.Delivered, Reply: reply("2", 250, "2.0.0", "Ok: queued as 4F2A1BC0D3")}})
	}
	at(3 * time.Minute)
	w.Queue("1K10QCAKHW049CXZ", "new@example.net")
	at(time.Minute)
	w.Queue("1K10QCAKHW09XHSW", LongAddress)

	w.Now = today
	w.SetState(spool.TestName+"1", spool.TestResult{At: w.Now.Add(-26 * time.Hour), OK: true, Detail: "250 2.0.0 Ok: queued as 4F2A1BC0D3"})
	w.SetState(spool.HealthName+"1", spool.Health{DownUntil: w.Now.Add(200 * time.Second), Troubles: 3, Last: noConnection(),
		Notice: "no verified TLS: x509: certificate signed by unknown authority", NoticeAt: w.Now.Add(-2 * time.Hour)})
	w.SetState(spool.LastFlushName, spool.LastFlush{At: w.Now.Add(-50 * time.Second), Tally: spool.Tally{Sent: 131, Deferred: 12, Returned: 1}})
	return w
}
