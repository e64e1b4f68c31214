package intake

import (
	"errors"
	"net/mail"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// east is a site of a service.
func east() *Hosted {
	return &Hosted{Site: "east", Name: "East Branch Library", Address: "desk@east.example", From: "noreply@service.example"}
}

// hostedDesk is the intake of a service. Its aliases are for the service's own mail, not for that of
// its sites.
func hostedDesk(t *testing.T) *desk {
	d := newDesk(Site{Name: "The Service", Address: "office@service.example", FindHostname: hostname, RewriteFrom: true, Admin: "admin@service.example"})
	d.Aliases = aliasesOf(t, "root: admin@service.example\n")
	return d
}

func hostedRequest(text string) Request {
	r := plain(crlf(text))
	r.Hosted, r.Sender = east(), pointer("desk@east.example")
	return r
}

// TestHosted: the mail of a site is the service's, and says whose it is and who reads replies.
func TestHosted(t *testing.T) {
	q := hostedDesk(t).must(t, hostedRequest("Return-Path: <x@y.example>\nReceived: from pc by east.example; Tue, 24 Nov 2026 09:00:00 +0100\n"+
		"DKIM-Signature: v=1; d=bank.example; b=AAAA\nAuthentication-Results: gmail.com; dkim=pass\nSender: boss@bank.example\n"+
		"From: Ann Lee <ann@east.example>\nTo: patron@example.net\nSubject: Überfällig\nMessage-ID: <1@east.example>\nFeedback-ID: x:y\n"+
		"Date: Tue, 24 Nov 2026 09:00:00 +0100\n\nYour book is due.\n"))
	id := string(q.ID)
	want := crlf("Received: from east by desk.example.org (notices) with ESMTPSA\n id " + id + "; Tue, 24 Nov 2026 09:30:00 +0100\n" +
		"Feedback-ID: east:notices\nReceived: from pc by east.example; Tue, 24 Nov 2026 09:00:00 +0100\n" +
		"From: \"East Branch Library\" <noreply@service.example>\nTo: patron@example.net\nSubject: =?utf-8?q?=C3=9Cberf=C3=A4llig?=\n" +
		"Message-ID: <1@east.example>\nDate: Tue, 24 Nov 2026 09:00:00 +0100\nReply-To: Ann Lee <ann@east.example>\n\nYour book is due.\n")
	if q.text != want {
		t.Errorf("stored\n%s\nwant\n%s", q.text, want)
	}
	if q.Sender != "noreply+"+id+"@service.example" || q.ReturnTo != "desk@east.example" || q.Site != "east" || q.MessageID != "<1@east.example>" {
		t.Errorf("envelope %+v", q.Envelope)
	}
}

// TestHostedFrom: whatever the site's From is, the service's address sends and somebody gets the replies.
func TestHostedFrom(t *testing.T) {
	const own = `"East Branch Library" <desk@east.example>`
	for _, c := range []struct{ header, replyTo string }{
		{"From: ann@east.example\n", "ann@east.example"},
		{"From: Lee, Ann <ann@east.example>\n", `"Lee, Ann" <ann@east.example>`},
		{"From: Jürgen <j@east.example>\n", "=?utf-8?q?J=C3=BCrgen?= <j@east.example>"},
		{"From: a@east.example, b@east.example\n", "a@east.example, b@east.example"},
		{"From: root\n", "root@east.example"},
		{"", own},
		{"From:\n", own},
		{"From: East Branch\n", own},
		{"From: noreply@service.example\n", own},
		{"From: <<<>\n", own},
		{"From: a@east.example\nFrom: b@bank.example\n", "a@east.example"},
		{"From: ann@east.example\nReply-To: help@east.example\n", "help@east.example"},
		{"Reply-To:\nFrom: ann@east.example\n", "ann@east.example"},
		{"From: ann@east.example\nReply-To: one@east.example\nReply-To: two@east.example\n", "one@east.example"},
		{"DKIM-Signature: v=1\nFrom: ann@east.example\nReply-To: one@east.example\nReply-To: two@east.example\nSender: x@bank.example\n", "one@east.example"},
	} {
		q := hostedDesk(t).must(t, hostedRequest(c.header+"To: patron@example.net\n\ntext\n"))
		m, err := mail.ReadMessage(strings.NewReader(q.text))
		if err != nil {
			t.Errorf("%q: %v", c.header, err)
			continue
		}
		from, replyTo := m.Header["From"], m.Header["Reply-To"]
		if len(from) != 1 || from[0] != `"East Branch Library" <noreply@service.example>` || len(replyTo) != 1 || replyTo[0] != c.replyTo || m.Header["Sender"] != nil {
			t.Errorf("%q: From %q, Reply-To %q, want %q; Sender %q", c.header, from, replyTo, c.replyTo, m.Header["Sender"])
		}
		if id := m.Header.Get("Message-Id"); id != "<"+string(q.ID)+"@desk.example.org>" {
			t.Errorf("Message-ID %s", id)
		}
	}
}

// TestHostedNames: a site's name is shown as it is, whatever it has in it.
func TestHostedNames(t *testing.T) {
	for name, want := range map[string]string{
		"Lee, Ann & Sons; see: <x>": `"Lee, Ann & Sons; see: <x>" <noreply@service.example>`,
		`The "Old" Library \`:       `"The \"Old\" Library \\" <noreply@service.example>`,
		"Bücherei Süd":              "=?utf-8?q?B=C3=BCcherei_S=C3=BCd?= <noreply@service.example>",
		"boss@bank.example":         `"boss@bank.example" <noreply@service.example>`,
	} {
		r := hostedRequest("From: a@east.example\nTo: patron@example.net\n\ntext\n")
		r.Hosted.Name = name
		q := hostedDesk(t).must(t, r)
		if !strings.Contains(q.text, "\r\nFrom: "+want+"\r\n") {
			t.Errorf("%q: %s", name, q.text)
		}
	}
}

// TestHostedSender: the null sender stays null, and so a return of the site is never returned.
func TestHostedSender(t *testing.T) {
	for _, sender := range []string{"", "<>"} {
		r := hostedRequest("From: a@east.example\nTo: patron@example.net\n\ntext\n")
		r.Sender = &sender
		if q := hostedDesk(t).must(t, r); q.Sender != "" || q.ReturnAddress() != "" || q.Site != "east" {
			t.Errorf("%q: %+v", sender, q.Envelope)
		}
	}
	r := hostedRequest("From: a@east.example\nTo: patron@example.net\n\n" + strings.Repeat("x", 1200) + "\n" + strings.Repeat(strings.Repeat("y", 70)+"\n", 4000))
	if q := hostedDesk(t).must(t, r); q.Sender != "noreply+"+string(q.ID)+"@service.example" {
		t.Errorf("after it was re-encoded, %s has the sender %s", q.ID, q.Sender)
	}
}

// TestHostedAliases: the names of the service's machine are not those of its sites.
func TestHostedAliases(t *testing.T) {
	r := hostedRequest("From: a@east.example\nTo: root\n\ntext\n")
	r.Recipients = nil
	if q := hostedDesk(t).must(t, r); len(q.Recipients) != 1 || q.Recipients[0] != "root@east.example" {
		t.Errorf("root of a site is %v", q.Recipients)
	}
}

// TestHostedRefused: what would forge or loop is not queued.
func TestHostedRefused(t *testing.T) {
	const text = "From: a@east.example\nTo: patron@example.net\n\ntext\n"
	for what, change := range map[string]func(*Hosted){
		"a name that injects":     func(h *Hosted) { h.Name = "x\r\nBcc: all@example.net" },
		"a name of odd octets":    func(h *Hosted) { h.Name = "x\xff" },
		"no name":                 func(h *Hosted) { h.Name = "" },
		"a site that injects":     func(h *Hosted) { h.Site = "a b" },
		"a malformed address":     func(h *Hosted) { h.Address = "desk" },
		"a malformed service":     func(h *Hosted) { h.From = "noreply" },
		"no room for the message": func(h *Hosted) { h.From = strings.Repeat("n", 50) + "@service.example" },
	} {
		r := hostedRequest(text)
		change(r.Hosted)
		if e := hostedDesk(t).refused(t, r); e.Kind != BadConfig {
			t.Errorf("%s: %v, %v", what, e.Kind, e)
		}
	}
	hop := "Received: from a by b; Tue, 24 Nov 2026 09:00:00 +0100\n"
	hostedDesk(t).must(t, hostedRequest(strings.Repeat(hop, 100)+text))
	if e := hostedDesk(t).refused(t, hostedRequest(strings.Repeat(hop, 101)+text)); !errors.Is(e, ErrLoop) || e.Kind != BadMessage {
		t.Errorf("101 servers: %v", e)
	}
}

// TestHostedAnyHeader: whatever fields a site sends, one From is shown, and it is the service's.
func TestHostedAnyHeader(t *testing.T) {
	field := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom([]string{"From", "from", "FROM ", "Sender", "Reply-To", "DKIM-Signature", "Subject", "X", "Received", "Return-Path", "Resent-From"}).Draw(t, "name")
		return name + ":" + rapid.OneOf(rapid.StringMatching(`[ a-z<>@",;:()\\é.=?\t-]{0,30}`), rapid.SampledFrom([]string{" a@east.example", " <x@y", "\r\n b@c", "\rFrom: x@y"})).Draw(t, "value")
	})
	rapid.Check(t, func(rt *rapid.T) {
		d := newDesk(Site{FindHostname: hostname})
		r := plain(strings.Join(rapid.SliceOfN(field, 1, 8).Draw(rt, "fields"), "\r\n") + "\r\n\r\ntext\r\n")
		r.Hosted = east()
		q, err := d.accept(r)
		if errors.As(err, new(*Error)) {
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		head, _ := q.parts()
		count := map[string]int{}
		for line := range strings.Lines(head) {
			name, _, _ := strings.Cut(line, ":")
			count[strings.ToLower(strings.TrimRight(name, " \t"))]++
		}
		if !strings.Contains(head, "From: \"East Branch Library\" <noreply@service.example>\r\n") || count["from"] != 1 || count["reply-to"] != 1 ||
			count["sender"]+count["dkim-signature"]+count["return-path"] != 0 || q.Sender != "noreply+"+string(q.ID)+"@service.example" {
			rt.Errorf("%v in\n%s", count, head)
		}
	})
}
