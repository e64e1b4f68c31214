package term

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// cells measures text in columns of a terminal: names and addresses have runes that take two
// columns, and marks that combine with the letter before. The locale does not matter: by
// default UTF-8 terminals show ambiguous runes in one column.
var cells = runewidth.Condition{StrictEmojiNeutral: true}

// Columns is how many columns a terminal needs for s.
func Columns(s string) int { return cells.StringWidth(s) }

const ellipsis = "…"

// Cut shortens s to so many columns; 0: it stays as it is.
func Cut(s string, width int) string {
	if width <= 0 || Columns(s) <= width {
		return s
	}
	return cells.Truncate(s, width, ellipsis)
}

// CutMiddle is Cut for an address, of which both the beginning and the end matter.
func CutMiddle(s string, width int) string {
	if width <= 0 || Columns(s) <= width {
		return s
	}
	front := cells.Truncate(s, width/2, "")
	return front + cells.TruncatePrefix(s, width-Columns(front), ellipsis)
}

// Pad fills s up to so many columns.
func Pad(s string, width int) string { return cells.FillRight(s, width) }

// Wrap breaks text at spaces into lines of so many columns; 0: it stays one line. A
// longer word is not broken, because it may be an address to copy.
func Wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case Columns(line)+1+Columns(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// least is the narrowest column for text.
const least = 30

// hang puts text behind a beginning, and the lines that do not fit below it, indented to the
// same column. If that column is too narrow for reading or for one of the words, all of the
// text goes on lines of its own, if these have more room. 0 columns: it stays one line.
func hang(beginning, text string, width int) []string {
	room, bare := width-Columns(beginning), strings.TrimRight(beginning, " ")
	longest := 0
	for word := range strings.FieldsSeq(text) {
		longest = max(longest, Columns(word))
	}
	var first []string
	switch {
	case text == "":
		return []string{bare}
	case width <= 0 || Columns(text) <= room:
		return []string{beginning + text}
	case room < width-6 && (room < least || longest > room):
		first, room = []string{bare}, width-6
	}
	lines := Wrap(text, room)
	for i := range lines {
		if i == 0 && first == nil {
			lines[i] = beginning + lines[i]
		} else {
			lines[i] = strings.Repeat(" ", width-room) + lines[i]
		}
	}
	return append(first, lines...)
}
