package main

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/route"
)

func TestProgressLine(t *testing.T) {
	began := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line  line
		spent time.Duration
		want  string
	}{
		{line{}, time.Minute, "sending"},
		{line{note: "waits 3s for an answer"}, 3 * time.Second, "sending; waits 3s for an answer"},
		{line{done: 1, total: 4}, time.Millisecond, "[#####               ] 1 of 4"},
		{line{done: 50, total: 100}, 2 * time.Second, "[##########          ] 50 of 100, 25 a second, 2s left"},
		{line{done: 100, total: 100}, 4 * time.Second, "[####################] 100 of 100, 25 a second"},
		{line{done: 30, total: 90, note: "waits 10s (rate_per_minute = 30)"}, time.Minute,
			"[######              ] 30 of 90, 30 a minute, 2m left; waits 10s (rate_per_minute = 30)"},
		{line{done: 5, total: 4}, time.Second, "[####################] 5 of 4"}, // returns add to the total
	} {
		c.line.began, c.line.now = began, began.Add(c.spent)
		if got := c.line.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

// TestProgressVanishes: what is said while it is drawn stands on a line of its own, and in
// the end nothing else is there.
func TestProgressVanishes(t *testing.T) {
	control, tty, err := openTerminal(40)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	a := newCLI()
	a.Stderr = tty
	bar := a.newProgress()
	bar.show(1, 3)
	bar.last = time.Time{} // it is drawn ten times a second at most
	bar.show(2, 3)
	a.Say("server 1 is down")
	bar.clear()
	bar.show(3, 3) // a late one
	a.Say("2 sent")
	tty.Close()
	raw, _ := io.ReadAll(control) // ends with EIO
	if !strings.Contains(string(raw), "2 of 3") {
		t.Errorf("nothing was drawn: %q", raw)
	}
	if got := onScreen(string(raw)); got != "notices: server 1 is down\nnotices: 2 sent\n" {
		t.Errorf("left on the screen:\n%s\nof %q", got, raw)
	}
	if a.Stderr != io.Writer(tty) {
		t.Error("standard error is not given back")
	}
}

// onScreen is what a terminal shows after carriage returns and erased lines.
func onScreen(raw string) string {
	var screen strings.Builder
	line := ""
	for raw != "" {
		switch {
		case strings.HasPrefix(raw, "\r\n"):
			screen.WriteString(line + "\n")
			line, raw = "", raw[2:]
		case strings.HasPrefix(raw, "\r\x1b[K"):
			line, raw = "", raw[4:]
		default:
			line, raw = line+raw[:1], raw[1:]
		}
	}
	return screen.String() + line
}

// TestNoProgressInAPipe: nor with -v.
func TestNoProgressInAPipe(t *testing.T) {
	w := newWorld(t)
	bar := w.a.newProgress()
	bar.start()
	bar.show(1, 2)
	bar.clear()
	if w.said.Len() > 0 || bar.on {
		t.Errorf("%q", w.said.String())
	}
	control, tty, err := openTerminal(80)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	defer tty.Close()
	w.a.Stderr, w.a.Verbose = tty, true
	if w.a.newProgress().on || w.a.Stderr != io.Writer(tty) {
		t.Error("it is on beside -v")
	}
}

// TestWaiting: what a flush waits for is said as far as it is known.
func TestWaiting(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	servers := make([]route.Server, 2)
	servers[0].Name, servers[1].Name = "1", "2"
	old := spool.Outcome{Reply: spool.Reply{At: w.now.Add(-time.Minute)}}
	w.state(spool.HealthName+"1", spool.Health{DownUntil: w.now.Add(time.Minute), Troubles: 1, Last: old})
	w.state(spool.HealthName+"2", spool.Health{DownUntil: w.now.Add(-time.Second), Troubles: 1, Last: old})
	told := func(since time.Time, idle time.Duration) string {
		return waiting(ctx, w.store.State(), servers, since, w.a.Now)(idle)
	}
	if got := told(time.Time{}, time.Second); got != "server 1 is down" {
		t.Error(got)
	}
	if got := told(w.now, 5*time.Second); got != "waits 5s for an answer" { // as flush --all, which tried it again
		t.Error(got)
	}
	servers[1].RatePerMinute = 30
	if got := told(w.now, 5*time.Second); got != "waits 5s (rate_per_minute = 30)" {
		t.Error(got)
	}
	cancel()
	if got := told(w.now, 0); !strings.HasPrefix(got, "stopping") {
		t.Error(got)
	}
}

// TestProgressTellsWhy: the line is drawn anew while nothing moves, with what it waits
// for, and follows the width of the terminal.
func TestProgressTellsWhy(t *testing.T) {
	control, tty, err := openTerminal(30)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	a := newCLI()
	a.Stderr = tty
	bar := a.newProgress()
	bar.why = func(time.Duration) string { return "waits for an answer, which takes long" }
	bar.line.note = bar.reason(time.Now())
	bar.show(0, 3)
	tty.Close()
	screen := make([]byte, 200)
	n, err := control.Read(screen)
	if err != nil && !os.IsTimeout(err) {
		t.Fatal(err)
	}
	line := strings.TrimPrefix(string(screen[:n]), "\r\x1b[K")
	if columns(line) != 26 || !strings.HasSuffix(line, ellipsis) {
		t.Errorf("%q takes %d columns", line, columns(line))
	}
	bar.clear()
}
