package submission

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

const (
	before = "EHLO x\nMAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\nDATA\nSubject: x\n\n"
	evil   = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nSubject: evil\r\n\r\nevil\r\n.\r\n"
)

// TestSmuggling: with a client that ends its lines in CRLF nothing but CRLF . CRLF ends
// a message. These are the ends that servers were found to take besides.
func TestSmuggling(t *testing.T) {
	for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n.\r\r\nx", "\r\n\x00.\r\n",
		"\r\n.\r\r\n", "\r\n.\r\r\r\n", "\r\n.\r.\r\n", "\r\n." + strings.Repeat("\r", bufferSize-1) + "\r\n"} {
		for _, local := range []bool{true, false} {
			d := newDesk(t)
			d.Local = local
			d.Intake.MaxSize = 0
			from := strings.ReplaceAll(before, "Subject: x\n", "From: a@example.org\n")
			d.says(crlf(from) + "text" + end + evil + "rest\r\n.\r\nQUIT\r\n")
			for _, message := range d.queued() {
				if strings.HasPrefix(message, "<evil@") {
					t.Errorf("%q smuggles (local: %v)", end, local)
				}
			}
		}
	}
}

// TestBareLF: a client that speaks CRLF and hands in a message with LF, as Python's
// smtplib does with bytes, guards the dots behind LF. They arrive as they were.
func TestBareLF(t *testing.T) {
	d := newDesk(t)
	d.says(crlf(before) + "one\n..\n...two\nthree\r\n..four\n.\nfive\r\n.\r\nQUIT\r\n")
	got := d.queued()
	if want := crlf("\n\none\n.\n..two\nthree\n.four\n.\nfive\n"); len(got) != 1 || !strings.HasSuffix(got[0], want) {
		t.Errorf("queued %q, want %q", got, want)
	}
}

// TestCRBehindDot: only the dot that the client put there is removed.
func TestCRBehindDot(t *testing.T) {
	d := newDesk(t)
	w := newWire(Stdio(strings.NewReader(".\rMAIL\r\n..\rx\r\n.\r.\r\n.\r\r\n.\r\n"), nil), true)
	w.lineEndKnown, w.inData, w.lineStart, w.properEnd = true, true, true, true
	got := ""
	for p := make([]byte, 100); w.inData || len(w.unread) > 0; {
		n, err := w.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got += string(p[:n])
	}
	if want := "\rMAIL\r\n..\rx\r\n\r.\r\n..\r\n.\r\n"; got != want {
		t.Errorf("go-smtp gets %q, want %q", got, want)
	}
	d.says(crlf(before) + "hello\r\n.\rMAIL\r\n.\r\nQUIT\r\n")
	if all := d.queued(); len(all) != 1 || strings.HasSuffix(all[0], "hello\r\nMAIL\r\n") {
		t.Errorf("the CR is gone: %q", all)
	}
}

// TestLongLines: a command has a limit, a line of a message has none; pieces of it lose
// no octet, wherever they are cut.
func TestLongLines(t *testing.T) {
	d := newDesk(t)
	if got := codes(d.says("EHLO " + strings.Repeat("x", maxCommand) + "\r\nQUIT\r\n")); strings.Contains(got, "250") {
		t.Errorf("a command of %d octets: %s", maxCommand, got)
	}
	if got := codes(d.says("EHLO " + strings.Repeat("x", 2*bufferSize) + "\r\nQUIT\r\n")); strings.Contains(got, "250") {
		t.Errorf("a command without end: %s", got)
	}
	for _, n := range []int{bufferSize - 2, bufferSize - 1, bufferSize, bufferSize + 1, 3 * bufferSize} {
		for _, end := range []string{"\n", "\r\n"} {
			w := newWire(Stdio(strings.NewReader(strings.Repeat("x", n)+end+"."+end), nil), true)
			w.lineEndKnown, w.endsInLF, w.inData, w.lineStart, w.properEnd = true, end == "\n", true, true, true
			var got bytes.Buffer
			p := make([]byte, 1000)
			for w.inData || len(w.unread) > 0 {
				n, err := w.Read(p)
				if err != nil {
					t.Fatal(err)
				}
				got.Write(p[:n])
			}
			if want := strings.Repeat("x", n) + "\r\n.\r\n"; got.String() != want {
				t.Errorf("%d octets and %q: got %d", n, end, got.Len())
			}
		}
	}
}

// FuzzServe: whatever a client says, the server ends, no panic, and what it answered
// 250 to is what is queued.
func FuzzServe(f *testing.F) {
	f.Add([]byte(crlf(before+"text\n.\nQUIT\n")), true)
	f.Add([]byte(before+"text\n.\nQUIT\n"), true)
	f.Add([]byte("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b> NOTIFY=NEVER\r\nBDAT 3 LAST\r\nabc"), false)
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b> RET=HDRS ENVID=+2B\r\nRCPT TO:<c@d> NOTIFY=SUCCESS ORCPT=utf-8;\\x{FC}@d\r\nDATA\r\nFrom: a@b\r\n\r\n.\r\n"), true)
	f.Add([]byte(crlf(before)+"\r\r\n.\r\r\n.\r\n.\r\n"+evil), true)
	f.Add([]byte(crlf(before)+"A\r\n.\r\r\nB\r\n.\rMAIL\r\n"+evil), false)
	f.Fuzz(func(t *testing.T, text []byte, local bool) {
		d := newDesk(t)
		d.Local = local
		said := 0
		for _, reply := range d.says(string(text)) {
			if strings.HasPrefix(reply, "250 2.0.0 queued as ") {
				said++
			}
		}
		if got := d.queued(); len(got) != said {
			t.Errorf("250 was said to %d messages, %d are queued: %s", said, len(got), fmt.Sprintf("%.300q", got))
		}
	})
}
