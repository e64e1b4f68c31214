package bounce

import (
	"fmt"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/printable"
)

// textPart writes the plain words. Text that is not ASCII is quoted-printable, so that it
// never needs 8BITMIME.
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

// text says who did not get the message, why, what to do, and which message it was.
func (c *composer) text() string {
	var b strings.Builder
	groups := c.groups()
	wrap(&b, "", kinds[c.r.Kind].opening)
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

// group is recipients with the same outcome.
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

// reason says why, in our words and in those of the server, and what to do.
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
	switch id := c.r.Record.Envelope.ID; c.r.Kind {
	case Kept:
		fmt.Fprintf(b, "    notices retry %s    sends it once more\r\n    notices remove %s   deletes it\r\n", id, id)
	case Held:
		fmt.Fprintf(b, "    notices release %s   sends it again, if it did not arrive\r\n", id)
		fmt.Fprintf(b, "    notices remove %s    deletes it, if it did\r\n", id)
	}
}

func (c *composer) explain(o spool.Outcome) (why, do string) {
	switch c.r.Kind {
	case Delayed:
		do = "nothing for now."
		if until := c.r.Until; !until.IsZero() {
			do += " If it cannot be delivered by " + c.moment(until) + ", it will be returned to you."
		}
		return "No mail server could accept it so far.", do
	case Held:
		return "Three times in a row, a mail server received the whole message and did not confirm that it " +
				"accepted it. It may have arrived, even three times, or not at all. " +
				"It is held, so that it is not sent again and again.",
			"ask the recipient whether it arrived. Then whoever looks after the mail system runs one of these:"
	case Relayed:
		return "That server does not report when it delivers mail, so nothing more is known.",
			"nothing. If it cannot be delivered after all, you will be told, as for any other message."
	}
	why, do = explainFailure(o, summary{c.r.Record.Envelope.Sender, c.r.Record.Attempts, c.r.Record.QueuedAt})
	if o.Reason == spool.ReasonExpired && mayHaveArrived(c.r.Record, o.Reply) {
		why += " It may have arrived all the same: a server received the whole message and did not confirm that it accepted it."
	}
	return why, do
}

// mayHaveArrived reports whether last, the last reply for a recipient, is a missing answer to
// the final dot: the last result holds the same reply as an uncertain answer.
func mayHaveArrived(r *spool.Record, last spool.Reply) bool {
	for i := len(r.Events) - 1; i >= 0; i-- {
		if e := &r.Events[i]; e.Kind == spool.Result {
			return slices.ContainsFunc(e.Results, func(a spool.Answer) bool {
				last.At = a.Reply.At
				return a.Class == spool.Uncertain && a.Reply == last
			})
		}
	}
	return false
}

const (
	askTheAdmin   = "show this message to whoever looks after the mail system."
	checkAddress  = "check the address with the person, correct it in your records, and send the notice again."
	anotherWay    = "reach the person another way. "
	addressIsFine = "the address is probably right. If you need it delivered, "
)

// summary is what an explanation says of the message.
type summary struct {
	sender   string
	attempts int
	queuedAt time.Time
}

// explainFailure puts a final outcome into plain words.
func explainFailure(o spool.Outcome, m summary) (why, do string) {
	switch o.Reason {
	case spool.ReasonExpired:
		return m.tried(o.Reply.At),
			"if the notice still matters, send it again. If more of your mail is returned like this, " + askTheAdmin
	case spool.ReasonReturned:
		return "The person who looks after the mail system took it out of the queue.",
			"ask that person, if you did not expect this."
	case spool.ReasonSender:
		return "The mail servers do not accept mail from the sender address " + printable.Line(m.sender) + ".", askTheAdmin
	case spool.ReasonCannot:
		return "The mail servers cannot handle this message: it is too large for them, or an address in it has " +
			"letters that they do not support.", "make it smaller and send it again, or " + askTheAdmin
	}
	why, do = explainStatus(status(Failed, o))
	if why == "" && o.Scope == spool.MessageScope {
		return "The mail servers refused the message itself, not one of its addresses.", askTheAdmin
	} else if why == "" {
		return "The mail server refused it permanently.", "check the address. If it is right, " + askTheAdmin
	}
	return why, do
}

// explainStatus returns empty strings for a status that says nothing specific.
func explainStatus(status string) (why, do string) {
	switch status {
	case "5.1.3":
		return "This is not a valid e-mail address.", checkAddress
	case "5.1.1", "5.1.0", "5.1.6":
		return "There is no mailbox with that name: the address is misspelled, or no longer in use.", checkAddress
	case "5.1.2", "5.1.10", "5.4.4":
		return "The part of the address after the @ does not exist, or does not accept mail.", checkAddress
	case "5.2.1":
		return "The mailbox is closed.", checkAddress
	case "5.2.2":
		return "The mailbox is full.", anotherWay + "The address itself is right."
	case "5.2.3", "5.3.4":
		return "The message is larger than the mail server accepts.", "send it again without large attachments."
	}
	if strings.HasPrefix(status, "5.7.") {
		return "The mail server rejected it by its rules against unwanted mail.",
			addressIsFine + askTheAdmin
	}
	return "", ""
}

// tried says how often and for how long the message was tried, as far as that is known.
func (m summary) tried(last time.Time) string {
	if m.attempts <= 1 {
		return "It could not be delivered in time."
	}
	s := fmt.Sprintf("It was tried %d times", m.attempts)
	switch hours := int(last.Sub(m.queuedAt).Round(time.Hour) / time.Hour); {
	case hours >= 48:
		s += fmt.Sprintf(" over %d days", (hours+12)/24)
	case hours >= 2:
		s += fmt.Sprintf(" over %d hours", hours)
	}
	return s + ", without success."
}

// about says which message this is about.
func (c *composer) about(b *strings.Builder) {
	env := &c.r.Record.Envelope
	b.WriteString("The message:\r\n")
	row := func(name, value string) {
		if value = printable.Line(value); value != "" {
			hang(b, "    "+name+" ", value)
		}
	}
	row("Subject:  ", c.head.subject)
	if env.Site == "" {
		row("From:     ", env.Sender)
	}
	row("Site:     ", env.Site)
	row("Queued:   ", c.moment(env.QueuedAt))
	row("Reference:", env.Ref)
	row("Queue id: ", string(env.ID))
	if own := spool.ID(env.EnvelopeID); env.Site != "" && own.Generated() { // another program's ENVID is no id of notices
		fmt.Fprintf(b, "\r\nThe id above is the service's. At your site its queue id is %s:\r\n\r\n    notices history %[1]s\r\n", own)
	}
}

func (c *composer) moment(t time.Time) string {
	return t.In(c.r.Now.Location()).Format("Monday, 2 January 2006, 15:04 (-0700)")
}

func (c *composer) closing() string {
	s := "It is attached. "
	switch {
	case c.r.Kind == Late:
		s = "It is not attached: mail is not kept once it has been sent. "
	case !c.r.includesBody():
		s = "Its first lines are attached. "
	}
	who := c.site.host()
	if name := printable.Line(c.site.Name); name != "" {
		who = name + ", " + who
	}
	return s + "This report was written by a program, the mail system of " + who + ". Nobody reads replies to it."
}
