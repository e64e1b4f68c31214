package intake

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/intake/mailaddr"
	"notices/spool/recode"
)

// Hosted says that a message comes from a site of a service, over the network, and is to be
// sent from the service's address.
type Hosted struct {
	Site    string // its name in the register, of the same characters as a spool.ID
	Name    string // shown as the sender
	Address string // the site's: returns go there
	From    string // the service's address, [serve] address
}

// ErrLoop is the cause of an Error: the message has passed too many servers.
var ErrLoop = errors.New("mail loop")

// maxHops is how many Received fields a message may have (RFC 5321 section 6.3).
const maxHops = 100

// Check reports why the site's mail would have no valid sender.
func (s *Hosted) Check() error {
	switch {
	case s.Name == "" || hasControl(s.Name) || !utf8.ValidString(s.Name):
		return &Error{Kind: BadConfig, Msg: "the site's name " + quote(s.Name) + " cannot be shown as the sender of mail"}
	case !spool.ID(s.Site).Valid(): // it is an atom of a Received field
		return &Error{Kind: BadConfig, Msg: "the site cannot be called " + quote(s.Site)}
	}
	return cmp.Or(s.checkAddress(s.Address), s.checkAddress(s.From))
}

func (s *Hosted) checkAddress(address string) error {
	if err := mailaddr.Check(address); err != nil {
		return &Error{Kind: BadConfig, Msg: "the mail of site " + s.Site + ": " + err.Error(), Err: err}
	}
	return nil
}

// hosted is the intake for a site: without the names and aliases of the service's machine.
func (in *Intake) hosted(s *Hosted) *Intake {
	own := *in
	own.Site = Site{Name: s.Name, Address: s.Address, FindHostname: in.Site.FindHostname}
	own.Aliases, own.Users, own.LocalNames = "", "", nil
	return &own
}

// sender settles the envelope sender: the service's address, and in it the id of the message, so
// that a return that comes back to it names the message (VERP). The null sender stays null, or
// returns would be returned. An address that has no room for the id is refused.
func (s *Hosted) sender(m *message) error {
	m.env.Site = s.Site
	if err := s.Check(); err != nil {
		return err
	}
	if m.r.Sender != nil && strings.Trim(*m.r.Sender, "<>") == "" {
		return nil
	}
	at := strings.LastIndexByte(s.From, '@')
	m.env.Sender, m.env.ReturnTo = s.From[:at]+"+"+string(m.env.ID)+s.From[at:], s.Address
	return s.checkAddress(m.env.Sender)
}

// fromField is the From field. Replies go to the From that the site gave, or to the site's
// address: nobody reads the service's.
func (s *Hosted) fromField(m *message, h *header) fromField {
	from := fromField{
		value:    mailaddr.Mailbox{Name: s.Name, Address: s.From}.String(),
		original: mailaddr.Mailbox{Name: s.Name, Address: s.Address}.String(),
		replaces: true, rewritten: true,
	}
	f, found := h.first("From")
	if !found {
		return from
	}
	boxes, repaired, understood := m.domain.From(h.value(f))
	if f.cr || !understood || len(boxes) == 0 || boxes[0].Address == "" || mailaddr.Equal(boxes[0].Address, s.From) {
		return from
	}
	if from.original = mailaddr.Join(boxes); !repaired {
		from.original = strings.TrimLeft(h.value(f), " \t\r\n")
	}
	return from
}

// notFromSites are fields that are left out. The new From breaks every signature, and only the
// server that received a message may write what it found out about it.
var notFromSites = []string{"DKIM-Signature", "DomainKey-Signature", "ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results",
	"Authentication-Results", "Feedback-ID"}

// removeForged removes those fields. A header without a signature may be repaired.
func (h *header) removeForged() {
	kept := h.fields[:0]
	for _, f := range h.fields {
		if !slices.ContainsFunc(notFromSites, func(name string) bool { return h.is(f, name) }) {
			kept = append(kept, f)
		}
	}
	h.fields, h.signed = kept, nil
}

// trace begins the header with a Received field (RFC 5321 section 4.4). It names the site, which
// its key proves, and not the IP address of its machine, which is of no use to the reader of a
// notice. The id is that of the message, except for a large one that had to be re-encoded.
// Providers count complaints by Feedback-ID, so a service sees which site they are about.
func (s *Hosted) trace(w *headerWriter) error {
	m, hops := w.message, 0
	for _, f := range w.h.fields {
		if w.h.is(f, "Received") {
			hops++
		}
	}
	if hops > maxHops {
		return &Error{Kind: BadMessage, Err: ErrLoop, Msg: fmt.Sprintf("too many hops: the message has passed %d servers, so it goes in circles", hops)}
	}
	host, err := recode.ASCIIDomain(m.in.Site.messageIDHost())
	if err != nil {
		return err
	}
	received := fmt.Sprintf("from %s by %s (notices) with ESMTPSA\r\n id %s; %s", s.Site, host, m.env.ID, dateField(m.now))
	return errors.Join(w.add("Received", received), w.add("Feedback-ID", s.Site+":notices"))
}
