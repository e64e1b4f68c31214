package historyfile

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/maildir/lines"
)

// anyText draws what could break a line.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9@.+-]{0,20}`),
		rapid.SampledFrom([]string{"", "\n", "\t", "\\", `\"`, `"`, "a\tb\nc", "\x00\xff", "\u202e\u2028", "Ärger@BÜCHEREI.example", "'", `\x`, "-"}),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
}

func anyTime() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Int64Range(-2e9, 2e11), func(s int64) time.Time { return time.Unix(s, 0).UTC() })
}

func anyEntry() *rapid.Generator[spool.HistoryEntry] {
	return rapid.Custom(func(t *rapid.T) spool.HistoryEntry {
		text := func() string { return anyText().Draw(t, "text") }
		e := spool.HistoryEntry{
			ID: spool.ID(rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,20}`).Draw(t, "id")), Index: rapid.IntRange(0, 50_000).Draw(t, "index"),
			QueuedAt: anyTime().Draw(t, "queued"), EndedAt: anyTime().Draw(t, "ended"),
			Sender: text(), Recipient: text(), Ref: text(), MessageID: text(), EnvelopeID: text(), Form: spool.Form(text()),
			Attempts: rapid.IntRange(0, 999).Draw(t, "attempts"), Ending: spool.Ending(text()), Site: text(),
		}
		e.Last = spool.Outcome{Class: spool.Class(text()), Scope: spool.Scope(text()), Reason: spool.Reason(text())}
		e.Last.Reply = spool.Reply{Server: text(), Host: text(), Code: rapid.IntRange(0, 599).Draw(t, "code"), Enhanced: text(), Text: text()}
		if rapid.Bool().Draw(t, "replied") {
			e.Last.Reply.At = anyTime().Draw(t, "replied at")
		}
		if rapid.Bool().Draw(t, "bounced") {
			e.Accepted = e.Last.Reply
			e.Accepted.Text, e.Accepted.Code = text(), e.Accepted.Code+1
		}
		return e
	})
}

// TestLineOfAnyEntry: whatever a text holds, an entry is one line, which says the same again.
func TestLineOfAnyEntry(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyEntry().Draw(t, "entry")
		line := appendLine(nil, &want)
		if line[0] != '\n' || bytes.Count(line, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", line)
		}
		got, ok := parse(line[1:])
		if !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is\n%+v, %v, want\n%+v", line, got, ok, want)
		}
		for _, part := range []string{want.Recipient, want.Sender} {
			if needle := appendEscaped(nil, strings.ToLower(part)); !bytes.Contains(line, needle) {
				t.Errorf("%q is not found by %q", line, needle)
			}
		}
	})
}

func parse(line []byte) (spool.HistoryEntry, bool) {
	var c cells
	text, ok := lines.Text(line)
	if !ok || !c.split(text) || !c.valid() {
		return spool.HistoryEntry{}, false
	}
	return c.entry(), true
}

// TestLineOfNewerVersion: further cells are passed over.
func TestLineOfNewerVersion(t *testing.T) {
	want := spool.HistoryEntry{ID: "A", QueuedAt: time.Unix(1e9, 0).UTC(), EndedAt: time.Unix(1e9, 0).UTC(), Recipient: "a@example.net", Ending: spool.EndedDelivered}
	line := append(appendLine(nil, &want)[1:], "\tnew\t\x01"...)
	lines.WriteSum(line, lines.Start)
	if got, ok := parse(line); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, ok)
	}
}

// TestLineOfEarlierVersion: a line without the last cells is one all the same.
func TestLineOfEarlierVersion(t *testing.T) {
	want := spool.HistoryEntry{ID: "A", QueuedAt: time.Unix(1e9, 0).UTC(), EndedAt: time.Unix(1e9, 0).UTC(), Recipient: "a@example.net", Ending: spool.EndedDelivered}
	line := appendLine(nil, &want)
	line = line[1:]
	for range 2 {
		line = line[:len(line)-1]
		lines.WriteSum(line, lines.Start)
		if got, ok := parse(line); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, ok)
		}
	}
	short := append([]byte(nil), line[:len(line)-1]...)
	lines.WriteSum(short, lines.Start)
	if _, ok := parse(short); ok {
		t.Error("a line with a cell missing was accepted")
	}
}

// TestLongReply: the longest replies that are kept of what bounced fit into their cell.
func TestLongReply(t *testing.T) {
	long := strings.Repeat("\x00", 5000)
	e := spool.HistoryEntry{ID: "A", QueuedAt: time.Unix(1e9, 0).UTC(), Accepted: spool.Reply{Server: long, Host: long, Code: 250, Enhanced: long, Text: long, At: time.Unix(1e9, 0).UTC()}}
	got, ok := parse(appendLine(nil, &e)[1:])
	if want := long[:maxReplyText]; !ok || got.Accepted.Text != want || got.Accepted.Host != want || got.Accepted.Code != 250 {
		t.Errorf("%v, %+v", ok, got)
	}
}

func FuzzLine(f *testing.F) {
	e := spool.HistoryEntry{ID: "A", QueuedAt: time.Unix(1e9, 0), Recipient: "A@example.net", Ref: "patron\t1"}
	f.Add(appendLine(nil, &e)[1+lines.SumDigits+1:])
	e.Accepted = spool.Reply{Server: "1", Host: "mail.example.org", Code: 250, Text: "a\tb\\", At: time.Unix(1e9, 0)}
	f.Add(appendLine(nil, &e)[1+lines.SumDigits+1:])
	f.Add([]byte("2001-09-09T01:46:40Z\tA\t0\t"))
	f.Fuzz(func(t *testing.T, text []byte) {
		line := append([]byte("0123456789abcdef "), text...)
		lines.WriteSum(line, lines.Start)
		got, ok := parse(line)
		if !ok || bytes.IndexByte(line, '\n') >= 0 {
			return
		}
		again, ok := parse(appendLine(nil, &got)[1:])
		if !ok || !reflect.DeepEqual(again, got) {
			t.Errorf("%q is %+v, and then %+v, %v", line, got, again, ok)
		}
	})
}
