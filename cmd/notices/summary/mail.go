package summary

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"

	"notices/cmd/notices/term"
	"notices/spool/history/report"
	"notices/spool/intake"
	"notices/spool/printable"
	"notices/spool/recode"
)

// recipient is where the mail goes: an address that was given, else whoever looks after this
// machine's mail, else the site. Empty: no address is known.
func (s *Summary) recipient(given string) string {
	if given != DefaultAddress {
		return given
	}
	return cmp.Or(s.Admin, s.Address)
}

// send queues the report as a mail, and prints its queue id as enqueue does.
func (s *Summary) send(ctx context.Context, to, subject string, v *report.View) error {
	from := cmp.Or(s.Address, to)
	var b bytes.Buffer
	if err := compose(&b, header{name: s.Name, from: from, to: to, subject: subject, now: s.Program.Now()}, v); err != nil {
		return err
	}
	id, err := s.Accept(ctx, intake.Request{Sender: &from, Recipients: []string{to}, Body: &b})
	if err != nil {
		return err
	}
	if err := s.Program.PrintBare(string(id) + "\n"); err != nil {
		s.Program.Say("queued as %s, but the id could not be printed: %s", id, err)
	}
	return nil
}

type header struct {
	name, from, to, subject string
	now                     time.Time
}

// mailWidth is the width of the text: what mail programs show without breaking lines.
const mailWidth = 76

// compose writes the mail: the text, and the same as HTML (multipart/alternative, RFC 2046 section
// 5.1.4). Intake adds the Message-ID.
func compose(w io.Writer, h header, v *report.View) error {
	parts := multipart.NewWriter(w)
	field := func(name, value string) {
		fmt.Fprintf(w, "%s: %s\r\n", name, strings.ReplaceAll(value, "?= =?", "?=\r\n =?"))
	}
	field("From", (&mail.Address{Name: printable.Line(h.name), Address: recode.HeaderAddress(h.from)}).String())
	field("To", "<"+recode.HeaderAddress(h.to)+">")
	field("Subject", mime.QEncoding.Encode("utf-8", printable.Line(h.subject)))
	field("Date", h.now.Format(time.RFC1123Z))
	field("Auto-Submitted", "auto-generated") // RFC 3834 section 5: so that no autoresponder answers
	field("MIME-Version", "1.0")
	field("Content-Type", "multipart/alternative; boundary=\""+parts.Boundary()+"\"")
	fmt.Fprint(w, "\r\n")

	page := &term.Page{Width: mailWidth}
	write(page, v)
	err := part(parts, "text/plain", func(w io.Writer) error {
		_, err := io.WriteString(w, page.Text())
		return err
	})
	if err == nil {
		err = part(parts, "text/html", v.Mail)
	}
	return cmp.Or(err, parts.Close())
}

func part(parts *multipart.Writer, kind string, write func(io.Writer) error) error {
	w, err := parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {kind + "; charset=utf-8"},
		"Content-Transfer-Encoding": {"quoted-printable"},
	})
	if err != nil {
		return err
	}
	q := quotedprintable.NewWriter(w)
	return cmp.Or(write(q), q.Close())
}
