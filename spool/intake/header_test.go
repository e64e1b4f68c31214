package intake

import (
	"strings"
	"testing"
)

const from = "From: Desk <desk@example.org>\n"

// complete has all the fields that would be added.
const complete = from + "Date: Tue, 24 Nov 2026 09:00:00 +0100\nMessage-ID: <1@example.org>\n"

// TestStoredForm shows what callers give and what is stored.
func TestStoredForm(t *testing.T) {
	const added = "Date: Tue, 24 Nov 2026 09:30:00 +0100\nMessage-ID: <ID@desk.example.org>\n"
	for _, c := range []struct {
		name, in, want string
		request        Request
	}{
		{
			name: "complete",
			in:   complete + "\ntext\n", want: complete + "\ntext\n",
		},
		{
			name: "all is missing",
			in:   "Subject: x\n\ntext\n",
			want: "Subject: x\nFrom: \"Springfield Public Library\" <library@example.org>\n" + added + "\ntext\n",
		},
		{
			name: "all is empty",
			in:   "Date:\nSubject: x\nFrom: \nMESSAGE-id:\n \nReply-To:\n\ntext\n",
			want: "Subject: x\nFrom: \"Springfield Public Library\" <library@example.org>\nReply-To:\n" + added + "\ntext\n",
		},
		{
			name: "folding, case and blanks stay",
			in:   complete + "SUBJECT:x  \n\ty\nX-Empty:\nTo : a@example.net\n\n\ttext \n\n",
			want: complete + "SUBJECT:x  \n\ty\nX-Empty:\nTo: a@example.net\n\n\ttext \n\n",
		},
		{
			name: "what goes",
			in:   "Return-Path: <x@example.net>\nBCC : a@example.net,\n b@example.net\n" + complete + "bcc: c@example.net\nResent-Bcc: d@example.net\nX-Bcc: stays\n\ntext\n",
			want: complete + "X-Bcc: stays\n\ntext\n",
		},
		{
			name: "mbox",
			in:   "From library@example.org Tue Nov 24 09:00:00 2026\n" + complete + "\n>From here\nFrom there\n",
			want: complete + "\n>From here\nFrom there\n",
		},
		{
			name: "a From field with a blank before the colon is no mbox line",
			in:   "From : desk@example.org\nDate: x\nMessage-ID: <1@x>\n\ntext\n",
			want: "From: desk@example.org\nDate: x\nMessage-ID: <1@x>\n\ntext\n",
		},
		{
			name: "a byte order mark",
			in:   "\xef\xbb\xbf" + complete + "\ntext\n", want: complete + "\ntext\n",
		},
		{
			name: "no body, no empty line, no line end",
			in:   strings.TrimSuffix(complete, "\n"), want: complete + "\n",
		},
		{
			name: "a line of blanks in the header",
			in:   complete + "Subject: x\n \t\n y\n\ntext", want: complete + "Subject: x\n y\n\ntext\n",
		},
		{
			name: "Windows",
			in:   strings.ReplaceAll(complete+"\ntext\n\n", "\n", "\r\n"), want: complete + "\ntext\n\n",
		},
		{
			name: "Windows twice",
			in:   strings.ReplaceAll(complete+"\ntext\n\n", "\n", "\r\r\n"), want: complete + "\ntext\n\n",
		},
		{
			name: "an old Macintosh",
			in:   strings.ReplaceAll(complete+"\ntext\n\nx", "\n", "\r"), want: complete + "\ntext\n\nx\n",
		},
		{
			name: "a progress bar",
			in:   complete + "\n10%\r20%\r\r30%\n", want: complete + "\n10%\n20%\n\n30%\n",
		},
		{
			name:    "no header, as sendmail has it",
			in:      "Backup failed: disk full\nSee the log.\n",
			request: Request{Lenient: true},
			want:    "From: \"Springfield Public Library\" <library@example.org>\n" + added + "\nBackup failed: disk full\nSee the log.\n",
		},
		{
			name:    "an empty line at the start, as sendmail has it",
			in:      "\nSubject: in the text\n",
			request: Request{Lenient: true, FullName: "smartd"},
			want:    "From: \"smartd\" <library@example.org>\n" + added + "\nSubject: in the text\n",
		},
		{
			name:    "no empty line, as sendmail has it",
			in:      complete + "The disk is full.\nSubject: in the text\n",
			request: Request{Lenient: true},
			want:    complete + "\nThe disk is full.\nSubject: in the text\n",
		},
		{
			name: "octets over 127 are encoded in the header and stay in the body",
			in:   complete + "Subject: \xfcber\n\n\xfc\n", want: complete + "Subject: =?utf-8?q?=C3=BCber?=\n\n\xfc\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.request
			r.Body, r.Recipients = strings.NewReader(c.in), []string{"patron@example.net"}
			q := newDesk(site).must(t, r)
			want := strings.ReplaceAll(c.want, "<ID@", "<"+string(q.ID)+"@")
			if q.text != crlf(want) {
				t.Errorf("stored\n%q\nwant\n%q", q.text, crlf(want))
			}
		})
	}
}

func TestFlagsOfEnvelope(t *testing.T) {
	for _, c := range []struct {
		name, in, to   string
		eightBit, utf8 bool
	}{
		{"ASCII", "Subject: x\n\nx\n", "a@example.net", false, false},
		{"body", "Subject: x\n\nü\n", "a@example.net", true, false},
		{"header in UTF-8", "Subject: ü\n\nx\n", "a@example.net", false, false},
		{"header in Latin-1", "Subject: \xfc\n\nx\n", "a@example.net", false, false},
		{"names", "To: Jürgen <a@example.net>, M\xfcller: b@example.net;\n\nx\n", "a@example.net", false, false},
		{"an address in the header", "To: Jürgen <jürgen@example.net>\n\nx\n", "a@example.net", true, true},
		{"an id in UTF-8", "References: <ü@example.net>\n\nx\n", "a@example.net", false, false},
		{"an id in Latin-1", "References: <\xfc@example.net>\n\nx\n", "a@example.net", false, false},
		{"an address in Latin-1", "To: <j\xfcrgen@example.net>\n\nx\n", "a@example.net", true, true},
		{"only the Bcc", "Subject: x\nBcc: Jürgen <b@example.net>\n\nx\n", "a@example.net", false, false},
		{"recipient", "Subject: x\n\nx\n", "jürgen@example.net", false, true},
		{"domain", "Subject: x\n\nx\n", "a@bücherei.example", false, false},
	} {
		q := newDesk(site).must(t, Request{Body: strings.NewReader(c.in), Recipients: []string{c.to}})
		if q.EightBit != c.eightBit || q.UTF8 != c.utf8 {
			t.Errorf("%s: EightBit %v, UTF8 %v, want %v, %v", c.name, q.EightBit, q.UTF8, c.eightBit, c.utf8)
		}
	}
}

func TestMessageIDOfEnvelope(t *testing.T) {
	for in, want := range map[string]string{
		"<1@example.org>":              "<1@example.org>",
		"\n <1@example.org> (comment)": "<1@example.org>",
		"1@example.org":                "1@example.org",
		"<a b\n c@example.org>":        "<a b c@example.org>",
		"<\xfc@example.org>":           "<=C3=BC@example.org>",
		"<1@bücher.example>":           "<1@xn--bcher-kva.example>",
	} {
		q := newDesk(site).must(t, plain("Message-ID: "+in+"\nMessage-ID: <2@example.org>\n\nx\n"))
		if q.MessageID != want {
			t.Errorf("%q: %q, want %q", in, q.MessageID, want)
		}
	}
}

// TestBadMessages: each refusal says where and what.
func TestBadMessages(t *testing.T) {
	long := strings.Repeat("x", 999)
	for _, c := range []struct{ name, in, says string }{
		{"empty", "", "the message is empty"},
		{"no header", "Dear patron,\nbring it back\n", `no header: its first line is "Dear patron,"`},
		{"no header, the first line has a colon", "Note this: bring it back\n", "no header"},
		{"an empty line first", "\nDear patron\n", "no header: it begins with an empty line"},
		{"a continuation first", " Subject: x\n\nx\n", "no header"},
		{"mbox line alone", "From x@example.org Tue Nov 24 09:00:00 2026\nDear patron\n", "no header"},
		{"no empty line", "To: a@example.net\nSubject: x\nDear patron,\nx\n", `line 3 of the message is not a header field: "Dear patron,". Is the empty line missing`},
		{"a field without a name", "To: a@example.net\n: x\n\nx\n", "line 2"},
		{"a field with an umlaut in its name", "To: a@example.net\nGrüße: x\n\nx\n", "line 2"},
		{"a NUL in the header", "To: a@example.net\nSubject: a\x00b\n\nx\n", "line 2 of the message has a NUL"},
		{"a NUL in the body", "To: a@example.net\n\none\ntwo\x00\n", "line 4 of the message has a NUL"},
		{"a long header line", "To: a@example.net\nReferences: x\n " + long + "\n\nx\n", "line 3 has 1000 octets, 998 are allowed"},
		{"a header of two megabytes", "To: a@example.net\n" + strings.Repeat("X: "+strings.Repeat("y", 500)+"\n", 4<<10), "longer than 1048576 octets"},
		{"a header that never ends", strings.Repeat("x", 3<<20), "longer than 1048576 octets"},
		{"a long line in a signed part", "Content-Type: multipart/signed; boundary=b\n\n--b\n\n" + long + "\n--b--\n", "line 5 has 999 octets, 998 are allowed. It cannot be re-encoded"},
		{"a CR in a malformed From", "From: desk@@example.org\rBcc: x@example.org\n\nx\n", "a carriage return"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(site)
			err := d.refused(t, plain(c.in))
			if err.Kind != BadMessage || !strings.Contains(err.Error(), c.says) {
				t.Errorf("kind %d: %q, want %q", err.Kind, err, c.says)
			}
			if len(err.Error()) > 400 {
				t.Errorf("a message for people of %d octets: %.500q", len(err.Error()), err)
			}
		})
	}
}
