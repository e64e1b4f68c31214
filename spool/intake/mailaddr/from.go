package mailaddr

import (
	"net/mail"
	"slices"
	"strings"
	"unicode"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
)

// maxFrom is how many addresses a From field may have. Mail from more than one is rare.
const maxFrom = 100

// From reads the addresses of a From field. repaired says that they are to be written in
// its place. understood is false if they cannot be read. Words alone are a mailbox with a
// name and no address.
func (d Domain) From(value string) (boxes []Mailbox, repaired, understood bool) {
	value = strings.Trim(printable.WithoutControls(recode.ToUTF8(recode.Unfold(value)), "\t\r\n"), " \t")
	given := value
	value = angleQuotes.Replace(value)
	for box := range List(value) {
		if boxes = append(boxes, box); len(boxes) > maxFrom {
			return nil, false, false
		}
	}
	if len(value) <= maxStrict {
		if list, err := mail.ParseAddressList(value); err == nil && len(list) == len(boxes) && canWriteAll(boxes) {
			return boxes, value != given, true
		}
	}
	if len(boxes) == 0 {
		return nil, true, true
	}
	openGroup := strings.Contains(value, ":") && !strings.Contains(value, ";")
	if !openGroup && d.completeAll(boxes) {
		return boxes, true, true
	}
	if found := d.Guess(value); len(found) > 0 {
		return found, true, true
	}
	if strings.Contains(value, "@") {
		return nil, false, false
	}
	// A single word would have been an address with a domain.
	name := Mailbox{Raw: value}
	name.setName(boxes[0].words)
	return []Mailbox{name}, true, true
}

// angleQuotes are what word processors make of angle brackets.
var angleQuotes = strings.NewReplacer("‹", "<", "›", ">", "＜", "<", "＞", ">", "〈", "<", "〉", ">")

func canWriteAll(boxes []Mailbox) bool {
	return !slices.ContainsFunc(boxes, func(b Mailbox) bool { return !CanWrite(b.Address) })
}

// completeAll completes the addresses, since cron writes "root (Cron Daemon)". It returns
// false if more is wrong.
func (d Domain) completeAll(boxes []Mailbox) bool {
	for i := range boxes {
		box := &boxes[i]
		bare := strings.IndexByte(box.Address, '@') < 0
		// Before an address in brackets it is the first half of "Library, Desk <desk@...>".
		if bare && i+1 < len(boxes) && strings.HasSuffix(boxes[i+1].Raw, ">") && !strings.HasSuffix(box.Raw, ">") {
			return false
		}
		box.Address = d.Complete(box.Address)
	}
	return canWriteAll(boxes)
}

// Guess reads a list that breaks the rules: addresses whose commas are missing, or one
// address, round which everything else is its name.
func (d Domain) Guess(value string) []Mailbox {
	if boxes := slices.Collect(List(strings.ReplaceAll(value, "> ", ">, "))); len(boxes) > 1 && canWriteAll(boxes) {
		return boxes
	}
	if box, ok := d.onlyAddress(value); ok {
		return []Mailbox{box}
	}
	var boxes []Mailbox
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t,;", r) }) {
		box := Mailbox{Raw: word, Address: WithoutDot(insideAngle(strings.Trim(word, "<>")))}
		if spool.CheckAddress(box.Address) != nil {
			return nil
		}
		boxes = append(boxes, box)
	}
	return boxes
}

// onlyAddress finds the only address in a value; all that stands around it is the name.
// Commas, colons, an @, quotes and brackets without end in a name are what people type
// into a field for it, and what programs then put in front of the < unquoted.
func (d Domain) onlyAddress(value string) (box Mailbox, ok bool) {
	name := value
	if i := strings.LastIndexByte(value, '<'); i >= 0 {
		inner, behind, _ := strings.Cut(value[i+1:], ">")
		box.Address = d.Complete(insideAngle(inner))
		name = value[:i] + " " + behind
	}
	if spool.CheckAddress(box.Address) != nil {
		if strings.Contains(box.Address, "@") {
			return box, false
		}
		if name, box.Address = onlyWord(value); box.Address == "" {
			return box, false
		}
	}
	box.Raw = value
	words := strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r == '<' || r == '>' })
	box.setName(strings.Join(words, " "))
	return box, true
}

// onlyWord is the word that is an address, if there is exactly one.
func onlyWord(value string) (others, address string) {
	var names []string
	for word := range strings.FieldsSeq(value) {
		a := WithoutDot(insideAngle(strings.Trim(word, "<>[](),;:'\"")))
		switch {
		case spool.CheckAddress(a) != nil:
			names = append(names, word)
		case address != "" && !Equal(a, address):
			return "", ""
		default:
			address = a
		}
	}
	return strings.Join(names, " "), address
}
