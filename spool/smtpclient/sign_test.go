package smtpclient

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"notices/spool/smtptest"
)

// signed is a SignFunc whose field tells how many octets it saw.
func signed(message func(io.Writer) error, changed bool) (string, error) {
	var text strings.Builder
	err := message(&text)
	if strings.HasPrefix(text.String(), "X-Unsigned") {
		return "", err
	}
	return fmt.Sprintf("X-Signature: %d %v\r\n", text.Len(), changed), err
}

// TestSign: the field is made of what goes out, whatever its size, and goes before it; SIZE
// counts it.
func TestSign(t *testing.T) {
	eight := "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
	seven := "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
	dots := ".\r\n.x\r\n"
	for name, c := range map[string]struct {
		options smtptest.Options
		body    string
		data    string
	}{
		"short":        {smtptest.Options{}, hello, "X-Signature: 26 false\r\n" + hello},
		"dots":         {smtptest.Options{}, dots, "X-Signature: 7 false\r\n" + dots},
		"empty":        {smtptest.Options{}, "", "X-Signature: 0 false\r\n"},
		"8 bits":       {smtptest.Options{}, eight, fmt.Sprintf("X-Signature: %d false\r\n", len(eight)) + eight},
		"7 bits":       {smtptest.Options{No8BitMIME: true}, eight, fmt.Sprintf("X-Signature: %d true\r\n", len(seven)) + seven},
		"not signed":   {smtptest.Options{}, "X-Unsigned: x\r\n\r\n", "X-Unsigned: x\r\n\r\n"},
		"not, in many": {smtptest.Options{}, "X-Unsigned: x\r\n\r\n" + strings.Repeat("line\r\n", piece), "X-Unsigned: x\r\n\r\n" + strings.Repeat("line\r\n", piece)},
	} {
		t.Run(name, func(t *testing.T) { wantSigned(t, c.options, c.body, c.data) })
	}
	for _, n := range []int{piece - 2, piece, piece + 2, 3*piece + 8} {
		body := strings.Repeat(".2345\r\n", n/7) + strings.Repeat("z", n%7) + "\r\n"
		wantSigned(t, smtptest.Options{}, body, fmt.Sprintf("X-Signature: %d false\r\n%s", len(body), body))
	}
}

func wantSigned(t *testing.T, o smtptest.Options, body, want string) {
	t.Helper()
	srv := smtptest.New(t, o)
	s := inClear(srv)
	s.Sign = signed
	tr := message(body)
	tr.EightBit = strings.ContainsFunc(body, func(r rune) bool { return r > 127 })
	wantOutcomes(t, deliver(t, open(t, s), tr), "delivered 250")
	if got := string(srv.Messages()[0].Data); got != want {
		t.Errorf("%d octets arrived, want %d: %.200q", len(got), len(want), got)
	}
	size := fmt.Sprintf(" SIZE=%d", len(want))
	if want == "" {
		size = ""
	}
	if got := srv.Commands()[1]; !strings.HasPrefix(got, "MAIL FROM:<a@example.org>"+size) {
		t.Errorf("sent %q, want%s", got, size)
	}
}

// TestSignFails: a message that cannot be signed waits; nothing of it is sent unsigned.
func TestSignFails(t *testing.T) {
	srv := smtptest.New(t, smtptest.Options{})
	s := inClear(srv)
	s.Sign = func(func(io.Writer) error, bool) (string, error) { return "", errors.New("the key is gone") }
	c := open(t, s)
	r := deliver(t, c, message(hello))
	wantOutcomes(t, r, "deferred message 0")
	if got := r.Outcomes[0].Reply.Text; !strings.Contains(got, "the key is gone") {
		t.Errorf("it says %q", got)
	}
	if n := len(srv.Commands()); n != 1 || !c.Usable() {
		t.Errorf("%d commands sent, usable: %v", n, c.Usable())
	}
	c.server.Sign = func(message func(io.Writer) error, _ bool) (string, error) { return "", message(unwritable{}) }
	wantOutcomes(t, deliver(t, c, message(hello)), "deferred message 0")
}

type unwritable struct{}

func (unwritable) Write([]byte) (int, error) { return 0, errors.New("not written") }

// The message is the same in both passes, or it is not sent to its end.
func TestShorterAfterSigning(t *testing.T) {
	srv := smtptest.New(t, smtptest.Options{})
	s := inClear(srv)
	s.Sign = signed
	text := strings.Repeat("line\r\n", piece)
	tr := message(text)
	tr.Body = &shrinking{ReaderAt: strings.NewReader(text), left: len(text)/piece + 3}
	wantOutcomes(t, deliver(t, open(t, s), tr), "deferred message 0")
	if len(srv.Messages()) != 0 {
		t.Error("it was sent as if it were whole")
	}
}

// shrinking is a message that can be read so often.
type shrinking struct {
	io.ReaderAt
	left int
}

func (s *shrinking) ReadAt(p []byte, at int64) (int, error) {
	if s.left--; s.left < 0 {
		return 0, io.EOF
	}
	return s.ReaderAt.ReadAt(p, at)
}
