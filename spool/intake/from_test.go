package intake

import (
	"net/mail"
	"strings"
	"testing"

	"notices/spool/recode"
)

// fromForms are From fields as programs write them, and what is stored; "=": the same.
var fromForms = []struct{ in, want string }{
	{"Library Desk <desk@site.example>", "="},
	{"desk@site.example", "="},
	{"<desk@site.example>", "="},
	{`"Library Desk" <desk@site.example>`, "="},
	{`"Library, Desk" <desk@site.example>`, "="},
	{`"Lee; see: <x@site.example>" <desk@site.example>`, "="},
	{"desk@site.example (Library Desk)", "="},
	{`"desk@site.example" <desk@site.example>`, "="},
	{"Library <desk+notices@site.example>", "="},
	{`"O'Neil \"the\" Lee" <desk@site.example>`, "="},
	{"desk@site.example, desk2@site.example", "="},
	{"Desk: desk@site.example, desk2@site.example;", "="},
	{"St. Mary's Library <desk@site.example>", "="},
	{"=?utf-8?Q?M=C3=BCller=2C_Desk?= <desk@site.example>", "="},
	{"=?utf-8?B?TcO8bGxlcg==?= <desk@site.example>", "="},
	{"=?x-unknown?Q?M=FCller?= <desk@site.example>", "="},
	{"desk@[192.0.2.1]", "="},
	{"Desk <desk@[IPv6:2001:db8::1]>", `"Desk" <desk@[IPv6:2001:db8::1]>`},
	{"desk@192.0.2.1", "="},
	{"desk@localhost", "="},
	{`"desk lee"@site.example`, "="},
	{"jürgen@site.example", "="},
	{"desk@under_score.example", "="},
	{"Library\n Desk\n <desk@site.example>", "="},

	// Quotes, brackets and comments without an end.
	{`"Library Desk <desk@site.example>`, `"Library Desk" <desk@site.example>`},
	{`Library Desk" <desk@site.example>`, `"Library Desk" <desk@site.example>`},
	{`Library "Desk <desk@site.example>`, `"Library Desk" <desk@site.example>`},
	{"Library Desk <desk@site.example", `"Library Desk" <desk@site.example>`},
	{`"Library Desk <desk@site.example`, `"Library Desk" <desk@site.example>`},
	{"<desk@site.example", "desk@site.example"},
	{"desk@site.example>", "desk@site.example"},
	{"Library Desk desk@site.example>", `"Library Desk" <desk@site.example>`},
	{"Library (Desk <desk@site.example>", `"Library (Desk" <desk@site.example>`},
	{"Library) Desk <desk@site.example>", `"Library) Desk" <desk@site.example>`},
	{"desk@site.example (Library Desk", `"(Library Desk" <desk@site.example>`},
	{"Library [Desk <desk@site.example>", `"Library [Desk" <desk@site.example>`},
	{"Library Desk <<desk@site.example>>", `"Library Desk" <desk@site.example>`},
	{"'Library Desk' <desk@site.example>", "="},
	{"'Library Desk <desk@site.example>", "="},

	// Characters that should have been quoted.
	{"Library, Desk <desk@site.example>", `"Library, Desk" <desk@site.example>`},
	{"Library, Desk <desk@site.example.>", `"Library, Desk" <desk@site.example>`},
	{"Lee, Ann, Dr. <desk@site.example>", `"Lee, Ann, Dr." <desk@site.example>`},
	{"Library; Desk <desk@site.example>", `"Library; Desk" <desk@site.example>`},
	{"Library: Desk <desk@site.example>", `"Library: Desk" <desk@site.example>`},
	{"Desk @ Library <desk@site.example>", `"Desk @ Library" <desk@site.example>`},
	{"Desk@Library <desk@site.example>", `"Desk@Library" <desk@site.example>`},
	{"desk@site.example <desk@site.example>", `"desk@site.example" <desk@site.example>`},
	{"Library [East] <desk@site.example>", `"Library [East]" <desk@site.example>`},
	{"Library (East) <desk@site.example>", "="},
	{"Library <East> <desk@site.example>", `"Library East" <desk@site.example>`},
	{`Library \ Desk <desk@site.example>`, `"Library \\ Desk" <desk@site.example>`},
	{"Library Desk. <desk@site.example>", "="},
	{"..Library.. <desk@site.example>", "="},
	{"50% off! #1 <desk@site.example>", "="},

	// Addresses.
	{"<mailto:desk@site.example>", "desk@site.example"},
	{"mailto:desk@site.example", "desk@site.example"},
	{"Library Desk <MAILTO:desk@site.example>", `"Library Desk" <desk@site.example>`},
	{"Desk <desk@site(comment).example>", `"Desk" <desk@site.example>`},
	{"Desk <desk(comment)@site.example>", `"Desk" <desk@site.example>`},
	{"desk@site.example.", "desk@site.example"},
	{"Desk <desk@site.example.>", `"Desk" <desk@site.example>`},
	{"Desk < desk@site.example >", `"Desk" <desk@site.example>`},
	{"Desk <desk @ site.example>", `"Desk" <desk@site.example>`},
	{"desk @ site . example", "desk@site.example"},
	{"<@relay.example:desk@site.example>", "desk@site.example"},
	{"Library Desk desk@site.example", `"Library Desk" <desk@site.example>`},
	{"Library Desk, desk@site.example", `"Library Desk," <desk@site.example>`},
	{"Library Desk [desk@site.example]", `"Library Desk" <desk@site.example>`},
	{"Library Desk (desk@site.example)", `"Library Desk" <desk@site.example>`},
	{"desk@site.example desk2@site.example", "desk@site.example, desk2@site.example"},
	{"desk@site.example;desk2@site.example", "desk@site.example, desk2@site.example"},
	{"Desk <desk@site.example> Second <desk2@site.example>", `"Desk" <desk@site.example>, "Second" <desk2@site.example>`},
	{"desk@site.example,", "="},
	{", desk@site.example", "="},

	// No address.
	{"root", "root@example.org"},
	{"root (Cron Daemon)", `"Cron Daemon" <root@example.org>`},
	{"Cron Daemon <root>", `"Cron Daemon" <root@example.org>`},
	{"www-data", "www-data@example.org"},
	{"desk@site.example, root", "desk@site.example, root@example.org"},
	{"Springfield Library", `"Springfield Library" <library@example.org>`},
	{"", `"Springfield Public Library" <library@example.org>`},
	{"  ", `"Springfield Public Library" <library@example.org>`},
	{"<>", "library@example.org"},
	{"nobody:;", `"Springfield Public Library" <library@example.org>`},
	{`""`, "library@example.org"},

	// Other scripts and charsets.
	{"Jürgen Müller <desk@site.example>", "=?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <desk@site.example>"},
	{"J\xfcrgen <desk@site.example>", "=?utf-8?q?J=C3=BCrgen?= <desk@site.example>"},
	{"desk@site.example (Jürgen)", "=?utf-8?q?J=C3=BCrgen?= <desk@site.example>"},
	{`"Müller, Jürgen" <desk@site.example>`, "=?utf-8?b?TcO8bGxlciwgSsO8cmdlbg==?= <desk@site.example>"},
	{"Müller, Jürgen <desk@site.example>", "=?utf-8?b?TcO8bGxlciwgSsO8cmdlbg==?= <desk@site.example>"},
	{"\x93Desk\x94 <desk@site.example>", "=?utf-8?q?=E2=80=9CDesk=E2=80=9D?= <desk@site.example>"},
	{"Jürgen <jürgen@site.example>", "=?utf-8?q?J=C3=BCrgen?= <jürgen@site.example>"},
	{"=?utf-8?Q?M=FCller?= <desk@site.example>", "="},
	{"=?utf-8?Q?M=C3=BCl ler?= <desk@site.example>", "="},
	{"=?utf-8?Q?M=C3=BCller, Desk?= <desk@site.example>", "=?utf-8?b?TcO8bGxlciwgRGVzaw==?= <desk@site.example>"},
	{"=?utf-8?B?TcO8bGxlcg?= <desk@site.example>", "="},
	{"Library \x01Desk\x1b[1m <desk@site.example>", `"Library Desk[1m" <desk@site.example>`},

	// What nobody can read stays.
	{"desk@@site.example", "="},
	{"desk@site..example", "="},
	{"@site.example", "="},
	{"desk@", "="},
	{"Desk <desk@site example>", "="},
	{"desk\x01@@site.example", "desk@@site.example"},
	{"Bücher <desk@@site.example>", "=?utf-8?q?B=C3=BCcher?= <desk@@site.example>"},
	{strings.Repeat("a", 300) + "@site.example", "="},
	{strings.Repeat("a", 2000) + "@site.example", `"Springfield Public Library" <library@example.org>`},
	{strings.Repeat("Library ", 200) + "<desk@site.example>", "folded"},
	{strings.TrimSuffix(strings.Repeat("desk@site.example,\n ", 150), ",\n "), "="},
}

// TestFromForms: whatever a From field looks like, the mail is taken, and with a From
// that its reader's program can show.
func TestFromForms(t *testing.T) {
	for _, c := range fromForms {
		for _, sender := range []*string{nil, pointer(""), pointer("web@site.example")} {
			want := strings.ReplaceAll(c.want, "\n", "\r\n")
			if c.want == "=" {
				want = strings.ReplaceAll(c.in, "\n", "\r\n")
			}
			r := plain("From: " + c.in + "\nSubject: x\n\nx\n")
			r.Sender = sender
			q, err := newDesk(site).accept(r)
			if err != nil {
				t.Errorf("%.60q: %v", c.in, err)
				break
			}
			got, _, _ := strings.Cut(q.text, "\r\nSubject: x\r\n")
			if _, after, ok := strings.Cut(q.text, "\r\nFrom: "); ok {
				got, _, _ = strings.Cut("From: "+after, "\r\nDate: ") // it was added
			}
			if want != "folded" && got != "From: "+want {
				t.Errorf("%.60q: stored %q, want %q", c.in, got, want)
				break
			}
			checkCanonical(t, q.text)
			if repaired := c.want != "="; repaired && !strings.Contains(c.want, "@@") && !strings.Contains(c.want, "IPv6") { // which net/mail does not read
				if _, err := mail.ParseAddressList(strings.ReplaceAll(got[len("From: "):], "\r\n", "")); err != nil {
					t.Errorf("%.60q: %q cannot be read: %v", c.in, got, err)
				}
			}
			if again := newDesk(site).must(t, plain(q.text)); again.text != q.text {
				t.Errorf("%.60q: the second time\n%q\nthe first\n%q", c.in, again.text, q.text)
			}
			if q.UTF8 != recode.EightBit([]byte(got)) {
				t.Errorf("%.60q: UTF8 is %v", c.in, q.UTF8)
			}
		}
	}
}

// TestFromFormsRewritten: with rewrite_from all of them show the site's address, and
// what goes to Reply-To is an address.
func TestFromFormsRewritten(t *testing.T) {
	rewriting := site
	rewriting.RewriteFrom = true
	for _, c := range fromForms {
		q, err := newDesk(rewriting).accept(plain("From: " + c.in + "\nSubject: x\n\nx\n"))
		if err != nil {
			t.Errorf("%.60q: %v", c.in, err)
			continue
		}
		m, err := mail.ReadMessage(strings.NewReader(q.text))
		if err != nil {
			t.Fatalf("%.60q: %v", c.in, err)
		}
		from, err := new(mail.AddressParser).Parse(m.Header.Get("From"))
		if err != nil && strings.Contains(err.Error(), "charset") {
			continue
		}
		if err != nil || from.Address != "library@example.org" {
			t.Errorf("%.60q: From %q, %v", c.in, m.Header.Get("From"), err)
		}
		replies := m.Header["Reply-To"]
		if len(replies) > 1 || len(replies) == 1 && !strings.Contains(replies[0], "@") {
			t.Errorf("%.60q: Reply-To %q", c.in, replies)
		}
	}
}

// TestSeveralFroms: the first that says anything is kept. Postfix passes all of them on,
// and large providers refuse such mail.
func TestSeveralFroms(t *testing.T) {
	q := newDesk(site).must(t, plain("From:\nSubject: x\nFROM: desk@site.example\nfrom : b@site.example\nFrom: @@\n\nx\n"))
	header, _ := q.parts()
	if got := strings.Count(strings.ToLower(header), "from"); got != 1 || !strings.Contains(header, "FROM: desk@site.example\r\n") {
		t.Errorf("%d From fields: %q", got, header)
	}
}

// TestNULIsRefused wherever it is: this is no mail.
func TestNULIsRefused(t *testing.T) {
	for _, in := range []string{"From: a\x00@site.example\n\nx\n", "From x\x00\nFrom: a@site.example\n\nx\n", "From: a@site.example\n\n\x00"} {
		if e := newDesk(site).refused(t, plain(in)); e.Kind != BadMessage {
			t.Errorf("%q: %v", in, e)
		}
	}
}

// TestAddressFields: To and Cc show whole addresses, and no raw text beside them.
func TestAddressFields(t *testing.T) {
	for in, want := range map[string]string{
		"To: root":                            "To: root@example.org",
		"to:root, desk@site.example.":         "to:root@example.org, desk@site.example",
		"Cc: Root <root>,\n Ann <ann>":        "Cc: Root <root@example.org>,\r\n Ann <ann@example.org>",
		"Cc: root (root)":                     `Cc: "root" <root@example.org>`,
		"To: Managers: root, b@site.example;": "To: Managers: root@example.org, b@site.example;",
		"To: undisclosed-recipients:;":        "To: undisclosed-recipients:;",
		"To: no one":                          "To: no one",
		"To: a@b@c":                           "To: a@b@c",
		"To: desk@":                           "To: desk@",
		"To: Desk <desk@site.example.>":       "To: Desk <desk@site.example>",
		"To: St. Mary's <desk@site.example>":  "To: St. Mary's <desk@site.example>",
		"To: Müller <a@site.example>, b@site.example, \"Jürgen, M\" <c@site.example>": "To: =?utf-8?q?M=C3=BCller?= <a@site.example>, b@site.example, =?utf-8?b?SsO8cmdlbiwgTQ==?= <c@site.example>",
		"To: M\xfcller <a@site.example>":                                              "To: =?utf-8?q?M=C3=BCller?= <a@site.example>",
		"To: Freunde für Bücher: a@site.example;":                                     "To: =?utf-8?q?Freunde_f=C3=BCr_B=C3=BCcher?=: a@site.example;",
		"To: Jürgen <jürgen@site.example>, ü@site.example":                            "To: =?utf-8?q?J=C3=BCrgen?= <jürgen@site.example>, ü@site.example",
		"Reply-To: Büro <desk>":                                                       "Reply-To: =?utf-8?q?B=C3=BCro?= <desk@example.org>",
		"Content-Type: text/plain; name=\"ü.txt\"":                                    "Content-Type: text/plain; name*=utf-8''%C3%BC.txt",
		"X-Büro: x": "",
	} {
		r := plain(complete + in + "\n\nx\n")
		r.Lenient = true
		q := newDesk(site).must(t, r)
		if !strings.Contains(q.text, "\r\n"+want+"\r\n") {
			t.Errorf("%q: no %q in\n%s", in, want, q.text)
		}
	}
	named := Site{Address: "", FindHostname: hostname}
	r := plain("From: a@site.example\nTo: root\n\nx\n")
	r.Sender = pointer("a@site.example")
	if q := newDesk(named).must(t, r); !strings.Contains(q.text, "To: root@desk.example.org\r\n") {
		t.Errorf("without [site] address the host's name is the domain: %q", q.text)
	}
}

// TestFromLinesBeforeTheHeader go, however many there are and whatever stands between
// them and the header. A Bcc must never become text.
func TestFromLinesBeforeTheHeader(t *testing.T) {
	const one, header = "From root@desk Tue Nov 24 09:00:00 2026\n", "To: a@example.net\nBcc: secret@example.net\nSubject: x\n"
	for _, before := range []string{
		one, ">" + one, one + one, one + ">" + one, ">>" + one, "From root\n", one + "\n", one + "\n\n" + one + "\n",
		"\xef\xbb\xbf" + one, ">From x\n>From y\n", "From \n",
	} {
		for _, end := range []string{"\n", "\r\n", "\r\r\n"} {
			for _, lenient := range []bool{false, true} {
				text := strings.ReplaceAll(before+complete+header+"\nFrom here on\n>From there\n", "\n", end)
				q := newDesk(site).must(t, Request{Body: strings.NewReader(text), Lenient: lenient})
				if q.text != crlf(complete+"To: a@example.net\nSubject: x\n\nFrom here on\n>From there\n") {
					t.Errorf("%q with %q: %q", before, end, q.text)
				}
			}
		}
	}
	for _, within := range []string{">From x\n", one, "From x\n", ">From root@desk Tue Nov 24 09:00:00 2026 remote from uucp\n"} {
		q := newDesk(site).must(t, Request{Body: strings.NewReader(complete + "To: a@example.net\n" + within + "Bcc: secret@example.net\n\nx\n"), Lenient: true})
		if strings.Contains(q.text, "secret") || len(q.Recipients) != 2 {
			t.Errorf("%q within the header: %q", within, q.text)
		}
	}
	// Text is still text.
	q := newDesk(site).must(t, Request{Body: strings.NewReader(complete + "To: a@example.net\nFrom now on we are closed.\nSunday\n"), Lenient: true})
	if _, body := q.parts(); body != "From now on we are closed.\r\nSunday\r\n" {
		t.Errorf("body %q", body)
	}
}
