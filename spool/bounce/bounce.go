// Package bounce writes the mail that tells a sender what became of a message: the
// return of an undeliverable one, the warning that one is delayed, the notice that one
// is held because nobody knows whether it arrived, and for who asked to be told of
// success the word that one was handed on. All of them are delivery
// status notifications, RFC 3464, internationalised by RFC 6533, in three parts:
// plain words for the librarian who sent it, fields for programs, and the original.
//
// Everything that came from outside (a server's words, an address, the original's
// subject) is made printable first, so that it can neither end a line nor a part.
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
	Delayed             // not delivered yet, tried further until Report.Until
	Held                // answers lost three times in a row: it may have arrived, a person decides
	Relayed             // handed on to a server that does not report success
	Kept                // for the admin: given up, and kept because there was nobody to return it to
)

// Site is who reports.
type Site struct {
	Name     string // "Springfield Public Library"; may be empty
	Address  string // the site's own; may be empty
	Hostname string // reports come from MAILER-DAEMON there
	Admin    string // [site] admin, who is told of what is kept; empty: nobody
	// FindHostname finds one when Hostname is empty and a report is made. nil or "":
	// the domain of Address stands for it.
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
	return hostname(name)
}

// MessageID is the Message-ID of the report of that id, with < >.
func (s Site) MessageID(id spool.ID) string {
	return "<" + string(id) + "@" + s.host() + ">"
}

// Report is what Compose makes a message of.
type Report struct {
	ID         spool.ID // of the report itself: it becomes its Message-ID
	Kind       Kind
	Record     *spool.Record
	Recipients []int     // indices into the record's recipients
	Now        time.Time // its location is the zone of the times in the text
	Until      time.Time // Delayed: when it will be given up; zero: not known
	Original   spool.Body
	To         string // who is told; empty: the sender

	boundary string // for golden files; empty: random
}

// Compose writes the report, RFC 5322 with CRLF, header and all. It streams: the
// original is never in memory as a whole. Its error is w's or the original's.
func Compose(w io.Writer, s Site, r Report) error {
	to := r.Addressee()
	if to == "" || len(r.Recipients) == 0 {
		return errors.New("bounce: there is nobody to report to, or nothing to report")
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

// Addressee is who the report goes to; empty: there is nobody. Record must be set.
func (r *Report) Addressee() string { return cmp.Or(r.To, r.Record.Envelope.ReturnAddress()) }

// Encoding says what the report needs of a server: 8BITMIME, SMTPUTF8. It needs
// the latter only where it is addressed to a sender with such an address; toward
// everybody else, what is not ASCII is encoded.
func (r *Report) Encoding() (eightBit, utf8 bool) {
	env := &r.Record.Envelope
	utf8 = recode.NeedsUTF8(r.Addressee())
	return utf8 || r.whole() && env.EightBit && !env.UTF8, utf8
}

// composer is a report being written. Errors of the writer stick to it until Flush.
type composer struct {
	*bufio.Writer
	site     Site
	r        *Report
	to       string
	head     originalHeader
	boundary string
	utf8     bool // the report itself is internationalised
}

// put writes s. An error sticks to the writer, and Flush tells it.
func (c *composer) put(s string) { _, _ = c.WriteString(s) }

// line writes a line of those strings.
func (c *composer) line(parts ...string) {
	for _, p := range parts {
		c.put(p)
	}
	c.put("\r\n")
}

// field writes a header field, folded. The value is made printable, and ASCII
// unless the report may have UTF-8 in such places.
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
	c.line("Subject: ", c.subject())
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

func (c *composer) subject() string {
	switch c.r.Kind {
	case Delayed:
		return "Delayed mail (it is still being sent)"
	case Held:
		return "Held mail (it may have arrived)"
	case Kept:
		return "Undelivered mail that has nobody to go back to"
	case Relayed:
		return "Sent mail (a mail server took it over)"
	}
	return "Undelivered mail returned to sender"
}

// statusType is the subtype of the second part; RFC 6522 wants it as report-type.
func (c *composer) statusType() string {
	if c.utf8 {
		return "global-delivery-status"
	}
	return "delivery-status"
}

func date(t time.Time) string { return t.Format("Mon, 2 Jan 2006 15:04:05 -0700") }

// hostname is the site's host if it can stand in a header.
func hostname(host string) string {
	if host == "" || spool.CheckAddress("MAILER-DAEMON@"+host) != nil || !ascii(host) {
		return "localhost"
	}
	return host
}

// isMessageID is strict: a Message-ID that is none is left out, not repaired.
func isMessageID(id string) bool {
	return len(id) > 4 && len(id) < 250 && id[0] == '<' && id[len(id)-1] == '>' && ascii(id) &&
		!strings.ContainsAny(id[1:len(id)-1], "<> \t") && id == printable.Line(id)
}
