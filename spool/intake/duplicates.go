package intake

import (
	"bytes"
	"slices"
	"strings"
)

// uniqueFields may be there once (RFC 5322 section 3.6, RFC 2045 section 3). From has rules
// of its own. PHP's mail() makes them twice when its headers argument names them once more.
var uniqueFields = []string{"To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "Sender", "In-Reply-To", "References",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"}

// joined is how many of uniqueFields, from the first, are lists that are joined.
const joined = 2

// removeDuplicates removes the blanks between a field's name and its colon, which RFC 5322
// calls obsolete (section 4.5.3) and servers refuse, and leaves one of each of uniqueFields.
// Lists are joined; of other fields the first one with a value stays. Signed fields stay as they
// are.
func (h *header) removeDuplicates() {
	if h.isSigned() {
		return
	}
	var first [32]int // by the place in uniqueFields: the place in kept, from 1
	kept := h.fields[:0]
	for _, f := range h.fields {
		name := string(bytes.TrimRight(h.text[f.start:f.colon], " \t"))
		if len(name) < f.colon-f.start {
			f = h.put(f, name, string(h.text[f.colon+1:f.end-2]))
		}
		which := slices.IndexFunc(uniqueFields, func(unique string) bool { return strings.EqualFold(name, unique) })
		if which < 0 || first[which] == 0 {
			kept = append(kept, f)
			if which >= 0 {
				first[which] = len(kept)
			}
			continue
		}
		before := &kept[first[which]-1]
		switch {
		case !h.has(f):
		case !h.has(*before):
			*before = f
		case which < joined:
			list := strings.TrimRight(h.value(*before), ", \t\r\n")
			f.cr = f.cr || before.cr
			*before = h.put(f, uniqueFields[which], list+",\r\n "+strings.TrimLeft(h.value(f), ", \t\r\n"))
		}
	}
	h.fields = kept
}

// put writes a field anew, behind all others in h.text.
func (h *header) put(f field, name, value string) field {
	f.start, f.colon = len(h.text), len(h.text)+len(name)
	h.text = append(h.text, name+":"+value+"\r\n"...)
	f.end = len(h.text)
	return f
}
