package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/spool"
)

var update = flag.Bool("update", false, "write testdata/screens anew; look at them before committing")

// screens are what a person sees, in terminals of 80 and 120 columns and without one
// (0); as golden files, to be read as a whole.
var screens = []int{80, 120, 0}

// TestScreens: nothing is wider than its terminal, nothing is cut without one.
func TestScreens(t *testing.T) {
	inUTC(t)
	w := busy(t)
	for _, columns := range screens {
		for name, text := range map[string]string{
			"status": w.statusScreen(columns, false, true),
			"list":   w.listScreen(columns, false),
			"show":   w.showScreen(columns, false, "1K0WSE1DCR0RRWKC"),
		} {
			golden(t, fmt.Sprintf("%s-%d.txt", name, columns), text)
			for line := range strings.Lines(text) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); columns > 0 && n > columns {
					t.Errorf("%s in %d columns has a line of %d: %s", name, columns, n, line)
				}
			}
		}
	}
	if whole := w.listScreen(0, false); !strings.Contains(whole, longAddress) || strings.Contains(whole, ellipsis) {
		t.Errorf("without a terminal something is cut off:\n%s", whole)
	}
}

// TestColourIsAllThatItAdds: with the colours taken out, a coloured screen is the same.
func TestColourIsAllThatItAdds(t *testing.T) {
	inUTC(t)
	w := busy(t)
	const id = "1K0WSE1DCR0RRWKC"
	for name, screen := range map[string]func(colour bool) string{
		"status": func(c bool) string { return w.statusScreen(80, c, true) },
		"list":   func(c bool) string { return w.listScreen(80, c) },
		"show":   func(c bool) string { return w.showScreen(80, c, id) },
	} {
		coloured, plain := screen(true), screen(false)
		if strings.Contains(plain, "\x1b") || !strings.Contains(coloured, "\x1b[1m") || !strings.Contains(coloured, "\x1b[33m") {
			t.Errorf("%s: colours are not where they should be:\n%q\n%q", name, plain, coloured)
		}
		if bare := uncoloured(coloured); bare != plain {
			t.Errorf("%s: without its colours it is\n%s\nwant\n%s", name, bare, plain)
		}
	}
}

// TestAllIsWell: an idle site sees that at the first glance.
func TestAllIsWell(t *testing.T) {
	inUTC(t)
	w := newWorld(t)
	w.state(spool.LastFlushName, spool.LastFlush{At: w.now.Add(-20 * time.Second), Tally: spool.Tally{Sent: 3}})
	golden(t, "status-well.txt", w.statusScreen(80, false, false))
}

func uncoloured(s string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}

func inUTC(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = zone })
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	name = filepath.Join("testdata", "screens", name)
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s is now (go test -update writes it):\n%s\nand was\n%s", name, got, want)
	}
}

const longAddress = "family.van.der.berg@kindergarten-aan-de-amstel.example.net"

// busy is a site on a bad day: one server down, a sign-in that is over, mail in every
// state.
func busy(t *testing.T) *world {
	w := newWorld(t)
	today := w.now
	at := func(ago time.Duration) { w.now = today.Add(-ago) }
	reply := func(server string, code int, enhanced, text string) spool.Reply {
		return spool.Reply{Server: server, Host: "mail.example.org", Code: code, Enhanced: enhanced, Text: text, At: w.now}
	}
	noConnection := func() spool.Outcome {
		return spool.Outcome{Class: spool.Deferred, Scope: spool.ServerScope, Reason: spool.ReasonConnect,
			Reply: reply("1", 0, "", "no connection to mail.example.org:587: connection refused")}
	}

	at(100 * time.Hour)
	w.queued("1K0B53YFSP0T2V5Y", "gone@example.net")
	w.tried("1K0B53YFSP0T2V5Y", 1, spool.Answer{To: []int{0}, Outcome: spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope,
		Reply: reply("2", 550, "5.1.1", "User unknown in virtual mailbox table")}})
	w.check(w.claimed("1K0B53YFSP0T2V5Y").Fail(spool.Event{Kind: spool.GiveUp, At: w.now}))
	at(30 * time.Hour)
	w.queued("1K0VZX6536080Q7N", "用户@例え.example")
	w.check(w.a.hold(context.Background(), w.q, selection{IDs: []string{"1K0VZX6536080Q7N"}}))
	at(2 * time.Hour)
	w.queued("1K0WSE1DCR0RRWKC", longAddress, "anna@example.com")
	for n, ago := range []time.Duration{time.Hour, 4 * time.Minute} {
		at(ago)
		w.tried("1K0WSE1DCR0RRWKC", n+1, spool.Answer{Outcome: noConnection()},
			spool.Answer{To: []int{0}, Outcome: spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: reply("2", 452, "4.2.2",
				"The email account that you tried to reach is over quota. Please direct the recipient to https://support.example.com/mail/?p=OverQuotaTemp a1-20020a05sm1")}},
			spool.Answer{To: []int{1}, Outcome: spool.Outcome{Class: spool.Delivered, Reply: reply("2", 250, "2.0.0", "Ok: queued as 4F2A1BC0D3")}})
	}
	at(3 * time.Minute)
	w.queued("1K10QCAKHW049CXZ", "new@example.net")
	at(time.Minute)
	w.queued("1K10QCAKHW09XHSW", longAddress)

	w.now = today
	w.state(spool.TestName+"1", spool.TestResult{At: w.now.Add(-26 * time.Hour), OK: true, Detail: "250 2.0.0 Ok: queued as 4F2A1BC0D3"})
	w.state(spool.HealthName+"1", spool.Health{DownUntil: w.now.Add(200 * time.Second), Troubles: 3, Last: noConnection(),
		Notice: "no verified TLS: x509: certificate signed by unknown authority", NoticeAt: w.now.Add(-2 * time.Hour)})
	w.state(spool.LastFlushName, spool.LastFlush{At: w.now.Add(-50 * time.Second), Tally: spool.Tally{Sent: 131, Deferred: 12, Returned: 1}})
	return w
}

// deadSignIn is what a person must know of a sign-in that is over.
func deadSignIn(name string, _ spool.State) (*accountJSON, error) {
	if name != "google" {
		return nil, nil
	}
	text := "Google no longer accepts the sign-in of library@example.org (invalid_grant: Token has been expired or revoked); run: notices google-login"
	return &accountJSON{Account: "library@example.org", Error: &text, needsPerson: true}, nil
}

// collected is what status finds.
func (w *world) collected(o statusOptions) *statusJSON {
	w.t.Helper()
	s := &statusJSON{Servers: []serverJSON{}, sends: newHistogram(w.now)}
	w.check(s.collect(context.Background(), w.q, w.store.State(), servers(), o, w.now))
	return s
}

func statusDefaults() statusOptions {
	return statusOptions{Warn: app.Duration(warnAge), Critical: app.Duration(criticalAge)}
}

func (w *world) statusScreen(columns int, colour, bad bool) string {
	w.t.Helper()
	o := statusDefaults()
	var limits []string
	if bad {
		o.Look = deadSignIn
		limits = []string{"gmail.com, googlemail.com: 100 of 100 sent in the last hour; 12 messages waited at the last flush, 50s ago; the next goes out in 4m"}
	}
	s := w.collected(o)
	s.Bytes = 12345
	t := &statusText{now: w.now, p: painter{colour}, width: cmp.Or(columns, 80)}
	t.all(s, s.check(w.now, o), limits)
	return t.out.String()
}

func (w *world) listScreen(columns int, colour bool) string {
	w.t.Helper()
	entries, err := w.q.entries(context.Background(), func(spool.Entry) bool { return true })
	w.check(err)
	slices.SortFunc(entries, byNext)
	w.out.Reset()
	l := w.a.newListing(listOptions{}, entries, w.now)
	l.table.width, l.paint = columns, painter{colour}
	w.check(w.q.read(context.Background(), entries, func(r looked) {
		w.check(r.err)
		l.add(describe(r.Record, w.q.policy))
	}))
	w.check(l.end())
	return w.out.String()
}

func (w *world) showScreen(columns int, colour bool, id string) string {
	w.t.Helper()
	r, headers, err := w.q.open(context.Background(), id)
	w.check(err)
	t := &messageText{now: w.now, p: painter{colour}, width: columns}
	t.all(&shownJSON{describe(r, w.q.policy), headers, history(r)})
	return t.out.String()
}
