package maillog

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// maxValue is the longest value that is written whole, in octets: a server's answer
// of many lines is cut.
const maxValue = 1000

// text adds key=value.
func (l *Log) text(key, value string) {
	l.key(key)
	if len(value) <= maxValue && isBare(value) {
		l.buf = append(l.buf, value...)
		return
	}
	l.buf = append(l.buf, '"')
	l.escapeShort(value)
	l.buf = append(l.buf, '"')
}

// textIf adds key=value unless the value is empty.
func (l *Log) textIf(key, value string) {
	if value != "" {
		l.text(key, value)
	}
}

func (l *Log) number(key string, n int64) {
	l.key(key)
	l.buf = strconv.AppendInt(l.buf, n, 10)
}

// time adds a time unless it is zero.
func (l *Log) time(key string, t time.Time) {
	if !t.IsZero() {
		l.key(key)
		l.buf = t.UTC().AppendFormat(l.buf, time.RFC3339)
	}
}

// list adds the values with commas between them, however many.
func (l *Log) list(key string, n int, value func(i int) string) {
	l.key(key)
	bare := n > 0
	for i := range n {
		bare = bare && isBare(value(i))
	}
	if !bare {
		l.buf = append(l.buf, '"')
	}
	for i := range n {
		if i > 0 {
			l.buf = append(l.buf, ',')
		}
		l.escape(value(i))
	}
	if !bare {
		l.buf = append(l.buf, '"')
	}
}

func (l *Log) key(key string) {
	l.buf = append(append(append(l.buf, ' '), key...), '=')
}

// isBare reports whether a value needs no quotes.
func isBare(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\' {
			return false
		}
	}
	return true
}

// escapeShort is escape with a long value cut, at a letter's boundary.
func (l *Log) escapeShort(s string) {
	if len(s) <= maxValue {
		l.escape(s)
		return
	}
	end := maxValue
	for end > maxValue-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	l.escape(s[:end])
	l.buf = append(l.buf, "..."...)
}

// escape adds what may stand between double quotes. Letters of all scripts stay;
// line breaks, control and direction-changing characters and broken UTF-8 do not.
func (l *Log) escape(s string) {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			l.buf = append(l.buf, '\\', byte(r))
		case r == utf8.RuneError && size == 1:
			l.buf = append(l.buf, `\x`...)
			l.hex(rune(s[i]), 2)
		case strconv.IsPrint(r):
			l.buf = append(l.buf, s[i:i+size]...)
		case r == '\n':
			l.buf = append(l.buf, `\n`...)
		case r == '\r':
			l.buf = append(l.buf, `\r`...)
		case r == '\t':
			l.buf = append(l.buf, `\t`...)
		case r > 0xffff:
			l.buf = append(l.buf, `\U`...)
			l.hex(r, 8)
		default:
			l.buf = append(l.buf, `\u`...)
			l.hex(r, 4)
		}
		i += size
	}
}

func (l *Log) hex(r rune, digits int) {
	for digits--; digits >= 0; digits-- {
		l.buf = append(l.buf, "0123456789abcdef"[r>>(4*digits)&15])
	}
}
