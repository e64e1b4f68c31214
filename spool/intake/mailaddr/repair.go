package mailaddr

import (
	"strings"

	"notices/spool"
	"notices/spool/recode"
)

// Domain finds the domain of addresses without one; it returns "" if none is known. It is
// asked only when one is needed.
type Domain func() string

// Complete adds the domain to a bare name, and removes the dots at the end of a domain.
// What cannot be an address stays.
func (d Domain) Complete(address string) string {
	address = WithoutDot(address)
	if address == "" || strings.IndexByte(address, '@') >= 0 || recode.EightBit([]byte(address)) {
		return address // words that are not ASCII are a name: no user is called so
	}
	domain := d()
	if full := address + "@" + domain; domain != "" && spool.CheckAddress(full) == nil {
		return full
	}
	return address
}

// Repair repairs an address field as Postfix does for mail of its own machine
// (append_at_myorigin, and trivial-rewrite's trailing dot): a bare name gets a domain, a
// dot at the end of a domain is removed. Names in raw UTF-8 or Latin-1 are encoded. What is
// not repaired keeps its octets.
func (d Domain) Repair(value string) (repaired string, changed bool) {
	if !mayNeedRepair(value) {
		return value, false
	}
	repaired = rewrite(value, groupName, d.entry)
	return repaired, repaired != value
}

// rewrite writes a list anew, with what between and entry make of what stands before each
// entry and of the entry itself.
func rewrite(list string, between, entry func(string) string) string {
	var b strings.Builder
	at := 0
	for from, to := range entries(list) {
		b.WriteString(between(list[at:from]))
		b.WriteString(entry(list[from:to]))
		at = to
	}
	b.WriteString(list[at:])
	return b.String()
}

// mayNeedRepair is quick, and true in doubt: nearly all fields need no repair, and may
// name thousands.
func mayNeedRepair(value string) bool {
	if strings.Count(value, "@") <= strings.Count(value, ",")+strings.Count(value, ";") {
		return true
	}
	for i := range len(value) {
		if value[i] >= 0x80 || value[i] == '.' && (i+1 == len(value) || strings.IndexByte(" \t\r>,;()", value[i+1]) >= 0) {
			return true
		}
	}
	return false
}

// groupName is what stands before an entry: commas, blanks, and the name of a group.
func groupName(s string) string {
	name := strings.Trim(s, ",;: \t\r\n")
	if !recode.EightBit([]byte(name)) {
		return s
	}
	return strings.Replace(s, name, Mailbox{Name: recode.ToUTF8(strings.Trim(recode.Unfold(name), `"`))}.shownName(), 1)
}

// entry repairs one entry of a list, the blanks around it included.
func (d Domain) entry(piece string) string {
	bare := strings.Trim(piece, " \t\r\n")
	if strings.HasPrefix(bare, "=?") && strings.HasSuffix(bare, "?=") && !strings.ContainsAny(bare, "@<(") {
		return piece // half of a name that is encoded already
	}
	wide := recode.EightBit([]byte(bare))
	mended := recode.Unfold(bare)
	if wide {
		mended = angleQuotes.Replace(mended)
	}
	box, ok := Parse(mended)
	if !ok && wide {
		return strings.Replace(piece, bare, "", 1) // blanks that only Unicode knows, or a comment
	}
	if !ok {
		return piece
	}
	address := recode.HeaderAddress(d.Complete(box.Address))
	valid := CanWrite(address)
	switch {
	case wide && !strings.ContainsAny(bare, "@<("): // half of a name, as in Müller, Jürgen <j@...>
		return strings.Replace(piece, bare, recode.EncodeText(recode.ToUTF8(recode.Unfold(bare))), 1)
	case wide && !valid:
		return strings.Replace(piece, bare, d.encodeInvalid(recode.ToUTF8(mended)), 1)
	case !valid, !wide && address == box.Address, bare == box.Address && address == box.Address:
		return piece
	case !wide && strings.Count(bare, box.Address) == 1:
		return strings.Replace(piece, box.Address, address, 1)
	}
	box.Address = address
	return strings.Replace(piece, bare, box.String(), 1)
}

// encodeInvalid writes an entry that has octets over 127 and is no mailbox: as the only
// address in it, with the rest as its name; else all of it as a name.
func (d Domain) encodeInvalid(entry string) string {
	if box, ok := d.onlyAddress(entry); ok && CanWrite(box.Address) {
		return box.String()
	}
	return recode.EncodeAll(entry)
}

// longName is the longest name that EncodeNames leaves as it is, in octets.
const longName = 200

// EncodeNames encodes the long names of a list, so that it can be folded within them.
func EncodeNames(value string) string {
	group := func(before string) string {
		if name := strings.Trim(before, ",;: \t"); len(name) > longName {
			return strings.Replace(before, name, recode.EncodeAll(strings.Trim(name, `"`)), 1)
		}
		return before
	}
	entry := func(piece string) string {
		if box, ok := Parse(piece); ok && len(box.Name) > longName && CanWrite(box.Address) {
			return " " + recode.EncodeAll(box.Name) + " <" + recode.HeaderAddress(box.Address) + ">"
		}
		return piece
	}
	return strings.TrimLeft(rewrite(recode.Unfold(strings.Trim(value, " \t\r\n")), group, entry), " ")
}
