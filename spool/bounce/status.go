package bounce

import (
	"strings"
	"time"

	"notices/spool"
)

// statusPart writes the fields for programs, RFC 3464 section 2: one block for the
// message, one for each recipient.
func (c *composer) statusPart() {
	encoding := "7bit"
	if c.utf8 {
		encoding = "8bit"
	}
	c.part("Delivery report", "message/"+c.statusType(), encoding)
	env := &c.r.Record.Envelope
	c.field("Reporting-MTA", "dns; "+c.site.host())
	c.field("X-Notices-Queue-ID", string(env.ID))
	if env.EnvelopeID != "" {
		c.field("Original-Envelope-Id", env.EnvelopeID)
	}
	if env.Ref != "" {
		c.field("X-Notices-Ref", env.Ref)
	}
	c.field("Arrival-Date", date(env.QueuedAt))
	for _, i := range c.r.Recipients {
		c.line()
		c.recipient(&c.r.Record.Recipients[i], env.OriginalOf(i))
	}
	c.line()
}

func (c *composer) recipient(r *spool.Recipient, original string) {
	c.field("Final-Recipient", c.typed(r.Address))
	c.field("Original-Recipient", c.original(r.Address, original))
	c.field("Action", c.action())
	c.field("Status", status(c.r.Kind, r.Outcome))
	reply := r.Outcome.Reply
	if reply.Host != "" && reply.Code != 0 {
		c.field("Remote-MTA", "dns; "+reply.Host)
	}
	if text := reply.String(); text != "" {
		c.field("Diagnostic-Code", diagnosticType(reply)+"; "+text)
	}
	at := reply.At
	if at.IsZero() {
		at = c.r.Now
	}
	c.field("Last-Attempt-Date", date(at.In(time.UTC)))
	if c.r.Kind == Delayed && !c.r.Until.IsZero() {
		c.field("Will-Retry-Until", date(c.r.Until))
	}
}

// typed is an address with its type. In an ASCII part one that is not ASCII is
// written as RFC 6533 section 3 says, so that a program can read it back.
func (c *composer) typed(address string) string {
	switch {
	case ascii(address):
		return "rfc822; " + address
	case c.utf8:
		return "utf-8; " + address
	}
	return "utf-8; " + xtext(address)
}

// original is the address that the sender knows the recipient by. Aliases are followed
// before a message is stored: if he gave none, what the envelope has is what was sent to.
func (c *composer) original(address, original string) string {
	kind, given, ok := strings.Cut(original, ";")
	switch {
	case !ok:
		return c.typed(address)
	case kind == "utf-8":
		return c.typed(given)
	}
	return kind + "; " + given
}

// diagnosticType: only what a server said is SMTP; the rest is our description.
func diagnosticType(r spool.Reply) string {
	if r.Code != 0 {
		return "smtp"
	}
	return "X-Notices"
}

func (c *composer) action() string {
	switch c.r.Kind {
	case Failed, Kept:
		return "failed"
	case Relayed:
		return "relayed"
	}
	return "delayed"
}

// status is the enhanced status code, RFC 3463: the server's own where it has one,
// with a first digit that agrees with the action.
func status(k Kind, o spool.Outcome) string {
	// Expired is the one status whose 4 goes with "failed": time ran out, that is all.
	if o.Reason == spool.ReasonExpired {
		return "4.4.7"
	}
	detail := enhancedDetail(o.Reply.Enhanced)
	if detail == "" {
		detail = guessDetail(o)
	}
	switch k {
	case Failed, Kept:
		return "5." + detail
	case Relayed:
		return "2." + detail
	}
	return "4." + detail
}

// enhancedDetail is "y.zzz" of "x.y.zzz", or nothing if s is no such code.
func enhancedDetail(s string) string {
	if len(s) < 5 || s[1] != '.' || s[0] != '2' && s[0] != '4' && s[0] != '5' {
		return ""
	}
	subject, detail, ok := strings.Cut(s[2:], ".")
	if !ok || !shortNumber(subject) || !shortNumber(detail) {
		return ""
	}
	return s[2:]
}

func shortNumber(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// guessDetail maps a reply without enhanced code, by the registry of RFC 5248.
func guessDetail(o spool.Outcome) string {
	switch o.Reason {
	case spool.ReasonDNS:
		return "4.3"
	case spool.ReasonConnect:
		return "4.1"
	case spool.ReasonLost:
		return "4.2"
	case spool.ReasonTLS, spool.ReasonAuth, spool.ReasonAuthWait, spool.ReasonSecret, spool.ReasonToken, spool.ReasonSendAs, spool.ReasonRelay,
		spool.ReasonHelo, spool.ReasonIdentity, spool.ReasonLimit, spool.ReasonAccount:
		return "7.0"
	case spool.ReasonCannot:
		return "3.3"
	case spool.ReasonSender:
		return "1.8"
	}
	if o.Class == spool.Uncertain {
		return "4.2"
	}
	if o.Scope == spool.RecipientScope {
		return recipientDetail(o.Reply.Code)
	}
	if o.Reply.Code == 552 {
		return "3.4"
	}
	return "0.0"
}

func recipientDetail(code int) string {
	switch code {
	case 550:
		return "1.1"
	case 551:
		return "1.6"
	case 552, 452:
		return "2.2"
	case 553, 501:
		return "1.3"
	case 450:
		return "2.0"
	}
	return "0.0"
}
