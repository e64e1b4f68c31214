package bounce

import (
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/printable"
)

// textPart writes the plain words. They are quoted-printable when they are not
// ASCII, so that the text alone never asks for 8BITMIME.
func (c *composer) textPart() {
	text := c.text()
	if ascii(text) {
		c.part("Notification", "text/plain; charset=utf-8", "7bit")
		c.put(text)
	} else {
		c.part("Notification", "text/plain; charset=utf-8", "quoted-printable")
		q := quotedprintable.NewWriter(c)
		_, _ = q.Write([]byte(text))
		q.Close()
	}
	c.line()
}

// text is who, why, what to do, and what the message was.
func (c *composer) text() string {
	var b strings.Builder
	groups := c.groups()
	wrap(&b, "", c.opening())
	for _, g := range groups {
		b.WriteString("\r\n")
		for _, address := range g.addresses {
			wrap(&b, "    ", printable.Line(address))
		}
		b.WriteString("\r\n")
		c.reason(&b, g.outcome)
	}
	b.WriteString("\r\n")
	c.about(&b)
	b.WriteString("\r\n")
	wrap(&b, "", c.closing())
	return b.String()
}

// group are recipients that met the same.
type group struct {
	outcome   spool.Outcome
	addresses []string
}

func (c *composer) groups() []*group {
	var list []*group
	seen := map[spool.Outcome]*group{}
	for _, i := range c.r.Recipients {
		r := &c.r.Record.Recipients[i]
		key := r.Outcome
		key.Reply.At = time.Time{}
		g := seen[key]
		if g == nil {
			g = &group{outcome: r.Outcome}
			seen[key] = g
			list = append(list, g)
		}
		g.addresses = append(g.addresses, r.Address)
	}
	return list
}

func (c *composer) opening() string {
	switch c.r.Kind {
	case Delayed:
		return "Your message below has not been delivered yet. This is only a warning: " +
			"it is tried again by itself, you need not send it again. It has not reached:"
	case Held:
		return "It is not known whether your message below has arrived at:"
	case Kept:
		return "The message below could not be delivered, and could not be returned to its sender either. It is kept in the queue, among the failed ones. It did not reach:"
	case Relayed:
		return "You asked to be told when your message below is delivered. A mail server took it over for:"
	}
	return "Your message below could not be delivered, and is not tried any more, to:"
}

// reason says why, in our words and in the server's, and what to do.
func (c *composer) reason(b *strings.Builder, o spool.Outcome) {
	why, do := c.explain(o)
	wrap(b, "", why)
	if words := printable.Line(o.Reply.String()); words != "" {
		who := "What happened:"
		if o.Reply.Code != 0 {
			who = "The mail server said:"
			if o.Reply.Host != "" {
				who = "The mail server " + printable.Line(o.Reply.Host) + " said:"
			}
		}
		b.WriteString("\r\n")
		wrap(b, "", who)
		wrap(b, "    ", words)
	}
	b.WriteString("\r\n")
	wrap(b, "", "What to do: "+do)
	if c.r.Kind == Kept {
		id := string(c.r.Record.Envelope.ID)
		b.WriteString("    notices retry " + id + "    sends it once more\r\n")
		b.WriteString("    notices remove " + id + "   ends the matter\r\n")
	}
	if c.r.Kind == Held {
		id := string(c.r.Record.Envelope.ID)
		b.WriteString("    notices release " + id + "   sends it again, if it did not arrive\r\n")
		b.WriteString("    notices remove " + id + "    ends the matter, if it did\r\n")
	}
}

func (c *composer) explain(o spool.Outcome) (why, do string) {
	switch c.r.Kind {
	case Delayed:
		return "The mail server could not take it so far.", c.delayedAdvice()
	case Held:
		return "Three times in a row it was handed to a mail server whole, and the server did not confirm " +
				"that it took it. It may have arrived, even three times, or not at all. " +
				"So as not to send it again and again, it is held.",
			"ask the person whether it arrived. Then whoever looks after the mail system runs one of these:"
	case Relayed:
		return "That server does not report when it delivers mail: this is as far as the message was seen.",
			"nothing. If it turns out that it cannot be delivered after all, you will be told, as for any other message."
	}
	why, do = explainFailure(o, c.r.Record)
	if o.Reason == spool.ReasonExpired && mayHaveArrived(c.r.Record) {
		why += " It may have arrived all the same: a server was handed it whole and did not confirm that it took it."
	}
	return why, do
}

func (c *composer) delayedAdvice() string {
	if c.r.Until.IsZero() {
		return "nothing now."
	}
	return "nothing now. If it cannot be delivered by " + c.moment(c.r.Until) + ", it comes back to you."
}

// mayHaveArrived: the last attempt ended without an answer to the final dot.
func mayHaveArrived(r *spool.Record) bool {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if e := &r.Events[i]; e.Kind == spool.Result {
			for _, a := range e.Results {
				if a.Class == spool.Uncertain {
					return true
				}
			}
			return false
		}
	}
	return false
}

const (
	askTheAdmin   = "show this message to whoever looks after the mail system."
	checkAddress  = "check the address with the person, correct it where you keep it, and send the notice again."
	anotherWay    = "reach the person another way. "
	addressIsFine = "the address is probably right. If you need it delivered, "
)

// explainFailure puts a final outcome into plain words.
func explainFailure(o spool.Outcome, r *spool.Record) (why, do string) {
	switch o.Reason {
	case spool.ReasonExpired:
		return tried(r, o.Reply.At) + ", and now its time is over.",
			"if the notice still matters, send it again. If more of your mail comes back like this, " + askTheAdmin
	case spool.ReasonReturned:
		return "The person who looks after the mail system took it out of the queue.",
			"ask that person, if you did not expect this."
	case spool.ReasonSender:
		return "The mail servers take no mail from the sender address " + printable.Line(r.Envelope.Sender) + ".", askTheAdmin
	case spool.ReasonCannot:
		return "The mail servers cannot carry this message: it is too large for them, or an address in it has " +
			"letters that they do not know.", "send it smaller, or " + askTheAdmin
	}
	why, do = explainStatus(status(Failed, o))
	if why == "" && o.Scope == spool.MessageScope {
		return "The mail servers refused the message itself, and not one of its addresses.", askTheAdmin
	} else if why == "" {
		return "The mail server refused it for good.", "check the address. If it is right, " + askTheAdmin
	}
	return why, do
}

// explainStatus is empty for a status that says nothing.
func explainStatus(status string) (why, do string) {
	switch status {
	case "5.1.1", "5.1.0", "5.1.3", "5.1.6":
		return "There is no mailbox of that name: the address is misspelled, or no longer in use.", checkAddress
	case "5.1.2", "5.1.10", "5.4.4":
		return "The part of the address behind the @ does not exist, or takes no mail.", checkAddress
	case "5.2.1":
		return "The mailbox is closed.", checkAddress
	case "5.2.2":
		return "The mailbox is full.", anotherWay + "The address itself is right."
	case "5.2.3", "5.3.4":
		return "The message is larger than the mail server takes.", "send it again without large attachments."
	}
	if strings.HasPrefix(status, "5.7.") {
		return "The mail server did not want it: it has rules against unwanted mail, and this message met one.",
			addressIsFine + askTheAdmin
	}
	return "", ""
}

// tried says how often and how long, as far as it is known.
func tried(r *spool.Record, last time.Time) string {
	s := "It could not be delivered so far"
	if r.Attempts > 1 {
		s = fmt.Sprintf("It was tried again and again, %d times", r.Attempts)
	}
	hours := int(last.Sub(r.QueuedAt).Round(time.Hour) / time.Hour)
	switch {
	case r.Attempts > 1 && hours >= 48:
		return s + fmt.Sprintf(" in %d days", (hours+12)/24)
	case r.Attempts > 1 && hours >= 2:
		return s + fmt.Sprintf(" in %d hours", hours)
	}
	return s
}

// about tells which message this is about.
func (c *composer) about(b *strings.Builder) {
	env := &c.r.Record.Envelope
	b.WriteString("The message:\r\n")
	row := func(name, value string) {
		if value = printable.Line(value); value != "" {
			hang(b, "    "+name+" ", value)
		}
	}
	row("Subject:  ", c.head.subject)
	row("From:     ", env.Sender)
	row("Queued:   ", c.moment(env.QueuedAt))
	row("Reference:", env.Ref)
	row("Queue id: ", string(env.ID))
}

func (c *composer) moment(t time.Time) string {
	return t.In(c.r.Now.Location()).Format("Monday, 2 January 2006, 15:04 (-0700)")
}

func (c *composer) closing() string {
	s := "It is attached. "
	if !c.r.whole() {
		s = "Its first lines are attached. "
	}
	who := c.site.host()
	if name := printable.Line(c.site.Name); name != "" {
		who = name + ", " + who
	}
	return s + "This report was written by a program, the mail system of " + who + "; nobody reads answers to it."
}
