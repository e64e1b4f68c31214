package bounce

import (
	"bufio"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// parsed is a report as another parser reads it.
type parsed struct {
	header     mail.Header
	reportType string
	text       string
	statusType string
	message    textproto.MIMEHeader
	recipients []textproto.MIMEHeader
	origType   string
	origCoding string
	orig       string // decoded
}

func parse(t *testing.T, report string) parsed {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%v in:\n%.3000s", err, report)
		}
	}
	m, err := mail.ReadMessage(strings.NewReader(report))
	must(err)
	mediaType, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	must(err)
	if mediaType != "multipart/report" {
		t.Fatalf("media type %q", mediaType)
	}
	p := parsed{header: m.Header, reportType: params["report-type"]}
	parts := multipart.NewReader(m.Body, params["boundary"])
	read := func(next func() (*multipart.Part, error)) (*multipart.Part, string) {
		t.Helper()
		part, err := next()
		must(err)
		b, err := io.ReadAll(part)
		must(err)
		return part, string(b)
	}
	_, p.text = read(parts.NextPart) // decodes quoted-printable
	status, fields := read(parts.NextRawPart)
	p.statusType = status.Header.Get("Content-Type")
	p.blocks(t, fields)
	orig, text := read(parts.NextRawPart)
	p.origType, p.origCoding = orig.Header.Get("Content-Type"), orig.Header.Get("Content-Transfer-Encoding")
	if p.origCoding == "base64" {
		b, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(text, "\r\n", ""))
		must(err)
		text = string(b)
	}
	p.orig = text
	if _, err := parts.NextPart(); err != io.EOF {
		t.Fatalf("a fourth part, or no end: %v", err)
	}
	return p
}

func (p *parsed) blocks(t *testing.T, fields string) {
	t.Helper()
	r := textproto.NewReader(bufio.NewReader(strings.NewReader(fields)))
	for {
		h, err := r.ReadMIMEHeader()
		if len(h) > 0 && p.message == nil {
			p.message = h
		} else if len(h) > 0 {
			p.recipients = append(p.recipients, h)
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, fields)
		}
	}
}

func TestParts(t *testing.T) {
	p := parse(t, compose(t, reports["failed"]()))
	for field, want := range map[string]string{
		"From": "Mail Delivery System <MAILER-DAEMON@mail.example.org>", "To": "<desk@example.org>",
		"Auto-Submitted": "auto-replied", "Mime-Version": "1.0", "Message-Id": "<0AAAAAAAAAAAAAAA-5@mail.example.org>",
		"In-Reply-To": "<7@example.org>", "Content-Transfer-Encoding": "",
	} {
		if got := p.header.Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if at, err := p.header.Date(); err != nil || !at.Equal(queued.Add(3*time.Hour+time.Minute)) {
		t.Errorf("Date: %v, %v", at, err)
	}
	if p.reportType != "delivery-status" || p.statusType != "message/delivery-status" || p.origType != "message/rfc822" {
		t.Errorf("types: %q, %q, %q", p.reportType, p.statusType, p.origType)
	}
	for _, want := range []string{"reader@example.net", "no such user here", "patron 4711", "„Moby Dick“", "What to do: check the address"} {
		if !strings.Contains(p.text, want) {
			t.Errorf("%q is not in the text:\n%s", want, p.text)
		}
	}
	if p.orig != original {
		t.Errorf("the original came back changed: %q", p.orig)
	}
}

func TestFields(t *testing.T) {
	p := parse(t, compose(t, reports["failed-many"]()))
	for field, want := range map[string]string{
		"Reporting-Mta": "dns; mail.example.org", "X-Notices-Queue-Id": "0AAAAAAAAAAAAAAA",
		"Arrival-Date": "Mon, 2 Mar 2026 08:15:00 +0000", "X-Notices-Ref": "patron 4711",
	} {
		if got := p.message.Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if len(p.recipients) != 3 {
		t.Fatalf("%d blocks for 3 recipients", len(p.recipients))
	}
	for field, want := range map[string]string{
		"Final-Recipient": "rfc822; b@example.net", "Original-Recipient": "rfc822; b@example.net", "Action": "failed",
		"Status": "5.2.2", "Remote-Mta": "dns; mx.example.net", "Diagnostic-Code": "smtp; 552 mailbox is full",
		"Last-Attempt-Date": "Mon, 2 Mar 2026 11:15:00 +0000", "Will-Retry-Until": "",
	} {
		if got := p.recipients[1].Get(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if got := p.header.Get("Content-Transfer-Encoding"); got != "8bit" || p.origCoding != "8bit" {
		t.Errorf("8-bit original: the report says %q, the part %q", got, p.origCoding)
	}
}

func TestActionsAndStatuses(t *testing.T) {
	needsSendAs := spool.Outcome{Class: spool.Deferred, Reason: spool.ReasonSendAs, Reply: reply(550, "5.7.60", "not allowed")}
	for _, c := range []struct {
		kind    Kind
		outcome spool.Outcome
		action  string
		status  string
		code    string
	}{
		{Failed, noSuchUser, "failed", "5.1.1", "smtp; 550 5.1.1 <reader@example.net>: no such user here"},
		{Failed, refused(550, "4.1.1", "odd"), "failed", "5.1.1", "smtp; 550 4.1.1 odd"},
		{Failed, refused(550, "nonsense", "odd"), "failed", "5.1.1", "smtp; 550 nonsense odd"},
		{Failed, refused(554, "", "no"), "failed", "5.0.0", "smtp; 554 no"},
		{Failed, expired, "failed", "4.4.7", "X-Notices; cannot connect to mail.example.org:587: connection refused"},
		{Delayed, greylisted, "delayed", "4.7.1", "smtp; 451 4.7.1 greylisted, try again later"},
		{Delayed, needsSendAs, "delayed", "4.7.60", "smtp; 550 5.7.60 not allowed"},
		{Relayed, takenOver, "relayed", "2.0.0", "smtp; 250 2.0.0 Ok: queued as 7F"},
		{Held, noAnswer, "delayed", "4.4.2", "X-Notices; no answer after the message was sent"},
	} {
		p := parse(t, compose(t, about(c.kind, []string{"a@example.net"}, []spool.Outcome{c.outcome}, nil)))
		r := p.recipients[0]
		if r.Get("Action") != c.action || r.Get("Status") != c.status || r.Get("Diagnostic-Code") != c.code {
			t.Errorf("%+v:\n got %q %q %q\nwant %q %q %q", c.outcome, r.Get("Action"), r.Get("Status"), r.Get("Diagnostic-Code"), c.action, c.status, c.code)
		}
	}
}

func TestDelayedSaysUntilWhen(t *testing.T) {
	p := parse(t, compose(t, reports["delayed"]()))
	if got := p.recipients[0].Get("Will-Retry-Until"); got != "Fri, 6 Mar 2026 12:15:00 +0000" {
		t.Errorf("Will-Retry-Until: %q", got)
	}
	if p.origType != "text/rfc822-headers" || strings.Contains(p.orig, "bring it back") {
		t.Errorf("a warning brings the whole message: %s %q", p.origType, p.orig)
	}
	if !strings.Contains(p.text, "need not send it again") {
		t.Errorf("the text does not say that it is only a warning:\n%s", p.text)
	}
}

func TestHeldSaysHowToRelease(t *testing.T) {
	text := strings.Join(strings.Fields(parse(t, compose(t, reports["held"]())).text), " ")
	for _, want := range []string{"may have arrived", "notices release 0AAAAAAAAAAAAAAA", "notices remove 0AAAAAAAAAAAAAAA"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the text:\n%s", want, text)
		}
	}
}

func TestLargeOriginal(t *testing.T) {
	for _, size := range []int{maxWhole, maxWhole + 1} {
		text := original + strings.Repeat("x", size-len(original)-2) + "\r\n"
		r := reports["failed"]()
		r.Original = bodyOf(text)
		p := parse(t, compose(t, r))
		header, _, _ := strings.Cut(text, "\r\n\r\n")
		if size <= maxWhole && (p.origType != "message/rfc822" || p.orig != text) {
			t.Errorf("%d octets come back as %s of %d", size, p.origType, len(p.orig))
		}
		if size > maxWhole && (p.origType != "text/rfc822-headers" || p.orig != header+"\r\n") {
			t.Errorf("%d octets come back as %s: %q", size, p.origType, p.orig)
		}
	}
}

// TestWhatNoServerTakes: an original that no server accepts is not attached, because the
// return could not be sent either.
func TestWhatNoServerTakes(t *testing.T) {
	signed := "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--b--\r\n"
	cannot := spool.Outcome{Class: spool.Failed, Scope: spool.MessageScope, Reason: spool.ReasonCannot, Reply: reply(0, "", "the server does not offer 8BITMIME")}
	r := about(Failed, []string{"ann@example.net"}, []spool.Outcome{cannot}, func(e *spool.Envelope) { e.EightBit = true })
	r.Original = bodyOf(signed)
	if eightBit, _ := r.Encoding(); eightBit {
		t.Error("the return needs 8BITMIME, too")
	}
	if p := parse(t, compose(t, r)); p.origType != "text/rfc822-headers" {
		t.Errorf("the original comes back as %s", p.origType)
	}
}

func TestEncodings(t *testing.T) {
	global := "Subject: Mahnung für Jürgen\r\n\r\nGrüße\r\n"
	for _, c := range []struct {
		name           string
		eightBit, utf8 bool
		kind           Kind
		sender         string
		origType       string
		coding         string
		needs8, needsU bool
	}{
		{"plain", false, false, Failed, "a@example.org", "message/rfc822", "7bit", false, false},
		{"8-bit body", true, false, Failed, "a@example.org", "message/rfc822", "8bit", true, false},
		{"8-bit body, header only", true, false, Delayed, "a@example.org", "text/rfc822-headers", "7bit", false, false},
		{"UTF-8 header", true, true, Failed, "a@example.org", "message/global", "base64", false, false},
		{"UTF-8 header only", true, true, Delayed, "a@example.org", "message/global-headers", "base64", false, false},
		{"UTF-8 sender", true, true, Failed, "ä@example.org", "message/global", "8bit", true, true},
		{"UTF-8 sender, header only", true, true, Held, "ä@example.org", "message/global-headers", "8bit", true, true},
	} {
		text := "Subject: plain\r\n\r\nplain\r\n"
		if c.utf8 {
			text = global
		} else if c.eightBit {
			text = "Subject: plain\r\n\r\nGrüße\r\n"
		}
		r := about(c.kind, []string{"ö@example.net"}, []spool.Outcome{noSuchUser}, func(e *spool.Envelope) {
			e.EightBit, e.UTF8, e.Sender = c.eightBit, c.utf8, c.sender
		})
		r.Original = bodyOf(text)
		report := compose(t, r)
		p := parse(t, report)
		if p.origType != c.origType || p.origCoding != c.coding {
			t.Errorf("%s: original as %s, %s; want %s, %s", c.name, p.origType, p.origCoding, c.origType, c.coding)
		}
		if !strings.HasPrefix(text, p.orig) || c.kind == Failed && p.orig != text {
			t.Errorf("%s: the original came back as %q", c.name, p.orig)
		}
		e, u := r.Encoding()
		if e != c.needs8 || u != c.needsU {
			t.Errorf("%s: needs 8BITMIME %v, SMTPUTF8 %v; want %v, %v", c.name, e, u, c.needs8, c.needsU)
		}
		if ascii(report) == c.needs8 {
			t.Errorf("%s: needs 8BITMIME %v, but is ASCII %v", c.name, c.needs8, ascii(report))
		}
		want := `utf-8; \x{F6}@example.net`
		if c.needsU {
			want = "utf-8; ö@example.net"
		}
		if got := p.recipients[0].Get("Final-Recipient"); got != want {
			t.Errorf("%s: Final-Recipient %q, want %q", c.name, got, want)
		}
		if isGlobal := p.statusType == "message/global-delivery-status"; isGlobal != c.needsU || (p.reportType == "global-delivery-status") != c.needsU {
			t.Errorf("%s: status part is %s, report-type %s", c.name, p.statusType, p.reportType)
		}
	}
}

func TestStatusWithoutEnhancedCode(t *testing.T) {
	of := func(reason spool.Reason, scope spool.Scope, code int) spool.Outcome {
		return spool.Outcome{Class: spool.Deferred, Reason: reason, Scope: scope, Reply: spool.Reply{Code: code}}
	}
	for _, c := range []struct {
		outcome spool.Outcome
		want    string
	}{
		{of(spool.ReasonDNS, spool.ServerScope, 0), "4.4.3"},
		{of(spool.ReasonConnect, spool.ServerScope, 0), "4.4.1"},
		{of(spool.ReasonLost, spool.ServerScope, 0), "4.4.2"},
		{of(spool.ReasonTLS, spool.ServerScope, 0), "4.7.0"},
		{of(spool.ReasonAuth, spool.ServerScope, 535), "4.7.0"},
		{of(spool.ReasonCannot, spool.MessageScope, 0), "4.3.3"},
		{of(spool.ReasonSender, spool.MessageScope, 550), "4.1.8"},
		{of("", spool.RecipientScope, 450), "4.2.0"},
		{of("", spool.RecipientScope, 551), "4.1.6"},
		{of("", spool.RecipientScope, 553), "4.1.3"},
		{of("", spool.RecipientScope, 451), "4.0.0"},
		{of("", spool.MessageScope, 552), "4.3.4"},
		{of("", spool.MessageScope, 451), "4.0.0"},
	} {
		if got := status(Delayed, c.outcome); got != c.want {
			t.Errorf("%+v: %s, want %s", c.outcome, got, c.want)
		}
	}
}

// TestAdviceOnWholeMessage: the text does not advise to check an address that was not refused.
func TestAdviceOnWholeMessage(t *testing.T) {
	for scope, want := range map[spool.Scope]string{
		spool.MessageScope:   "What to do: show this message to whoever",
		spool.RecipientScope: "What to do: check the address",
	} {
		o := spool.Outcome{Class: spool.Failed, Scope: scope, Reply: reply(554, "5.0.0", "transaction failed")}
		r := about(Failed, []string{"ann@example.net"}, []spool.Outcome{o}, func(*spool.Envelope) {})
		if text := compose(t, r); !strings.Contains(text, want) || scope == spool.MessageScope && strings.Contains(text, "check the address") {
			t.Errorf("%s:\n%s", scope, text)
		}
	}
}
