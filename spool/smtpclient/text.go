package smtpclient

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest Reply.Text, in octets.
const maxText = 500

const mask = "***"

// secrets are the strings that no text shown to anybody may hold.
type secrets []string

// secretForms are the forms in which a server may echo a secret: as it is and as
// AUTH sent it.
func secretForms(secret string, responses ...string) secrets {
	forms := secrets{secret}
	for _, r := range append(responses, secret) {
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(r)))
	}
	return forms
}

// minMasked keeps a secret of one or two letters from turning every text into stars,
// which would tell more than it hides.
const minMasked = 3

// prefixMasked is how much of a longer secret suffices to recognise it: a server that
// cuts its echo short has still shown that much.
const prefixMasked = 8

// hide masks each secret in text, also one that is cut off after its first eight octets.
func (s secrets) hide(text []byte) []byte {
	for _, secret := range s {
		if len(secret) < minMasked {
			continue
		}
		head := []byte(secret[:min(len(secret), prefixMasked)])
		for from := 0; ; {
			i := bytes.Index(text[from:], head)
			if i < 0 {
				break
			}
			i += from
			end := i + commonPrefix(text[i:], secret)
			text = append(text[:i:i], append([]byte(mask), text[end:]...)...)
			from = i + len(mask)
		}
	}
	return text
}

func commonPrefix(b []byte, s string) int {
	n := 0
	for n < len(b) && n < len(s) && b[n] == s[n] {
		n++
	}
	return n
}

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
