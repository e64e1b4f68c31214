// Package mailaddr reads lists of mail addresses as callers really send them, repairs them
// and writes them. It follows RFC 5322 section 3.4 and takes more than that: names without
// a domain, ";" between addresses (Outlook), raw Latin-1 or the commas of an encoded word
// in names, source routes, "mailto:", quotes, brackets and comments that never end.
//
// Nothing here fails: where an address should be, a Mailbox has what was there instead,
// which Check refuses. The work is linear in the length of the list.
package mailaddr

import (
	"iter"
	"mime"
	"net/mail"
	"strings"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
)

// Mailbox is one address of a list, and what stands beside it.
type Mailbox struct {
	Raw     string // as it was found, for errors
	Address string // local@domain as SMTP wants it; or whatever else was there
	Name    string // shown with the address, decoded

	words  string // Raw without comments and angle brackets
	phrase string // the name as it can stand in a header; empty: made from Name
}

// String is the mailbox as a header shows it.
func (m Mailbox) String() string {
	address := recode.HeaderAddress(m.Address)
	if shown := m.shownName(); shown != "" {
		return shown + " <" + address + ">"
	}
	return address
}

// shownName is the name, quoted or encoded as a header needs it (RFC 5322 section 3.2.5,
// RFC 2047 section 5), or empty.
func (m Mailbox) shownName() string {
	if m.phrase != "" || m.Name == "" {
		return m.phrase
	}
	// net/mail knows how, but only for a whole address.
	return strings.TrimSuffix((&mail.Address{Name: m.Name, Address: "x@x"}).String(), " <x@x>")
}

// Join writes a list.
func Join(boxes []Mailbox) string {
	parts := make([]string, len(boxes))
	for i := range boxes {
		parts[i] = boxes[i].String()
	}
	return strings.Join(parts, ", ")
}

// List reads the addresses of a header field, those in groups too. Empty entries are left
// out.
func List(value string) iter.Seq[Mailbox] {
	return func(yield func(Mailbox) bool) {
		value := recode.Unfold(value)
		for from, to := range entries(value) {
			if box, ok := Parse(value[from:to]); ok && !yield(box) {
				return
			}
		}
	}
}

// entries are the places of the entries of a list. What stands before a ":" is the name of
// a group and not part of an entry.
func entries(s string) iter.Seq2[int, int] {
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
				// Behind an @ it is not a group's: the entry is to be refused, not dropped.
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

// Parse reads one mailbox. It returns false if nothing is there.
func Parse(piece string) (Mailbox, bool) {
	piece = TrimBlanks(piece)
	if piece == "" {
		return Mailbox{}, false
	}
	// Nearly always it is a plain address, or one that net/mail reads.
	if !strings.HasSuffix(piece, ">") && spool.CheckAddress(piece) == nil {
		return Mailbox{Raw: piece, Address: piece}, true
	}
	if len(piece) <= maxStrict {
		if a, err := mail.ParseAddress(piece); err == nil {
			return Mailbox{Raw: piece, Address: Requote(TrimBlanks(a.Address)), Name: a.Name}, true
		}
	}
	return parseLoosely(piece)
}

// parseLoosely reads what net/mail refuses.
func parseLoosely(piece string) (Mailbox, bool) {
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
	box := Mailbox{Raw: piece, words: strings.Trim(words.String(), " \t")}
	if name, rest, ok := strings.Cut(box.words, "<"); ok && angles == 0 && Check(insideAngle(rest)) == nil {
		box.words, angles, angle = strings.Trim(name, " \t"), 1, rest // its bracket has no end
	}
	switch {
	case angles == 1 && !trailing && !hidesAddress(box.words):
		box.Address = insideAngle(angle)
		box.setName(box.words)
	case angles > 0:
		// Two addresses with no comma between: which one was meant?
		box.Address = piece
	case box.words == "":
		return box, false
	default:
		box.Address = withoutBlanks(box.words)
		box.setName(comment.String())
	}
	return box, true
}

// insideAngle is the address between < and >, without comments, source route (RFC 5321
// appendix C: it should be ignored) and "mailto:".
func insideAngle(s string) string {
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
	s = TrimBlanks(s)
	if n := len("mailto:"); len(s) > n && strings.EqualFold(s[:n], "mailto:") {
		s = s[n:]
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && s[0] == '@' {
		return strings.Trim(s[i+1:], " \t")
	}
	return withoutBlanks(s)
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

// setName sets a name that net/mail could not read.
func (m *Mailbox) setName(name string) {
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
	m.Name = printable.WithoutControls(strings.ReplaceAll(recode.ToUTF8(decoded), `"`, ""), "")
}

func notInPhrase(r rune) bool {
	return r < ' ' || r >= 0x7f || strings.ContainsRune(`<>()[],;:@"\`, r)
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
