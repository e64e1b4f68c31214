package bounce

import (
	"strings"
	"time"

	"notices/spool"
	"notices/spool/smtpreply"
)

// statusPart writes the fields for programs (RFC 3464 section 2): one block for the message
// and one for each recipient.
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
	c.field("Action", kinds[c.r.Kind].action)
	c.field("Status", status(c.r.Kind, r.Outcome))
	reply := r.Outcome.Reply
	if reply.Host != "" && reply.Code != 0 {
		c.field("Remote-MTA", "dns; "+reply.Host)
	}
	if text := reply.String(); text != "" {
		kind := "X-Notices" // our own description
		if reply.Code != 0 {
			kind = "smtp" // a server's words
		}
		c.field("Diagnostic-Code", kind+"; "+text)
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

// typed is an address with its type. In an ASCII part, another script is escaped as RFC 6533
// section 3 says (utf-8-addr-xtext), so that a program can read it back.
func (c *composer) typed(address string) string {
	switch {
	case ascii(address):
		return "rfc822; " + address
	case c.utf8:
		return "utf-8; " + address
	}
	return "utf-8; " + string(spool.AppendAddrXtext(nil, address))
}

// original is the address that the sender knows the recipient by. If the sender gave none,
// it is the address in the envelope: aliases were followed before the message was stored.
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

// status is the enhanced status code (RFC 3463): the server's own if there is one that says
// something, else the one that its words stand for, with a first digit that agrees with the action.
func status(k Kind, o spool.Outcome) string { return statusOf(kinds[k].digit, o) }

func statusOf(digit string, o spool.Outcome) string {
	// Only this status has a 4 with the action "failed": the time ran out.
	if o.Reason == spool.ReasonExpired {
		return "4.4.7"
	}
	detail := enhancedDetail(o.Reply.Enhanced)
	if digit == "5." && o.Scope == spool.RecipientScope && o.Reason == "" {
		enhanced := ""
		if detail != "" {
			enhanced = "5." + detail
		}
		detail = smtpreply.Detail(o.Reply.Code, enhanced, o.Reply.Text)
	}
	if detail == "" {
		detail = guessDetail(o)
	}
	return digit + detail
}

// enhancedDetail is "y.zzz" of "x.y.zzz", or empty if s is not such a code.
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

// guessDetail is the detail for a reply without enhanced code, from the registry of RFC 5248.
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
	switch code, recipient := o.Reply.Code, o.Scope == spool.RecipientScope; {
	case o.Class == spool.Uncertain:
		return "4.2"
	case code == 552 && !recipient:
		return "3.4"
	case !recipient:
		return "0.0"
	case code == 550:
		return "1.1"
	case code == 551:
		return "1.6"
	case code == 552, code == 452:
		return "2.2"
	case code == 553, code == 501:
		return "1.3"
	case code == 450:
		return "2.0"
	}
	return "0.0"
}
