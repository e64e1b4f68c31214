package intake

import (
	"cmp"
	"errors"
	"strings"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/intake/mailaddr"
	"notices/spool/printable"
	"notices/spool/recode"
)

// maxRef is the longest reference, in octets: it is kept with every message and
// shown in lists.
const maxRef = 255

// arguments checks all that was given beside the message, before that is read.
func (m *message) arguments() error {
	if err := m.sender(); err != nil {
		return err
	}
	if err := m.r.DSN.Check(len(m.r.Recipients)); err != nil {
		return badUsage("%s", err)
	}
	m.to.each = len(m.r.DSN.NotifyEach)+len(m.r.DSN.Originals) > 0
	for i, arg := range m.r.Recipients {
		m.to.dsn = recipientDSN{m.r.DSN.NotifyOf(i), m.r.DSN.OriginalOf(i)}
		if err := m.recipient(arg); err != nil {
			return err
		}
	}
	m.to.dsn = recipientDSN{}
	if hasControl(m.r.FullName) || !utf8.ValidString(m.r.FullName) {
		return badUsage("the full name %s has a character that a header must not have", quote(m.r.FullName))
	}
	if hasControl(m.r.Ref) || !utf8.ValidString(m.r.Ref) || len(m.r.Ref) > maxRef {
		return badUsage("the reference %s is not one line of text of at most %d octets", quote(m.r.Ref), maxRef)
	}
	m.env.Ref = m.r.Ref
	m.env.DSNParams = m.r.DSN
	if m.r.Expires < 0 {
		return badUsage("the message would have expired before it is queued: %s", m.r.Expires)
	}
	if m.r.Expires > 0 {
		m.env.ExpiresAt = m.env.QueuedAt.Add(m.r.Expires)
	}
	return nil
}

// sender settles the envelope sender and where returns go.
func (m *message) sender() error {
	site := &m.in.Site
	if m.r.Hosted != nil {
		return m.r.Hosted.sender(m)
	}
	if site.RewriteFrom && site.Address == "" {
		return noAddress("rewrite_from makes it the sender of every message")
	}
	if m.r.Sender == nil {
		if site.Address == "" {
			return noAddress("set it, or name the sender of this message with -f")
		}
		m.env.Sender = site.Address
		return nil
	}
	sender := *m.r.Sender
	if strings.HasPrefix(sender, "<") && strings.HasSuffix(sender, ">") {
		sender = sender[1 : len(sender)-1]
	}
	if sender == "" {
		return nil
	}
	if given := m.asArgument(mailaddr.TrimBlanks(sender)); len(given) == 1 {
		sender = given[0]
	}
	sender, err := m.local.qualify(sender)
	if err != nil {
		return err
	}
	if err := mailaddr.Check(sender); err != nil {
		return badUsage("the sender is malformed: %s", err)
	}
	m.env.Sender = sender
	if site.RewriteFrom && !mailaddr.Equal(sender, site.Address) {
		m.env.Sender, m.env.ReturnTo = site.Address, sender
	}
	return nil
}

// recipient adds one recipient of the command line.
func (m *message) recipient(arg string) error {
	given := m.asArgument(mailaddr.TrimBlanks(arg))
	if none := errors.New("there is no address in " + quote(arg)); len(given) == 0 && !m.returned(arg, none) {
		return badUsage("a recipient is malformed: %s; nothing was queued", none)
	}
	bad, err := m.addRecipients(given)
	if bad != nil {
		return badUsage("a recipient is malformed: %s; nothing was queued", bad)
	}
	return err
}

// returned keeps a malformed recipient for the return that names it, if that is wanted. A
// control character is refused, since it may be an attempt to inject a command.
func (m *message) returned(address string, bad error) bool {
	if !m.r.ReturnBad || hasControl(address) {
		return false
	}
	const enough = 200 // what the return shows
	if address = strings.ToValidUTF8(address, "?"); address == "" {
		address = "<>"
	}
	m.to.addBad(printable.Short(address, enough), bad)
	return true
}

// asArgument are the addresses in an argument. Callers of sendmail also give what stands in
// a header, or several with blanks or commas between them, which Postfix accepts.
func (m *message) asArgument(arg string) []string {
	if bare, ok := strings.CutSuffix(arg, ">"); ok && m.r.Qualify && !strings.Contains(arg, "<") {
		arg = bare
	}
	switch {
	case hasControl(arg):
		return []string{arg}
	case strings.IndexByte(arg, '\\') >= 0 && strings.IndexByte(arg, '"') < 0:
		return unescape(arg, m.r.Qualify)
	case !m.r.Qualify || !strings.ContainsAny(arg, "<>(\"@, ;\t"):
		return []string{mailaddr.WithoutDot(arg)}
	}
	var addresses []string
	for box := range mailaddr.List(arg) {
		addresses = append(addresses, m.several(box)...)
	}
	return addresses
}

// several are the addresses of a mailbox: one, or those of a list without commas.
func (m *message) several(box mailaddr.Mailbox) []string {
	address := mailaddr.WithoutDot(box.Address)
	words := strings.Fields(box.Raw)
	if !m.r.Qualify || len(words) < 2 || strings.ContainsAny(box.Raw, "<>()\"") || spool.CheckAddress(address) == nil {
		return []string{address}
	}
	for i, word := range words {
		words[i] = mailaddr.WithoutDot(word)
		if full := m.domain.Complete(words[i]); spool.CheckAddress(full) != nil && strings.Contains(full, "@") {
			return []string{address}
		}
	}
	return words
}

// unescape removes the backslashes from an argument, which may be a list. As in RFC 822 each
// makes the character behind it an ordinary one; scripts escape what their shell might read.
func unescape(arg string, list bool) []string {
	var addresses []string
	var b strings.Builder
	next := func() {
		if b.Len() > 0 {
			addresses = append(addresses, mailaddr.Requote(mailaddr.WithoutDot(b.String())))
		}
		b.Reset()
	}
	for i := 0; i < len(arg); i++ {
		c := arg[i]
		switch {
		case c == '\\' && i+1 < len(arg):
			i++
			b.WriteByte(arg[i])
			continue
		case list && strings.IndexByte(" ,;\t", c) >= 0:
			next()
			continue
		case c == '<' || c == '>':
			continue
		}
		b.WriteByte(c)
	}
	next()
	return addresses
}

// addRecipients adds addresses, or those that names of this machine stand for. bad is what is
// wrong with one that cannot be returned; the caller knows whose fault that is.
func (m *message) addRecipients(addresses []string) (bad, err error) {
	for _, address := range addresses {
		meant, discarded, err := m.local.expand(mailaddr.WithoutDot(address))
		if err != nil {
			return nil, err
		}
		m.to.discarded = m.to.discarded || discarded
		for _, a := range meant {
			if bad := mailaddr.Check(a); bad != nil {
				if m.returned(address, bad) {
					break
				}
				return bad, nil
			}
			if err := m.to.add(a); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// domain is what a name without a domain gets; empty if none is known.
func (s *Site) domain() string {
	if s.Address != "" {
		return mailaddr.DomainOf(s.Address)
	}
	if name := s.hostname(); !strings.HasPrefix(name, "[") {
		return name
	}
	return ""
}

// hostname is this host's full name; empty if it has none.
func (s *Site) hostname() string {
	if s.FindHostname == nil {
		return ""
	}
	return s.FindHostname()
}

// messageIDHost is the right side of a Message-ID.
func (s *Site) messageIDHost() string {
	ours, err := recode.ASCIIDomain(mailaddr.DomainOf(s.Address))
	if err != nil {
		ours = ""
	}
	return cmp.Or(s.hostname(), ours, "localhost")
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}
