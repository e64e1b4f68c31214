package intake

import (
	"strings"
	"testing"

	"notices/spool/intake/mailaddr"
	"notices/spool/recode"
)

// TestNoRawFields: whatever field it is and whatever stands in it, no octet over 127 leaves
// in a header, but where the local part of an address has it.
func TestNoRawFields(t *testing.T) {
	fields := strings.Fields(`From Reply-To Sender To Cc Resent-From Resent-Sender Errors-To Disposition-Notification-To Return-Receipt-To
		Subject Comments Keywords X-Mailer Date Resent-Date Received Message-ID Resent-Message-ID References In-Reply-To
		List-Unsubscribe List-Id List-Post Content-ID Content-Type Content-Disposition Content-Description Content-Transfer-Encoding
		Content-MD5 Content-Language MIME-Version Authentication-Results Auto-Submitted Delivered-To`)
	values := []string{
		"Bücherei", "Bücherei, Ausleihe", "Bücherei (Ausleihe)", "1 März", "1 Mar 2026 (März)", "Ann‹a@x.example›", "Bü ＜a@x.example＞", "\"Bü", "Bü <>", "Bü a@x.example",
		"a@b@ü", "@ü", "Ann ü <a@x.example> zü", "Ü:;", "Ü: a@x.example;", "(ü)", "\u00a0", "a@x.example\u00a0", "a@ü", "a@bücher.example", "<a@bücher.example>",
		"Bü@ro <a@x.example>", "Bü <a@x.example", "<https://x.example/ü?ü=ü>", "1.0 (ü)", "text/ü", "text/plain (ü)", "text/plain; ü=x", "text/plain; name*=utf-8''ü.txt",
		"attachment; filename*0=\"ü\"; filename=ü", "x; ü", "from ü by x.example (Bü); Mon", "<x\"ü\"y@z> <ü", "ü\n ü\n\tü",
	}
	for _, name := range fields {
		for _, value := range values {
			for _, text := range []string{value, latin1(value)} {
				d := newDesk(site)
				q := d.must(t, plain(name+": "+text+"\n\nx\n"))
				if header, _ := q.parts(); recode.EightBit([]byte(header)) || q.UTF8 {
					t.Errorf("%s: %q: %s", name, text, header)
				}
			}
		}
	}
	for given, want := range map[string]string{
		"From: Bücherei":                  "From: =?utf-8?q?B=C3=BCcherei?= <library@example.org>",
		"From: Ann‹a@x.example›":          "From: \"Ann\" <a@x.example>",
		"Reply-To: Ann‹a@x.example›":      "Reply-To: \"Ann\" <a@x.example>",
		"Sender: Bü a@x.example":          "Sender: =?utf-8?q?B=C3=BC?= <a@x.example>",
		"From: ü@x.example":               "From: ü@x.example",
		"Reply-To: Bü <ü@bücher.example>": "Reply-To: =?utf-8?q?B=C3=BC?= <ü@bücher.example>",
	} {
		if q := newDesk(site).must(t, plain(given+"\n\nx\n")); !strings.Contains("\r\n"+q.text, "\r\n"+want+"\r\n") {
			t.Errorf("%s: no %s in %s", given, want, q.text)
		}
	}
}

// latin1 is text in Latin-1, if it has no other characters.
func latin1(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > 0xff {
			return text
		}
		b.WriteByte(byte(r))
	}
	return b.String()
}

// TestLongNames: what shows beside an address is encoded where it can be folded nowhere else.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, name := range []string{"From", "Reply-To", "Sender", "To", "Cc", "Disposition-Notification-To"} {
		for _, value := range []string{
			long + " <a@x.example>", `"` + long + `" <a@x.example>`, `"` + long[:1200] + `" <a@x.example>`, "b@x.example, " + long[:1200] + " <a@x.example>", "a@x.example (" + long + ")",
			long + ": a@x.example;", "=?utf-8?q?" + long + "?= <a@x.example>", strings.Repeat(`"`+long+`" <a@x.example>,`, 3) + " <b@x.example>",
		} {
			q := newDesk(site).must(t, plain(name+": "+value+"\n\nx\n"))
			header, _ := q.parts()
			for line := range strings.Lines(header) {
				if len(line) > 100 {
					t.Errorf("%s: %.40s: %.100s has %d octets", name, value, line, len(line))
				}
			}
			decoded := new(strings.Builder)
			_, field, _ := strings.Cut("\r\n"+strings.ReplaceAll(header, "\r\n ", " "), "\r\n"+name+": ")
			field, _, _ = strings.Cut(field, "\r\n")
			for box := range mailaddr.List(field) {
				decoded.WriteString(box.Name)
			}
			if !strings.Contains(header, "a@x.example") || !strings.Contains(value, ";") && !strings.Contains(decoded.String(), long[:1200]) {
				t.Errorf("%s: %.40s: %.300s", name, value, header)
			}
		}
	}
	q := newDesk(site).must(t, plain("Content-Type: text/plain; name="+long+"\nFrom: "+long+"\n\nx\n"))
	if !strings.Contains(q.text, " name*1*=xxx") || !strings.Contains(q.text, " <library@example.org>") {
		t.Errorf("%.2000s", q.text)
	}
}
