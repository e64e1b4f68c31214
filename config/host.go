package config

import (
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"notices/spool"
)

func (v value) host(to *string) {
	take(v, to, `a name or an IP address, like "mail.example.org", without a port`, matching(func(s string) bool {
		_, err := netip.ParseAddr(s)
		return err == nil || validHost(s)
	}))
}

// hostPort reads a host with its port, or nothing.
func hostPort(v value, to *string) {
	take(v, to, `a name or an IP address with a port, like "imap.example.org:993"`, optional(func(s string) bool {
		host, _, _ := net.SplitHostPort(s)
		_, bad := netip.ParseAddr(host)
		return validPort(s) && (bad == nil || validHost(host))
	}))
}

// helloName reads what EHLO says: a name or an address literal (RFC 5321 4.1.1.1). A dot
// at the end, as in DNS, is cut: neither a command nor an address may have it.
func (v value) helloName(to *string) {
	take(v, to, `a name, like "mail.example.org", or an address in brackets, like "[192.0.2.1]"`,
		optional(func(s string) bool { return validHost(s) || validLiteral(s) }))
	*to = strings.TrimSuffix(*to, ".")
}

// address reads an e-mail address, or nothing.
func (v value) address(to *string) {
	take(v, to, `one e-mail address, like "library@example.org"`, optional(validAddress))
}

// sha256Size is that of crypto/sha256, which the small program does not link.
const sha256Size = 32

// fingerprint reads the SHA-256 of a certificate, with or without the colons that
// openssl puts between the octets, or nothing.
func (v value) fingerprint(to *string) {
	take(v, to, `"sha256:" and the 64 hex digits of the server's certificate, as notices test-server shows them`, func(raw any) (string, bool) {
		s, ok := raw.(string)
		if s == "" {
			return "", ok
		}
		text, ok := strings.CutPrefix(strings.ToLower(s), "sha256:")
		octets := strings.Split(text, ":")
		if len(octets) > 1 && slices.ContainsFunc(octets, func(o string) bool { return len(o) != 2 }) {
			return "", false
		}
		text = strings.Join(octets, "")
		b, err := hex.DecodeString(text)
		return text, ok && err == nil && len(b) == sha256Size
	})
}

// senders reads envelope senders: addresses, or all of a domain as "@branch.example.org".
func (v value) senders(to *[]string) {
	takeList(v, to, `a list of addresses and of domains with their @, like ["branch@example.org", "@branch.example.org"]`, func(s string) bool {
		domain, whole := strings.CutPrefix(s, "@")
		return whole && validDomain(domain) || !whole && validAddress(s) && !strings.Contains(s, "*") // no wildcard
	})
}

// domains reads domains of addresses. A name in another script may be written as it is or
// in its xn-- form.
func (v value) domains(to *[]string) {
	const form = `a list of domains as they stand behind the @, like ["gmail.com", "googlemail.com"]`
	if list, ok := v.raw.([]any); ok && len(list) == 0 {
		v.l.bad(v.at, "must be "+form+", not an empty one")
	}
	takeList(v, to, form, validDomain)
}

// takeList reads a list of texts, each once and in lower case.
func takeList(v value, to *[]string, form string, valid func(string) bool) {
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

// validAddress takes the addresses that the spool takes, but for quoted local parts.
func validAddress(s string) bool { return spool.CheckAddress(s) == nil && !strings.HasPrefix(s, `"`) }

// validLiteral takes [192.0.2.1] and [IPv6:2001:db8::1] (RFC 5321 4.1.3).
func validLiteral(s string) bool {
	return strings.HasPrefix(s, "[") && spool.CheckAddress("x@"+s) == nil
}

// validDomain takes the domain of an address. One that ends in a number is a mistyped IP
// address.
func validDomain(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	return !strings.HasPrefix(name, "[") && spool.CheckAddress("x@"+name) == nil && strings.Trim(last, "0123456789") != ""
}

// validHost is validDomain without UTF-8, with or without a dot at the end: a name in
// another script is to be written in its xn-- form.
func validHost(name string) bool {
	beyondASCII := strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf })
	return !beyondASCII && validDomain(strings.TrimSuffix(name, "."))
}
