package intake

import (
	"strings"

	"notices/spool"
	"notices/spool/recode"
)

// list repairs an address field as Postfix does for mail of its own machine
// (append_at_myorigin, and trivial-rewrite's trailing dot): a bare name gets a domain, a
// dot at the end of one goes. Names in raw UTF-8 or Latin-1 are encoded; what is not
// repaired keeps its octets.
func (j *job) list(value string) (repaired string, changed bool) {
	if !needsRepair(value) {
		return value, false
	}
	var b strings.Builder
	at := 0
	for from, to := range spans(value) {
		b.WriteString(groupName(value[at:from]))
		b.WriteString(j.entry(value[from:to]))
		at = to
	}
	b.WriteString(value[at:])
	return b.String(), b.String() != value
}

// needsRepair is quick, and says yes where that is not certain: nearly all fields need
// none, and may name thousands.
func needsRepair(value string) bool {
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
	return strings.Replace(s, name, mailbox{name: recode.ToUTF8(strings.Trim(unfold(name), `"`)), address: ""}.shown(), 1)
}

// longName is the longest name in an address list that stays as it is in a field that does
// not fit, in octets.
const longName = 200

// encodeNames encodes the long names of a list, so that it can be folded within them.
func encodeNames(value string) string {
	var b strings.Builder
	at := 0
	for from, to := range spans(value) {
		before, piece := value[at:from], value[from:to]
		if group := strings.Trim(before, ",;: \t"); len(group) > longName {
			before = strings.Replace(before, group, recode.EncodePhrase(strings.Trim(group, `"`)), 1)
		}
		b.WriteString(before)
		if box, ok := parseMailbox(piece); ok && len(box.name) > longName && isAddress(box.address) {
			piece = " " + recode.EncodePhrase(box.name) + " <" + recode.HeaderAddress(box.address) + ">"
		}
		b.WriteString(piece)
		at = to
	}
	b.WriteString(value[at:])
	return strings.TrimLeft(b.String(), " ")
}

// entry repairs one entry of a list, the blanks around it included.
func (j *job) entry(piece string) string {
	bare := strings.Trim(piece, " \t\r\n")
	if strings.HasPrefix(bare, "=?") && strings.HasSuffix(bare, "?=") && !strings.ContainsAny(bare, "@<(") {
		return piece // half of a name that is encoded already
	}
	wide := recode.EightBit([]byte(bare))
	mended := unfold(bare)
	if wide {
		mended = angleQuotes.Replace(mended)
	}
	box, ok := parseMailbox(mended)
	if !ok && wide {
		return strings.Replace(piece, bare, "", 1) // blanks that only Unicode knows, or a comment
	}
	if !ok {
		return piece
	}
	address := recode.HeaderAddress(j.withDomain(box.address))
	valid := isAddress(address)
	switch {
	case wide && !strings.ContainsAny(bare, "@<("): // half of a name, as in Müller, Jürgen <j@...>
		return strings.Replace(piece, bare, recode.EncodeText(recode.ToUTF8(unfold(bare))), 1)
	case wide && !valid:
		return strings.Replace(piece, bare, j.unreadable(recode.ToUTF8(mended)), 1)
	case !valid, !wide && address == box.address, bare == box.address && address == box.address:
		return piece
	case !wide && strings.Count(bare, box.address) == 1:
		return strings.Replace(piece, box.address, address, 1)
	}
	box.address = address
	return strings.Replace(piece, bare, box.String(), 1)
}

// unreadable is what stands for an entry with octets over 127 that is no mailbox: the only
// address in it, with the rest as its name; else all of it as a name.
func (j *job) unreadable(entry string) string {
	if box, ok := j.oneAddress(entry); ok && isAddress(box.address) {
		return box.String()
	}
	return recode.EncodePhrase(entry)
}

// isAddress reports whether an address can be written: its domain has an ASCII form.
func isAddress(address string) bool {
	_, err := recode.ASCIIDomain(address)
	return err == nil && spool.CheckAddress(address) == nil
}

// withDomain gives a bare name the site's domain, or else this host's, and takes the
// dots off the end of a domain. What is no address stays.
func (j *job) withDomain(address string) string {
	address = withoutDot(address)
	domain := j.in.Site.domain()
	if address == "" || domain == "" || strings.IndexByte(address, '@') >= 0 || recode.EightBit([]byte(address)) {
		return address // words that are not ASCII are a name: no user is called so
	}
	if full := address + "@" + domain; spool.CheckAddress(full) == nil {
		return full
	}
	return address
}

// withoutDot takes the dot off the end of a domain: in DNS it says that the name is
// whole, in SMTP it must not be there (RFC 5321 section 2.3.5).
func withoutDot(address string) string {
	if strings.IndexByte(address, '@') < 0 || !strings.HasSuffix(address, ".") {
		return address
	}
	return strings.TrimRight(address, ".")
}

// domain is what a bare name gets; empty: nothing is known.
func (s *Site) domain() string {
	if s.Address != "" {
		return domainOf(s.Address)
	}
	name := s.hostname()
	if strings.HasPrefix(name, "[") {
		return ""
	}
	return name
}
