package bounce

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/printable"
)

// ascii also says no to octets that are no UTF-8.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// escape writes characters outside ASCII as \x{HEX}, as RFC 6533 section 3 has it.
func escape(s string) string {
	if ascii(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		b.WriteString(`\x{`)
		b.WriteString(strings.ToUpper(strconv.FormatInt(int64(r), 16)))
		b.WriteByte('}')
	}
	return b.String()
}

// xtext is the utf-8-addr-xtext of RFC 6533 section 3: an address of any script in
// a part that is only ASCII.
func xtext(address string) string { return string(spool.AppendAddrXtext(nil, address)) }

const (
	lineWidth = 76  // where a line is folded, if there is a blank
	wordWidth = 300 // where a word is cut: longer than any address, well under the 998 of RFC 5322
)

// fold writes a field over as many lines as it needs.
func fold(name, value string) string {
	var b strings.Builder
	b.WriteString(name)
	b.WriteByte(':')
	column := b.Len()
	for i, word := range words(value) {
		if i > 0 && column+1+len(word) > lineWidth {
			b.WriteString("\r\n")
			column = 0
		}
		b.WriteByte(' ')
		b.WriteString(word)
		column += 1 + len(word)
	}
	b.WriteString("\r\n")
	return b.String()
}

// words splits at blanks, and words beyond all measure within.
func words(s string) []string {
	list := strings.Fields(s)
	for i := 0; i < len(list); i++ {
		if len(list[i]) <= wordWidth {
			continue
		}
		first := printable.Cut(list[i], wordWidth)
		list = slices.Insert(list, i+1, list[i][len(first):])
		list[i] = first
	}
	return list
}

// wrap sets a paragraph in lines, each after indent.
func wrap(b *strings.Builder, indent, paragraph string) { set(b, indent, indent, paragraph) }

// hang sets a paragraph behind a label, its further lines under the first.
func hang(b *strings.Builder, label, paragraph string) {
	set(b, label, strings.Repeat(" ", len(label)), paragraph)
}

func set(b *strings.Builder, first, indent, paragraph string) {
	b.WriteString(first)
	column := 0
	for i, word := range words(paragraph) {
		width := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+width > lineWidth-len(indent)-4:
			b.WriteString("\r\n" + indent)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += width
	}
	b.WriteString("\r\n")
}
