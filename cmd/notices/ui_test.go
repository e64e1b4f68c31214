package main

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[2Jb":             "a?[2Jb",
		"one\r\ntwo":            "one??two",
		"tab\there":             "tab here",
		"right\u202eto left":    "right?to left",
		"Bücher für Zoë":        "Bücher für Zoë",
		"Latin-1: \xe4":         "Latin-1: ?",
		"C1: \u009b31mcoloured": "C1: ?31mcoloured",
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	text := "no TLS, the mail travels in clear: the server does not offer STARTTLS (0s ago)"
	lines := wrap(text, 30)
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 30 {
			t.Errorf("%q is too long", line)
		}
	}
	if got := strings.Join(lines, " "); got != text {
		t.Errorf("it became %q", got)
	}
	if got := wrap("", 30); !slices.Equal(got, []string{""}) {
		t.Errorf("nothing became %q", got)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s       string
		columns int
		want    string
	}{
		{"Zoë", 0, "Zoë"}, {"Zoë", 3, "Zoë"}, {"Zoë", 2, "Z…"}, {"", 5, ""},
	} {
		if got := cut(c.s, c.columns); got != c.want {
			t.Errorf("cut(%q, %d) = %q", c.s, c.columns, got)
		}
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 5 * time.Minute: "5m", 100 * time.Hour: "4d 4h", 3*time.Hour + 20*time.Minute: "3h 20m",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

// TestHistogram: each next send is in one bin, and one message shows among a
// thousand.
func TestHistogram(t *testing.T) {
	now := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	h := newHistogram(now)
	h.due = 1
	for range 1000 {
		h.add(now.Add(7 * time.Minute))
	}
	h.add(now.Add(time.Hour))
	h.add(now.Add(100 * time.Hour))
	lines := h.lines()
	want := []string{
		"due now            1  #",
		"within 5 min       0",
		"5 to 15 min     1000  " + strings.Repeat("#", 50),
		"15 to 60 min       1  #",
		"1 to 2 hours       0",
		"later              1  #",
	}
	for i, line := range lines {
		if strings.TrimSpace(line) != want[i] {
			t.Errorf("line %d is %q, want %q", i, line, want[i])
		}
		if len(line) > 80 {
			t.Errorf("%q is over 80 columns", line)
		}
	}
}
