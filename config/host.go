package config

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

func (v value) host(to *string) {
	s, _ := v.raw.(string)
	if _, err := netip.ParseAddr(s); err != nil && !validHost(s) {
		v.bad(`a name or an IP address, like "mail.example.org", without a port`)
		return
	}
	*to = s
}

// helloName reads what EHLO says: a name or an address literal (RFC 5321 4.1.1.1). A dot
// at the end, as DNS has it, goes: neither a command nor an address takes it.
func (v value) helloName(to *string) {
	s, ok := v.raw.(string)
	if ok && (s == "" || validHost(s) || validLiteral(s)) {
		*to = strings.TrimSuffix(s, ".")
		return
	}
	v.bad(`a name, like "mail.example.org", or an address in brackets, like "[192.0.2.1]"`)
}

// address reads an e-mail address, or nothing.
func (v value) address(to *string) {
	s, ok := v.raw.(string)
	if ok && (s == "" || validAddress(s)) {
		*to = s
		return
	}
	v.bad(`one e-mail address, like "library@example.org"`)
}

// senders reads envelope senders: addresses, or all of a domain as "@branch.example.org".
func (v value) senders(to *[]string) {
	v.list(to, `a list of addresses and of domains with their @, like ["branch@example.org", "@branch.example.org"]`, func(s string) bool {
		domain, whole := strings.CutPrefix(s, "@")
		return whole && validDomain(domain) || !whole && validAddress(s) && !strings.Contains(s, "*") // no wildcard
	})
}

// domains reads what may stand behind the @ of an address. A name in another script
// may stand as it is or in its xn-- form.
func (v value) domains(to *[]string) {
	const form = `a list of domains as they stand behind the @, like ["gmail.com", "googlemail.com"]`
	if v.list(to, form, validDomain); v.raw != nil && show(v.raw) == "an empty list" {
		v.bad(form)
	}
}

// list reads a list of texts, each once and in lower case.
func (v value) list(to *[]string, form string, valid func(string) bool) {
	list, ok := v.raw.([]any)
	if !ok {
		v.bad(form)
		return
	}
	var found []string
	for _, raw := range list {
		s, _ := raw.(string)
		if s = strings.ToLower(s); !valid(s) {
			v.l.bad(v.at, "must be "+form+"; "+show(raw)+" is not one of these")
			return
		}
		if !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	*to = found
}

// validDomain is validHost, but for a dot at the end, with UTF-8 (RFC 6531 3.3).
func validDomain(name string) bool {
	if !utf8.ValidString(name) || hasControl(name) || len(name) > 253 {
		return false
	}
	ascii := strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return 'x'
		}
		return r
	}, name)
	return validHost(ascii) && !strings.HasSuffix(name, ".")
}

// validHost takes a name of the letters, digits and hyphens of RFC 1123 2.1, and
// the underscore that real names have. A name in another script is to be written
// in its xn-- form. What ends in a number is a mistyped address.
func validHost(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if !validLabel(label, notHostRune) {
			return false
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != ""
}

func validLabel(label string, not func(rune) bool) bool {
	return label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-' &&
		!strings.ContainsFunc(label, not)
}

func notHostRune(r rune) bool { return !alphanumeric(r) && r != '-' && r != '_' }

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// validLiteral takes [192.0.2.1] and [IPv6:2001:db8::1] (RFC 5321 4.1.3).
func validLiteral(s string) bool {
	inner, ok1 := strings.CutPrefix(s, "[")
	inner, ok2 := strings.CutSuffix(inner, "]")
	if !ok1 || !ok2 {
		return false
	}
	inner, v6 := strings.CutPrefix(inner, "IPv6:")
	a, err := netip.ParseAddr(inner)
	return err == nil && a.Zone() == "" && a.Is6() == v6
}

// validAddress is a mailbox as RFC 5321 4.1.2 has it, with UTF-8 (RFC 6531), but
// without quoted local parts. It is no wider than what the spool takes.
func validAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 254 || !utf8.ValidString(s) || hasControl(s) {
		return false
	}
	for atom := range strings.SplitSeq(s[:at], ".") {
		if atom == "" || strings.ContainsFunc(atom, notAtomRune) {
			return false
		}
	}
	domain := s[at+1:]
	if strings.HasPrefix(domain, "[") {
		return validLiteral(domain)
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !validLabel(label, func(r rune) bool { return r < utf8.RuneSelf && notHostRune(r) }) {
			return false
		}
	}
	return true
}

func notAtomRune(r rune) bool {
	return r < utf8.RuneSelf && !alphanumeric(r) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}
