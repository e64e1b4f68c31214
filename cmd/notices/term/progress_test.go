package term

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
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
	control, tty, err := fakesite.OpenTerminal(40)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	a := app.New()
	a.Stderr = tty
	bar := NewProgress(a)
	bar.Show(1, 3)
	bar.last = time.Time{} // it is drawn ten times a second at most
	bar.Show(2, 3)
	a.Say("server 1 is down")
	bar.Clear()
	bar.Show(3, 3) // a late one
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
	w := fakesite.New(t)
	bar := NewProgress(w.Program)
	bar.Start()
	bar.Show(1, 2)
	bar.Clear()
	if w.Said.Len() > 0 || bar.On {
		t.Errorf("%q", w.Said.String())
	}
	control, tty, err := fakesite.OpenTerminal(80)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	defer tty.Close()
	w.Program.Stderr, w.Program.Verbose = tty, true
	if NewProgress(w.Program).On || w.Program.Stderr != io.Writer(tty) {
		t.Error("it is on beside -v")
	}
}

// TestProgressTellsWhy: the line is drawn anew while nothing moves, with what it waits
// for, and follows the width of the terminal.
func TestProgressTellsWhy(t *testing.T) {
	control, tty, err := fakesite.OpenTerminal(30)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	a := app.New()
	a.Stderr = tty
	bar := NewProgress(a)
	bar.Why = func(time.Duration) string { return "waits for an answer, which takes long" }
	bar.line.note = bar.reason(time.Now())
	bar.Show(0, 3)
	tty.Close()
	screen := make([]byte, 200)
	n, err := control.Read(screen)
	if err != nil && !os.IsTimeout(err) {
		t.Fatal(err)
	}
	line := strings.TrimPrefix(string(screen[:n]), "\r\x1b[K")
	if Columns(line) != 26 || !strings.HasSuffix(line, ellipsis) {
		t.Errorf("%q takes %d columns", line, Columns(line))
	}
	bar.Clear()
}
