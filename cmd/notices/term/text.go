// Package term is how the program talks to a person. All commands keep to this:
//
//   - Results go to standard output. Messages for a person go to standard error,
//     "notices: " before each line.
//   - A command that has nothing to say says nothing: cron mails every line.
//   - An error says what is wrong and what to do: the key, the file, the command.
//   - Colour and width follow the terminal, and only a terminal; NO_COLOR
//     (no-color.org) and TERM=dumb end colour. Elsewhere tables are plain and
//     nothing is cut off.
//   - JSON is one value and a newline. Lists are never null; a time is RFC 3339 in
//     UTC, or null. A person reads local time.
//   - Text from outside (an address, a header, a reply) is shown without its
//     control characters: it must not talk to the terminal.
package term

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"

	"notices/cmd/internal/app"
	"notices/spool/printable"
)

// PrintJSON writes one value and a newline.
func PrintJSON(w io.Writer, v any) error {
	b, err := JSON(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// JSON encodes a value, with < > & as they are: it is not for a web page.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}

// Width is how many columns the terminal w has; 0 if w is not a terminal.
func Width(w io.Writer) int {
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

// Colour is a colour's number in ECMA-48 SGR.
type Colour string

// The colours in use.
const (
	Bold   Colour = "1"
	Red    Colour = "31"
	Green  Colour = "32"
	Yellow Colour = "33"
)

// Painter colours text, or leaves it as it is.
type Painter struct{ On bool }

// NewPainter colours what is written to w if w is a terminal whose user wants colour.
func NewPainter(w io.Writer, getenv func(string) string) Painter {
	_, ok := app.Terminal(w)
	return Painter{ok && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
}

// Paint colours s.
func (p Painter) Paint(c Colour, s string) string {
	if !p.On || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// Stamp is a time for JSON: whole seconds in UTC, nil for the zero time.
func Stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// Clock is a time for a person.
func Clock(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// Span is a length of time for a person, in its two biggest units.
func Span(d time.Duration) string {
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

// Ago is when something was or will be, as seen from now.
func Ago(t, now time.Time) string {
	if t.After(now) {
		return "in " + Span(t.Sub(now))
	}
	return Span(now.Sub(t)) + " ago"
}

// Octets is a size for a person.
func Octets(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/(1<<10), 0
	for ; size >= 1<<10 && unit < 2; unit++ {
		size /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMG"[unit])
}

// Listed is "a", "a and b", or "a, b and 3 more".
func Listed(names []string) string {
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n > 3:
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], n-2)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// SayLines writes lines without "notices: " before them: in a dialogue, where a person may
// copy an address.
func SayLines(w io.Writer, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintln(w, printable.Text(line))
	}
}
