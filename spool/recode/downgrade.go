package recode

import (
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// DowngradeField returns a header field in ASCII, for a server without SMTPUTF8: what
// EncodeField leaves as it is, too. An address whose local part is not ASCII cannot be
// written then. It becomes a name without an address, an empty group (RFC 6857 section
// 3.1.8), which readers show and cannot answer to. In a From field it becomes the name
// of from, if that address can be written, since servers refuse a From without address.
func DowngradeField(raw []byte, from string) []byte {
	name, text, ok := cutEightBit(raw)
	if !ok {
		return raw
	}
	if field := downgraded(raw, name, text, from); fits(field) {
		return field
	}
	return fold(name+": "+EncodeAll(text), "") // its octets by their numbers fill more than a line
}

func downgraded(raw []byte, name, text, from string) []byte {
	switch formOf(name) {
	case addresses:
		if from = HeaderAddress(from); !strings.EqualFold(name, "From") || !ascii(from) {
			from = ""
		}
		return fold(name+": "+downgradeList(text, from), ",;")
	case fixedForm:
		return fold(name+": "+asciiForm(name, text), "")
	}
	return EncodeField(raw)
}

// maxList is the longest list whose addresses are looked at one by one.
const maxList = 64 << 10

func downgradeList(text, from string) string {
	var list []*mail.Address
	if len(text) <= maxList {
		list, _ = mail.ParseAddressList(text)
	}
	if len(list) == 0 {
		return withoutAddress(text, from)
	}
	parts := make([]string, len(list))
	for i, a := range list {
		if a.Address = HeaderAddress(a.Address); ascii(a.Address) {
			parts[i] = a.String()
			continue
		}
		parts[i] = withoutAddress(strings.TrimSpace(a.Name+" "+a.Address), from)
		from = "" // it stands there once
	}
	return strings.Join(parts, ", ")
}

func withoutAddress(name, from string) string {
	if from != "" {
		return EncodeAll(name) + " <" + from + ">"
	}
	return EncodeAll(name) + " :;"
}

// asciiForm writes a value of ids, hosts or links in ASCII: domains in the xn-- form, and
// each other octet over 127 by its number, as links (RFC 3986) and encoded words do.
func asciiForm(name, value string) string {
	mark := byte('=')
	if strings.HasPrefix(strings.ToLower(name), "list-") {
		mark = '%'
	}
	var b strings.Builder
	for len(value) > 0 {
		end := strings.IndexFunc(value, notInDomain)
		if end == 0 {
			end = 1
		} else if end < 0 {
			end = len(value)
		}
		word := value[:end]
		value = value[end:]
		if !ascii(word) {
			word = asciiWord(word, strings.HasPrefix(value, "@"), mark)
		}
		b.WriteString(word)
	}
	return b.String()
}

func notInDomain(r rune) bool {
	return r < utf8.RuneSelf && !alphanumeric(byte(r)) && r != '.' && r != '-' && r != '_'
}

// asciiWord writes one word in ASCII. local: it is the local part of an address.
func asciiWord(word string, local bool, mark byte) string {
	if !local && strings.Contains(word, ".") {
		if domain, err := idna.Lookup.ToASCII(word); err == nil {
			return domain
		}
	}
	var b strings.Builder
	for _, c := range []byte(word) {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			b.WriteString(escaped(mark, c))
		}
	}
	return b.String()
}

// escaped is an octet by its number: %C3 in links (RFC 3986), =C3 in encoded words.
func escaped(mark, c byte) string { return string(appendEscaped(nil, mark, c)) }

func appendEscaped(b []byte, mark, c byte) []byte {
	const hex = "0123456789ABCDEF"
	return append(b, mark, hex[c>>4], hex[c&15])
}
