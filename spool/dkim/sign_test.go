package dkim

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	msgauth "github.com/emersion/go-msgauth/dkim"
	"pgregory.net/rapid"
)

// keys are one of each kind. RSA keys take a while to make.
var keys = sync.OnceValue(func() map[string]*Key {
	r, err := NewRSA(DefaultBits)
	if err != nil {
		panic(err)
	}
	e, err := NewEd25519()
	if err != nil {
		panic(err)
	}
	return map[string]*Key{"rsa": r, "ed25519": e}
})

func signer(t testing.TB, kind string) *Signer {
	t.Helper()
	s, err := NewSigner("library.example", "2026", keys()[kind])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inPieces writes a message so many octets at a time.
func inPieces(message string, n int) func(io.Writer) error {
	return func(w io.Writer) error {
		for part := range slices.Chunk([]byte(message), n) {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	}
}

func sign(t testing.TB, s *Signer, message string) string {
	t.Helper()
	field, err := s.Sign(inPieces(message, 64<<10), false)
	if err != nil {
		t.Fatal(err)
	}
	return field
}

// verify is what go-msgauth says of the signatures of a message, whose key it finds in the DNS.
func verify(s *Signer, message string) (result []string, err error) {
	o := &msgauth.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if name != s.RecordName() {
			return nil, fmt.Errorf("no TXT records at %s", name)
		}
		return []string{s.key.Record()}, nil
	}}
	all, err := msgauth.VerifyWithOptions(strings.NewReader(message), o)
	for _, v := range all {
		if v.Err != nil {
			result = append(result, v.Err.Error())
		} else {
			result = append(result, "pass "+v.Domain)
		}
	}
	return result, err
}

func wantPass(t interface {
	Helper()
	Errorf(string, ...any)
}, s *Signer, message string) {
	t.Helper()
	got, err := verify(s, message)
	if err != nil || !slices.Equal(got, []string{"pass library.example"}) {
		t.Errorf("%q %v of\n%q", got, err, message)
	}
}

const ordinary = "From: Library <notices@library.example>\r\nTo: ann@example.net\r\nSubject: Overdue\r\nDate: Mon, 2 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@library.example>\r\n\r\nYour book is due.\r\n"

// samples are messages that are signed, each with something that breaks signatures elsewhere.
var samples = map[string]string{
	"ordinary":        ordinary,
	"8-bit":           "From: notices@library.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße aus der Bücherei\r\n",
	"long lines":      "From: notices@library.example\r\nSubject: x\r\n\r\n" + strings.Repeat("word ", 196) + "\r\n" + strings.Repeat("y", 998) + "\r\n",
	"folded fields":   "From:\r\n Library\r\n\t<notices@library.example>\r\nTo: a@example.net,\r\n  b@example.net  ,\r\n\tc@example.net\r\nSubject: one\r\n \r\n two  three \t\r\nX: y\r\n\r\ntext\r\n",
	"blanks":          "From : notices@library.example  \r\nsubject:no blank\r\nTO:   a@example.net\r\n\r\n \r\n  two  blanks \t tab \r\n\r\n\t\r\n",
	"empty body":      "From: notices@library.example\r\nSubject: x\r\n\r\n",
	"only a header":   "From: notices@library.example\r\nSubject: x\r\n",
	"blank lines":     "From: notices@library.example\r\n\r\n\r\n\r\ntext\r\n\r\n\r\n\r\n",
	"only blank":      "From: notices@library.example\r\n\r\n\r\n \r\n\r\n",
	"SMTPUTF8":        "From: Bücherei <grüße@library.example>\r\nTo: jörg@bücher.example\r\nSubject: Fälliges Buch\r\n\r\nGrüße\r\n",
	"dots":            "From: notices@library.example\r\n\r\n.\r\n..\r\n.x\r\n",
	"many fields":     "From: notices@library.example\r\n" + strings.Repeat("To: a@example.net\r\nCc: b@example.net\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nReferences: <1@x>\r\n", 20) + "Cc: c@example.net\r\n\r\ntext\r\n",
	"of a list":       "List-Id: <l.library.example>\r\nList-Unsubscribe: <https://library.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" + ordinary,
	"of a subdomain":  "From: MAILER-DAEMON@mail.Library.Example\r\nTo: ann@library.example\r\nSubject: Undelivered mail\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n",
	"signed by other": "DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=x;\r\n h=from; bh=x; b=y\r\n" + ordinary,
	"two authors":     "From: ann@other.example, \"B, C\" <b@library.example>\r\nSender: b@library.example\r\n\r\ntext\r\n",
	"odd charset":     "From: =?x-unknown?q?=FC?= <notices@library.example>\r\n\r\ntext\r\n",
	"not well formed": "From: Library, the <notices@library.example>, x\r\n\r\ntext\r\n",
}

// TestSign: what is signed verifies, however it was cut into pieces.
func TestSign(t *testing.T) {
	for name, message := range samples {
		for kind := range keys() {
			t.Run(name+"/"+kind, func(t *testing.T) {
				s := signer(t, kind)
				for _, n := range []int{1, 2, 3, 100, 64 << 10} {
					field, err := s.Sign(inPieces(message, n), false)
					if err != nil || field == "" {
						t.Fatalf("in pieces of %d: %q, %v", n, field, err)
					}
					for line := range strings.Lines(field) {
						if len(line) > 998 || !strings.HasSuffix(line, "\r\n") {
							t.Errorf("a line of %d octets: %q", len(line), line)
						}
					}
					signed := field + message
					if !strings.Contains(signed, "\r\n\r\n") {
						signed += "\r\n" // go-msgauth wants the empty line
					}
					if name == "signed by other" {
						got, _ := verify(s, signed)
						if len(got) != 2 || got[0] != "pass library.example" {
							t.Errorf("%q", got)
						}
						continue
					}
					wantPass(t, s, signed)
				}
			})
		}
	}
}

// TestUnsigned: what gets no signature, and is not read beyond its header.
func TestUnsigned(t *testing.T) {
	s := signer(t, "ed25519")
	own := "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed; D=x; d=Library.\r\n\texample; s=1; h=from; bh=x; b=y\r\n" + ordinary
	for name, message := range map[string]string{
		"of another domain":  strings.ReplaceAll(ordinary, "notices@library.example", "notices@other.example"),
		"alike":              strings.ReplaceAll(ordinary, "notices@library.example", "notices@mylibrary.example"),
		"of the one above":   strings.ReplaceAll(ordinary, "notices@library.example", "notices@example"),
		"in a name":          strings.ReplaceAll(ordinary, "Library <notices@library.example>", "\"x@library.example\" <a@other.example>"),
		"no From":            "Subject: library.example\r\n\r\nx\r\n",
		"no address":         "From: library.example\r\n\r\nx\r\n",
		"no header":          "\r\nFrom: a@library.example\r\n",
		"nothing":            "",
		"signed already":     own,
		"a From in the body": "Subject: x\r\n\r\nFrom: notices@library.example\r\n",
	} {
		read := 0
		field, err := s.Sign(func(w io.Writer) error {
			if _, err := w.Write([]byte(message)); err != nil {
				return err
			}
			read++
			return nil
		}, false)
		if err != nil || field != "" {
			t.Errorf("%s: %q, %v", name, field, err)
		}
		if read > 0 && strings.Contains(message, "\r\n\r\n") {
			t.Errorf("%s: read to the end", name)
		}
	}
	field, err := s.Sign(inPieces(own, 100), true)
	if err != nil || field == "" {
		t.Errorf("re-encoded, its own signature is void, and another one is needed: %q, %v", field, err)
	}
}

// TestTampered: a field or a line that is added or changed breaks the signature; what mail
// servers do on the way does not.
func TestTampered(t *testing.T) {
	s := signer(t, "ed25519")
	signed := sign(t, s, ordinary) + ordinary
	for _, field := range oversigned() {
		got, err := verify(s, field+": x\r\n"+signed)
		if err == nil && slices.Equal(got, []string{"pass library.example"}) {
			t.Errorf("another %s in front goes unnoticed", field)
		}
	}
	if got, _ := verify(s, signed+"more\r\n"); got[0] == "pass library.example" {
		t.Error("more text goes unnoticed")
	}
	wantPass(t, s, "Received: from x by y; Mon, 2 Nov 2026 08:00:00 +0000\r\nReturn-Path: <x@y>\r\nSender: z@y\r\nList-Id: <l>\r\nCc: q@y\r\n"+signed+"\r\n\r\n")
	wantPass(t, s, strings.Replace(signed, "Subject: Overdue", "subject:\r\n  Overdue ", 1))
	if strings.Contains(signed, "l=") && strings.Contains(signed, " l=") || strings.Contains(signed, " x=") {
		t.Errorf("l= or x= in %q", signed)
	}
}

// TestTime: t= is the time of the machine.
func TestTime(t *testing.T) {
	s := signer(t, "ed25519")
	synctest.Test(t, func(t *testing.T) {
		want := fmt.Sprintf(" t=%d;", time.Now().Unix())
		if field := sign(t, s, ordinary); !strings.Contains(field, want) {
			t.Errorf("no %q in %q", want, field)
		}
	})
}

// repeated is a text so many times, in pieces of 64 KiB.
func repeated(w io.Writer, text string, times int) error {
	block := strings.Repeat(text, (64<<10)/len(text))
	for n := times * len(text) / len(block); n >= 0; n-- {
		if _, err := io.WriteString(w, block); err != nil {
			return err
		}
	}
	return nil
}

// TestBounds: what would fill the memory is refused, and a large message does not.
func TestBounds(t *testing.T) {
	s := signer(t, "ed25519")
	big := func(head, text string, size int) func(io.Writer) error {
		return func(w io.Writer) error {
			if _, err := io.WriteString(w, head); err != nil {
				return err
			}
			return repeated(w, text, size/len(text))
		}
	}
	head := "From: notices@library.example\r\n\r\n"
	for name, message := range map[string]func(io.Writer) error{
		"blank lines":   big(head, "\r\n", 50<<20),
		"blank, spaces": big(head, "  \r\n", 50<<20),
		"a header":      big("From: notices@library.example\r\n", "X: y\r\n", 50<<20),
		"a line":        big("From: notices@library.example\r\nX: ", "y", 50<<20),
	} {
		if field, err := s.Sign(message, false); !errors.Is(err, ErrUnsignable) || field != "" {
			t.Errorf("%s: %q, %v", name, field, err)
		}
	}
	var before, after runtime.MemStats
	for name, text := range map[string]string{"lines": strings.Repeat("x", 76) + "\r\n", "one line": "x", "short lines": "x\r\n"} {
		runtime.GC()
		runtime.ReadMemStats(&before)
		if field, err := s.Sign(func(w io.Writer) error {
			err := big(head, text, 50<<20)(w)
			runtime.GC()
			runtime.ReadMemStats(&after)
			return err
		}, false); err != nil || field == "" {
			t.Errorf("%s: %v", name, err)
		}
		if after.HeapAlloc > before.HeapAlloc+(4<<20) {
			t.Errorf("%s: the heap grew by %d", name, after.HeapAlloc-before.HeapAlloc)
		}
	}
}

// TestErrorOfTheMessage: what the message cannot be read for is said, and nothing is left running.
func TestErrorOfTheMessage(t *testing.T) {
	s := signer(t, "ed25519")
	broken := errors.New("broken")
	before := runtime.NumGoroutine()
	for _, written := range []string{"", "From: notices@lib", ordinary[:len(ordinary)-5], ordinary} {
		_, err := s.Sign(func(w io.Writer) error {
			_, _ = io.WriteString(w, written)
			return broken
		}, false)
		if !errors.Is(err, broken) {
			t.Errorf("after %q: %v", written, err)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines more", after-before)
	}
}

// TestNames: domains and selectors that the DNS cannot have are refused.
func TestNames(t *testing.T) {
	key := keys()["ed25519"]
	for name, want := range map[string]string{
		"Library.Example": "library.example", "library.example.": "library.example", "bücher.example": "xn--bcher-kva.example",
		"": "", ".": "", "a b": "", "a..b": "", "a;b": "", "-a.example": "", "a@b.example": "", strings.Repeat("x", 64): "", "a\r\nb": "",
	} {
		s, err := NewSigner(name, "2026._x", key)
		if (err == nil) != (want != "") || err == nil && s.domain != want {
			t.Errorf("domain %q: %v, %v", name, s, err)
		}
		if _, err := NewSigner("library.example", name, key); (err == nil) != (want != "") {
			t.Errorf("selector %q: %v", name, err)
		}
	}
}

// TestProperty: any mixture of fields and lines that intake lets through.
func TestProperty(t *testing.T) {
	s := signer(t, "ed25519")
	field := rapid.SampledFrom([]string{
		"From: a@library.example\r\n", "from :b@x.library.example \r\n", "To: x\r\n", "TO:\r\n y\r\n", "Subject:\r\n", "Subject: a\r\n \t\r\n b\r\n",
		"X-Y: z\r\n", "Cc: a\r\n", "MIME-Version: 1.0\r\n", "DKIM-Signature: v=1; d=other.example\r\n", "List-Id: a:b:c\r\n", "Content-Type: text/plain;\r\n\tcharset=\"x\"\r\n",
	})
	line := rapid.SampledFrom([]string{"", " ", "\t \t", "x", ".", " x ", "ü", "\xff", strings.Repeat("z", 5000), "From: x", "--b"})
	rapid.Check(t, func(t *rapid.T) {
		message := "From: a@library.example\r\n" + strings.Join(rapid.SliceOf(field).Draw(t, "header"), "") + "\r\n" +
			strings.Join(rapid.SliceOf(line).Draw(t, "body"), "\r\n") + "\r\n"
		f, err := s.Sign(inPieces(message, rapid.IntRange(1, 200).Draw(t, "piece")), false)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := verify(s, f+message); len(got) == 0 || got[0] != "pass library.example" {
			t.Fatalf("%q of %q", got, f+message)
		}
	})
}

// FuzzSign: whatever a message is, signing it does not panic, and a signature holds.
func FuzzSign(f *testing.F) {
	for _, message := range samples {
		f.Add(message, 100)
	}
	f.Add("From: a@library.example\r\n\r\nx", 1)
	f.Add("\r\n", 1)
	f.Add(" From: a@library.example\r\n\r\n\r\r\n", 1)
	s := signer(f, "ed25519")
	f.Fuzz(func(t *testing.T, message string, n int) {
		// As intake stores it: lines end in CRLF, and the last one too.
		message = strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(message)
		if !strings.HasSuffix(message, "\r\n") {
			message += "\r\n"
		}
		field, err := s.Sign(inPieces(message, max(1, min(n, 64<<10))), false)
		if err != nil {
			t.Fatal(err)
		}
		if field == "" {
			return
		}
		if !strings.Contains(message, "\r\n\r\n") {
			message += "\r\n"
		}
		got, err := verify(s, field+message)
		if err != nil || len(got) == 0 || got[0] != "pass library.example" {
			t.Fatalf("%q %v of %q", got, err, field+message)
		}
	})
}
