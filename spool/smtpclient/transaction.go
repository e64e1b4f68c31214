package smtpclient

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"notices/spool"
	"notices/spool/recode"
	"notices/spool/smtpreply"
)

// Transaction is one message to some recipients.
type Transaction struct {
	Sender     string // without < >; empty: the null sender
	Recipients []string
	Body       io.ReaderAt // canonical: CRLF only, ends in CRLF
	Size       int64       // octets of Body
	EightBit   bool        // Body has octets over 127
	UTF8       bool        // the header has them: SMTPUTF8 where it is offered; only addresses need it
	// DSN is what the sender asked to be told of these recipients; nil: nothing. A server
	// that offers DSN is told so (RFC 3461 section 5.2.1); where one does not, what was
	// delivered and was to be reported has ReasonRelayed (section 5.2.2).
	DSN *spool.DSNParams
	// EnvelopeID is the ENVID for a server that offers DSN, if DSN has none. It comes back in
	// the returns that servers make later; empty: no ENVID.
	EnvelopeID string
}

// Result is what became of a Transaction.
type Result struct {
	// Outcomes has one for each recipient, in order. A connection that ended after MAIL was
	// accepted and before the final dot is Deferred, of message scope, ReasonLost; one
	// that ended before that is the server's, ReasonConnect; what is no SMTP before the
	// dot is the server's, ReasonProtocol. Once the dot is sent all of these are Uncertain.
	Outcomes []spool.Outcome
	// Stale: 421, EOF or reset in answer to the first command on a connection that had served
	// before, or the connection had ended already, or the server said that it carried enough
	// messages. Nothing was attempted; the outcomes say why. Another connection should be
	// tried, and this is no failed attempt.
	Stale bool
	// TooMany counts the recipients refused by 452 4.5.3 beside others that were accepted:
	// their Reason is toomany and they belong in another transaction at once. When none
	// was accepted it is 0 and they are ordinary deferrals, so that nobody loops.
	TooMany int
	// OtherAddress: the transaction failed before MAIL was accepted, and the host has an address
	// that has not failed yet: a fresh connection goes there.
	OtherAddress bool
}

// prepare does what needs no server. It reports whether anything is left to be sent.
func (s *sending) prepare() bool {
	c, t := s.c, s.t
	if !s.checkAddresses() {
		return false
	}
	if s.utf8 && !c.capabilities.utf8 {
		return s.cannot("the server does not offer SMTPUTF8, which an address of the message needs")
	}
	var err error
	s.body, err = newBody(t, s.recoding(), c.server.Sign)
	switch {
	case errors.Is(err, recode.ErrSigned), errors.Is(err, recode.ErrHeader):
		// Re-encoding would break a signature, or make a header that is unreadable. Postfix breaks it,
		// Exim sends 8 bits; here the next server is asked.
		missing := "8BITMIME"
		if c.capabilities.eightBit {
			missing = "SMTPUTF8"
		}
		return s.cannot("the server does not offer " + missing + ", which the message needs: " + err.Error())
	case errors.Is(err, ErrUnsignable):
		return s.cannot(err.Error())
	case err != nil:
		s.decideRest(c.judge.Local(spool.Deferred, spool.MessageScope, "", err.Error()))
		return false
	case c.capabilities.maxSize > 0 && s.body.declared > c.capabilities.maxSize:
		s.body.free()
		return s.cannot(fmt.Sprintf("the message has %d octets, the server takes %d", s.body.declared, c.capabilities.maxSize))
	}
	return true
}

// cannot gives every recipient the outcome that the server cannot take the message.
func (s *sending) cannot(why string) bool {
	s.decideRest(s.c.judge.Local(spool.Failed, spool.MessageScope, spool.ReasonCannot, why))
	return false
}

// recoding says how the message has to be changed for the server; nil: not at all. A server
// without 8BITMIME must not be sent 8-bit content (RFC 6152 section 3), nor one without
// SMTPUTF8 a header that is not ASCII (RFC 6531 section 3.3), whatever it may tolerate.
func (s *sending) recoding() *recode.Options {
	switch {
	case s.utf8 || !s.t.EightBit:
		return nil
	case !s.c.capabilities.eightBit:
		return &recode.Options{SevenBit: true, From: s.t.Sender}
	case s.t.UTF8:
		return &recode.Options{Header: true, From: s.t.Sender}
	}
	return nil
}

// checkAddresses refuses what could break out of the < > of a command, as intake did already, and
// gives domains of other scripts the form that every server takes.
func (s *sending) checkAddresses() bool {
	s.utf8 = s.t.UTF8 && s.c.capabilities.utf8 || recode.NeedsUTF8(s.t.Sender)
	var err error
	if s.sender, err = writable(s.t.Sender); err != nil && s.t.Sender != "" {
		s.decideRest(s.c.judge.Local(spool.Failed, spool.MessageScope, "", "sender "+err.Error()))
		return false
	}
	s.indices, s.to = make([]int, 0, len(s.t.Recipients)), make([]string, 0, len(s.t.Recipients))
	for i, address := range s.t.Recipients {
		to, err := writable(address)
		if err != nil {
			s.outcomes[i] = s.c.judge.Local(spool.Failed, spool.RecipientScope, "", err.Error())
			s.outcomes[i].Reply.Enhanced = "5.1.3" // bad destination mailbox address syntax
			continue
		}
		s.utf8 = s.utf8 || recode.NeedsUTF8(address)
		s.indices, s.to = append(s.indices, i), append(s.to, to)
	}
	return len(s.indices) > 0
}

// writable is an address as it goes into a command.
func writable(address string) (string, error) {
	if err := spool.CheckAddress(address); err != nil {
		return "", err
	}
	ascii, err := recode.ASCIIDomain(address)
	if err != nil || ascii == address {
		return ascii, err
	}
	return ascii, spool.CheckAddress(ascii) // what the mapping made of it
}

func (s *sending) result() Result {
	r := Result{Outcomes: s.outcomes, Stale: s.stale, OtherAddress: s.otherAddress()}
	for i := range s.outcomes {
		o := &s.outcomes[i]
		if o.Reason == spool.ReasonPolicy {
			o.Reason = ""
			if s.accepted > 0 { // others were accepted, so the policy is not about us
				o.Scope = spool.RecipientScope
			}
		}
		if s.t.Sender == "" {
			*o = smtpreply.ForNullSender(*o)
		}
		switch {
		case o.Reason != spool.ReasonTooMany:
		case s.accepted == 0:
			o.Reason = ""
		default:
			r.TooMany++
		}
	}
	endSession(&r, s.reused)
	return r
}

// endSession acts on ReasonSession. On a connection that had served before, another one goes
// on with all recipients, or with the rest if somebody got the message; on a fresh one it is
// the server's limit, or that of connections at once, so that nobody loops.
func endSession(r *Result, reused bool) {
	met, delivered := false, false
	for i := range r.Outcomes {
		met = met || r.Outcomes[i].Reason == spool.ReasonSession
		delivered = delivered || r.Outcomes[i].Class == spool.Delivered
	}
	if !met {
		return
	}
	if r.Stale = reused && !delivered; r.Stale {
		return
	}
	for i := range r.Outcomes {
		switch o := &r.Outcomes[i]; {
		case o.Reason != spool.ReasonSession:
		case delivered: // the rest goes in another transaction
			o.Scope, o.Reason = spool.RecipientScope, spool.ReasonTooMany
		case strings.Contains(strings.ToLower(o.Reply.Text), "connection limit"):
			o.Reason = spool.ReasonBusy
		default:
			o.Reason = spool.ReasonLimit
		}
	}
}

// otherAddress reports whether another address may take what this one did not, before MAIL
// was accepted. A limit said to MAIL is the account's, too.
func (s *sending) otherAddress() bool {
	if s.mailAccepted || s.stale || len(s.outcomes) == 0 {
		return false
	}
	o := s.outcomes[0]
	if len(s.indices) > 0 {
		o = s.outcomes[s.indices[0]]
	}
	if o.Scope != spool.ServerScope || o.Reason == spool.ReasonLimit || o.Reason == spool.ReasonAccount || o.Reason == spool.ReasonBusy || refusesLogin(o) {
		return false
	}
	s.c.server.Addresses.note(s.c.address, false)
	return s.c.server.Addresses.untried(s.c.allAddresses)
}
