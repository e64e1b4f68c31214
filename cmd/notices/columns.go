package main

import (
	"strings"
	"unicode"
)

// Text in columns of a terminal. A rune takes one, but for two kinds that patrons'
// names and addresses have: those of East Asia take two (Unicode TR 11, Wide and
// Fullwidth), marks that combine with the letter before take none.

// columns is how many columns a terminal needs for s.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300: // nearly all
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case isWide(r):
		return 2
	}
	return 1
}

// isWide goes by blocks. It is for alignment: where a block has a few narrow ones,
// they leave a gap.
func isWide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, // Hangul Jamo
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, // CJK, Kana, Yi
		r >= 0xac00 && r <= 0xd7a3,                // Hangul
		r >= 0xf900 && r <= 0xfaff,                // CJK compatibility
		r >= 0xfe30 && r <= 0xfe6f,
		r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, // fullwidth forms
		r >= 0x1f300 && r <= 0x1f64f, r >= 0x1f900 && r <= 0x1f9ff, // pictures
		r >= 0x20000 && r <= 0x3fffd: // more CJK
		return true
	}
	return false
}

// head is the longest beginning of s that fits into so many columns.
func head(s string, width int) string {
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > width {
			return s[:i]
		}
	}
	return s
}

// tail is the longest end of s that fits into so many columns.
func tail(s string, width int) string {
	runes := []rune(s)
	i := len(runes)
	for n := 0; i > 0; i-- {
		if n += runeColumns(runes[i-1]); n > width {
			break
		}
	}
	return strings.TrimLeftFunc(string(runes[i:]), func(r rune) bool { return runeColumns(r) == 0 })
}

const ellipsis = "…"

// cut shortens s to so many columns; 0: it is left alone.
func cut(s string, width int) string {
	if width <= 0 || columns(s) <= width {
		return s
	}
	return head(s, width-1) + ellipsis
}

// cutMiddle is cut for an address: whose it is stands at the beginning, and where it
// is at the end.
func cutMiddle(s string, width int) string {
	if width <= 0 || columns(s) <= width {
		return s
	}
	front := head(s, width/2)
	return front + ellipsis + tail(s, width-1-columns(front))
}

// pad fills s up to so many columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(width-columns(s), 0))
}

// wrap breaks text at spaces into lines of so many columns; 0: it stays one line. A
// longer word stays whole, for it may be an address to copy.
func wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case columns(line)+1+columns(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// least is the narrowest column that text is still pleasant to read in.
const least = 30

// hang puts text behind a beginning, and what does not fit below where it began; where
// that is too narrow for reading or for one of its words, all of it on lines of its own.
// 0 columns: it stays one line.
func hang(beginning, text string, width int) []string {
	room := width - columns(beginning)
	switch {
	case text == "":
		return []string{strings.TrimRight(beginning, " ")}
	case width <= 0 || columns(text) <= room:
		return []string{beginning + text}
	case room < least || longestWord(text) > room:
		const step = 6
		return append([]string{strings.TrimRight(beginning, " ")}, indented(wrap(text, width-step), step)...)
	}
	lines := indented(wrap(text, room), width-room)
	lines[0] = beginning + lines[0][width-room:]
	return lines
}

func indented(lines []string, by int) []string {
	for i := range lines {
		lines[i] = strings.Repeat(" ", by) + lines[i]
	}
	return lines
}

func longestWord(text string) int {
	longest := 0
	for word := range strings.FieldsSeq(text) {
		longest = max(longest, columns(word))
	}
	return longest
}
