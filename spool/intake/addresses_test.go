package intake

import (
	"slices"
	"strings"
	"testing"
)

// TestAddressLists: what callers write into To, and who gets the mail.
func TestAddressLists(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a@example.net", "a@example.net"},
		{" <a@example.net> ", "a@example.net"},
		{"a@example.net, b@example.net", "a@example.net b@example.net"},
		{",a@example.net,, ,b@example.net,", "a@example.net b@example.net"},
		{"a@example.net;b@example.net; ", "a@example.net b@example.net"},
		{"Ann Lee <a@example.net>", "a@example.net"},
		{"a@example.net (Ann Lee)", "a@example.net"},
		{"(Ann (nested \\) ) Lee) a@example.net", "a@example.net"},
		{"Ann <a@example.net>,\r\n\tBob\r\n <b@example.net>", "a@example.net b@example.net"},
		{`"Lee, Ann; see: <x@example.com>" <a@example.net>`, "a@example.net"},
		{`"Ann \"the cat\" Lee" <a@example.net>`, "a@example.net"},
		{"=?UTF-8?Q?M=C3=BCller,_Hans?= <a@example.net>", "a@example.net"},
		{"=?UTF-8?B?TcO8bGxlcg==?= =?UTF-8?Q?_x?= <a@example.net>", "a@example.net"},
		{"=?windows-1252?Q?M=FCller?= <a@example.net>", "a@example.net"},
		{"J\xfcrgen <a@example.net>, M\xfcller (\xe4) <b@example.net>", "a@example.net b@example.net"},
		{"Jürgen <a@example.net>", "a@example.net"},
		{"St. Mary's Library <a@example.net>", "a@example.net"},
		{"a@example.org <a@example.net>", "a@example.net"},
		{"Managers: a@example.net, Bob <b@example.net>;", "a@example.net b@example.net"},
		{"Managers: a@example.net;, c@example.net", "a@example.net c@example.net"},
		{"undisclosed-recipients:;", ""},
		{"(nobody)", ""},
		{"mailto:a@example.net", "a@example.net"},
		{"<@relay.example,@other.example:a@example.net>", "a@example.net"},
		{"a @ example . net", "a@example.net"},
		{`"ann lee"@example.net`, `"ann lee"@example.net`},
		{`Ann <"ann\"lee"@example.net>`, `"ann\"lee"@example.net`},
		{"a@[192.0.2.1], b@[IPv6:2001:db8::1]", "a@[192.0.2.1] b@[IPv6:2001:db8::1]"},
		{"jürgen@bücherei.example", "jürgen@bücherei.example"},
		{"A@Example.NET, A@example.net, a@example.net", "A@Example.NET a@example.net"},
		{`Ann "the cat Lee <a@example.net>, b@example.net`, "a@example.net b@example.net"},
		{"Ann :( <a@example.net>, b@example.net", "a@example.net b@example.net"},
		{"a+tag@example.net, o'hara@example.net", "a+tag@example.net o'hara@example.net"},
	} {
		r := Request{Body: strings.NewReader(complete + "To: " + c.in + "\nCc: last@example.net\n\nx\n")}
		want := append(strings.Split(c.want, " "), "last@example.net")
		if strings.HasPrefix(c.want, `"`) {
			want = []string{c.want, "last@example.net"}
		}
		want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
		q, err := newDesk(site).accept(r)
		if err != nil || !slices.Equal(q.Recipients, want) {
			t.Errorf("%q: %q, %v; want %q", c.in, q.Recipients, err, want)
		}
	}
}

// TestMalformedInHeader: refused and named, never dropped, never guessed.
func TestMalformedInHeader(t *testing.T) {
	for in, named := range map[string]string{
		"Lee, Ann <a@example.net>":                  `"Lee" in the To field`,
		"Müller, Hans <a@example.net>":              `"Müller"`,
		"a@example.net b@example.net":               `"a@example.net b@example.net"`,
		"Ann <a@example.net> Bob <b@example.net>":   `"Ann <a@example.net> Bob <b@example.net>"`,
		"<a@example.net> b@example.net":             `"<a@example.net> b@example.net"`,
		"a@example.net: b@example.net":              `"a@example.net: b@example.net"`,
		"Ann <a@example.net>: b@example.net":        `"Ann <a@example.net>: b@example.net"`,
		"bad address@@example.net":                  `"bad address@@example.net"`,
		"<>":                                        `"<>"`,
		"Ann Lee":                                   `"Ann Lee"`,
		"a@":                                        `"a@"`,
		"@example.net":                              `"@example.net"`,
		"a@example..net":                            `"a@example..net"`,
		"a@example.net>\x01":                        `"a@example.net>\x01"`,
		"\xfc@example.net":                          `"\xfc@example.net"`,
		"=?utf-8?q?a@example.net,b@example.net?=":   `"=?utf-8?q?a@example.net,b@example.net?="`,
		"a@example.net\rRCPT TO: <b@example.com>":   `"a@example.net RCPT TO: <b@example.com>"`,
		strings.Repeat("x", 10000) + "@example.net": "too long",
	} {
		d := newDesk(site)
		err := d.refused(t, Request{Body: strings.NewReader(complete + "To: good@example.net, " + in + "\n\nx\n")})
		if err.Kind != BadMessage || !strings.Contains(err.Error(), named) || !strings.Contains(err.Error(), "nothing was queued") {
			t.Errorf("%q: kind %d, %q; want %s", in, err.Kind, err, named)
		}
	}
}

// TestWhereRecipientsComeFrom tells the order, too.
func TestWhereRecipientsComeFrom(t *testing.T) {
	const all = complete + "Cc: c@example.net\nTo: a@example.net\nBcc: d@example.net\nTo: b@example.net\n"
	const resent = all + "Resent-To: r@example.net\nResent-Bcc: s@example.net\n"
	for _, c := range []struct {
		name, in string
		r        Request
		want     string
	}{
		{"header", all, Request{}, "c@example.net a@example.net d@example.net b@example.net"},
		{"arguments", all, Request{Recipients: []string{"x@example.net", "a@example.net"}}, "x@example.net a@example.net"},
		{"both", all, Request{Recipients: []string{"x@example.net", "a@EXAMPLE.net"}, FromHeader: true}, "x@example.net a@EXAMPLE.net c@example.net d@example.net b@example.net"},
		{"resent", resent, Request{}, "r@example.net s@example.net"},
		{"a malformed header does not matter to arguments", complete + "To: no one\n", Request{Recipients: []string{"x@example.net"}}, "x@example.net"},
		{"sendmail: names", complete + "To: root, Ann <ann>\n", Request{Qualify: true}, "root@example.org ann@example.org"},
		{"sendmail: arguments", complete, Request{Qualify: true, Recipients: []string{"root", "Ann <ann@example.net>", "b@example.net, c"}}, "root@example.org ann@example.net b@example.net c@example.org"},
	} {
		c.r.Body = strings.NewReader(c.in + "\nx\n")
		q := newDesk(site).must(t, c.r)
		if got := strings.Join(q.Recipients, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if err := newDesk(site).refused(t, Request{Body: strings.NewReader(complete + "To: nobody:;\n\nx\n")}); err.Kind != BadMessage || !strings.Contains(err.Error(), "no recipient") {
		t.Errorf("no recipient: kind %d, %q", err.Kind, err)
	}
}

func TestFromField(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Desk <desk@example.net>", "Desk <desk@example.net>"},
		{"desk@example.net (Desk)", "desk@example.net (Desk)"},
		{"J\xfcrgen <desk@example.net>", "=?utf-8?q?J=C3=BCrgen?= <desk@example.net>"},
		{"root (Cron Daemon)", `"Cron Daemon" <root@example.org>`},
		{"root", "root@example.org"},
		{"Cron Daemon <root>", `"Cron Daemon" <root@example.org>`},
		{"root (J\xfcrgen)", "=?utf-8?q?J=C3=BCrgen?= <root@example.org>"},
		{"=?windows-1252?Q?J=FCrgen?= <root>", "=?windows-1252?Q?J=FCrgen?= <root@example.org>"},
		{"Springfield Library", `"Springfield Library" <library@example.org>`},
		{"<>", "library@example.org"},
		{"nobody:;", `"Springfield Public Library" <library@example.org>`},
		{"desk@example.net, root", "desk@example.net, root@example.org"},
		{"Springfield \x01\"Library", `"Springfield Library" <library@example.org>`},
	} {
		q := newDesk(site).must(t, plain("From: "+c.in+"\nSubject: x\n\nx\n"))
		if want := "From: " + c.want + "\r\nSubject: x\r\n"; !strings.HasPrefix(q.text, want) {
			t.Errorf("%q: %q, want %q", c.in, q.text, want)
		}
	}
}

// TestRewriteFrom shows what becomes of the header with rewrite_from.
func TestRewriteFrom(t *testing.T) {
	const rest = "Date: x\nMessage-ID: <1@x>\n"
	for _, c := range []struct {
		name, in, want string
	}{
		{"the branch's name stays", "From: East Branch <east@example.net>\n" + rest, "From: \"East Branch\" <library@example.org>\n" + rest + "Reply-To: East Branch <east@example.net>\n"},
		{"no name", "From: east@example.net\n" + rest, "From: \"Springfield Public Library\" <library@example.org>\n" + rest + "Reply-To: east@example.net\n"},
		{"an address for a name", "From: \"east@example.net\" <east@example.net>\n" + rest, "From: \"Springfield Public Library\" <library@example.org>\n" + rest + "Reply-To: \"east@example.net\" <east@example.net>\n"},
		{"Reply-To stays", "Reply-To: r@example.net\nFrom: east@example.net\n" + rest, "Reply-To: r@example.net\nFrom: \"Springfield Public Library\" <library@example.org>\n" + rest},
		{"an empty Reply-To", "Reply-To:\nFrom: east@example.net\n" + rest, "From: \"Springfield Public Library\" <library@example.org>\n" + rest + "Reply-To: east@example.net\n"},
		{"empty ones of all kinds", "reply-TO: \nReply-To :\n \t\nFrom: east@example.net\nREPLY-TO:\n" + rest, "From: \"Springfield Public Library\" <library@example.org>\n" + rest + "Reply-To: east@example.net\n"},
		{"several Reply-Tos", "Reply-To:\nReply-to:\n r@example.net\nFrom: east@example.net\nREPLY-TO: s@example.net\n" + rest, "Reply-to:\n r@example.net\nFrom: \"Springfield Public Library\" <library@example.org>\n" + rest},
		{"folded", "From:\n East\n Branch\n <east@example.net>\n" + rest, "From: \"East Branch\" <library@example.org>\n" + rest + "Reply-To: East\n Branch\n <east@example.net>\n"},
		{"cron", "From: root (Cron Daemon)\n" + rest, "From: \"Cron Daemon\" <library@example.org>\n" + rest + "Reply-To: \"Cron Daemon\" <root@example.org>\n"},
		{"its own already", "Sender: s@example.org\nFrom: Us <Library@example.org>, \n" + rest, "From: \"Us\" <library@example.org>\n" + rest + "Reply-To: Us <Library@example.org>, \n"},
		{"just its own", "Sender: s@example.org\nFrom: Us <library@EXAMPLE.org>\n" + rest, "Sender: s@example.org\nFrom: Us <library@EXAMPLE.org>\n" + rest},
		{"none", rest, rest + "From: \"Springfield Public Library\" <library@example.org>\n"},
		{"two, and a Sender", "From: a@example.net\nSender: s@example.net\nFrom: b@example.net\n" + rest, "From: \"Springfield Public Library\" <library@example.org>\n" + rest + "Reply-To: a@example.net\n"},
		{"a name in another charset", "From: =?windows-1252?Q?J=FCrgen?= <east@example.net>\n" + rest, "From: =?windows-1252?Q?J=FCrgen?= <library@example.org>\n" + rest + "Reply-To: =?windows-1252?Q?J=FCrgen?= <east@example.net>\n"},
	} {
		s := site
		s.RewriteFrom = true
		q := newDesk(s).must(t, plain(c.in+"\nx\n"))
		if want := crlf(c.want + "\nx\n"); q.text != want {
			t.Errorf("%s: %q, want %q", c.name, q.text, want)
		}
		// What is rewritten is rewritten once.
		if again := newDesk(s).must(t, plain(q.text)); again.text != q.text {
			t.Errorf("%s, the second time: %q", c.name, again.text)
		}
	}
}
