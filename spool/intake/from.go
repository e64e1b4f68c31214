package intake

import (
	"strings"

	"notices/spool"
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

// from decides on the From field.
func (j *job) from(h *header) (fromField, error) {
	site := &j.in.Site
	f, found := h.first("From")
	var boxes []mailbox
	if found {
		for box := range mailboxes(h.value(f)) {
			if boxes = append(boxes, box); len(boxes) > maxFrom {
				return fromField{}, badMessage("the From field of the message has more than %d addresses", maxFrom)
			}
		}
	}
	if len(boxes) == 0 {
		value, err := j.ownFrom()
		return fromField{value: value, replaces: true, rewritten: site.RewriteFrom}, err
	}
	repaired, err := j.repairFrom(boxes)
	if err != nil {
		return fromField{}, err
	}
	from := fromField{value: strings.TrimLeft(h.value(f), " \t\r\n")}
	if repaired {
		from.value, from.replaces = joinList(boxes), true
	}
	if !site.RewriteFrom || len(boxes) == 1 && sameAddress(boxes[0].address, site.Address) && !site.FixedName {
		return from, nil
	}
	from.original = from.value
	from.value, from.replaces, from.rewritten = j.siteFrom(boxes[0]), true, true
	return from, nil
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
	if j.r.FullName != "" && !site.FixedName {
		name = j.r.FullName
	}
	return mailbox{name: name, address: address}.String(), nil
}

// siteFrom is the rewritten From. It shows the original's name, but for one that has
// an @ in it: that would show the address which is just being replaced.
func (j *job) siteFrom(original mailbox) string {
	site := &j.in.Site
	if site.FixedName || original.name == "" || strings.Contains(original.name, "@") {
		return mailbox{name: site.Name, address: site.Address}.String()
	}
	original.address = site.Address
	return original.String()
}

// repairFrom gives addresses that have no domain one: cron writes "root (Cron
// Daemon)". What is no address at all but words is a name.
func (j *job) repairFrom(boxes []mailbox) (repaired bool, err error) {
	site := &j.in.Site
	for i := range boxes {
		box := &boxes[i]
		if strings.IndexByte(box.address, '@') < 0 {
			if site.Address == "" {
				return false, noAddress("the From field " + quote(box.raw) + " of the message needs its domain")
			}
			repaired = true
			if local := box.address + "@" + domainOf(site.Address); spool.CheckAddress(local) == nil {
				box.address = local
			} else {
				box.setName(box.bare)
				box.address = site.Address
			}
		}
		if err := checkAddress(box.address); err != nil {
			return false, badMessage("the From field of the message is malformed: %s in %s", err, quote(box.raw))
		}
	}
	return repaired, nil
}

// sameAddress compares addresses; the case of a domain does not count.
func sameAddress(a, b string) bool { return canonical(a) == canonical(b) }

// canonical is an address with its domain in lower case.
func canonical(address string) string {
	i := strings.LastIndexByte(address, '@') + 1
	return address[:i] + strings.ToLower(address[i:])
}

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }
