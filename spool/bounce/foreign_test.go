package bounce

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"notices/spool"
)

// foreign makes a report with the given values for everything that comes from outside.
func foreign(text, address, ref, sender, head string) Report {
	o := refused(550, text, text)
	o.Reply.Host = text
	r := about(Failed, []string{address, address}, []spool.Outcome{o, expired}, func(e *spool.Envelope) {
		e.Ref, e.MessageID, e.Sender = ref, ref, sender
		e.UTF8 = !ascii(head)
	})
	r.Original = bodyOf(canonical(head) + "\r\nbody\r\n")
	r.boundary = ""
	return r
}

// canonical gives a header the form that the spool promises.
func canonical(head string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.ReplaceAll(head, "\r", ""), "\n") {
		b.WriteString(line[:min(len(line), 998)] + "\r\n")
	}
	return b.String()
}

// checkForeign checks that a report is well formed and has only our own fields.
func checkForeign(t *testing.T, r Report) {
	t.Helper()
	var b bytes.Buffer
	if err := Compose(&b, Site{Name: r.Record.Envelope.Ref, Hostname: r.Record.Envelope.Ref}, r); err != nil {
		t.Fatal(err)
	}
	report := b.String()
	eightBit, needsUTF8 := r.Encoding()
	own, _, _ := strings.Cut(report, "Content-Description: The message\r\n")
	for line := range strings.SplitSeq(own, "\r\n") {
		if len(line) > 998 {
			t.Errorf("a line of %d octets", len(line))
		}
		if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			t.Errorf("control character in %q", line)
		}
	}
	if !utf8.ValidString(own) || !eightBit && !ascii(report) {
		t.Errorf("Encoding is wrong: 8-bit %v, UTF-8 %v in:\n%s", eightBit, needsUTF8, report)
	}
	p := parse(t, report)
	if len(p.header) > 11 || len(p.message) > 4 || len(p.recipients) != 2 || len(p.header["To"]) != 1 {
		t.Errorf("fields came in from outside:\n%s", own)
	}
	for i, status := range []string{"5.", "4.4.7"} {
		if got := p.recipients[i].Get("Status"); !strings.HasPrefix(got, status) || len(p.recipients[i]) > 8 {
			t.Errorf("Status %q in:\n%s", got, own)
		}
	}
}

var nasty = []string{
	"", "x\r\n\r\n--BOUNDARY--\r\n", "a\nBcc: victim@example.com", "a\r\nAction: delivered\r\n\r\nStatus: 2.0.0",
	"\x00\x07\x1b[31mred\x7f", "\xff\xfe not UTF-8 \xc3", "\u202email.exe\u2066", strings.Repeat("long", 2000),
	strings.Repeat("many words ", 500), "Grüße, 世界", "5.1.1", "<a@b>", "\u0085\u2028next line", "=?utf-8?q?=0D=0AX:_y?=",
	"\t \t", strings.Repeat("ä", 1000),
}

func TestForeignTextIsHarmless(t *testing.T) {
	for _, s := range nasty {
		checkForeign(t, foreign(s, "a@example.net", "ref", "b@example.org", "Subject: x"))
		checkForeign(t, foreign("no", s, "ref", "b@example.org", "Subject: x"))
		checkForeign(t, foreign("no", "a@example.net", s, "b@example.org", "Subject: x"))
		checkForeign(t, foreign("no", "a@example.net", "ref", s+"@example.org", "Subject: x"))
		checkForeign(t, foreign("no", "a@example.net", "ref", "b@example.org", "Subject: "+s))
	}
}

func FuzzCompose(f *testing.F) {
	for _, s := range nasty {
		f.Add(s, s, s, s, s)
	}
	f.Fuzz(func(t *testing.T, text, address, ref, sender, head string) {
		checkForeign(t, foreign(text, address, ref, sender+"@", head))
	})
}

func TestLongDiagnosticsAreFolded(t *testing.T) {
	text := strings.TrimSpace(strings.Repeat("this server explains itself at great length ", 40))
	r := about(Failed, []string{"a@example.net"}, []spool.Outcome{refused(550, "5.7.1", text)}, nil)
	report := compose(t, r)
	for line := range strings.SplitSeq(report, "\r\n") {
		if len(line) > 78 {
			t.Errorf("a line of %d: %q", len(line), line)
		}
	}
	if got := parse(t, report).recipients[0].Get("Diagnostic-Code"); got != "smtp; 550 5.7.1 "+text {
		t.Errorf("unfolded it is %q", got)
	}
}

func TestBoundariesDiffer(t *testing.T) {
	r := reports["failed"]()
	r.boundary = ""
	if first, second := compose(t, r), compose(t, r); first == second {
		t.Error("the boundary can be guessed, and so put into a message")
	}
}
