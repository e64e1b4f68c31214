package smtpclient

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"notices/spool/smtptest"
)

// unstuff is the receiving side of RFC 5321 4.5.2, written down from the RFC.
func unstuff(t interface{ Fatalf(string, ...any) }, wire string) string {
	lines := strings.SplitAfter(wire, "\r\n")
	if len(lines) < 2 || lines[len(lines)-1] != "" || lines[len(lines)-2] != ".\r\n" {
		t.Fatalf("does not end in a dot: %q", wire[max(0, len(wire)-40):])
	}
	var body strings.Builder
	for _, line := range lines[:len(lines)-2] {
		if line == ".\r\n" {
			t.Fatalf("the message ends too early")
		}
		body.WriteString(strings.TrimPrefix(line, "."))
	}
	return body.String()
}

// onTheWire is what a message becomes.
func onTheWire(t interface{ Fatalf(string, ...any) }, message string) string {
	b, err := newBody(&Transaction{Body: strings.NewReader(message), Size: int64(len(message))}, nil, nil)
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer b.free()
	var wire bytes.Buffer
	err = b.send(func(p []byte) error {
		if len(p) > piece+512 {
			t.Fatalf("a piece of %d octets", len(p))
		}
		wire.Write(p)
		return nil
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return wire.String()
}

// Whatever the message, and wherever its dots fall, it arrives as it was.
func TestStuffing(t *testing.T) {
	pieces := []string{".", "\r\n", "\r\n.", ".\r\n", "\r\n.\r\n", "x", "..", strings.Repeat("y", 700), strings.Repeat("z", piece/4-1)}
	rapid.Check(t, func(t *rapid.T) {
		message := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 200).Draw(t, "message"), "")
		want := message
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		if got := unstuff(t, onTheWire(t, message)); got != want {
			t.Fatalf("%d octets became %d", len(want), len(got))
		}
	})
}

// Dots at and around the ends of the pieces that are read and looked at.
func TestStuffingAtTheSeams(t *testing.T) {
	for _, seam := range []int{stuffed, piece, 2 * piece} {
		for shift := -3; shift <= 2; shift++ {
			for _, text := range []string{"\r\n.\r\n", "\r\n..\r\n", ".\r\n", "\r\n"} {
				message := strings.Repeat("x", seam+shift) + text + strings.Repeat("y", 100) + "\r\n"
				if got := unstuff(t, onTheWire(t, message)); got != message {
					t.Fatalf("%q at %d%+d", text, seam, shift)
				}
			}
		}
	}
	dots := strings.Repeat(".\r\n", piece)
	if got := unstuff(t, onTheWire(t, dots)); got != dots {
		t.Error("a message of dots")
	}
	if got := unstuff(t, onTheWire(t, dots[:piece-piece%3])); got != dots[:piece-piece%3] {
		t.Error("a small message of dots")
	}
}

// A line that begins after a bare LF is stuffed too: some servers take the LF for a
// line's end, and a dot behind it for the end of the message (SMTP smuggling).
func TestNoDotAfterBareLF(t *testing.T) {
	if wire := onTheWire(t, "x\n.\r\nMAIL FROM:<evil@example.org>\r\n"); !strings.Contains(wire, "\n..\r\n") {
		t.Errorf("%q", wire)
	}
}

// Sizes around the border between one write and many arrive at a server of another make.
func TestBodySizes(t *testing.T) {
	srv := smtptest.New(t, smtptest.Options{})
	c := open(t, inClear(srv))
	var want []string
	for _, n := range []int{-2, 0, 1, 1000, piece - 3, piece - 2, piece - 1, 3*piece + 7} {
		text := ""
		if n >= 0 {
			text = strings.Repeat(".line\r\n", n/7) + strings.Repeat("z", n%7) + "\r\n"
		}
		want = append(want, text)
		wantOutcomes(t, deliver(t, c, message(text)), "delivered 250")
	}
	for i, m := range srv.Messages() {
		if string(m.Data) != want[i] {
			t.Errorf("%d octets arrived as %d", len(want[i]), len(m.Data))
		}
	}
}

// The parameters of MAIL: what is needed and offered.
func TestExtensions(t *testing.T) {
	plain, eight := "Subject: a\r\n\r\nb\r\n", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
	eightHeader := "Subject: Grüße\r\n\r\nb\r\n"
	for name, c := range map[string]struct {
		options smtptest.Options
		change  func(*Transaction)
		body    string
		want    string
		mail    string // the command
		data    string // "" : as body
	}{
		"plain":              {smtptest.Options{}, nil, plain, "delivered 250", " SIZE=17", ""},
		"8BITMIME":           {smtptest.Options{}, func(t *Transaction) { t.EightBit = true }, eight, "delivered 250", " SIZE=85 BODY=8BITMIME", ""},
		"no 8BITMIME":        {smtptest.Options{No8BitMIME: true}, func(t *Transaction) { t.EightBit = true }, eight, "delivered 250", " SIZE=124", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\nGr=C3=BC=C3=9Fe\r\n"},
		"no 8BITMIME, plain": {smtptest.Options{No8BitMIME: true}, nil, plain, "delivered 250", " SIZE=17", ""},
		"no 8BITMIME, signed": {smtptest.Options{No8BitMIME: true}, func(t *Transaction) { t.EightBit = true },
			"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nü\r\n--b--\r\n", "failed message cannot 0", "", ""},
		"SMTPUTF8":     {smtptest.Options{SMTPUTF8: true}, func(t *Transaction) { t.UTF8, t.EightBit = true, true }, eight, "delivered 250", " SIZE=85 BODY=8BITMIME SMTPUTF8", ""},
		"UTF-8 header": {smtptest.Options{}, func(t *Transaction) { t.UTF8, t.EightBit = true, true }, eightHeader, "delivered 250", " SIZE=43 BODY=8BITMIME", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nb\r\n"},
		"UTF-8 address in the header": {smtptest.Options{}, func(t *Transaction) { t.UTF8, t.EightBit = true, true },
			"From: jörg@x.example\r\nTo: ü@x.example\r\n\r\nü\r\n", "delivered 250", " SIZE=99 BODY=8BITMIME",
			"From: =?utf-8?b?asO2cmdAeC5leGFtcGxl?= <a@example.org>\r\nTo: =?utf-8?b?w7xAeC5leGFtcGxl?= :;\r\n\r\nü\r\n"},
		"UTF-8 header, no 8BITMIME": {smtptest.Options{No8BitMIME: true}, func(t *Transaction) { t.UTF8, t.EightBit = true, true }, eightHeader, "delivered 250", " SIZE=43", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nb\r\n"},
		"UTF-8 address":             {smtptest.Options{}, func(t *Transaction) { t.Recipients[0] = "bücher@example.org" }, plain, "failed message cannot 0", "", ""},
		"SIZE fits":                 {smtptest.Options{Size: 17}, nil, plain, "delivered 250", " SIZE=17", ""},
		"SIZE too small":            {smtptest.Options{Size: 16}, nil, plain, "failed message cannot 0", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := smtptest.New(t, c.options)
			conn := open(t, inClear(srv))
			tr := message(c.body)
			if c.change != nil {
				c.change(tr)
			}
			wantOutcomes(t, deliver(t, conn, tr), c.want)
			if !conn.Usable() {
				t.Error("not usable any more")
			}
			commands := srv.Commands()
			if c.mail == "" {
				if len(commands) != 1 || len(srv.Messages()) != 0 {
					t.Errorf("sent %q", commands)
				}
				return
			}
			if commands[1] != "MAIL FROM:<a@example.org>"+c.mail {
				t.Errorf("sent %q", commands[1])
			}
			if c.data == "" {
				c.data = c.body
			}
			if got := string(srv.Messages()[0].Data); got != c.data {
				t.Errorf("arrived as %q", got)
			}
		})
	}
}

// Addresses that could leave the < > of a command are refused here again.
func TestBadAddresses(t *testing.T) {
	srv := smtptest.New(t, smtptest.Options{})
	c := open(t, inClear(srv))
	bad := []string{"a\r\nRSET@example.org", "a@example.org>\r\nDATA", "a\x00@example.org", "a<b@example.org", "a>b@example.org", "", "no-domain", "a b@example.org"}
	for _, address := range bad {
		r := deliver(t, c, message(hello, "b@example.org", address))
		wantOutcomes(t, r, "delivered 250, failed recipient 0")
		wantOutcomes(t, deliver(t, c, message(hello, address)), "failed recipient 0")
		if address != "" {
			tr := message(hello)
			tr.Sender = address
			wantOutcomes(t, deliver(t, c, tr), "failed message 0")
		}
	}
	for _, m := range srv.Messages() {
		if len(m.Recipients) != 1 || m.Sender != "a@example.org" {
			t.Errorf("%+v", m)
		}
	}
	for _, command := range srv.Commands() {
		if command == "RSET" {
			t.Error("a command was smuggled in")
		}
	}
}

// A big message takes a bounded buffer.
func TestBigMessage(t *testing.T) {
	var wire int64
	size := int64(50 << 20)
	b, _ := newBody(&Transaction{Body: zeros{}, Size: size}, nil, nil)
	allocated := testing.AllocsPerRun(1, func() {
		wire = 0
		if err := b.send(func(p []byte) error { wire += int64(len(p)); return nil }); err != nil {
			t.Fatal(err)
		}
	})
	if allocated > 50 || wire < size {
		t.Errorf("%v allocations for %d octets", allocated, wire)
	}
}

type zeros struct{}

func (zeros) ReadAt(p []byte, at int64) (int, error) { return len(p), nil }

var _ io.ReaderAt = zeros{}
