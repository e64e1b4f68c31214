package returns

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"notices/spool"
	"notices/spool/bounce"
)

// body is an original in memory.
type body struct{ *bytes.Reader }

func (body) Close() error  { return nil }
func (b body) Size() int64 { return b.Reader.Size() }

// anyAddress draws an address, also of another script.
func anyAddress(t *rapid.T, name string) string {
	return rapid.StringMatching(`[a-zA-Zäöя0-9][a-zA-Z0-9._+=%-]{0,10}[a-z0-9]@[a-z0-9ü]{1,10}\.example`).Draw(t, name)
}

// TestOwnReturns: what package bounce composes is read back with the recipients, the kinds and the
// statuses that it wrote.
func TestOwnReturns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		env := spool.Envelope{
			ID: spool.NewID(sent), Sender: anyAddress(t, "sender"), QueuedAt: sent, MessageID: "<7@example.org>",
			Recipients: rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string { return anyAddress(t, "recipient") }), 1, 5, rapid.ID).Draw(t, "recipients"),
		}
		env.EnvelopeID = rapid.StringMatching(`([!-~][ -~]{0,20}[!-~])?`).Draw(t, "envid")
		record, about := spool.NewRecord(env), []int{}
		result := spool.Event{Kind: spool.Result, N: 1, At: sent}
		for i := range env.Recipients {
			reply := spool.Reply{Server: "1", Host: "mx.example.net", Code: 550, Enhanced: "5.1.1", Text: "no such user", At: sent}
			if rapid.Bool().Draw(t, "full") {
				reply.Code, reply.Enhanced, reply.Text = 552, "5.2.2", "full"
			}
			result.Results = append(result.Results, spool.Answer{To: []int{i}, Outcome: spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply}})
			about = append(about, i)
		}
		record.Apply(result)
		kind := rapid.SampledFrom([]bounce.Kind{bounce.Failed, bounce.Delayed, bounce.Relayed}).Draw(t, "kind")
		var mail bytes.Buffer
		err := bounce.Compose(&mail, bounce.Site{Hostname: "mail.example.org"}, bounce.Report{
			ID: env.ID.Return(1), Kind: kind, Record: record, Recipients: about, Now: sent,
			Original: body{bytes.NewReader([]byte("Message-ID: <7@example.org>\r\nSubject: x\r\n\r\nx\r\n"))},
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(&mail)
		if err != nil {
			t.Fatal(err)
		}
		want := map[bounce.Kind]Kind{bounce.Failed: Failed, bounce.Delayed: Delayed, bounce.Relayed: Succeeded}[kind]
		if r.Kind != want || r.QueueID != env.ID || r.EnvelopeID != strings.Join(strings.Fields(env.EnvelopeID), " ") || fmt.Sprint(r.MessageIDs) != "[<7@example.org>]" || !r.At.Equal(sent) {
			t.Fatalf("%+v", r)
		}
		if len(r.Recipients) != len(env.Recipients) {
			t.Fatalf("%d of %d recipients", len(r.Recipients), len(env.Recipients))
		}
		for i, c := range r.Recipients {
			reply := record.Recipients[i].Outcome.Reply
			if c.Final != env.Recipients[i] || c.Status[1:] != reply.Enhanced[1:] || c.Code != reply.Code || c.Text != reply.Text || c.RemoteMTA != "mx.example.net" {
				t.Fatalf("%+v of %s, %+v", c, env.Recipients[i], reply)
			}
		}
	})
}

// TestRoundTrip: a delivery status in any layout that servers have, whole or encoded, is read back.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eol := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "eol")
		gap := rapid.SampledFrom([]string{"", eol, eol + eol}).Draw(t, "gap")
		space := rapid.SampledFrom([]string{" ", "", eol + "\t"}).Draw(t, "space")
		var want []string
		status := "Reporting-MTA: dns;" + space + "mx.example.net" + eol + gap
		for i := range rapid.IntRange(1, 6).Draw(t, "recipients") {
			address := fmt.Sprintf("reader%d@example.net", i)
			action := rapid.SampledFrom([]string{"failed", "FAILED", "delayed", "delivered", "failed (bad address)"}).Draw(t, "action")
			code := rapid.SampledFrom([]string{"5.1.1", "5.0.0 (unknown)", "4.4.7", "2.0.0"}).Draw(t, "status")
			status += "Final-Recipient: rfc822;" + space + address + eol + "Action:" + space + action + eol + "Status: " + code + eol +
				"Diagnostic-Code: smtp;" + space + "550 no" + eol + gap
			kind := map[byte]Kind{'f': Failed, 'F': Failed}[action[0]]
			if kind == "" {
				kind = map[string]Kind{"delayed": Delayed, "delivered": Succeeded}[action]
			}
			want = append(want, fmt.Sprint(address, kind, code[:5], 550, "no"))
		}
		boundary := rapid.StringMatching(`[0-9A-Za-z'()+_,./:=?-]{1,69}`).Draw(t, "boundary")
		message := "Date: Mon, 2 Mar 2026 08:15:00 +0000" + eol + "Content-Type: multipart/report; boundary=\"" + boundary + "\"" + eol + eol +
			"--" + boundary + eol + eol + "It failed." + eol + "--" + boundary + eol + "Content-Type: message/delivery-status" + eol + eol + status +
			eol + "--" + boundary + "--" + eol
		r, err := Parse(strings.NewReader(message))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range r.Recipients {
			got = append(got, fmt.Sprint(c.Final, c.Kind, c.Status, c.Code, c.Text))
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || r.ReportingMTA != "mx.example.net" || !r.At.Equal(sent) {
			t.Fatalf("got  %s\nwant %s\nof\n%s", got, want, message)
		}
	})
}

// TestMutations: a sample with a piece cut out, doubled or overwritten is read as something, within
// the bounds.
func TestMutations(t *testing.T) {
	all := samples(t)
	rapid.Check(t, func(rt *rapid.T) {
		b := bytes.Clone(all[rapid.SampledFrom(names(all)).Draw(rt, "sample")])
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			from := rapid.IntRange(0, len(b)).Draw(rt, "from")
			to := rapid.IntRange(from, min(len(b), from+200)).Draw(rt, "to")
			with := rapid.SampledFrom([]string{"", "\n", "\n\n", string(b[from:to]) + string(b[from:to]), ":", "--", "\xff", "=?utf-8?q?=0A?="}).Draw(rt, "with")
			b = bytes.Join([][]byte{b[:from], []byte(with), b[to:]}, nil)
		}
		r, err := Parse(bytes.NewReader(b))
		if err != nil {
			rt.Fatal(err)
		}
		checkBounds(t, r)
	})
}

// TestXtext: what spool writes is read back.
func TestXtext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[ -~]*`).Draw(t, "s")
		if got := fromXtext(string(spool.AppendXtext(nil, s))); got != s {
			t.Errorf("%q became %q", s, got)
		}
		u := rapid.String().Draw(t, "u")
		if got := fromAddrXtext(string(spool.AppendAddrXtext(nil, u))); got != u {
			t.Errorf("%q became %q", u, got)
		}
	})
}

// TestFields: single fields as servers write them.
func TestFields(t *testing.T) {
	for value, want := range map[string]string{
		"rfc822; ann@example.net": "ann@example.net", "RFC822;<ann@example.net>": "ann@example.net", "<ann@example.net>": "ann@example.net",
		"rfc822; ann@example.net (Ann)": "ann@example.net", "ann@example.net": "ann@example.net", "rfc822;Ann <ann@example.net>": "ann@example.net",
		`utf-8; \x{F6}@example.net`: "ö@example.net", "x400; /S=Ann/": "", "rfc822; ann": "", "rfc822; a b@example.net": "", "": "",
	} {
		if got := typedAddress(value); got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
	for value, want := range map[string]string{
		"dns; mx.example.net": "mx.example.net", "dns;mx.example.net. (192.0.2.7, a server)": "mx.example.net", "mx.example.net": "mx.example.net",
		"DNS; [192.0.2.7]": "192.0.2.7", "smtp; 550 no": "550", "": "", "dns; \x1b[31m": "",
	} {
		if got := hostName(value); got != want {
			t.Errorf("%s: %q", value, got)
		}
	}
	for words, want := range map[string]string{
		"550 5.1.1 no such user":           "550 5.1.1|no such user",
		"550-5.1.1 no 550 5.1.1 such user": "550 5.1.1|no such user",
		"host x said: 452 4.2.2 full":      "452 4.2.2|full",
		"(#5.1.1)":                         "0 5.1.1|(#5.1.1)",
		"#550 5.1.1 no":                    "550 5.1.1|no",
		"550 no":                           "550 |no",
		"5.4.7 - Delivery expired":         "0 5.4.7|- Delivery expired",
		"192.0.2.1 does not answer":        "0 |192.0.2.1 does not answer",
		"in 2026 at 4440 places":           "0 |in 2026 at 4440 places",
		"a message of 450 octets":          "0 |a message of 450 octets",
		"SMTP error from mx: 550 no":       "550 |no",
		"replied 550 5.1.1 no":             "550 5.1.1|no",
		"":                                 "0 |",
	} {
		r := Recipient{Kind: Failed}
		r.setReply(words)
		if got := fmt.Sprintf("%d %s|%s", r.Code, r.Status, r.Text); got != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
	}
}

// TestAddressesIn: addresses among words of any language.
func TestAddressesIn(t *testing.T) {
	for line, want := range map[string]string{
		"<ann@example.net> ... unknown user":                  "[ann@example.net]",
		"Failed to deliver to 'ann@example.net'.":             "[ann@example.net]",
		"mailto:o'brien+x@example.net, SMTP:bob@example.net!": "[o'brien+x@example.net bob@example.net]",
		"邮件地址（ann@example.net）不存在":                            "[ann@example.net]",
		"\u00a3\u00a8ann@example.net\u00a3\u00a9":             "[ann@example.net]",
		"@ a@ @b a@@b ...@... jürgen":                         "[]",
	} {
		if got := fmt.Sprint(addressesIn(line)); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
	if n := len(addressesIn(strings.Repeat("ann@example.net ", 2*maxInLine))); n != maxInLine {
		t.Errorf("%d addresses", n)
	}
}

// TestHTML: what a reader of the page would see.
func TestHTML(t *testing.T) {
	for page, want := range map[string]string{
		"<p>Delivery  has\nfailed</p>": "Delivery has failed",
		"a<br>b<BR/>c":                 "a\nb\nc",
		"<!-- a > b --><p>c</p><!--[if mso]><p>d</p><![endif]-->": "c",
		"<style>p { x: y }</style><script>if (a<b) c</script>d":   "d",
		"<pre>a  b\nc</pre>":    "a  b\nc",
		"1 &lt; 2 &amp;&#38; x": "1 < 2 && x",
		"<a href='mailto:ann@example.net'>ann@example.net</a>": "ann@example.net",
		"<":      "",
		"a <!--": "a",
	} {
		if got := strings.Trim(fromHTML(page), " \n"); got != want {
			t.Errorf("%q: %q, want %q", page, got, want)
		}
	}
}

// TestDates: a return without a Date that can be read has no time.
func TestDates(t *testing.T) {
	for date, want := range map[string]time.Time{
		"Mon, 2 Mar 2026 09:15:00 +0100 (CET)": sent, "2 Mar 2026 08:15 GMT": sent, "yesterday": {}, "": {},
	} {
		r, err := Parse(strings.NewReader("From: mailer-daemon@example.net\nX-Failed-Recipients: ann@example.net\nDate: " + date + "\n\nx\n"))
		if err != nil || !r.At.Equal(want) {
			t.Errorf("%q: %v, %v", date, r.At, err)
		}
	}
}
