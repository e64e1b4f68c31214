package intake

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"notices/spool"
	"notices/spool/intake/mailaddr"
	"notices/spool/recode"
)

// recipients is a list without duplicates.
type recipients struct {
	list []string
	room int // as spool.RecipientRoom counts
	seen map[string]struct{}
	utf8 bool // one has octets over 127

	bad    []string // malformed ones, which are to be returned
	badWhy error    // what is wrong with the first of them

	discarded bool // an alias led to /dev/null

	each bool           // the DSN parameters are not the same for all
	dsn  recipientDSN   // of the recipient that is being added
	dsns []recipientDSN // with each: of those in the list
}

// recipientDSN is what a sender wants to be told of one recipient, as in spool.DSNParams.
type recipientDSN struct{ notify, original string }

// add adds an address. A message with too many is refused.
func (r *recipients) add(address string) error {
	key := mailaddr.Canonical(address)
	if _, twice := r.seen[key]; twice {
		return nil
	}
	r.room += spool.RecipientRoom(address, r.dsn.notify, r.dsn.original)
	switch {
	case len(r.list) == spool.MaxRecipients:
		return &Error{Err: ErrTooMany, Msg: fmt.Sprintf("the message has more than %d recipients; send it in parts", spool.MaxRecipients)}
	case r.room > spool.MaxRecipientRoom:
		return &Error{Err: ErrTooMany, Msg: fmt.Sprintf("the recipients of the message take more than %d octets; send it in parts", spool.MaxRecipientRoom)}
	}
	if r.seen == nil {
		r.seen = make(map[string]struct{})
	}
	r.seen[key] = struct{}{}
	r.list = append(r.list, address)
	if r.each {
		r.dsns = append(r.dsns, r.dsn)
	}
	r.utf8 = r.utf8 || recode.NeedsUTF8(address) && spool.CheckAddress(address) == nil
	return nil
}

// addBad adds a malformed recipient. It is returned whatever the sender wants to be told.
func (r *recipients) addBad(address string, why error) {
	if r.badWhy == nil {
		r.badWhy = why
	}
	r.bad = append(r.bad, address)
}

// recipientsOf takes the recipients from the header, if they are to come from there.
func (m *message) recipientsOf(h *header) error {
	if len(m.r.Recipients) == 0 || m.r.FromHeader {
		if err := m.headerRecipients(h); err != nil {
			return err
		}
	}
	switch {
	case len(m.to.list) > 0:
	case m.to.discarded && m.to.badWhy == nil:
		return errDiscarded
	case m.to.badWhy != nil:
		return badMessage("no recipient is left: %s; nothing was queued", m.to.badWhy)
	default:
		return badMessage("the message has no recipient: name one as an argument, or in a To, Cc or Bcc field")
	}
	for _, address := range m.to.bad {
		if err := m.to.add(address); err != nil {
			return err
		}
	}
	m.env.Recipients = m.to.list
	if m.to.each {
		var notify, originals []string
		for _, d := range m.to.dsns {
			notify, originals = append(notify, d.notify), append(originals, d.original)
		}
		m.env.SetForEach(notify, originals)
	}
	return nil
}

func (m *message) headerRecipients(h *header) error {
	names, prefix := []string{"To", "Cc", "Bcc"}, ""
	for _, name := range names {
		if _, found := h.first("Resent-" + name); found {
			prefix = "Resent-"
		}
	}
	for _, f := range h.fields {
		for _, name := range names {
			if h.is(f, prefix+name) {
				if err := m.fieldRecipients(prefix+name, h.value(f)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (m *message) fieldRecipients(name, value string) error {
	if m.r.Qualify {
		if err := m.local.read(); err != nil {
			return err
		}
	}
	list := slices.Collect(mailaddr.List(value))
	for i, box := range list {
		half := i+1 < len(list) && strings.HasSuffix(list[i+1].Raw, ">")
		if half && m.r.Qualify && m.local.isHalfName(box.Raw) {
			continue
		}
		if err := m.bareName(box, half); err != nil {
			return err
		}
		bad, err := m.addRecipients(m.fieldAddresses(box))
		if bad != nil {
			return badMessage("%s in the %s field of the message is not a recipient: %s; nothing was queued", quote(box.Raw), name, bad)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bareName sets m.local.bare for an entry of a header: in "To: root", root is this machine's,
// whoever hands the message in. In "Lee, Ann <ann@...>", where half is true for Lee, a name
// is this machine's only if it is known here.
func (m *message) bareName(box mailaddr.Mailbox, half bool) error {
	m.local.bare = m.r.Qualify
	name := box.Address
	if m.local.bare || strings.Contains(name, "@") || recode.EightBit([]byte(name)) || spool.CheckAddress(name+"@example") != nil {
		return nil
	}
	if err := m.local.read(); err != nil {
		return err
	}
	m.local.bare = !half || strings.HasSuffix(box.Raw, ">") || m.local.isKnown(mailaddr.Unquote(name))
	return nil
}

// fieldAddresses are those of one entry. What callers of sendmail write is repaired as From is.
func (m *message) fieldAddresses(box mailaddr.Mailbox) []string {
	found := m.several(box)
	if !m.r.Qualify {
		return found
	}
	if len(found) > 1 { // of "Ann Lee a@..." one is an address
		if full := slices.DeleteFunc(slices.Clone(found), m.local.isHalfName); len(full) > 0 {
			return full
		}
		return found
	}
	if !strings.Contains(box.Raw, "@") || mailaddr.Check(found[0]) == nil {
		return found
	}
	raw := recode.Unfold(box.Raw)
	if strings.IndexByte(raw, '\\') >= 0 && strings.IndexByte(raw, '"') < 0 {
		raw = strings.ReplaceAll(raw, `\`, "")
	}
	boxes := m.domain.Guess(raw)
	if len(boxes) > 0 {
		found = nil
	}
	for _, b := range boxes {
		found = append(found, b.Address)
	}
	return found
}

// isHalfName reports whether a word is part of a name, as in "Lee, Ann <ann@...>", and not a
// user of this machine.
func (l *localNames) isHalfName(word string) bool {
	return l.in.Users != "" && word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsLetter(r) }) && !l.isKnown(word)
}
