package intake

import (
	"strings"

	"notices/spool/intake/mailaddr"
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

// from decides on the From field. One that cannot be understood stays as it is, as with
// Postfix: the envelope says who sends, and the mail must not be lost for it.
func (m *message) from(h *header) (fromField, error) {
	site := &m.in.Site
	if m.r.Hosted != nil {
		return m.r.Hosted.fromField(m, h), nil
	}
	f, found := h.first("From")
	var boxes []mailaddr.Mailbox
	understood, repaired := true, false
	if found {
		boxes, repaired, understood = m.domain.From(h.value(f))
	}
	if understood && len(boxes) == 0 {
		value, err := m.ownFrom()
		return fromField{value: value, replaces: true, rewritten: site.RewriteFrom}, err
	}
	if understood && boxes[0].Address == "" { // words alone are a name
		if boxes[0].Address = site.Address; site.Address == "" {
			return fromField{}, noAddress("the From field " + quote(boxes[0].Raw) + " of the message needs its domain")
		}
	}
	if f.cr && (repaired || !understood) {
		return fromField{}, badMessage("the From field of the message has a carriage return in it, and is not a list of addresses: %s", quote(h.value(f)))
	}
	if !understood {
		return m.unreadableFrom(h, f)
	}
	from := fromField{}
	if from.value, _ = m.domain.Repair(strings.TrimLeft(h.value(f), " \t\r\n")); repaired {
		from.value, from.replaces = mailaddr.Join(boxes), true
	}
	if !site.RewriteFrom || len(boxes) == 1 && mailaddr.Equal(boxes[0].Address, site.Address) {
		return from, nil
	}
	from.original = from.value
	from.value, from.replaces, from.rewritten = m.siteFrom(boxes[0]), true, true
	return from, nil
}

// unreadableFrom is for a From that cannot be read.
func (m *message) unreadableFrom(h *header, f field) (from fromField, err error) {
	value := printable.WithoutControls(recode.ToUTF8(h.value(f)), "\t\r\n") // it may be folded
	if from.value = strings.TrimLeft(value, " \t\r\n"); recode.EightBit([]byte(from.value)) {
		from.value = recode.EncodeText(recode.Unfold(from.value))
	}
	_, err = recode.FitField([]byte("From: " + from.value + "\r\n"))
	if from.rewritten = m.in.Site.RewriteFrom; from.rewritten || err != nil {
		from.value, err = m.ownFrom()
	}
	from.replaces = true
	return from, err
}

// ownFrom is the From of a message that has none.
func (m *message) ownFrom() (string, error) {
	site := &m.in.Site
	address := site.Address
	if address == "" {
		if address = m.env.Sender; address == "" {
			return "", noAddress("the message has no From field, and this is what it would get")
		}
	}
	name := site.Name
	if m.r.FromSender && !site.RewriteFrom && m.env.Sender != "" && !mailaddr.Equal(m.env.Sender, address) {
		name, address = "", m.env.Sender
	}
	if m.r.FullName != "" {
		name = m.r.FullName
	}
	return mailaddr.Mailbox{Name: name, Address: address}.String(), nil
}

// siteFrom is the rewritten From. It shows the original's name, but for one that has
// an @ in it: that would show the address which is just being replaced.
func (m *message) siteFrom(original mailaddr.Mailbox) string {
	site := &m.in.Site
	if original.Name == "" || strings.Contains(original.Name, "@") {
		return mailaddr.Mailbox{Name: site.Name, Address: site.Address}.String()
	}
	original.Address = site.Address
	return original.String()
}
