package main

import (
	"testing"
	"time"

	"notices/cmd/internal/app"
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
		if got := app.Printable(in); got != want {
			t.Errorf("app.Printable(%q) = %q, want %q", in, got, want)
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
