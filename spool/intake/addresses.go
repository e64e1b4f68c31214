package intake

import (
	"iter"
	"mime"
	"net/mail"
	"strings"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
)

// mailbox is one address of a list, and what stands beside it.
type mailbox struct {
	raw     string // as it was found, for errors
	address string // local@domain as SMTP wants it; or whatever else was there
	bare    string // raw without comments and angle brackets
	name    string // shown with the address, decoded
	phrase  string // the name as it can stand in a header; empty: made from name
}

// String is the mailbox as a header shows it.
func (m mailbox) String() string {
	address := recode.HeaderAddress(m.address)
	if shown := m.shown(); shown != "" {
		return shown + " <" + address + ">"
	}
	return address
}

// shown is the name, quoted or encoded as a header needs it (RFC 5322 section 3.2.5,
// RFC 2047 section 5); empty: there is none.
func (m mailbox) shown() string {
	if m.phrase != "" || m.name == "" {
		return m.phrase
	}
	// net/mail knows how, but only for a whole address.
	return strings.TrimSuffix((&mail.Address{Name: m.name, Address: "x@x"}).String(), " <x@x>")
}

func joinList(boxes []mailbox) string {
	parts := make([]string, len(boxes))
	for i := range boxes {
		parts[i] = boxes[i].String()
	}
	return strings.Join(parts, ", ")
}

// mailboxes reads the addresses of a header field (RFC 5322 section 3.4), groups
// dissolved, empty places left out. It never fails: where an address should be and is
// none, the mailbox has what was there instead, which checkAddress refuses.
//
// It takes what callers send beyond the standard: names without a domain, ";"
// between addresses (Outlook), raw Latin-1 or the commas of an encoded word in names,
// source routes, "mailto:", quotes, brackets and comments that never end.
func mailboxes(value string) iter.Seq[mailbox] {
	return func(yield func(mailbox) bool) {
		value := unfold(value)
		for from, to := range spans(value) {
			if box, ok := parseMailbox(value[from:to]); ok && !yield(box) {
				return
			}
		}
	}
}

// spans cuts a list into its mailboxes. What stands before a ":" is a group's name.
func spans(s string) iter.Seq2[int, int] {
	return func(yield func(from, to int) bool) {
		scan := scanner{s: s}
		start, at := 0, false
		for {
			t := scan.next()
			switch t.kind {
			case text, '<':
				at = at || strings.IndexByte(t.text, '@') >= 0
				continue
			case ':':
				// Behind an @ it is no group's: let it be refused, not dropped.
				if !at {
					start = scan.at
				}
				continue
			case ',', ';', end:
				if !yield(start, t.start) || t.kind == end {
					return
				}
				start, at = scan.at, false
			}
		}
	}
}

// maxStrict is the longest mailbox that net/mail is asked for: its work on malformed
// ones is not linear in their length.
const maxStrict = 2000

// parseMailbox reads one mailbox; false: there is none.
func parseMailbox(piece string) (mailbox, bool) {
	piece = trimBlanks(piece)
	if piece == "" {
		return mailbox{}, false
	}
	// Nearly always it is a plain address, or one that net/mail reads.
	if !strings.HasSuffix(piece, ">") && spool.CheckAddress(piece) == nil {
		return mailbox{raw: piece, address: piece}, true
	}
	if len(piece) <= maxStrict {
		if a, err := mail.ParseAddress(piece); err == nil {
			return mailbox{raw: piece, address: Requote(trimBlanks(a.Address)), name: a.Name}, true
		}
	}
	return looseMailbox(piece)
}

// Requote puts the quotes back that a reader of addresses took off a local part.
func Requote(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 || spool.CheckAddress(address) == nil {
		return address
	}
	local := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(address[:i])
	if quoted := `"` + local + `"` + address[i:]; spool.CheckAddress(quoted) == nil {
		return quoted
	}
	return address
}

// looseMailbox reads what net/mail refuses.
func looseMailbox(piece string) (mailbox, bool) {
	var words, comment strings.Builder
	angles, angle, trailing := 0, "", false
	scan := scanner{s: piece}
	for t := scan.next(); t.kind != end; t = scan.next() {
		switch t.kind {
		case '(':
			comment.WriteString(t.text[1 : len(t.text)-1])
		case '<':
			angles++
			angle = t.text[1 : len(t.text)-1]
		default:
			trailing = trailing || angles > 0 && strings.Trim(t.text, " \t") != ""
			words.WriteString(t.text)
		}
	}
	box := mailbox{raw: piece, bare: strings.Trim(words.String(), " \t")}
	if name, rest, ok := strings.Cut(box.bare, "<"); ok && angles == 0 && checkAddress(inAngle(rest)) == nil {
		box.bare, angles, angle = strings.Trim(name, " \t"), 1, rest // its bracket has no end
	}
	switch {
	case angles == 1 && !trailing && !hidesAddress(box.bare):
		box.address = inAngle(angle)
		box.setName(box.bare)
	case angles > 0:
		// Two addresses with no comma between: which one was meant?
		box.address = piece
	case box.bare == "":
		return box, false
	default:
		box.address = withoutBlanks(box.bare)
		box.setName(comment.String())
	}
	return box, true
}

// inAngle is the address between < and >: without comments, source route and "mailto:".
func inAngle(s string) string {
	if strings.IndexByte(s, '(') >= 0 {
		var b strings.Builder
		scan := scanner{s: s}
		for t := scan.next(); t.kind != end; t = scan.next() {
			if t.kind != '(' {
				b.WriteString(t.text)
			}
		}
		s = b.String()
	}
	s = trimBlanks(s)
	if n := len("mailto:"); len(s) > n && strings.EqualFold(s[:n], "mailto:") {
		s = s[n:]
	}
	return withoutRoute(s)
}

// hidesAddress reports whether a name is more than a name: an address whose comma was
// forgotten. One that is nothing but an address is a name that some programs give.
func hidesAddress(name string) bool {
	words, found := 0, false
	for word := range strings.FieldsSeq(name) {
		words++
		found = found || spool.CheckAddress(word) == nil
	}
	return found && words > 1
}

// setName takes a name that net/mail could not read.
func (m *mailbox) setName(name string) {
	name = strings.Trim(name, " \t")
	m.phrase = ""
	decoder := mime.WordDecoder{}
	decoded, err := decoder.DecodeHeader(name)
	if err != nil {
		// Encoded in a charset that is not known here: it stays, if it can stand as it is.
		decoded = name
		if !strings.ContainsFunc(name, notInPhrase) {
			m.phrase = name
		}
	}
	m.name = printable.WithoutControls(strings.ReplaceAll(recode.ToUTF8(decoded), `"`, ""), "")
}

func notInPhrase(r rune) bool {
	return r < ' ' || r >= 0x7f || strings.ContainsRune(`<>()[],;:@"\`, r)
}

// withoutRoute takes a source route off: "@relay,@relay:local@domain" (RFC 5321
// appendix C: it should be ignored).
func withoutRoute(address string) string {
	if strings.HasPrefix(address, "@") {
		if i := strings.LastIndexByte(address, ':'); i >= 0 {
			return strings.Trim(address[i+1:], " \t")
		}
	}
	return withoutBlanks(address)
}

// withoutBlanks closes up "local @ domain", which was allowed once (RFC 5322 section
// 4.4). Blanks elsewhere stay, and make the address malformed.
func withoutBlanks(address string) string {
	if strings.IndexByte(address, '"') >= 0 || !strings.ContainsAny(address, " \t") {
		return address
	}
	var b strings.Builder
	joins := func(c byte) bool { return c == '@' || c == '.' }
	for word := range strings.FieldsSeq(address) {
		if s := b.String(); s != "" && !joins(s[len(s)-1]) && !joins(word[0]) {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}
