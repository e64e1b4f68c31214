package smtpreply

import (
	"bytes"
	"encoding/base64"
	"html"
	"strconv"
	"strings"
)

const mask = "***"

// secrets are the strings that must not appear in any text of a server that is shown.
type secrets struct {
	forms []string
	// hideAll: the secret is short or a mere word, so that it could be guessed from the text
	// around it. Nothing is shown of a text that contains it.
	hideAll bool
}

// prefixMasked is how many octets of a longer secret are enough to recognise it: a server may cut
// its echo short.
const prefixMasked = 8

// secretForms are the forms in which a server may echo a secret: as it is, as AUTH sent
// it, and in base64 behind any other text.
func secretForms(secret string, responses ...string) secrets {
	s := secrets{forms: []string{secret}, hideAll: len(secret) < 6 || !strings.ContainsFunc(secret, noLetter)}
	for _, r := range append(responses, secret) {
		s.forms = append(s.forms, base64.StdEncoding.EncodeToString([]byte(r)))
	}
	for before := 1; before < 3 && len(secret) >= 6; before++ {
		// Only those characters that depend on the secret alone: 6 bits each.
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, before), secret...))
		s.forms = append(s.forms, encoded[(before*8+5)/6:(before+len(secret))*8/6])
	}
	return s
}

func noLetter(r rune) bool { return r < 'A' || r > 'Z' && r < 'a' || r > 'z' }

// hide masks the secret in a text of the server, in whatever way the server wrote it: in other
// case, with characters escaped, or cut off after its first eight octets.
func (s secrets) hide(text []byte) []byte {
	var out []byte
	done := 0 // octets of text that are in out
	for i := 0; i < len(text); i++ {
		end := s.match(text[i:])
		if end == 0 {
			continue
		}
		if s.hideAll {
			return []byte(mask)
		}
		out = append(append(out, text[done:i]...), mask...)
		done = i + end
		i = done - 1
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// match is the length of the secret's form that text begins with, 0 if it begins with none.
func (s secrets) match(text []byte) (longest int) {
	for _, form := range s.forms {
		if form == "" || lower(text[0]) != lower(form[0]) && !bytes.ContainsRune([]byte(`%=&\+-_`), rune(text[0])) {
			continue
		}
		longest = max(longest, matchForm(text, form, false), matchForm(text, form, true))
	}
	return longest
}

// matchForm is how many octets at the start of text are the form or enough of its beginning;
// 0 if they are not. With escapes, an escaped character counts as the one it stands for.
func matchForm(text []byte, form string, escapes bool) int {
	at, n := 0, 0
	for ; n < len(form) && at < len(text); n++ {
		if c, size := unescaped(text[at:]); escapes && lower(c) == lower(form[n]) {
			at += size
		} else if lower(text[at]) == lower(form[n]) {
			at++
		} else {
			break
		}
	}
	if n < min(len(form), prefixMasked) {
		return 0
	}
	return at
}

// unescaped reads one octet as it is written in a link or in quoted-printable (%3D, =3D),
// in a form (+), in HTML (&amp; &#38; &#x26;), in a quoted string (\"), or in the base64 of
// links.
func unescaped(text []byte) (c byte, size int) {
	switch c = text[0]; c {
	case '%', '=':
		if len(text) >= 3 {
			if n, err := strconv.ParseUint(string(text[1:3]), 16, 8); err == nil {
				return byte(n), 3
			}
		}
	case '&':
		if end := bytes.IndexByte(text[:min(len(text), 10)], ';'); end > 1 {
			if s := html.UnescapeString(strings.ToLower(string(text[:end+1]))); len(s) == 1 {
				return s[0], end + 1
			}
		}
	case '\\':
		if len(text) > 1 {
			return text[1], 2
		}
	case '+':
		return ' ', 1
	case '-':
		return '+', 1
	case '_':
		return '/', 1
	}
	return c, 1
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
