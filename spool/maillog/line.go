package maillog

import (
	"strconv"
	"time"

	"notices/spool/printable"
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
	l.escape(value)
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
		l.buf = printable.AppendEscaped(l.buf, value(i))
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

// escape adds what may stand between double quotes, a long value cut.
func (l *Log) escape(value string) {
	l.buf = printable.AppendEscaped(l.buf, printable.Short(value, maxValue))
}
