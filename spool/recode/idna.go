package recode

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// NeedsUTF8 reports whether only a server with SMTPUTF8 (RFC 6531) can take the address:
// its local part is not ASCII. A domain always has an ASCII form.
func NeedsUTF8(address string) bool {
	return EightBit([]byte(address[:max(0, strings.LastIndexByte(address, '@'))]))
}

// HeaderAddress is the address as a header has it that any server can take: its domain in
// the xn-- form, where its local part is ASCII and the domain has that form.
func HeaderAddress(address string) string {
	if NeedsUTF8(address) {
		return address
	}
	if plain, err := ASCIIDomain(address); err == nil {
		return plain
	}
	return address
}

// ASCIIDomain is the address with its domain in the xn-- form (RFC 5890 2.3.2.1, mapped by
// UTS 46: upper case, full-width letters and dots). One that is ASCII stays as it is.
func ASCIIDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@') + 1
	if !EightBit([]byte(address[at:])) {
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(address[at:])
	if err != nil {
		return "", fmt.Errorf("address %q: %q is not a domain that can exist: %w", address, address[at:], err)
	}
	return address[:at] + domain, nil
}
