package history

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"notices/spool/printable"
)

// CSV writes rows for a spreadsheet, or for the import of a catalogue (RFC 4180, but that lines
// end with a line feed alone: spreadsheets and databases read both, and cut and awk only that).
type CSV struct{ w *csv.Writer }

// NewCSV begins with the line of the columns' names.
func NewCSV(w io.Writer) *CSV {
	c := &CSV{csv.NewWriter(w)}
	_ = c.w.Write([]string{"ref", "address", "since", "status", "reason", "outcome", "id", "sender", "server", "queued_at", "attempts"}) // Flush has its error
	return c
}

// Add writes a row. Its since is when it ended, empty while it waits.
func (c *CSV) Add(r *Row) {
	record := []string{r.Ref, r.Recipient, stamp(r.EndedAt), r.Status, r.Reason, string(r.Outcome), string(r.ID), r.Sender, r.Server, stamp(r.QueuedAt),
		strconv.Itoa(r.Attempts)}
	for i := range record {
		record[i] = cell(record[i])
	}
	_ = c.w.Write(record) // Flush has its error
}

// Failed reports whether nothing more can be written.
func (c *CSV) Failed() bool { return c.w.Error() != nil }

// Flush writes what is buffered, and returns the first error.
func (c *CSV) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

func stamp(t Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// cell makes a text one line of printable characters that no spreadsheet runs as a formula: an
// apostrophe before it makes it text. A spreadsheet whose lists are separated by semicolons or
// tabs cuts a cell there and takes the rest for another one, so each part is looked at.
func cell(s string) string {
	runs := isFormula(s) // before a tab or a line end becomes a blank
	s = printable.Line(s)
	parts := strings.Split(s, ";")
	for i := range parts {
		if i == 0 && runs || isFormula(parts[i]) {
			parts[i] = "'" + parts[i]
		}
	}
	return strings.Join(parts, ";")
}

// isFormula reports whether a spreadsheet may run a text: it begins with one of = + - @, also
// in the wide or small forms of East Asian scripts, or a control character, as far as one can see
// behind blanks and quotes.
func isFormula(s string) bool {
	if s != "" && strings.ContainsRune("\t\r\n", rune(s[0])) {
		return true
	}
	s = strings.TrimLeftFunc(s, func(r rune) bool {
		return r == '"' || unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	})
	return s != "" && strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫", []rune(s)[0])
}
