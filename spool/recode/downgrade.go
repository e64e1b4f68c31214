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
	name, value, ok := cutField(raw)
	if !ok || !EightBit(value) {
		return raw
	}
	text := ToUTF8(strings.TrimSpace(unfolded(value)))
	if field := downgraded(raw, name, text, from); fits(field) {
		return field
	}
	return fold(name+": "+encodeAll(text), "") // its octets by their numbers fill more than a line
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
		return EncodePhrase(name) + " <" + from + ">"
	}
	return EncodePhrase(name) + " :;"
}

// EncodePhrase encodes a text as it may stand in a list of addresses: in encoded words of
// letters, digits and what else RFC 2047 section 5 (3) allows there.
func EncodePhrase(text string) string {
	const hex, most = "0123456789ABCDEF", 52 // with one more letter a word has 75 octets
	var words []string
	var word strings.Builder
	for _, r := range text {
		if word.Len() >= most {
			words = append(words, word.String())
			word.Reset()
		}
		if r < utf8.RuneSelf && (alphanumeric(byte(r)) || strings.ContainsRune("!*+-/", r)) {
			word.WriteRune(r)
			continue
		}
		if r == ' ' {
			word.WriteByte('_')
			continue
		}
		for _, c := range []byte(string(r)) {
			word.Write([]byte{'=', hex[c>>4], hex[c&15]})
		}
	}
	words = append(words, word.String())
	return "=?utf-8?q?" + strings.Join(words, "?= =?utf-8?q?") + "?="
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
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(word) {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			b.Write([]byte{mark, hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
