package intake

import (
	"slices"
	"strings"
	"testing"
)

// Mail as PHP's mail() makes it when its headers argument repeats what it writes itself,
// and fields with a blank before the colon.
func TestSingleFields(t *testing.T) {
	d := newDesk(site)
	const given = "To : a@dest.example,\nSubject : Overdue\nTo: b@dest.example\nsubject: again\nCc:\nCc: c@dest.example\nCC\t: (x)\n d@dest.example\n" +
		"Date:\nDate: Tue, 24 Nov 2026 08:00:00 +0100\nDate: Wed, 25 Nov 2026 08:00:00 +0100\nFrom : desk@site.example\nFrom: two@site.example\n" +
		"Message-ID : <1@site.example>\nMessage-ID: <2@site.example>\nReply-To: r@site.example\nReply-To: s@site.example\n" +
		"MIME-Version: 1.0\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Type : text/html\n" +
		"Content-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: 7bit\nX-Tag: 1\nX-Tag : 2\nReceived: x\nReceived: y\nBcc : e@dest.example\n"
	const want = "To: a@dest.example,\n b@dest.example\nSubject: Overdue\nCC: c@dest.example,\n (x)\n d@dest.example\n" +
		"Date: Tue, 24 Nov 2026 08:00:00 +0100\nFrom: desk@site.example\nMessage-ID: <1@site.example>\nReply-To: r@site.example\n" +
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\nX-Tag: 1\nX-Tag: 2\nReceived: x\nReceived: y\n"
	for _, lenient := range []bool{false, true} {
		q := d.must(t, Request{Body: strings.NewReader(given + "\ntext\n"), Lenient: lenient, Qualify: lenient})
		header, _ := q.parts()
		if got := strings.ReplaceAll(header, "\r\n", "\n"); !strings.EqualFold(got, want) {
			t.Errorf("lenient %v:\n%s", lenient, got)
		}
		if to := strings.Split("a b c d e", " "); len(q.Recipients) != len(to) || q.MessageID != "<1@site.example>" ||
			slices.ContainsFunc(to, func(name string) bool { return !slices.Contains(q.Recipients, name+"@dest.example") }) {
			t.Errorf("lenient %v: to %q, id %q", lenient, q.Recipients, q.MessageID)
		}
	}
}

// A signature is over the octets.
func TestSignedFieldsStay(t *testing.T) {
	const header = "DKIM-Signature: v=1; d=site.example\nFrom: Joe  X < desk@site.example >\nTo : a@dest.example\nTo: b@dest.example.\nSubject : x\nSubject: y\n" +
		"Cc: C, D <d@dest.example>\nDate: Tue, 24 Nov 2026 08:00:00 +0100\nMessage-ID: <1@site.example>\n"
	if got, _ := newDesk(site).must(t, plain(header+"\ntext\n")).parts(); got != crlf(header) {
		t.Errorf("%s", got)
	}
}
