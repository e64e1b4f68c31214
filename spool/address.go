package spool

import (
	"fmt"
	"net"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CheckAddress reports what is wrong with an envelope address, local@domain
// without < >: RFC 5321 4.1.2, internationalised by RFC 6531. The limits are
// those of RFC 5321 4.5.3.1. Nothing that passes can leave the < > of an SMTP
// command: no control character, no space or bracket outside a quoted local part.
func CheckAddress(address string) error {
	if !utf8.ValidString(address) {
		return fmt.Errorf("address %q is not UTF-8", address)
	}
	for _, r := range address {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("address %q has a control character", address)
		}
		if r >= utf8.RuneSelf && (unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) && r != 0x200c && r != 0x200d) {
			return fmt.Errorf("address %q has a character that does not show", address)
		}
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return fmt.Errorf("address %q has no @", address)
	}
	local, domain := address[:at], address[at+1:]
	if len(address) > 254 || len(local) > 64 {
		return fmt.Errorf("address %q is too long", address)
	}
	if !validLocal(local) {
		return fmt.Errorf("address %q: malformed before the @", address)
	}
	if !validDomain(domain) {
		return fmt.Errorf("address %q: malformed after the @", address)
	}
	return nil
}

func validLocal(local string) bool {
	if strings.HasPrefix(local, `"`) {
		return validQuoted(local)
	}
	// Dots in a row and at the ends break RFC 5321, and yet such mailboxes are alive:
	// Japanese carriers gave them out. Postfix takes them, too.
	bare := strings.ReplaceAll(local, ".", "")
	return bare != "" && !strings.ContainsFunc(bare, notAtext)
}

func notAtext(r rune) bool {
	return r < utf8.RuneSelf && !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// validQuoted takes a quoted-string. `<` and `>` inside are legal, but too many
// servers scan for them: they are refused.
func validQuoted(s string) bool {
	if len(s) < 3 || !strings.HasSuffix(s, `"`) || strings.ContainsAny(s, "<>") {
		return false
	}
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return false
		case '\\':
			if i++; i == len(s) {
				return false
			}
		}
	}
	return true
}

func validDomain(domain string) bool {
	if strings.HasPrefix(domain, "[") {
		return validLiteral(domain)
	}
	for label := range strings.SplitSeq(strings.Map(plainDot, domain), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool { return r < utf8.RuneSelf && !isAlphanumeric(r) && r != '-' && r != '_' }) {
			return false
		}
	}
	return true
}

// plainDot: IDNA takes other dots for one, too (UTS 46).
func plainDot(r rune) rune {
	if r == '\u3002' || r == '\uff0e' || r == '\uff61' {
		return '.'
	}
	return r
}

func validLiteral(domain string) bool {
	inner, ok := strings.CutSuffix(domain[1:], "]")
	if !ok {
		return false
	}
	if v6, ok := strings.CutPrefix(inner, "IPv6:"); ok {
		return net.ParseIP(v6) != nil && strings.Contains(v6, ":")
	}
	return net.ParseIP(inner).To4() != nil && !strings.Contains(inner, ":")
}
