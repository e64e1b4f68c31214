package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"golang.org/x/term"

	"notices/cmd/internal/app"
)

// How the program talks. All commands keep to this:
//
//   - Results go to standard output, whatever is said to a person to standard
//     error, each line behind "notices: ".
//   - Nothing to say: nothing is said. cron mails every line.
//   - An error says what is wrong and what to do: the key, the file, the command.
//   - Colour and width follow the terminal, and only a terminal; NO_COLOR
//     (no-color.org) and TERM=dumb end colour. Elsewhere tables are plain and
//     nothing is cut off.
//   - JSON is one value and a newline. Lists are never null; a time is RFC 3339 in
//     UTC, or null when there is none. A person reads local time.
//   - What came from outside (an address, a header, a reply) is shown without its
//     control characters: it must not talk to the terminal.

// printJSON writes one value to standard output.
func (a *cli) printJSON(v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	_, err = a.Stdout.Write(append(b, '\n'))
	return err
}

// marshal is JSON with < > & as they are: it is not for a web page.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// width is how many columns standard output has; 0: it is no terminal.
func width(w io.Writer) int {
	fd, ok := app.Terminal(w)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(fd)
	if err != nil || columns < 20 { // a terminal that knows no size says 0
		return 80
	}
	return columns
}

// Colours: their number in ECMA-48 SGR.
type colour string

const (
	bold   colour = "1"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
)

// painter colours text, or leaves it alone.
type painter struct{ on bool }

func (a *cli) painter() painter {
	_, ok := app.Terminal(a.Stdout)
	return painter{ok && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"}
}

func (p painter) paint(c colour, s string) string {
	if !p.on || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// stamp is a time for JSON: whole seconds in UTC, nil when there is none.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// clock is a time for a person.
func clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// span is a length of time for a person, in its two biggest units.
func span(d time.Duration) string {
	d = d.Abs()
	day, hour, minute := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60
	switch {
	case day > 0:
		return fmt.Sprintf("%dd %dh", day, hour)
	case hour > 0:
		return fmt.Sprintf("%dh %dm", hour, minute)
	case minute > 0:
		return fmt.Sprintf("%dm", minute)
	}
	return fmt.Sprintf("%ds", int(d/time.Second))
}

// ago is when something was or will be, as seen from now.
func ago(t, now time.Time) string {
	if t.After(now) {
		return "in " + span(t.Sub(now))
	}
	return span(now.Sub(t)) + " ago"
}

// octets is a size for a person.
func octets(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// count is a number and its noun.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
