package submission

import (
	"strings"
	"testing"
)

// TestSenders: a site is told at MAIL that its sender is no address, and that one in UTF-8 needs SMTPUTF8.
func TestSenders(t *testing.T) {
	in(t, func(t *testing.T) {
		c := newHosting(t, nil).enter()
		for from, want := range map[string]string{
			"<>": "250 ", "<a@example.org>": "250 ", `<"a b"@example.org>`: "250 ", "<a..b@example.org>": "250 ", "<jü@example.org> SMTPUTF8": "250 ",
			"<l\x00x@example.org>": "501 5.1.7", "<l\x01x@example.org>": "501 5.1.7", "<l\xffq@example.org>": "501 5.1.7", "<l\xffq@example.org> SMTPUTF8": "501 5.1.7",
			"<" + strings.Repeat("x", 300) + "@example.org>": "501 5.1.7", "<a@b..example>": "501 5.1.7", "<a@-b.example>": "501 5.1.7",
			"<jü@example.org>": "553 5.6.7", "<a@bücher.example>": "553 5.6.7",
		} {
			c.sends("MAIL FROM:"+from+"\r\n", want)
			c.sends("RSET\r\n", "250 ")
		}
		for params, want := range map[string]string{"": "550 5.6.7", " SMTPUTF8": "250 "} {
			c.sends("MAIL FROM:<a@example.org>"+params+"\r\n", "250 ")
			c.sends("RCPT TO:<jü@example.net>\r\n", want)
			c.sends("RCPT TO:<jo@bücher.example>\r\n", want)
			c.sends("RCPT TO:<l\xffq@example.org>\r\n", "501 5.1.3")
			c.sends("RCPT TO:<ann@example.net>\r\n", "250 ")
			c.sends("RSET\r\n", "250 ")
		}
	})
}
