package probe

import (
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"notices/spool"
	"notices/spool/recode"
	"notices/spool/smtpclient"
)

const bodyText = `This is a test message. No answer is needed.

It was sent by "notices", the program that sends the e-mail notices of
%s, through %s
(%s, port %d), because somebody there ran "notices test-server".

That you can read this means that the server works.
`

// message composes the test message: ASCII only but for an internationalised
// address, so that any server takes it.
func (t *test) message() *smtpclient.Transaction {
	now, from := t.Now(), recode.HeaderAddress(t.From)
	var b strings.Builder
	header := func(name, value string) { b.WriteString(name + ": " + value + "\r\n") }
	header("From", (&mail.Address{Name: t.Site, Address: from}).String())
	header("To", "<"+recode.HeaderAddress(t.To)+">")
	header("Subject", mime.QEncoding.Encode("utf-8", subject(t.server.Name)))
	header("Date", now.Format(time.RFC1123Z))
	header("Message-ID", fmt.Sprintf("<%s.test@%s>", spool.NewID(now), domainOf(from)))
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	fmt.Fprintf(w, strings.ReplaceAll(bodyText, "\n", "\r\n"), t.Site, smtpclient.Called(t.server.Name), t.server.Host, t.server.Port)
	if advice := t.safeList(); advice != "" {
		fmt.Fprintf(w, "\r\n%s\r\n", advice)
	}
	w.Close()
	text := b.String()
	return &smtpclient.Transaction{
		Sender: t.From, Recipients: []string{t.To},
		Body: strings.NewReader(text), Size: int64(len(text)),
		EightBit: !ascii(text), UTF8: recode.NeedsUTF8(t.From) || recode.NeedsUTF8(t.To),
	}
}

// subject is that of the test message.
func subject(server string) string {
	if server == "service" {
		return "Test of the service"
	}
	return "Test of mail server " + server
}

// safeList says what patrons can do so that mail of a service is not taken for junk. It is empty
// if the server is not a service.
func (t *test) safeList() string {
	switch {
	case t.server.Name != "service":
		return ""
	case t.safe == "":
		return "Patrons should add the address that this message comes from to their address book or safe list."
	}
	return "Patrons should add this address to their address book or safe list: " + t.safe
}

// sentFrom is the address in "mail is sent from <noreply@service.example>", as a service says it
// when a site has logged in; or empty.
func sentFrom(reply string) string {
	_, rest, _ := strings.Cut(reply, "sent from <")
	address, _, closed := strings.Cut(rest, ">")
	if !closed || spool.CheckAddress(address) != nil {
		return ""
	}
	return address
}

// domainOf is the domain of an address, in its xn-- form where it has one.
func domainOf(address string) string {
	domain := address[strings.LastIndexByte(address, '@')+1:]
	if plain, err := recode.ASCIIDomain(domain); err == nil {
		return plain
	}
	return domain
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
