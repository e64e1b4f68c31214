package config

import (
	"encoding/hex"
	"strings"
)

const sha256Size = 32 // as crypto/sha256 has it, which the small program does not link

// fingerprint reads the SHA-256 of a certificate, with or without the colons that
// openssl puts in, or nothing.
func (v value) fingerprint(to *string) {
	s, ok := v.raw.(string)
	if ok && s == "" {
		*to = ""
		return
	}
	text, ok := strings.CutPrefix(strings.ToLower(s), "sha256:")
	if strings.Contains(text, ":") && !colonsFit(text) {
		ok = false
	}
	text = strings.ReplaceAll(text, ":", "")
	if b, err := hex.DecodeString(text); !ok || err != nil || len(b) != sha256Size {
		v.bad(`"sha256:" and the 64 hex digits of the server's certificate, as notices test-server shows them`)
		return
	}
	*to = text
}

// colonsFit: one stands behind each octet, as in 0a:1b:2c.
func colonsFit(text string) bool {
	for octet := range strings.SplitSeq(text, ":") {
		if len(octet) != 2 {
			return false
		}
	}
	return true
}
