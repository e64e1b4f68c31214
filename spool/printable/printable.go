// Package printable makes foreign text fit to be shown: on a terminal, in the log, in a
// mail, in a reply. Foreign is whatever a server, a message, an argument or a file name
// holds. What comes out contains no control character, no character that changes the
// direction of writing (UAX 9) and no broken UTF-8: it cannot end its line, forge a field
// or command a terminal.
//
//	one line of a text of any shape         Line
//	a line that is laid out already         Text
//	a quotation within a message            Quote
//	a value of the log                      AppendEscaped
//	an SMTP reply                           ASCII
//	the name in an address field            WithoutControls
//	a word of a command that is to be run   ShellQuote
//	a number, alone or with its noun        Number, Count
//
// Secrets are masked by those who know them: smtpclient and oauth.
package printable

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes one line of s. White space and line ends become single blanks, and what does
// not show becomes a question mark.
func Line(s string) string { return Text(strings.Join(strings.Fields(s), " ")) }

// Text is Line for what is laid out in columns: each blank stays, a tab becomes one, and a
// line end becomes a question mark.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', unicode.Is(unicode.Zs, r):
			return ' '
		case shows(r):
			return r
		}
		return '?'
	}, s)
}

// shows is also true of the joiners that Persian, Indian scripts and emoji are written with.
func shows(r rune) bool {
	return r == '\u200c' || r == '\u200d' || r != utf8.RuneError && strconv.IsPrint(r)
}

// ASCII writes a question mark for each character that is not printable ASCII.
func ASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// WithoutControls drops the control characters, but for those in keep.
func WithoutControls(s, keep string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !strings.ContainsRune(keep, r) {
			return -1
		}
		return r
	}, s)
}

// Cut is the beginning of s, at most so many octets, and no part of a character.
func Cut(s string, octets int) string {
	if len(s) <= octets {
		return s
	}
	end := octets
	for end > 0 && end > octets-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// Short is Cut, with "..." behind what was cut.
func Short(s string, octets int) string {
	if len(s) <= octets {
		return s
	}
	return Cut(s, octets) + "..."
}

// Quote is Short in double quotes, with Go's escapes.
func Quote(s string, octets int) string { return strconv.Quote(Short(s, octets)) }

// ShellQuote is a word as a shell takes it. Line is to be applied too if it is foreign.
func ShellQuote(word string) string {
	special := func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("/._-+,:@%", r)
	}
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// AppendEscaped appends s as it stands between double quotes in the log: letters of all
// scripts as they are, and \", \\, \n, \r, \t, \u0000, \U000e0001, \xff.
func AppendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case strconv.IsPrint(r):
			b = append(b, s[i:i+size]...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r > 0xffff:
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
		i += size
	}
	return b
}

// Number is a number with its thousands set apart: 10,000.
func Number(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Count is a number and its noun: `1 message` or `2,000 messages`.
func Count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(n) + " " + one + "s"
}

// CountIs is `1 message is` or `2 messages are`.
func CountIs(n int, one string) string {
	if n == 1 {
		return "1 " + one + " is"
	}
	return Count(n, one) + " are"
}
