package app

import (
	"fmt"
	"io"
	"strings"

	"notices/spool/printable"
)

// Say tells a person something on standard error, line by line.
func Say(stderr io.Writer, format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		fmt.Fprintf(stderr, "notices: %s\n", printable.Text(strings.TrimSuffix(line, "\n")))
	}
}
