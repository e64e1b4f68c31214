package app

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Say tells a person something on standard error, line by line.
func Say(stderr io.Writer, format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Fprintf(stderr, "notices: %s\n", Printable(strings.TrimSuffix(line, "\n")))
	}
}

// Printable shows control characters, and what turns the writing direction, as ?; a
// tab as a space: what came from outside must not talk to the terminal.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
			return '?'
		}
		return r
	}, s)
}
