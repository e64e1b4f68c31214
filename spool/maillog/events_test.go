package maillog

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

var update = flag.Bool("update", false, "write testdata/lines.golden anew; notices-log(5) quotes it")

const id = spool.ID("01KAFZ3T5R8W2M4C")

var (
	at   = time.Date(2026, 3, 2, 9, 15, 7, 0, time.UTC)
	next = at.Add(5 * time.Minute)
	env  = &spool.Envelope{
		ID: id, Sender: "library@example.org", Recipients: []string{"ada@example.net", "ben@example.net", "cy@example.com"},
		QueuedAt: at, ExpiresAt: at.Add(48 * time.Hour), Ref: "patron 4711", MessageID: "<1@mail.example.org>", Size: 2301,
	}
	taken   = outcome(spool.Delivered, "", "", 250, "2.0.0", "OK queued as 4F2B")
	unknown = outcome(spool.Failed, spool.RecipientScope, "", 550, "5.1.1", "no such user")
	greyed  = outcome(spool.Deferred, spool.RecipientScope, "", 451, "4.7.1", "Greylisted, come back")
	silent  = outcome(spool.Uncertain, spool.MessageScope, "", 0, "", "no answer to the final dot within 10m")
	refused = outcome(spool.Deferred, spool.ServerScope, spool.ReasonAuth, 535, "5.7.8", "Username and password not accepted")
	down    = outcome(spool.Deferred, spool.ServerScope, spool.ReasonConnect, 0, "", "dial tcp 192.0.2.1:587: connection refused")
)

func outcome(c spool.Class, s spool.Scope, r spool.Reason, code int, enhanced, text string) spool.Outcome {
	return spool.Outcome{Class: c, Scope: s, Reason: r,
		Reply: spool.Reply{Server: "1", Host: "mail.example.org", Code: code, Enhanced: enhanced, Text: text, At: at}}
}

// logOne logs the outcome of an attempt for one recipient.
func logOne(l *Log, id spool.ID, attempt int, to string, o spool.Outcome, next time.Time) {
	l.Answer(&spool.Envelope{ID: id, Recipients: []string{to}}, attempt, spool.Answer{Outcome: o, To: []int{0}}, next)
}

// events has every event, with variants of some: the lines that notices-log(5) shows.
var events = []struct {
	method string
	write  func(*Log)
}{
	{"Queued", func(l *Log) { l.Queued(env) }},
	{"Queued", func(l *Log) {
		l.Queued(&spool.Envelope{ID: id + "-2", Recipients: []string{"library@example.org"}, Size: 4120})
	}},
	{"Queued", func(l *Log) {
		l.Queued(&spool.Envelope{ID: id, Sender: "noreply+" + string(id) + "@service.example", Recipients: []string{"ada@example.net"}, Size: 2301, Site: "library"})
	}},
	{"Discarded", func(l *Log) { l.Discarded(id, "its recipients lead to /dev/null") }},
	{"Buffered", func(l *Log) { Buffered(l, id, "dial tcp 192.0.2.7:5432: connection refused") }},
	{"Moved", func(l *Log) { Moved(l, 12, "/var/spool/notices") }},
	{"HandedIn", func(l *Log) { l.HandedIn(id, 1002, "circulation") }},
	{"HandedIn", func(l *Log) { l.HandedIn(id, 100_002, "") }},
	{"Answer", func(l *Log) { logOne(l, id, 1, "ada@example.net", taken, time.Time{}) }},
	{"Answer", func(l *Log) { logOne(l, id, 1, "ben@example.net", unknown, time.Time{}) }},
	{"Answer", func(l *Log) { logOne(l, id, 1, "cy@example.com", greyed, next) }},
	{"Answer", func(l *Log) { logOne(l, id, 2, "cy@example.com", silent, next.Add(time.Hour)) }},
	{"Answer", func(l *Log) { logOne(l, id, 3, "cy@example.com", down, next) }},
	{"Answer", func(l *Log) { l.Answer(env, 1, spool.Answer{Outcome: taken, To: []int{0, 1}}, time.Time{}) }},
	{"Answer", func(l *Log) { l.Answer(env, 1, spool.Answer{Outcome: down}, time.Time{}) }},
	{"Interrupted", func(l *Log) { l.Interrupted(id, 2, at) }},
	{"Returned", func(l *Log) { l.Returned(id, id.Return(2), "library@example.org", 1) }},
	{"Bounced", func(l *Log) {
		l.Bounced(&spool.HistoryEntry{ID: id, Recipient: "ben@example.net", Ref: "patron 4711", EndedAt: at, Ending: spool.EndedBounced, Last: unknown})
	}},
	{"GaveUp", func(l *Log) { l.GaveUp(id+"-2", "550 5.1.1 no such user") }},
	{"Paused", func(l *Log) { l.Paused("1", next, refused) }},
	{"Paused", func(l *Log) { l.Paused("2", next, down) }},
	{"StepDown", func(l *Log) { l.StepDown("2", "no TLS: STARTTLS is not offered") }},
	{"Postponed", func(l *Log) { l.Postponed(312, "every server is paused") }},
	{"Aside", func(l *Log) { l.Aside(spool.Anomaly{Name: "cur/notes.txt", Moved: "aside/notes.txt", Why: "not ours"}) }},
	{"Aside", func(l *Log) {
		l.Aside(spool.Anomaly{Name: "tmp/01KAFZ3T5R8W2M4D", Why: "never accepted, its writer is gone"})
	}},
	{"Removed", func(l *Log) { l.Removed(id, "kept 30d in failed/") }},
	{"Held", func(l *Log) { l.Held(id, "no answer to the final dot, three times in a row") }},
	{"Held", func(l *Log) { l.Held(id, ByHand) }},
	{"Released", func(l *Log) { l.Released(id) }},
	{"Retried", func(l *Log) { l.Retried(id) }},
	{"Run", func(l *Log) { l.Run(spool.Tally{Sent: 311, Deferred: 2, Returned: 1}) }},
	{"Trouble", func(l *Log) {
		l.Trouble("spool cannot be written", errors.New("write /var/spool/notices/cur: no space left on device"))
	}},
	{"Trouble", func(l *Log) { l.Trouble("nothing more is known", nil) }},
	{"Trouble", func(l *Log) {
		TroubleOnce(l, "the aliases cannot be read", nil)
		TroubleOnce(l, "the aliases cannot be read", nil)
	}},
	{"Aside", func(l *Log) {
		l.Aside(spool.Anomaly{Name: "drop/junk", Moved: "aside/drop-1002-junk", Why: "not a message"})
	}},
	{"Aside", func(l *Log) { l.Aside(spool.Anomaly{Name: "drop/folder", Why: "a folder"}) }},
	{"LoginFailed", func(l *Log) { LoginFailed(l, "library", "192.0.2.7") }},
	{"TurnedAway", func(l *Log) { TurnedAway(l, "2001:db8::7", "too many connections; try again later") }},
	{"Brokered", func(l *Log) { Brokered(l, "library", "google token", 200, nil) }},
	{"Brokered", func(l *Log) {
		Brokered(l, "library", "google token", 502, errors.New("oauth2.googleapis.com: no answer within 20 seconds"))
	}},
	{"SiteLimited", func(l *Log) { SiteLimited(l, "library", "messages_per_minute", next) }},
	{"MessageTrouble", func(l *Log) { l.MessageTrouble(id, errors.New("permission denied"), true) }},
	{"MessageTrouble", func(l *Log) { l.MessageTrouble(id, errors.New("input/output error"), false) }},
}

// The golden file is the content of a log file. A ! marks a line that is printed without -v.
func TestEveryLine(t *testing.T) {
	var got bytes.Buffer
	for _, e := range events {
		var inFile, printed bytes.Buffer
		file := plain(&inFile, All)
		file.timed = true
		e.write(&Log{now: func() time.Time { return at }, outs: []output{plain(&printed, Warnings), file}})
		mark := " "
		if printed.Len() > 0 {
			mark = "!"
			if timed := at.Format(time.RFC3339) + " " + printed.String(); timed != inFile.String() {
				t.Errorf("printed %sin file %s", &printed, &inFile)
			}
		}
		got.WriteString(mark + inFile.String())
	}
	const golden = "testdata/lines.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got:\n%swant:\n%s", &got, want)
	}
}

// Every event must be in events, and must work with a nil log.
func TestEveryMethodIsShownAndNilSafe(t *testing.T) {
	shown := map[string]bool{"Close": true}
	for _, e := range events {
		shown[e.method] = true
		e.write(nil)
	}
	for m := range reflect.TypeFor[*Log]().Methods() {
		if !shown[m.Name] {
			t.Errorf("%s is not among the events", m.Name)
		}
	}
	if err := (*Log)(nil).Close(); err != nil {
		t.Error(err)
	}
}

func TestManyRecipients(t *testing.T) {
	many := &spool.Envelope{ID: id}
	var to []int
	for i := range 120 {
		many.Recipients = append(many.Recipients, "r"+strings.Repeat("x", i)+"@example.org")
		to = append(to, i)
	}
	var b bytes.Buffer
	New(&b, All).Answer(many, 1, spool.Answer{Outcome: taken, To: to}, time.Time{})
	if n := strings.Count(b.String(), "\n"); n != 3 {
		t.Errorf("%d lines", n)
	}
	for _, r := range many.Recipients {
		if n := strings.Count(b.String(), "="+r+" ") + strings.Count(b.String(), "="+r+",") +
			strings.Count(b.String(), ","+r+" ") + strings.Count(b.String(), ","+r+","); n != 1 {
			t.Errorf("%s is there %d times", r, n)
		}
	}
}

func TestOddOutcomes(t *testing.T) {
	var b bytes.Buffer
	l := New(&b, All)
	l.Answer(env, 1, spool.Answer{Outcome: spool.Outcome{Class: "novel"}, To: []int{-1, 2, 3}}, time.Time{})
	logOne(l, id, 1, "", outcome(spool.Failed, "", "", 550, "", ""), time.Time{})
	logOne(l, id, 1, "a", outcome(spool.Failed, "", "", 0, "5.1.1", ""), time.Time{})
	want := "deferred id=" + string(id) + ` attempt=1 to=?,cy@example.com,?
failed id=` + string(id) + ` attempt=1 to="" server=1 host=mail.example.org reply="550"
failed id=` + string(id) + ` attempt=1 to=a server=1 host=mail.example.org reply="5.1.1"
`
	if b.String() != want {
		t.Errorf("got:\n%swant:\n%s", &b, want)
	}
}
