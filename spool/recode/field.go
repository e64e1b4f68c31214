package recode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"notices/spool/printable"
)

// foldAt is where a folded field's lines end, if they have a blank there (RFC 5322
// section 2.1.1).
const foldAt = 76

// fieldForm says how a header field may be changed.
type fieldForm int

const (
	freeText  fieldForm = iota // encoded words may stand anywhere (RFC 2047 section 5)
	addresses                  // a list with commas; its names are for package intake
	mimeValue                  // a value with parameters (RFC 2045, RFC 2183)
	fixedForm                  // ids, dates, signatures: blanks only
)

// formOf tells by a field's name. A name that is not known is text, as RFC 5322
// section 3.6.8 says.
func formOf(name string) fieldForm {
	switch name = strings.ToLower(name); name {
	case "content-type", "content-disposition":
		return mimeValue
	case "message-id", "in-reply-to", "references", "resent-message-id", "date", "resent-date", "received",
		"return-path", "mime-version", "content-transfer-encoding", "content-id", "content-md5",
		"dkim-signature", "domainkey-signature", "authentication-results":
		return fixedForm
	}
	switch {
	case IsAddressField(name):
		return addresses
	case strings.HasPrefix(name, "arc-"), strings.HasPrefix(name, "list-"):
		return fixedForm
	}
	return freeText
}

// IsAddressField reports whether fields of that name hold a list of addresses.
func IsAddressField(name string) bool {
	name = strings.ToLower(name)
	switch strings.TrimPrefix(name, "resent-") {
	case "from", "sender", "reply-to", "to", "cc", "bcc":
		return true
	}
	switch name {
	case "errors-to", "return-receipt-to", "disposition-notification-to", "mail-followup-to", "mail-reply-to", "apparently-to":
		return true
	}
	return false
}

// EncodeField returns a header field, all its lines with their CRLF, in ASCII, where
// its form allows that: text by RFC 2047, parameters of MIME fields by RFC 2231, domains in
// ids and links in their xn-- form. Octets that are no UTF-8 are taken for Windows-1252,
// which has Latin-1 in it. Fields of addresses and signatures stay as they are.
func EncodeField(raw []byte) []byte {
	name, text, ok := cutEightBit(raw)
	if !ok {
		return raw
	}
	switch formOf(name) {
	case freeText:
		text = EncodeText(text)
	case mimeValue:
		text = encodeParameters(text, len(text))
	case fixedForm:
		if isSignature(name) {
			return raw
		}
		text = asciiForm(name, text)
	default:
		return raw
	}
	return fold(name+": "+text, "")
}

// cutEightBit splits a field whose value has octets over 127.
func cutEightBit(raw []byte) (name, text string, ok bool) {
	head, value, ok := CutField(raw)
	return string(head), ToUTF8(strings.TrimSpace(Unfold(string(value)))), ok && EightBit(value)
}

// isSignature: the field is itself a part of what it signs.
func isSignature(name string) bool {
	name = strings.ToLower(name)
	return name == "dkim-signature" || name == "domainkey-signature" || strings.HasPrefix(name, "arc-")
}

// FitField returns a header field without lines over MaxLine: folded at its blanks, an
// address list behind its commas and ids between them too, else encoded where it is text or
// a parameter. The error is ErrHeader: neither can
// be.
func FitField(raw []byte) ([]byte, error) {
	if fits(raw) {
		return raw, nil
	}
	head, value, ok := CutField(raw)
	if !ok {
		return nil, ErrHeader
	}
	name, text := string(head), strings.TrimSpace(Unfold(string(value)))
	form := formOf(name)
	folded := fold(name+": "+text, foldsBehind(name, form))
	if !fits(folded) { // a quote may have no end
		folded = fold(name+": "+text, "")
	}
	switch {
	case fits(folded):
	case form == freeText:
		folded = fold(name+": "+EncodeAll(text), "")
	case form == mimeValue:
		folded = fold(name+": "+encodeParameters(text, foldAt), ";")
	}
	if !fits(folded) {
		return nil, fmt.Errorf("%w: %.80q", ErrHeader, name)
	}
	return folded, nil
}

// foldsBehind is behind what characters a field may be folded where it has no blanks.
func foldsBehind(name string, form fieldForm) string {
	switch name = strings.ToLower(name); {
	case form == addresses:
		return ",;"
	case form == mimeValue, name == "received", name == "authentication-results":
		return ";"
	case form == fixedForm && !isSignature(name):
		return ">" // between ids, and links
	}
	return ""
}

func fits(raw []byte) bool {
	if len(raw) <= MaxLine {
		return true
	}
	for line := range bytes.Lines(raw) {
		if len(bytes.TrimRight(line, "\r\n")) > MaxLine {
			return false
		}
	}
	return true
}

// Unfold removes the line ends from a field's value (RFC 5322 section 2.2.3).
func Unfold(value string) string {
	if strings.IndexByte(value, '\n') < 0 {
		return value
	}
	return strings.NewReplacer("\r\n", "", "\n", "").Replace(value)
}

// ToUTF8 reads octets that are no UTF-8 as Windows-1252.
func ToUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		c := rune(s[i])
		if c >= 0x80 && c < 0xa0 {
			c = windows1252[c-0x80]
		}
		b.WriteRune(c)
	}
	return b.String()
}

// windows1252 is what Windows-1252 has where Latin-1 has control characters.
var windows1252 = [32]rune{
	'€', 0xfffd, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0xfffd, 'Ž', 0xfffd,
	0xfffd, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0xfffd, 'ž', 'Ÿ',
}

// EncodeText encodes the words of a text that are not ASCII (RFC 2047). Encoded words
// that are in it stay. A blank between two encoded words is not shown (section 6.2), so
// that one is encoded too.
func EncodeText(text string) string {
	words := strings.Split(strings.ReplaceAll(text, "\t", " "), " ")
	var b strings.Builder
	for i := 0; i < len(words); i++ {
		if i > 0 {
			b.WriteByte(' ')
		}
		if ascii(words[i]) {
			b.WriteString(words[i])
			continue
		}
		last := i
		for j := i; j < len(words) && !isEncodedWord(words[j]); j++ {
			if !ascii(words[j]) {
				last = j
			}
		}
		run := strings.Join(words[i:last+1], " ")
		if i > 0 && isEncodedWord(words[i-1]) {
			run = " " + run
		}
		if last+1 < len(words) && isEncodedWord(words[last+1]) {
			run += " "
		}
		b.WriteString(mime.QEncoding.Encode("utf-8", run))
		i = last
	}
	return b.String()
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

func isEncodedWord(s string) bool {
	return len(s) > 6 && strings.HasPrefix(s, "=?") && strings.HasSuffix(s, "?=") && strings.Count(s, "?") == 4
}

// EncodeAll encodes a text whatever is in it, in encoded words that may also stand in a list
// of addresses (RFC 2047 section 5 (3)).
func EncodeAll(text string) string {
	const most = 42 // octets that make 56 of base64
	var words []string
	for text != "" {
		word := printable.Cut(text, most)
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(word))+"?=")
		text = text[len(word):]
	}
	return strings.Join(words, " ")
}

// encodeParameters encodes the parameters of a MIME field that are not ASCII (RFC 2231
// section 4), in pieces where they are long (section 3). Where nothing may be encoded, each
// octet over 127 is written by its number. Parameters of more than longest octets are
// encoded whatever is in them.
func encodeParameters(value string, longest int) string {
	var b strings.Builder
	for i, part := range splitQuoted(value, ';') {
		if i > 0 {
			b.WriteByte(';')
		}
		name, v, ok := strings.Cut(part, "=")
		switch {
		case ok && strings.Contains(name, "*"):
			b.WriteString(asciiWord(part, true, '%'))
			continue
		case ascii(part) && len(part) <= longest, !ok, !ascii(name):
			b.WriteString(asciiWord(part, true, '='))
			continue
		}
		b.WriteByte(' ')
		b.WriteString(parameter(strings.TrimSpace(name), unquoteValue(v)))
	}
	return b.String()
}

func parameter(name, value string) string {
	const most = 50
	pieces, piece := []string{}, "utf-8''"
	for i := range len(value) {
		if c := value[i]; c < utf8.RuneSelf && (c == '.' || c == '-' || c == '_' || alphanumeric(c)) {
			piece += string(rune(c))
		} else {
			piece += escaped('%', c)
		}
		if len(piece) >= most {
			pieces, piece = append(pieces, piece), ""
		}
	}
	if len(pieces) == 0 {
		return name + "*=" + piece
	}
	if piece != "" {
		pieces = append(pieces, piece)
	}
	for i := range pieces {
		pieces[i] = fmt.Sprintf("%s*%d*=%s", name, i, pieces[i])
	}
	return strings.Join(pieces, "; ")
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// unquoteValue is a parameter's value without its quotes, and without what stands behind
// them. Quotes may have no end.
func unquoteValue(s string) string {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	var b strings.Builder
	for i := 1; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// splitQuoted cuts at a separator outside of quotes.
func splitQuoted(s string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// fold cuts a field at its blanks into lines of foldAt, if it has blanks there. With
// separators it cuts outside of quotes only, and behind the separators too.
func fold(field, separators string) []byte {
	var b bytes.Buffer
	begin := strings.IndexByte(field, ':') + 1 // the name stays with what follows
	for len(field) > foldAt {
		cut, skip := foldPlace(field, begin, separators)
		if cut < 0 {
			break
		}
		b.WriteString(field[:cut])
		b.WriteString("\r\n ")
		field = field[cut+skip:]
		begin = 0
	}
	b.WriteString(field)
	b.WriteString("\r\n")
	return b.Bytes()
}

// foldPlace is where the line ends that the field begins with, and how many octets of
// blanks the line end stands for; -1: nowhere. No line is made of blanks alone.
func foldPlace(field string, begin int, separators string) (cut, skip int) {
	cut = -1
	quoted, seen := false, false // seen: the line has something in it
	for i := begin; i < len(field) && (i < foldAt || cut < 0); i++ {
		switch c := field[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && separators != "":
			quoted = !quoted
		case quoted:
		case c == ' ' || c == '\t':
			n := len(field[i:]) - len(strings.TrimLeft(field[i:], " \t"))
			if seen && i+n < len(field) {
				cut, skip = i, n
			}
			i += n - 1
			continue
		case i+1 < len(field) && field[i+1] != ' ' && strings.IndexByte(separators, c) >= 0:
			cut, skip = i+1, 0
		}
		seen = true
	}
	return cut, skip
}
