package dkim

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"notices/spool/printable"
)

// CheckRecords compares the TXT records that the DNS has at RecordName with the key. An empty
// string means that they are right; else it says what differs, and so what servers will make
// of our signatures.
func (k *Key) CheckRecords(records []string) string {
	switch len(records) {
	case 0:
		return "it is not there"
	case 1:
		return k.checkRecord(records[0])
	}
	// RFC 6376 section 3.6.2.2: the result is undefined, whichever is right.
	return fmt.Sprintf("there are %d TXT records with that name, and servers take any of them, or none; remove all but one", len(records))
}

func (k *Key) checkRecord(record string) string {
	tags := parseTags(record)
	p, ok := tags["p"]
	if v, has := tags["v"]; has && v != "DKIM1" || !ok {
		return fmt.Sprintf("it is not a record for DKIM, but %q", printable.Line(record))
	}
	if p == "" {
		return "the key is revoked there (p= is empty)"
	}
	if name, has := tags["k"]; has && name != k.name || !has && k.name != "rsa" {
		return fmt.Sprintf("it is for another kind of key, k=%s; ours is k=%s", printable.Line(name), k.name)
	}
	public, err := base64.StdEncoding.DecodeString(p)
	switch {
	case strings.Contains(record, `"`):
		return "there are quotation marks in it; enter it without them: the texts between them one after the other, or each as a string of its own"
	case err != nil:
		return "the key in it (p=) cannot be read; perhaps it was cut off when it was pasted: a text of more than 255 characters must be in several strings"
	case len(public) < len(k.public) && bytes.HasPrefix(k.public, public):
		return "the key in it (p=) is cut off; a text of more than 255 characters must be in several strings"
	case !bytes.Equal(public, k.public):
		return "it has another key than ours"
	}
	return k.checkUse(tags)
}

// checkUse looks at what the record says of how the key may be used.
func (k *Key) checkUse(tags map[string]string) string {
	list := func(name string) []string { return strings.Split(tags[name], ":") }
	if _, has := tags["h"]; has && !slices.Contains(list("h"), "sha256") {
		return "it does not allow sha256 (h=), which we sign with"
	}
	if _, has := tags["s"]; has && !slices.Contains(list("s"), "email") && !slices.Contains(list("s"), "*") {
		return "the key is not for e-mail there (s=)"
	}
	if slices.Contains(list("t"), "y") {
		return "it says that DKIM is only being tested (t=y), so servers may ignore the signatures"
	}
	return ""
}

// parseTags reads a tag list (RFC 6376 section 3.2). Blanks within a value do not count.
func parseTags(text string) map[string]string {
	tags := map[string]string{}
	for tag := range strings.SplitSeq(text, ";") {
		if name, value, ok := strings.Cut(tag, "="); ok {
			tags[strings.TrimSpace(name)] = strings.Join(strings.Fields(value), "")
		}
	}
	return tags
}

// Strings splits a TXT record into parts of at most 255 octets, which is what a string in the
// DNS can have (RFC 1035 section 3.3). Whoever reads the record joins them.
func Strings(record string) []string {
	var parts []string
	for part := range slices.Chunk([]byte(record), 255) {
		parts = append(parts, string(part))
	}
	return parts
}
