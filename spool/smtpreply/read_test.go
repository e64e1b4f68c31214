package smtpreply

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"notices/spool/printable"
)

func newReader(s string) *bufio.Reader { return bufio.NewReaderSize(strings.NewReader(s), MaxLine) }

func testJudge() *Judge {
	return &Judge{Server: "1", Host: "mail.example.org", Now: func() time.Time { return time.Unix(1e9, 5).Local() }}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		raw, enhanced, text string
		code                int
	}{
		{"250 ok\r\n", "", "ok", 250},
		{"250\r\n", "", "", 250},
		{"250 \r\n", "", "", 250},
		{"250 ok\n", "", "ok", 250},
		{"550 5.1.1 no such user\r\n", "5.1.1", "no such user", 550},
		{"550-5.7.26 This mail is\r\n550-5.7.26 unauthenticated.\r\n550 5.7.26 x - gsmtp\r\n", "5.7.26", "This mail is unauthenticated. x - gsmtp", 550},
		{"550-no such user\r\n550 5.1.1 see the manual\r\n", "5.1.1", "no such user see the manual", 550},
		{"553 sorry (#5.7.1)\r\n", "5.7.1", "sorry (#5.7.1)", 553},
		{"550 5.7.606 banned\r\n", "5.7.606", "banned", 550},
		{"550 4.1.1 the class is not the code's\r\n", "", "4.1.1 the class is not the code's", 550},
		{"550 5.1.1.2 is an address\r\n", "", "5.1.1.2 is an address", 550},
		{"550 5.1 half\r\n", "", "5.1 half", 550},
		{"550 5.1234.1 long\r\n", "", "5.1234.1 long", 550},
		{"250-a\r\n250-\r\n250 b\r\n", "", "a b", 250},
		{"550 a\x00b\x1b[31mc\rd\r\n", "", "a?b?[31mc d", 550},
		{"550 \xff\xfe und \u202eumlaut ä\r\n", "", "?? und ?umlaut ä", 550},
	} {
		br := newReader(c.raw)
		code, text, err := Read(br, nil)
		if err != nil || code != c.code {
			t.Errorf("%q: %d, %v", c.raw, code, err)
			continue
		}
		r := testJudge().Reply(code, findEnhanced(code, text), text)
		if r.Enhanced != c.enhanced || r.Text != c.text {
			t.Errorf("%q: %q, %q", c.raw, r.Enhanced, r.Text)
		}
		if _, err := br.ReadByte(); err != io.EOF {
			t.Errorf("%q: something is left", c.raw)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"code 099":              "099 odd\r\n",
		"code 199":              "199 odd\r\n",
		"code 600":              "600 odd\r\n",
		"code 999":              "999 odd\r\n",
		"letters":               "HTTP/1.1 400 Bad Request\r\n",
		"nothing":               "\r\n",
		"NULs":                  "\x00\x00\x00\x00\r\n",
		"no space":              "250ok\r\n",
		"two digits":            "25 ok\r\n",
		"codes differ":          "250-a\r\n550 b\r\n",
		"no code in the middle": "250-a\r\nb\r\n250 c\r\n",
		"long line":             "250 " + strings.Repeat("x", 1<<20) + "\r\n",
		"many lines":            strings.Repeat("250-x\r\n", 1<<16) + "250 x\r\n",
	} {
		code, text, err := Read(newReader(raw), nil)
		if !errors.As(err, new(ProtocolError)) || code != 0 {
			t.Errorf("%s: %d, %v", name, code, err)
		}
		if cap(text) > 4*maxReply {
			t.Errorf("%s: keeps %d octets", name, cap(text))
		}
		if len(err.Error()) > 500 {
			t.Errorf("%s: error of %d octets", name, len(err.Error()))
		}
	}
	for _, raw := range []string{"", "250", "250-a\r\n", "250-a\r\n250"} {
		if _, _, err := Read(newReader(raw), nil); err != io.EOF {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestReplyIsShort(t *testing.T) {
	text := []byte(strings.Repeat("ä and more\n", 500))
	r := testJudge().Reply(550, "", text)
	if len(r.Text) > maxText || !utf8.ValidString(r.Text) || strings.Contains(r.Text, "\n") {
		t.Errorf("%d octets: %q", len(r.Text), r.Text)
	}
	if r.Server != "1" || r.Host != "mail.example.org" || !r.At.Equal(time.Unix(1e9, 0)) || r.At.Location() != time.UTC {
		t.Errorf("%+v", r)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	const response = "\x00library\x00hunter2 geheim" // of AUTH PLAIN
	j := testJudge()
	j.Mask("hunter2 geheim", response)
	plain := base64.StdEncoding.EncodeToString([]byte(response))
	for _, text := range []string{
		"hunter2 geheim is wrong", "x hunter2 geheim", "hunter2 geheim hunter2 geheim",
		"cannot decode " + plain, "cannot decode " + plain[:12] + "...", "your hunter2 g",
	} {
		got := j.Reply(535, "", []byte(text)).Text
		if !strings.Contains(got, "***") || strings.Contains(got, "hunter2") || strings.Contains(got, plain[:8]) {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	if got := j.Reply(250, "", []byte("nothing secret")).Text; got != "nothing secret" {
		t.Errorf("got %q", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("250 ok\r\n"), "hunter2")
	f.Add([]byte("250-a\r\n250 5.1.1 b\r\n"), "")
	f.Add([]byte("550-5.7.26 a\r\n550 5.7.26 b (#5.7.26)\r\n"), "5.7.26")
	f.Add([]byte("999 \x00\xff\r\n"), "x")
	f.Fuzz(func(t *testing.T, raw []byte, secret string) {
		j := testJudge()
		if secret != "" {
			j.Mask(secret, "\x00l\x00"+secret)
		}
		code, text, err := Read(bufio.NewReaderSize(bytes.NewReader(raw), MaxLine), nil)
		if err != nil {
			if code != 0 {
				t.Errorf("code %d with %v", code, err)
			}
			j.Loss(err)
			return
		}
		if code < 200 || code > 599 || len(text) > maxReply {
			t.Errorf("code %d, %d octets", code, len(text))
		}
		for _, stage := range []Stage{StageGreeting, StageAuth, StageMail, StageRcpt, StageDot} {
			checkShown(t, j.Outcome(stage, code, text).Reply.Text)
		}
	})
}

func checkShown(t *testing.T, text string) {
	t.Helper()
	if len(text) > maxText || !utf8.ValidString(text) {
		t.Errorf("%d octets: %q", len(text), text)
	}
	if text != printable.Line(text) {
		t.Errorf("not printable: %q", text)
	}
}
