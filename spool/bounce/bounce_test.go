package bounce

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

var (
	queued = time.Date(2026, 3, 2, 8, 15, 0, 0, time.UTC)
	site   = Site{Name: "Springfield Public Library", Address: "library@example.org", Hostname: "mail.example.org"}
)

const original = "From: Springfield Public Library <library@example.org>\r\n" +
	"To: reader@example.net\r\n" +
	"Subject: =?utf-8?Q?Overdue:_=E2=80=9EMoby_Dick=E2=80=9C?=\r\n" +
	"Message-ID: <7@example.org>\r\n" +
	"Date: Mon, 2 Mar 2026 08:15:00 +0000\r\n" +
	"\r\n" +
	"--is this a boundary?\r\n" +
	".\r\n" +
	"Please bring it back.\r\n"

// body is an original in memory.
type body struct{ *bytes.Reader }

func (body) Close() error  { return nil }
func (b body) Size() int64 { return b.Reader.Size() }

func bodyOf(s string) spool.Body { return body{bytes.NewReader([]byte(s))} }

func reply(code int, enhanced, text string) spool.Reply {
	return spool.Reply{Server: "1", Host: "mx.example.net", Code: code, Enhanced: enhanced, Text: text, At: queued.Add(3 * time.Hour)}
}

func refused(code int, enhanced, text string) spool.Outcome {
	return spool.Outcome{Class: spool.Failed, Scope: spool.RecipientScope, Reply: reply(code, enhanced, text)}
}

// about makes the report on a message to those recipients, which had those outcomes in its
// fifth attempt. change, if not nil, changes the envelope first.
func about(k Kind, recipients []string, outcomes []spool.Outcome, change func(*spool.Envelope)) Report {
	env := spool.Envelope{
		ID: "0AAAAAAAAAAAAAAA", Sender: "desk@example.org", Recipients: recipients, QueuedAt: queued,
		Ref: "patron 4711", MessageID: "<7@example.org>", Size: int64(len(original)),
	}
	if change != nil {
		change(&env)
	}
	r := spool.NewRecord(env)
	e := spool.Event{Kind: spool.Result, N: 5, At: queued.Add(3 * time.Hour)}
	var all []int
	for i, o := range outcomes {
		e.Results = append(e.Results, spool.Answer{Outcome: o, To: []int{i}})
		all = append(all, i)
	}
	r.Apply(spool.Event{Kind: spool.Try, N: 5, At: queued.Add(3 * time.Hour)})
	r.Apply(e)
	return Report{
		ID: "0AAAAAAAAAAAAAAA-5", Kind: k, Record: r, Recipients: all,
		Now: queued.Add(3*time.Hour + time.Minute).In(time.FixedZone("", 3600)), Original: bodyOf(original),
		boundary: "BOUNDARY",
	}
}

func compose(t *testing.T, r Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := Compose(&b, site, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	noSuchUser = refused(550, "5.1.1", "<reader@example.net>: no such user here")
	full       = refused(552, "", "mailbox is full")
	expired    = spool.Outcome{Class: spool.Failed, Scope: spool.ServerScope, Reason: spool.ReasonExpired,
		Reply: spool.Reply{Server: "1", Host: "mail.example.org", Text: "cannot connect to mail.example.org:587: connection refused", At: queued.Add(100 * time.Hour)}}
	greylisted = spool.Outcome{Class: spool.Deferred, Scope: spool.RecipientScope, Reply: reply(451, "4.7.1", "greylisted, try again later")}
	takenOver  = spool.Outcome{Class: spool.Delivered, Scope: spool.MessageScope, Reason: spool.ReasonRelayed, Reply: reply(250, "2.0.0", "Ok: queued as 7F")}
	noAnswer   = spool.Outcome{Class: spool.Uncertain, Scope: spool.MessageScope,
		Reply: spool.Reply{Server: "1", Host: "mx.example.net", Text: "no answer after the message was sent", At: queued.Add(3 * time.Hour)}}
)

// reports are what the golden files show.
var reports = map[string]func() Report{
	"failed": func() Report {
		return about(Failed, []string{"reader@example.net"}, []spool.Outcome{noSuchUser}, nil)
	},
	"failed-many": func() Report {
		return about(Failed, []string{"a@example.net", "b@example.net", "c@example.net"},
			[]spool.Outcome{noSuchUser, full, noSuchUser}, func(e *spool.Envelope) { e.EightBit = true })
	},
	"expired": func() Report {
		return about(Failed, []string{"reader@example.net"}, []spool.Outcome{expired}, nil)
	},
	"delayed": func() Report {
		r := about(Delayed, []string{"reader@example.net"}, []spool.Outcome{greylisted}, nil)
		r.Until = queued.Add(100 * time.Hour)
		return r
	},
	"held": func() Report {
		return about(Held, []string{"reader@example.net"}, []spool.Outcome{noAnswer}, nil)
	},
	"relayed": func() Report {
		r := about(Relayed, []string{"reader@example.net", "b@example.net"}, []spool.Outcome{takenOver, takenOver}, func(e *spool.Envelope) {
			e.Notify, e.EnvelopeID, e.Originals = "success", "run-7", []string{"rfc822;Reader+1@example.net", ""}
		})
		r.ID = "0AAAAAAAAAAAAAAA.r5"
		return r
	},
	"utf8-recipient": func() Report {
		return about(Failed, []string{"jürgen+x@bücher.example"}, []spool.Outcome{noSuchUser}, func(e *spool.Envelope) { e.UTF8 = true })
	},
	"utf8-sender": func() Report {
		return about(Failed, []string{"jürgen@bücher.example"}, []spool.Outcome{noSuchUser},
			func(e *spool.Envelope) { e.UTF8 = true; e.Sender = "käthe@bücherei.example" })
	},
}

func TestGolden(t *testing.T) {
	for name, report := range reports {
		t.Run(name, func(t *testing.T) {
			got := compose(t, report())
			file := "testdata/" + name + ".golden"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs (-update writes it anew); got:\n%s", file, got)
			}
		})
	}
}

func TestNobodyToReportTo(t *testing.T) {
	for name, change := range map[string]func(*spool.Envelope){
		"null sender": func(e *spool.Envelope) { e.Sender = "" },
		"a report":    func(e *spool.Envelope) { e.Form = spool.Report },
		"a plain one": func(e *spool.Envelope) { e.Form = spool.PlainReport },
	} {
		r := about(Failed, []string{"a@example.net"}, []spool.Outcome{noSuchUser}, change)
		if err := Compose(&bytes.Buffer{}, site, r); err == nil {
			t.Errorf("%s: a return was written", name)
		}
	}
}

func TestReadErrorIsTold(t *testing.T) {
	r := reports["failed"]()
	r.Original = broken{r.Original}
	if err := Compose(&bytes.Buffer{}, site, r); err == nil {
		t.Error("an original that cannot be read gives no error")
	}
}

type broken struct{ spool.Body }

func (broken) ReadAt([]byte, int64) (int, error) { return 0, os.ErrInvalid }

func TestReaddress(t *testing.T) {
	text := compose(t, reports["failed"]())
	var b bytes.Buffer
	if err := Readdress(&b, strings.NewReader(text), site); err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(b.String(), "\r\n")
	_, rest, _ := strings.Cut(text, "\r\n")
	if before != "From: Mail Delivery System <library@example.org>" || after != rest {
		t.Errorf("readdressed: %q, the rest the same: %v", before, after == rest)
	}
	if err := Readdress(&b, strings.NewReader(text), Site{}); err == nil {
		t.Error("no address, and no error")
	}
}

func TestPlainWords(t *testing.T) {
	for _, c := range []struct {
		outcome spool.Outcome
		want    string
	}{
		{noSuchUser, "no mailbox with that name"},
		{refused(0, "5.1.3", "a@@example.net is not an address"), "not a valid e-mail address"},
		{refused(550, "5.1.2", "host unknown"), "after the @"},
		{refused(550, "", "user unknown"), "no mailbox with that name"},
		{refused(552, "5.2.2", "over quota"), "mailbox is full"},
		{refused(552, "5.3.4", "too big"), "larger than"},
		{refused(550, "5.2.1", "disabled"), "closed"},
		{refused(554, "5.7.1", "looks like spam"), "rules against unwanted mail"},
		{refused(554, "", "no"), "refused it permanently"},
		{expired, "5 times over 4 days"},
		{spool.Outcome{Class: spool.Failed, Reason: spool.ReasonSender, Reply: reply(550, "5.1.8", "bad sender")}, "not accept mail from the sender address desk@example.org"},
		{spool.Outcome{Class: spool.Failed, Reason: spool.ReasonCannot}, "cannot handle"},
		{spool.Outcome{Class: spool.Failed, Reason: spool.ReasonReturned}, "took it out of the queue"},
	} {
		r := about(Failed, []string{"a@example.net"}, []spool.Outcome{c.outcome}, nil)
		text := strings.Join(strings.Fields(parse(t, compose(t, r)).text), " ")
		if !strings.Contains(text, c.want) {
			t.Errorf("%v: %q is not in the text:\n%s", c.outcome, c.want, text)
		}
	}
}

func TestExpiredAfterNoAnswerMayHaveArrived(t *testing.T) {
	outcome := noAnswer
	outcome.Class, outcome.Reason = spool.Failed, spool.ReasonExpired
	r := about(Failed, []string{"a@example.net"}, []spool.Outcome{outcome}, nil)
	last := &r.Record.Events[len(r.Record.Events)-1]
	last.Results = append(last.Results, spool.Answer{Outcome: noAnswer})
	if text := parse(t, compose(t, r)).text; !strings.Contains(text, "arrived\r\nall the same") {
		t.Errorf("not told that it may have arrived:\n%s", text)
	}
}

// TestWhatTheSenderAskedFor: RFC 3461, RET and ENVID.
func TestWhatTheSenderAskedFor(t *testing.T) {
	got := compose(t, about(Failed, []string{"reader@example.net"}, []spool.Outcome{noSuchUser}, func(e *spool.Envelope) {
		e.EnvelopeID, e.ReturnHeaders = "run-7+x", true
	}))
	for _, want := range []string{"Original-Envelope-Id: run-7+x\r\n", "text/rfc822-headers", "Subject: =?utf-8?Q?Overdue"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "bring it back") {
		t.Error("the body comes back")
	}
}

// TestOriginalRecipient: RFC 3461 section 6.3. The report has what ORCPT said, in its own
// character set.
func TestOriginalRecipient(t *testing.T) {
	for original, want := range map[string]string{
		"":                            "rfc822; reader@example.net",
		"rfc822;Desk+1=a@example.net": "rfc822; Desk+1=a@example.net",
		"utf-8;jürgen+x@bücher.org":   `utf-8; j\x{FC}rgen\x{2B}x@b\x{FC}cher.org`,
		"utf-8;plain@example.net":     "rfc822; plain@example.net",
		"x400;C=de; A=b":              "x400; C=de; A=b",
	} {
		got := compose(t, about(Failed, []string{"reader@example.net"}, []spool.Outcome{noSuchUser}, func(e *spool.Envelope) {
			e.Originals = []string{original}
		}))
		if !strings.Contains(got, "\r\nOriginal-Recipient: "+want+"\r\n") || !strings.Contains(got, "\r\nFinal-Recipient: rfc822; reader@example.net\r\n") {
			t.Errorf("%q: no %q in\n%s", original, want, got)
		}
	}
}

// TestSender: returns come from MAILER-DAEMON at the host. If that has no full name, they come
// from the site's domain, which servers can check.
func TestSender(t *testing.T) {
	for want, s := range map[string]Site{
		"mail.example.org": site,
		"vm.example.org":   {Address: "library@example.org", FindHostname: func() string { return "vm.example.org" }},
		"example.org":      {Address: "library@example.org", FindHostname: func() string { return "" }},
		"localhost":        {},
	} {
		if got := s.MessageID("1"); got != "<1@"+want+">" {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
}
