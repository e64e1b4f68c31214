package intake

import (
	"net/mail"
	"slices"
	"strings"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
)

// fromField says what becomes of the From field.
type fromField struct {
	value    string
	replaces bool // value stands for all From fields there are
	// rewritten: it is the site's address now (rewrite_from).
	rewritten bool
	original  string // for Reply-To; empty: none
}

// maxFrom is how many addresses a From field may have. Mail from more than one is rare.
const maxFrom = 100

// from decides on the From field. One that cannot be understood stays as it is, as with
// Postfix: the envelope says who sends, and the mail must not be lost for it.
func (j *job) from(h *header) (fromField, error) {
	site := &j.in.Site
	f, found := h.first("From")
	var boxes []mailbox
	understood, repaired := true, false
	if found {
		var err error
		if boxes, repaired, understood, err = j.readFrom(h.value(f)); err != nil {
			return fromField{}, err
		}
	}
	if understood && len(boxes) == 0 {
		value, err := j.ownFrom()
		return fromField{value: value, replaces: true, rewritten: site.RewriteFrom}, err
	}
	if f.cr && (repaired || !understood) {
		return fromField{}, badMessage("the From field of the message has a carriage return in it, and is no list of addresses: %s", quote(h.value(f)))
	}
	if !understood {
		return j.strangeFrom(h, f)
	}
	from := fromField{}
	if from.value, _ = j.list(strings.TrimLeft(h.value(f), " \t\r\n")); repaired {
		from.value, from.replaces = joinList(boxes), true
	}
	if !site.RewriteFrom || len(boxes) == 1 && sameAddress(boxes[0].address, site.Address) {
		return from, nil
	}
	from.original = from.value
	from.value, from.replaces, from.rewritten = j.siteFrom(boxes[0]), true, true
	return from, nil
}

// strangeFrom is for a From that is not understood.
func (j *job) strangeFrom(h *header, f field) (from fromField, err error) {
	from.value = strings.TrimLeft(withoutControls(recode.ToUTF8(h.value(f))), " \t\r\n")
	if recode.EightBit([]byte(from.value)) {
		from.value = recode.EncodeText(unfold(from.value))
	}
	_, err = recode.FitField([]byte("From: " + from.value + "\r\n"))
	if from.rewritten = j.in.Site.RewriteFrom; from.rewritten || err != nil {
		from.value, err = j.ownFrom()
	}
	from.replaces = true
	return from, err
}

// withoutControls keeps a tab, and the line ends of a folded field.
func withoutControls(s string) string { return printable.WithoutControls(s, "\t\r\n") }

// readFrom reads the addresses of a From field. repaired: they are to be written in its
// place. understood is false for what nobody can read.
func (j *job) readFrom(value string) (boxes []mailbox, repaired, understood bool, err error) {
	value = strings.Trim(withoutControls(recode.ToUTF8(unfold(value))), " \t")
	quoted := value
	value = angleQuotes.Replace(value)
	for box := range mailboxes(value) {
		if boxes = append(boxes, box); len(boxes) > maxFrom {
			return nil, false, false, nil
		}
	}
	if len(value) <= maxStrict {
		if list, err := mail.ParseAddressList(value); err == nil && len(list) == len(boxes) && allValid(boxes) {
			return boxes, value != quoted, true, nil
		}
	}
	if len(boxes) == 0 {
		return nil, true, true, nil
	}
	openGroup := strings.Contains(value, ":") && !strings.Contains(value, ";")
	if !openGroup && j.repairFrom(boxes) {
		return boxes, true, true, nil
	}
	if apart := withCommas(value); allValid(apart) && len(apart) > 1 {
		return apart, true, true, nil
	}
	if box, ok := j.oneAddress(value); ok {
		return []mailbox{box}, true, true, nil
	}
	if list := addressWords(value); len(list) > 0 {
		return list, true, true, nil
	}
	if strings.Contains(value, "@") {
		return nil, false, false, nil
	}
	// Words alone are a name; a single one would have been an address with a domain.
	if j.in.Site.Address == "" {
		return nil, false, false, noAddress("the From field " + quote(value) + " of the message needs its domain")
	}
	box := mailbox{raw: value, address: j.in.Site.Address}
	box.setName(boxes[0].bare)
	return []mailbox{box}, true, true, nil
}

// angleQuotes are what word processors make of angle brackets.
var angleQuotes = strings.NewReplacer("‹", "<", "›", ">", "＜", "<", "＞", ">", "〈", "<", "〉", ">")

func allValid(boxes []mailbox) bool {
	return !slices.ContainsFunc(boxes, func(b mailbox) bool { return !isAddress(b.address) })
}

// repairFrom gives bare names a domain, cron writes "root (Cron Daemon)", and takes
// trailing dots off. false: there is more wrong.
func (j *job) repairFrom(boxes []mailbox) bool {
	for i := range boxes {
		box := &boxes[i]
		bare := strings.IndexByte(box.address, '@') < 0
		// Before an address in brackets it is the first half of "Library, Desk <desk@...>".
		if bare && i+1 < len(boxes) && strings.HasSuffix(boxes[i+1].raw, ">") && !strings.HasSuffix(box.raw, ">") {
			return false
		}
		box.address = j.withDomain(box.address)
	}
	return allValid(boxes)
}

// oneAddress finds the only address in a value; all that stands around it is the name.
// Commas, colons, an @, quotes and brackets without end in a name are what people type
// into a field for it, and what programs then put in front of the < unquoted.
func (j *job) oneAddress(value string) (box mailbox, ok bool) {
	name, rest, angle := cutLast(value, "<")
	if inner, behind, _ := strings.Cut(rest, ">"); angle {
		box.address = j.withDomain(inAngle(inner))
		name += " " + behind
	}
	if spool.CheckAddress(box.address) != nil {
		if strings.Contains(box.address, "@") {
			return box, false
		}
		if name, box.address, ok = onlyWord(value); !ok {
			return box, false
		}
	}
	box.raw = value
	box.setName(strings.Join(strings.Fields(strings.Map(withoutAngles, name)), " "))
	return box, true
}

// withCommas are the mailboxes of a list whose commas behind the > are missing.
func withCommas(value string) (boxes []mailbox) {
	for box := range mailboxes(strings.ReplaceAll(value, "> ", ">, ")) {
		boxes = append(boxes, box)
	}
	return boxes
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func withoutAngles(r rune) rune {
	if r == '<' || r == '>' {
		return ' '
	}
	return r
}

// onlyWord is the word that is an address, if there is one such.
func onlyWord(value string) (others, address string, ok bool) {
	var names []string
	for word := range strings.FieldsSeq(value) {
		a := withoutDot(inAngle(strings.Trim(word, "<>[](),;:'\"")))
		switch {
		case spool.CheckAddress(a) != nil:
			names = append(names, word)
		case address != "" && !sameAddress(a, address):
			return "", "", false
		default:
			address = a
		}
	}
	return strings.Join(names, " "), address, address != ""
}

// addressWords are addresses that stand behind one another, without commas.
func addressWords(value string) []mailbox {
	var boxes []mailbox
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,;", r) }) {
		box := mailbox{raw: word, address: withoutDot(inAngle(strings.Trim(word, "<>")))}
		if spool.CheckAddress(box.address) != nil {
			return nil
		}
		boxes = append(boxes, box)
	}
	return boxes
}

// ownFrom is the From of a message that has none.
func (j *job) ownFrom() (string, error) {
	site := &j.in.Site
	address := site.Address
	if address == "" {
		if address = j.env.Sender; address == "" {
			return "", noAddress("the message has no From field, and this is what it would get")
		}
	}
	name := site.Name
	if j.r.FromSender && !site.RewriteFrom && j.env.Sender != "" && !sameAddress(j.env.Sender, address) {
		name, address = "", j.env.Sender
	}
	if j.r.FullName != "" {
		name = j.r.FullName
	}
	return mailbox{name: name, address: address}.String(), nil
}

// siteFrom is the rewritten From. It shows the original's name, but for one that has
// an @ in it: that would show the address which is just being replaced.
func (j *job) siteFrom(original mailbox) string {
	site := &j.in.Site
	if original.name == "" || strings.Contains(original.name, "@") {
		return mailbox{name: site.Name, address: site.Address}.String()
	}
	original.address = site.Address
	return original.String()
}

// sameAddress compares addresses; the case of a domain does not count.
func sameAddress(a, b string) bool { return canonical(a) == canonical(b) }

// canonical is an address with its domain in lower case.
func canonical(address string) string {
	i := strings.LastIndexByte(address, '@') + 1
	return address[:i] + strings.ToLower(address[i:])
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
