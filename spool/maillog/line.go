package maillog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/printable"
)

// maxValue is the longest value in octets. A longer one, such as a server's answer of many
// lines, is cut.
const maxValue = 1000

// line is a line that is being made.
type line []byte

// text adds key=value.
func (b *line) text(key, value string) {
	b.key(key)
	if len(value) <= maxValue && isBare(value) {
		*b = append(*b, value...)
		return
	}
	*b = append(*b, '"')
	b.escape(value)
	*b = append(*b, '"')
}

// textIf adds key=value unless the value is empty.
func (b *line) textIf(key, value string) {
	if value != "" {
		b.text(key, value)
	}
}

func (b *line) number(key string, n int64) {
	b.key(key)
	*b = strconv.AppendInt(*b, n, 10)
}

// time adds a time unless it is zero.
func (b *line) time(key string, t time.Time) {
	if !t.IsZero() {
		b.key(key)
		*b = t.UTC().AppendFormat(*b, time.RFC3339)
	}
}

// list adds values with commas between them.
func (b *line) list(key string, values []string) {
	b.key(key)
	quoted := slices.ContainsFunc(values, func(v string) bool { return !isBare(v) })
	if quoted {
		*b = append(*b, '"')
	}
	for i, value := range values {
		if i > 0 {
			*b = append(*b, ',')
		}
		*b = printable.AppendEscaped(*b, value)
	}
	if quoted {
		*b = append(*b, '"')
	}
}

func (b *line) key(key string) {
	*b = append(append(append(*b, ' '), key...), '=')
}

// isBare reports whether a value needs no quotes.
func isBare(s string) bool {
	special := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '=' || r == '\\' }
	return s != "" && strings.IndexFunc(s, special) < 0
}

// escape adds value as it may stand between double quotes. A long one is cut.
func (b *line) escape(value string) {
	*b = printable.AppendEscaped(*b, printable.Short(value, maxValue))
}

// outcome adds which server said what.
func (b *line) outcome(o *spool.Outcome) {
	b.textIf("server", o.Reply.Server)
	b.textIf("host", o.Reply.Host)
	if o.Class != spool.Delivered {
		b.textIf("scope", string(o.Scope))
		b.textIf("reason", string(o.Reason))
	}
	r := &o.Reply
	if r.Code == 0 && r.Enhanced == "" {
		b.textIf("reply", r.Text)
		return
	}
	// This is Reply.String, without making that string.
	b.key("reply")
	*b = append(*b, '"')
	from := len(*b)
	if r.Code != 0 {
		*b = strconv.AppendInt(*b, int64(r.Code), 10)
	}
	for _, part := range [...]string{r.Enhanced, r.Text} {
		if part == "" {
			continue
		}
		if len(*b) > from {
			*b = append(*b, ' ')
		}
		b.escape(part)
	}
	*b = append(*b, '"')
}
