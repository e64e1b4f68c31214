// Package bounce writes the mail that tells a sender what became of a message: the return
// of an undeliverable message, the warning that it is delayed, the notice that it is held
// because nobody knows whether it arrived, and, if the sender asked for it, the notice that
// it was relayed. All of them are delivery status notifications (RFC 3464, RFC 6533 for
// other scripts) in three parts: plain words for the librarian who sent the message, fields
// for programs, and the original.
//
// Everything that came from outside (a server's reply, an address, the original's subject)
// is made printable first, so that it cannot end a line or a part.
package bounce

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"time"

	"notices/spool"
	"notices/spool/printable"
	"notices/spool/recode"
)

// Kind says what a report reports.
type Kind int

// Kinds of reports.
const (
	Failed  Kind = iota // given up for these recipients
	Delayed             // not delivered yet, tried until Report.Until
	Held                // three answers in a row were lost: it may have arrived, a person decides
	Relayed             // handed to a server that does not report success
	Kept                // for the admin: given up, and kept in failed/ because it cannot be returned
	Late                // a server that had accepted it returned it later
)

// kinds has what is fixed for each Kind.
var kinds = [...]struct {
	subject string
	opening string // of the text, before the addresses
	action  string // RFC 3464 section 2.3.3
	digit   string // the first of the status code, RFC 3463
}{
	Failed: {"Undelivered mail returned to sender",
		"Your message below could not be delivered, and will not be tried again. It did not reach:", "failed", "5."},
	Delayed: {"Delayed mail (it is still being sent)",
		"Your message below has not been delivered yet. This is only a warning: it will be tried again " +
			"automatically, and you need not send it again. It has not reached:", "delayed", "4."},
	Held: {"Held mail (it may have arrived)", "It is not known whether your message below has reached:", "delayed", "4."},
	Relayed: {"Sent mail (accepted by a mail server)",
		"You asked to be told when your message below is delivered. A mail server accepted it for:", "relayed", "2."},
	Kept: {"Undelivered mail that cannot be returned",
		"The message below could not be delivered, and could not be returned to its sender either. " +
			"It is kept in the queue, among the failed messages. It did not reach:", "failed", "5."},
	Late: {"Undelivered mail returned to sender",
		"Your message below was sent, and another mail server has returned it since. It did not reach:", "failed", "5."},
}

// Site describes the sender of reports.
type Site struct {
	Name     string // "Springfield Public Library"; may be empty
	Address  string // the site's own; may be empty
	Hostname string // reports come from MAILER-DAEMON there
	Admin    string // [site] admin, who is told of messages that cannot be returned; may be empty
	// FindHostname finds a host name if Hostname is empty. If it is nil or returns "", the
	// domain of Address is used.
	FindHostname func() string
}

// host is the domain of MAILER-DAEMON and of message ids.
func (s Site) host() string {
	name := s.Hostname
	if name == "" && s.FindHostname != nil {
		name = s.FindHostname()
	}
	if name == "" {
		name = s.Address[strings.LastIndexByte(s.Address, '@')+1:]
	}
	if plain, err := recode.ASCIIDomain(name); err == nil {
		name = plain
	}
	if name == "" || spool.CheckAddress("MAILER-DAEMON@"+name) != nil || !ascii(name) {
		return "localhost" // it cannot be in a header
	}
	return name
}

// MessageID is the Message-ID of the report of that id, with < >.
func (s Site) MessageID(id spool.ID) string {
	return "<" + string(id) + "@" + s.host() + ">"
}

// Report is what Compose turns into a message.
type Report struct {
	ID         spool.ID // of the report itself; its Message-ID is made of it
	Kind       Kind
	Record     *spool.Record
	Recipients []int     // indices into the record's recipients
	Now        time.Time // its location is the zone of the times in the text
	Until      time.Time // Delayed: when it will be given up; zero: unknown
	Original   spool.Body
	To         string // the addressee; empty: the sender

	boundary string // for golden files; empty: random
}

// Compose writes the report with its header, as RFC 5322 with CRLF. It streams: the original
// is never in memory as a whole. An error is that of w or of reading the original.
func Compose(w io.Writer, s Site, r Report) error {
	to := r.Addressee()
	if to == "" || len(r.Recipients) == 0 {
		return errors.New("bounce: a report needs an addressee and a recipient")
	}
	head, err := readHeader(r.Original)
	if err != nil {
		return err
	}
	c := &composer{Writer: bufio.NewWriterSize(w, 4096), site: s, r: &r, to: to, head: head, boundary: r.boundary}
	if c.boundary == "" {
		c.boundary = rand.Text()
	}
	_, c.utf8 = r.Encoding()
	c.header()
	c.textPart()
	c.statusPart()
	if err := c.originalPart(); err != nil {
		return err
	}
	c.line("--", c.boundary, "--")
	return c.Flush()
}

// Addressee is the address that the report goes to, or empty. Record must be set.
func (r *Report) Addressee() string { return cmp.Or(r.To, r.Record.Envelope.ReturnAddress()) }

// Encoding says whether the report needs a server with 8BITMIME or SMTPUTF8. It needs
// SMTPUTF8 only if its addressee does; otherwise, everything that is not ASCII is encoded.
func (r *Report) Encoding() (eightBit, utf8 bool) {
	env := &r.Record.Envelope
	utf8 = recode.NeedsUTF8(r.Addressee())
	return utf8 || r.includesBody() && env.EightBit && !env.UTF8, utf8
}

// composer is a report being written. Flush returns the first error of the writer.
type composer struct {
	*bufio.Writer
	site     Site
	r        *Report
	to       string
	head     originalHeader
	boundary string
	utf8     bool // the report itself is internationalised
}

func (c *composer) put(s string) { _, _ = c.WriteString(s) }

// line writes parts as one line.
func (c *composer) line(parts ...string) {
	for _, p := range parts {
		c.put(p)
	}
	c.put("\r\n")
}

// field writes a folded header field. The value is made printable, and ASCII unless the
// report may have UTF-8 in its fields.
func (c *composer) field(name, value string) {
	value = printable.Line(value)
	if !c.utf8 {
		value = escape(value)
	}
	c.put(fold(name, value))
}

// part begins a body part.
func (c *composer) part(description, mediaType, encoding string) {
	c.line("--", c.boundary)
	c.line("Content-Description: ", description)
	c.line("Content-Type: ", mediaType)
	c.line("Content-Transfer-Encoding: ", encoding)
	c.line()
}

func (c *composer) header() {
	host := c.site.host()
	c.line(fromField, "Mail Delivery System <MAILER-DAEMON@", host, ">")
	c.field("To", "<"+recode.HeaderAddress(c.to)+">")
	c.line("Subject: ", kinds[c.r.Kind].subject)
	c.line("Date: ", date(c.r.Now))
	c.line("Message-ID: ", c.site.MessageID(c.r.ID))
	if id := c.r.Record.Envelope.MessageID; isMessageID(id) {
		c.line("In-Reply-To: ", id)
		c.line("References: ", id)
	}
	c.line("Auto-Submitted: auto-replied") // RFC 3834
	c.line("MIME-Version: 1.0")
	c.line("Content-Type: multipart/report; report-type=", c.statusType(), ";")
	c.line("\tboundary=\"", c.boundary, "\"")
	if eightBit, _ := c.r.Encoding(); eightBit {
		c.line("Content-Transfer-Encoding: 8bit")
	}
	c.line()
	c.line("This is a delivery report in MIME format.")
	c.line()
}

// statusType is the subtype of the second part, and the report-type (RFC 6522).
func (c *composer) statusType() string {
	if c.utf8 {
		return "global-delivery-status"
	}
	return "delivery-status"
}

func date(t time.Time) string { return t.Format("Mon, 2 Jan 2006 15:04:05 -0700") }

// isMessageID is strict: an invalid Message-ID is left out, not repaired.
func isMessageID(id string) bool {
	return len(id) > 4 && len(id) < 250 && id[0] == '<' && id[len(id)-1] == '>' && ascii(id) &&
		!strings.ContainsAny(id[1:len(id)-1], "<> \t") && id == printable.Line(id)
}
