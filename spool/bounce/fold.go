package bounce

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"notices/spool/printable"
)

// ascii reports whether s has only octets under 128.
func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// escape writes characters outside ASCII as \x{HEX} (RFC 6533 section 3).
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
		fmt.Fprintf(&b, `\x{%X}`, r)
	}
	return b.String()
}

const (
	lineWidth = 76  // a line is folded at a blank before this column
	wordWidth = 300 // a longer word is cut; no address is as long, and RFC 5322 allows 998
)

// fold makes a field of as many lines as it needs.
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

// words splits s at blanks, and cuts words that are too long.
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

// wrap writes a paragraph in lines, each after indent.
func wrap(b *strings.Builder, indent, paragraph string) { set(b, indent, indent, paragraph) }

// hang writes a paragraph after a label, with its further lines indented as far.
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
