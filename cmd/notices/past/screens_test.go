package past

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/term"
	"notices/spool"
	"notices/spool/history"
)

// week is what became of some messages of the last week, and what still waits of them.
func week(w *fakesite.Site) []history.Row {
	entry := func(id spool.ID, hours, took int, to, ref string, e spool.Ending, o spool.Outcome) history.Row {
		queued := w.Now.Add(-time.Duration(hours) * time.Hour)
		return history.FromEntry(&spool.HistoryEntry{ID: id, QueuedAt: queued, EndedAt: queued.Add(time.Duration(took) * time.Minute), Sender: "desk@example.org",
			Recipient: to, Ref: ref, Attempts: 1 + took/60, Ending: e, Last: o})
	}
	reply := func(class spool.Class, server string, code int, enhanced, text string) spool.Outcome {
		return spool.Outcome{Class: class, Scope: spool.RecipientScope, Reply: spool.Reply{Server: server, Host: "mail.example.org", Code: code, Enhanced: enhanced, Text: text, At: w.Now}}
	}
	waits := entry("1K0WSE1DCR0RRWKC", 2, 0, "用户@例え.example", "20077", history.Waiting, reply(spool.Deferred, "2", 452, "4.2.2",
		"The email account that you tried to reach is over quota. Please direct the recipient to https://support.example.com/mail/?p=OverQuotaTemp a1-20020a05sm1"))
	waits.EndedAt, waits.Status, waits.Reason = history.Time{}, "4.2.2", "The mailbox is full."
	waits.NextSendAt = history.Time{Time: w.Now.Add(7 * time.Minute)}
	toLibrary := entry("1K0B53YFSP0T2V5Y-1", 100, 2, "library@example.org", "20041", spool.EndedDelivered, reply(spool.Delivered, "1", 250, "2.0.0", "Ok: queued as 4F2A1BC0D4"))
	toLibrary.Sender, toLibrary.Form = "", spool.Report
	bounced := entry("1K0WSE1DCR0RRWKD", 1, 40, "ben@example.com", "20043", spool.EndedBounced, reply(spool.Failed, "1", 550, "5.2.1", "account disabled"))
	bounced.Host, bounced.Accepted = "mx.example.com", reply(spool.Delivered, "1", 250, "2.0.0", "Ok: queued as 4F2A1BC0D5").Reply
	return []history.Row{
		toLibrary,
		entry("1K0B53YFSP0T2V5Y", 100, 1, "gone@example.net", "20041", spool.EndedReturned, reply(spool.Failed, "2", 550, "5.1.1", "User unknown in virtual mailbox table")),
		entry("1K0HB3YFSP0T2V5Y", 60, 200, fakesite.LongAddress, "", spool.EndedDelivered, reply(spool.Delivered, "1", 250, "2.0.0", "Ok: queued as 4F2A1BC0D3")),
		entry("1K0VZX6536080Q7N", 30, 4, "anna@example.com", "20042", spool.EndedRemoved, spool.Outcome{}),
		waits,
		bounced,
	}
}

func screen(w *fakesite.Site, columns int, colour bool) string {
	w.Out.Reset()
	t := newTable(w.Program)
	t.width, t.paint = columns, term.Painter{On: colour}
	for _, row := range week(w) {
		t.add(&row)
	}
	w.Check(t.end())
	return w.Out.String()
}

// TestScreens: nothing is wider than its terminal, nothing is cut without one.
func TestScreens(t *testing.T) {
	fakesite.InUTC(t)
	w := fakesite.New(t)
	for _, columns := range []int{80, 120, 0} {
		text := screen(w, columns, false)
		fakesite.Golden(t, fmt.Sprintf("history-%d.txt", columns), text)
		for line := range strings.Lines(text) {
			if n := term.Columns(strings.TrimSuffix(line, "\n")); columns > 0 && n > columns {
				t.Errorf("in %d columns there is a line of %d: %s", columns, n, line)
			}
		}
		coloured := screen(w, columns, true)
		if !strings.Contains(coloured, "\x1b[31mreturned\x1b") || !strings.Contains(coloured, "\x1b[33mwaiting\x1b") || fakesite.Uncoloured(coloured) != text {
			t.Errorf("in %d columns colours are not where they should be:\n%q", columns, coloured)
		}
	}
	if whole := screen(w, 0, false); !strings.Contains(whole, fakesite.LongAddress) || strings.Contains(whole, "…") || strings.Count(whole, "\n") != 7 {
		t.Errorf("without a terminal something is cut off:\n%s", whole)
	}
}

// TestOwnReports: what notices itself sent says so, so that nobody takes it for the notice.
func TestOwnReports(t *testing.T) {
	for id, want := range map[spool.ID]string{
		"1K0B53YFSP0T2V5Y-2": "return to the sender", "1K0B53YFSP0T2V5Y-2.p": "return to the sender",
		"1K0B53YFSP0T2V5Y.w": "report by notices", "1K0B53YFSP0T2V5Y.f": "report by notices",
	} {
		l := lineOf(&history.Row{ID: id, Form: spool.Report, Outcome: spool.EndedDelivered, Reply: "250 Ok"})
		if l.why != want+": 250 Ok" {
			t.Errorf("%s: %s", id, l.why)
		}
	}
}

// TestNothingKept: who finds nothing because nothing is kept is told the key.
func TestNothingKept(t *testing.T) {
	w := fakesite.New(t)
	p := &Past{Program: w.Program, Source: fakesite.Ended{}, ConfigFile: "/etc/notices.toml"}
	w.Check(p.History(context.Background(), HistoryOptions{JSON: true}))
	if said := w.Said.String(); !strings.Contains(said, `keep_history = "0" in /etc/notices.toml`) || !strings.Contains(said, `keep_history = "90d"`) || w.Out.String() != "[]\n" {
		t.Errorf("said %q, printed %q", said, w.Out.String())
	}
}
