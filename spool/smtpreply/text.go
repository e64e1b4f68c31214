package smtpreply

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest Reply.Text, in octets.
const maxText = 500

// oneLine makes foreign bytes fit to be shown: one line, printable, at most
// maxText octets. Lines are joined by a space.
func oneLine(b []byte) string {
	b = bytes.TrimSpace(b)
	if len(b) <= maxText && plain(b) {
		return string(b)
	}
	var out strings.Builder
	space := false
	for len(b) > 0 && out.Len() < maxText {
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == ' ':
			space = true
			continue
		case r == utf8.RuneError || !unicode.IsPrint(r):
			r = '?'
		}
		if space && out.Len() > 0 {
			out.WriteByte(' ')
		}
		space = false
		out.WriteRune(r)
	}
	return cut(out.String())
}

// plain reports whether b is ASCII without controls and without runs of spaces.
func plain(b []byte) bool {
	for i, c := range b {
		if c < ' ' || c > '~' || c == ' ' && b[i-1] == ' ' {
			return false
		}
	}
	return true
}

func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// stripEnhanced drops the enhanced code from the start of each line that has it,
// since the Reply shows it in front.
func stripEnhanced(text []byte, enhanced string) []byte {
	if enhanced == "" {
		return text
	}
	if rest, ok := bytes.CutPrefix(text, []byte(enhanced)); ok && bytes.IndexByte(rest, '\n') >= len(rest)-1 {
		return rest // one line, as nearly always
	}
	var out []byte
	for line := range bytes.Lines(text) {
		out = append(out, bytes.TrimPrefix(line, []byte(enhanced))...)
	}
	return out
}
