package maillog

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"notices/spool"
)

// fields takes a line apart, by Go's rules for quoted text instead of our own.
func fields(t *testing.T, line string) map[string]string {
	t.Helper()
	found := map[string]string{}
	_, rest, _ := strings.Cut(line, " ")
	for rest != "" {
		key, value, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, ` "`) {
			t.Fatalf("no key at %q in %q", rest, line)
		}
		if _, twice := found[key]; twice {
			t.Fatalf("%s is there twice: %q", key, line)
		}
		if !strings.HasPrefix(value, `"`) {
			found[key], rest, _ = strings.Cut(value, " ")
			continue
		}
		quoted, err := strconv.QuotedPrefix(value)
		if err != nil {
			t.Fatalf("%v: %q", err, value)
		}
		if found[key], err = strconv.Unquote(quoted); err != nil {
			t.Fatal(err)
		}
		rest = strings.TrimPrefix(value[len(quoted):], " ")
	}
	return found
}

// forged are values that try to end their line or field, or to control the terminal.
var forged = []string{
	"a\ndelivered id=1", "a\r\nb", `a" why="b`, "a b=c", "a\\", "\x1b[2J", "\x00", "\xff\xfe", "a\u202eb", "\u2028", "\u0085", "", " ", "=", `"`,
	"Bücherei", "図書館", "\U000e0001", "\ufeff", "a,b", "\t", "'", "\ufffd", "é", "e\u0301",
}

func TestNoValueBreaksItsLine(t *testing.T) {
	for _, v := range forged {
		checkValue(t, v)
	}
}

// checkValue writes v everywhere that foreign text can appear.
func checkValue(t *testing.T, v string) {
	t.Helper()
	short := v
	if len(v) > maxValue {
		short = "" // cut: only the form of the line is looked at
	}
	id := spool.ID(v)
	reply := spool.Outcome{Class: spool.Class(v), Scope: spool.Scope(v), Reason: spool.Reason(v),
		Reply: spool.Reply{Server: v, Host: v, Code: 250, Enhanced: v, Text: v}}
	for _, c := range []struct {
		key   string
		write func(*Log)
	}{
		{"ref", func(l *Log) { l.Queued(&spool.Envelope{ID: id, Sender: v, Ref: v, MessageID: v}) }},
		{"to", func(l *Log) { logOne(l, id, 1, v, reply, time.Time{}) }},
		{"to", func(l *Log) {
			l.Answer(&spool.Envelope{ID: id, Recipients: []string{v}}, 1, spool.Answer{Outcome: reply, To: []int{0}}, time.Time{})
		}},
		{"return", func(l *Log) { l.Returned(id, id, v, 1) }},
		{"why", func(l *Log) { l.GaveUp(id, v) }},
		{"server", func(l *Log) { l.Paused(v, time.Time{}, reply) }},
		{"what", func(l *Log) { l.StepDown(v, v) }},
		{"why", func(l *Log) { l.Postponed(1, v) }},
		{"name", func(l *Log) { l.Aside(spool.Anomaly{Name: v, Moved: v, Why: v}) }},
		{"by", func(l *Log) { l.Removed(id, v) }},
		{"why", func(l *Log) { l.Held(id, v) }},
		{"id", func(l *Log) { l.Released(id) }},
		{"error", func(l *Log) { l.Trouble(v, errors.New(v)) }},
	} {
		var b bytes.Buffer
		c.write(New(&b, All))
		line := b.String()
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") || !utf8.ValidString(line) {
			t.Fatalf("no line: %q", line)
		}
		for _, r := range strings.TrimSuffix(line, "\n") {
			if !strconv.IsPrint(r) {
				t.Fatalf("unprintable %q in %q", r, line)
			}
		}
		got, there := fields(t, strings.TrimSuffix(line, "\n"))[c.key]
		if short != "" && (got != v || !there) {
			t.Errorf("%s: %q came back as %q", c.key, v, got)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, v := range forged {
		f.Add(v)
	}
	f.Add(strings.Repeat("ü", maxValue))
	f.Fuzz(func(t *testing.T, v string) { checkValue(t, v) })
}

func TestLongValuesAreCut(t *testing.T) {
	for _, v := range []string{strings.Repeat("a", maxValue+1), "x" + strings.Repeat("ü", maxValue), strings.Repeat("\xbf", 2*maxValue)} {
		var b bytes.Buffer
		New(&b, All).Trouble(v, nil)
		got := fields(t, strings.TrimSpace(b.String()))["what"]
		text, cut := strings.CutSuffix(got, "...")
		if !cut || !strings.HasPrefix(v, text) || len(text) < maxValue-utf8.UTFMax || len(text) > maxValue {
			t.Errorf("%d octets became %d", len(v), len(text))
		}
	}
	whole := strings.Repeat("a", maxValue)
	var b bytes.Buffer
	New(&b, All).Trouble(whole, nil)
	if want := "trouble what=" + whole + "\n"; b.String() != want {
		t.Error("cut too early")
	}
}
