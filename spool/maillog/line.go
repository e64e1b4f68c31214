package maillog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"notices/spool/printable"
)

// maxValue is the longest value in octets. A longer one, such as a server's answer of many
// lines, is cut.
const maxValue = 1000

// write writes an event of pairs of key and value. A key that ends in ? is left out if its
// value is empty.
func (l *Log) write(level Level, event string, pairs ...string) {
	if !l.begin(level, event) {
		return
	}
	for i := 0; i < len(pairs); i += 2 {
		if key, optional := strings.CutSuffix(pairs[i], "?"); optional {
			l.textIf(key, pairs[i+1])
		} else {
			l.text(key, pairs[i+1])
		}
	}
	l.end()
}

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

// list adds values with commas between them.
func (l *Log) list(key string, values []string) {
	l.key(key)
	quoted := slices.ContainsFunc(values, func(v string) bool { return !isBare(v) })
	if quoted {
		l.buf = append(l.buf, '"')
	}
	for i, value := range values {
		if i > 0 {
			l.buf = append(l.buf, ',')
		}
		l.buf = printable.AppendEscaped(l.buf, value)
	}
	if quoted {
		l.buf = append(l.buf, '"')
	}
}

func (l *Log) key(key string) {
	l.buf = append(append(append(l.buf, ' '), key...), '=')
}

// isBare reports whether a value needs no quotes.
func isBare(s string) bool {
	special := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '=' || r == '\\' }
	return s != "" && strings.IndexFunc(s, special) < 0
}

// escape adds value as it may stand between double quotes. A long one is cut.
func (l *Log) escape(value string) {
	l.buf = printable.AppendEscaped(l.buf, printable.Short(value, maxValue))
}
