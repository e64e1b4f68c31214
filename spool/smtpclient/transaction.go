package smtpclient

import (
	"io"
	"strconv"
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
	// Asked is what the sender asked to be told of these recipients; nil: nothing. A server
	// that offers DSN is told so (RFC 3461 section 5.2.1); where one does not, what was
	// delivered and was to be reported has ReasonRelayed (section 5.2.2).
	DSN *spool.DSNParams
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
	// Elsewhere: it failed before MAIL was accepted, and the host has an address that has
	// not failed yet: a fresh connection goes there.
	Elsewhere bool
}

// prepare settles what needs no server. False: nothing is left to be sent.
func (s *send) prepare() bool {
	c, t := s.c, s.t
	if !s.checkAddresses() {
		return false
	}
	if s.utf8 && !c.offers.utf8 {
		s.settle(c.judge.Local(spool.Failed, spool.MessageScope, spool.ReasonCannot, "the server does not offer SMTPUTF8, which an address of the message needs"))
		return false
	}
	var err error
	s.body, err = newBody(t, t.narrowed(&c.offers, s.utf8))
	switch {
	case unchangeable(err):
		s.settle(c.judge.Local(spool.Failed, spool.MessageScope, spool.ReasonCannot, "the server does not offer "+c.offers.missing()+", which the message needs: "+err.Error()))
		return false
	case err != nil:
		s.settle(c.judge.Local(spool.Deferred, spool.MessageScope, "", err.Error()))
		return false
	case c.offers.maxSize > 0 && s.body.declared > c.offers.maxSize:
		s.settle(c.judge.Local(spool.Failed, spool.MessageScope, spool.ReasonCannot, "the message has "+strconv.FormatInt(s.body.declared, 10)+
			" octets, the server takes "+strconv.FormatInt(c.offers.maxSize, 10)))
		s.body.free()
		return false
	}
	return true
}

// narrowed says how the message has to be changed for the server; nil: not at all. A server
// without 8BITMIME must not be sent 8-bit content (RFC 6152 section 3), nor one without
// SMTPUTF8 a header that is not ASCII (RFC 6531 section 3.3), whatever it may tolerate.
func (t *Transaction) narrowed(o *offers, utf8 bool) *recode.Options {
	switch {
	case utf8 || !t.EightBit:
		return nil
	case !o.eightBit:
		return &recode.Options{SevenBit: true, From: t.Sender}
	case t.UTF8:
		return &recode.Options{Header: true, From: t.Sender}
	}
	return nil
}

// missing is the extension for want of which the message is changed.
func (o *offers) missing() string {
	if o.eightBit {
		return "SMTPUTF8"
	}
	return "8BITMIME"
}

// checkAddresses refuses once more what could leave the < > of a command, and makes
// domains of other scripts what every server takes.
func (s *send) checkAddresses() bool {
	s.utf8 = s.t.UTF8 && s.c.offers.utf8 || recode.NeedsUTF8(s.t.Sender)
	var err error
	if s.sender, err = writable(s.t.Sender); err != nil && s.t.Sender != "" {
		s.settle(s.c.judge.Local(spool.Failed, spool.MessageScope, "", "sender "+err.Error()))
		return false
	}
	s.rcpts, s.to = make([]int, 0, len(s.t.Recipients)), make([]string, 0, len(s.t.Recipients))
	for i, address := range s.t.Recipients {
		plain, err := writable(address)
		if err != nil {
			s.outcomes[i] = s.c.judge.Local(spool.Failed, spool.RecipientScope, "", err.Error())
			s.outcomes[i].Reply.Enhanced = "5.1.3" // bad destination mailbox address syntax
			continue
		}
		s.utf8 = s.utf8 || recode.NeedsUTF8(address)
		s.rcpts, s.to = append(s.rcpts, i), append(s.to, plain)
	}
	return len(s.rcpts) > 0
}

// writable is an address as it goes into a command.
func writable(address string) (string, error) {
	if err := spool.CheckAddress(address); err != nil {
		return "", err
	}
	plain, err := recode.ASCIIDomain(address)
	if err != nil || plain == address {
		return plain, err
	}
	return plain, spool.CheckAddress(plain) // what the mapping made of it
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (s *send) result() Result {
	r := Result{Outcomes: s.outcomes, Stale: s.stale, Elsewhere: s.elsewhere()}
	for i := range s.outcomes {
		if s.outcomes[i].Reason == spool.ReasonPolicy {
			s.outcomes[i].Reason = ""
			if s.accepted > 0 { // others were taken, so the policy is not about us
				s.outcomes[i].Scope = spool.RecipientScope
			}
		}
		if s.t.Sender == "" {
			s.outcomes[i] = smtpreply.OfNullSender(s.outcomes[i])
		}
		if s.outcomes[i].Reason != spool.ReasonTooMany {
			continue
		}
		if s.accepted == 0 {
			s.outcomes[i].Reason = ""
			continue
		}
		r.TooMany++
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
		case delivered: // the next transaction hears it anew
			o.Scope, o.Reason = spool.RecipientScope, spool.ReasonTooMany
		case strings.Contains(strings.ToLower(o.Reply.Text), "connection limit"):
			o.Reason = spool.ReasonBusy
		default:
			o.Reason = spool.ReasonLimit
		}
	}
}
