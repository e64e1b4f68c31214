package submission

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"notices/spool"
)

// crlf is a conversation as a network has it.
func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

const hello = "EHLO desk\n"

// TestConversation: several messages, each with its own envelope, Bcc removed, what is
// missing added, and the id in the answer.
func TestConversation(t *testing.T) {
	const text = hello + `MAIL FROM:<desk@example.org> SIZE=100 BODY=8BITMIME
RCPT TO:<a@example.net>
RCPT TO:<b@example.net>
DATA
From: desk@example.org
Bcc: secret@example.net
Subject: one

..dot
.
MAIL FROM:<>
RSET
NOOP
VRFY somebody
MAIL FROM:<>
RCPT TO:<"john smith"@example.net>
DATA
Subject: two

second
.
QUIT
`
	for name, conversation := range map[string]string{"LF": text, "CRLF": crlf(text)} {
		d := newDesk(t)
		replies := d.says(conversation)
		if got := codes(replies); got != "220 250 250 250 250 354 250 250 250 250 252 250 250 354 250 221" {
			t.Errorf("%s: %s\n%s", name, got, strings.Join(replies, "\n"))
		}
		all := strings.Join(d.queued(), "\n")
		for _, want := range []string{
			"<desk@example.org> a@example.net b@example.net\nFrom: desk@example.org\r\nSubject: one\r\nDate: ",
			"\r\n\r\n.dot\r\n",
			"<> \"john smith\"@example.net\nSubject: two\r\nFrom: ",
			"\r\n\r\nsecond\r\n",
			"Message-ID: <",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("%s: the spool has no %q:\n%s", name, want, all)
			}
		}
		if strings.Contains(all, "secret@") {
			t.Errorf("%s: Bcc is still there", name)
		}
	}
}

// TestOffers: what EHLO lists, and what it does not.
func TestOffers(t *testing.T) {
	d := newDesk(t)
	d.MaxRecipients = 3
	all := strings.Join(d.says("EHLO x\r\nQUIT\r\n"), "\n")
	for _, want := range []string{"220 desk.example.org ", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "DSN", "SIZE 2000\n", "RCPTMAX=3"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in\n%s", want, all)
		}
	}
	for _, none := range []string{"CHUNKING", "AUTH", "STARTTLS"} {
		if strings.Contains(all, none) {
			t.Errorf("%s is offered", none)
		}
	}
}

// TestNames: a program of this machine may leave the domain off.
func TestNames(t *testing.T) {
	d := newDesk(t)
	d.says(crlf("HELO x\nMAIL FROM:<root>\nRCPT TO:<operator>\nRCPT TO: bare\nrcpt to:<full@example.net>\nDATA\nSubject: x\n\ny\n.\nQUIT\n"))
	got := strings.Join(d.queued(), "")
	if want := "<root@example.org> operator@example.org bare@example.org full@example.net\n"; !strings.HasPrefix(got, want) {
		t.Errorf("queued %q, want %q", got, want)
	}
	d = newDesk(t)
	d.Local = false
	if got := codes(d.says(crlf("HELO x\nMAIL FROM:<root>\nQUIT\n"))); got != "220 250 501 221" {
		t.Errorf("from the network: %s", got)
	}
}

// TestRefusals: each with the code that tells the client what to do.
func TestRefusals(t *testing.T) {
	const begin = hello + "MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\n"
	for text, want := range map[string]string{
		hello + "MAIL FROM:<a@-x>\n":                                        "501 5.1.7",
		hello + "MAIL FROM:<a@example.org> SIZE=2001\n":                     "552 5.3.4",
		begin + "RCPT TO:<b@@example.net>\n":                                "501 5.1.3",
		begin + "RCPT TO:<b@example..net>\n":                                "501 5.1.3",
		begin + "RCPT TO:<b@example.net> SIZE=1 BAD\n":                      "555 5.5.4",
		begin + "MAIL FROM:<c@example.org>\n":                               "503 5.5.1",
		begin + "DATA\nSubject: x\n\na\x00b\n.\n":                           "554 5.6.0",
		begin + "DATA\nSubject: x\n\n" + strings.Repeat("x\n", 990) + ".\n": "552 5.3.4",
		hello + "DATA\n":                                   "503 5.5.1",
		hello + "RCPT TO:<b@example.net>\n":                "503 5.5.1",
		"MAIL FROM:<a@example.org>\n":                      "503 5.5.1",
		hello + "EXPN list\n":                              "502 5.5.1",
		hello + "AUTH PLAIN AGEAYg==\n":                    "523 5.7.10",
		hello + "STARTTLS\n":                               "502 5.5.1",
		hello + "MAIL FROM:<a@example.org> NOTIFY=NEVER\n": "555 5.5.4", // it is RCPT's
	} {
		d := newDesk(t)
		replies := d.says(crlf(text) + "QUIT\r\n")
		last := replies[len(replies)-2]
		if !strings.HasPrefix(last, want) {
			t.Errorf("%q: %q, want %s", text, last, want)
		}
		if got := d.queued(); len(got) > 0 {
			t.Errorf("%q: queued %q", text, got)
		}
	}
}

// TestBDAT: the octets that follow it are not taken for commands. If it is not clear how many there
// are, nothing is read any more.
func TestBDAT(t *testing.T) {
	for text, want := range map[string]string{
		"BDAT 6 LAST\r\nNOOP\r\nQUIT\r\n":                                       "502 221",
		"bdat 6\r\nNOOP\r\nBDAT 0 LAST\r\nQUIT\r\n":                             "502 502 221",
		"BDAT 6 last\nQUIT\r\nQUIT\r\n":                                         "502 221",
		"BDAT 200000\r\n" + strings.Repeat("NOOP\r\n....", 20_000) + "QUIT\r\n": "502 221",
		"BDAT 7 LAST\r\nNOOP\r\nNOOP\r\nQUIT\r\n":                               "502 501 221", // what is left of it is no command
		"BDAT 60 LAST\r\nNOOP\r\nQUIT\r\n":                                      "502",
		"BDAT\r\nNOOP\r\n":                                                      "502",
		"BDATA 6\r\nNOOP\r\n":                                                   "502",
		"BDAT -6\r\nNOOP\r\n":                                                   "502",
		"BDAT 0x6\r\nNOOP\r\n":                                                  "502",
		"BDAT 6 FIRST\r\nNOOP\r\n":                                              "502",
		"BDAT 6 LAST x\r\nNOOP\r\n":                                             "502",
		"BDAT 4294967296\r\nNOOP\r\n":                                           "502",
		"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nBDAT 6\r\n" + "RSET\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n": "250 250 502 354 250 221",
	} {
		d := newDesk(t)
		if got := codes(d.says(crlf(hello) + text)); got != "220 250 "+want {
			t.Errorf("%.60q: %s", text, got)
		}
	}
}

// TestLimits: a message of exactly the size, and of one octet more; recipients.
func TestLimits(t *testing.T) {
	d := newDesk(t)
	d.MaxRecipients = 2
	text := func(n int) string {
		const head = "Subject: x\r\n\r\n"
		line := strings.Repeat("x", 98) + "\r\n"
		body := strings.Repeat(line, 18)
		return head + body + strings.Repeat("y", n-len(head)-len(body)-2) + "\r\n"
	}
	to := "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\nRCPT TO:<d@example.net>\r\nDATA\r\n"
	got := codes(d.says("EHLO x\r\n" + to + text(2000) + ".\r\n" + to + text(2001) + ".\r\nQUIT\r\n"))
	if want := "220 250 250 250 250 452 354 250 250 250 250 452 354 552 221"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := len(d.queued()); n != 1 {
		t.Errorf("%d messages are queued", n)
	}
}

// TestCutOff: what breaks off in mid-message is not queued, and not taken for commands.
func TestCutOff(t *testing.T) {
	for _, end := range []string{"", "text", "text\r\n", "text\r\n.", "text\r\n.\r", "text\r\nMAIL FROM:<evil@example.org>\r\nQUIT\r\n"} {
		d := newDesk(t)
		replies := d.says("EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nSubject: x\r\n\r\n" + end)
		if n := len(d.queued()); n != 0 {
			t.Errorf("%q: %d messages are queued", end, n)
		}
		if got := codes(replies); !strings.HasPrefix(got, "220 250 250 250 354") || strings.Count(got, "250") != 3 {
			t.Errorf("%q: %s", end, got)
		}
	}
}

// broken is a store that takes nothing.
type broken struct {
	spool.Store
	err error
}

func (b broken) New(context.Context, spool.ID) (spool.Draft, error) { return nil, b.err }

// TestSpoolTrouble: the client keeps the message, and hears why.
func TestSpoolTrouble(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("write: %w", syscall.ENOSPC), "452 4.3.1"},
		{fmt.Errorf("write: %w", syscall.EROFS), "452 4.3.1"},
		{errors.New("input/output error"), "451 4.3.0"},
		{fmt.Errorf("x: %w", spool.ErrUnsure), "451 4.3.0 local error; the message may be queued"},
	} {
		d := newDesk(t)
		d.Intake.Store = broken{d.store, c.err}
		replies := d.says(crlf(hello + "MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\nDATA\nSubject: x\n\ny\n.\nNOOP\nQUIT\n"))
		if answer := replies[len(replies)-3]; !strings.HasPrefix(answer, c.want) {
			t.Errorf("%v: %q, want %s", c.err, answer, c.want)
		}
		d.Local = false
		replies = d.says(crlf(hello + "MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\nDATA\nFrom: a@example.org\n\ny\n.\nQUIT\n"))
		if answer := replies[len(replies)-2]; strings.Contains(answer, c.err.Error()) {
			t.Errorf("the network is told %q", answer)
		}
	}
}

// TestNoConfig: what is missing here is not the client's fault.
func TestNoConfig(t *testing.T) {
	d := newDesk(t)
	d.Intake.Site.Address = ""
	replies := d.says(crlf(hello + "MAIL FROM:<root>\nQUIT\n"))
	if answer := replies[len(replies)-2]; !strings.HasPrefix(answer, "451 4.3.5") {
		t.Errorf("%q", answer)
	}
}

// TestAnswersAsItGoes: over a connection on which each side waits for the other.
func TestAnswersAsItGoes(t *testing.T) {
	c := newDesk(t).dial()
	c.sends("", "220 ")
	c.sends("EHLO x\r\n", "250 ")
	c.sends("MAIL FROM:<a@example.org>\r\n", "250 ")
	c.sends("RCPT TO:<b@example.net>\r\n", "250 ")
	c.sends("DATA\r\n", "354 ")
	c.sends("Subject: x\r\n\r\ntext\r\n.\r\n", "250 2.0.0 queued as ")
	c.sends("QUIT\r\n", "221 ")
	<-c.ended
}

// TestStops: the end of the context ends the conversation, and so does a client that
// is gone.
func TestStops(t *testing.T) {
	d := newDesk(t)
	gone := d.dial()
	gone.sends("", "220 ")
	gone.conn.Close()
	<-gone.ended

	ctx, cancel := context.WithCancel(context.Background())
	ours, theirs := net.Pipe()
	defer ours.Close()
	ended := make(chan struct{})
	go func() {
		Serve(ctx, theirs, d.Options)
		close(ended)
	}()
	if _, err := ours.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
}
