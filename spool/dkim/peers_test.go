//go:build peers

package dkim_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/dkim"
	"notices/spool/smtpclient"
	"notices/spool/smtptest"
)

// TestStrangers: Debian's python3-dkim and libmail-dkim-perl verify what arrives at a server
// with 8BITMIME and SMTPUTF8, and at one without. Mail::DKIM 1.20230212 does not know Ed25519.
func TestStrangers(t *testing.T) {
	from := "From: Library <notices@library.example>\r\nTo: ann@example.net\r\nDate: Mon, 2 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@library.example>\r\n"
	text := "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
	messages := map[string]string{
		"plain":         from + "Subject: Overdue\r\n\r\nYour book is due.\r\n",
		"8-bit":         from + "Subject: Overdue\r\n" + text + "\r\nGrüße aus der Bücherei  \r\n\r\nfür Sie\r\n",
		"UTF-8 header":  "From: Bücherei <notices@library.example>\r\nTo: ann@example.net\r\nSubject: Fälliges Buch\r\n" + text + "\r\nGrüße\r\n",
		"long lines":    from + "Subject: " + strings.Repeat("word ", 180) + "\r\n" + text + "\r\n" + strings.Repeat("ü", 490) + "\r\n" + strings.Repeat("x", 998) + "\r\n",
		"folded":        from + "Cc: a@example.net,\r\n  b@example.net,\r\n\tc@example.net\r\nSubject: one\r\n  two \t three\r\nIn-Reply-To:\r\n <0@library.example>\r\n\r\ntext\r\n",
		"empty body":    from + "Subject: x\r\n\r\n",
		"blank lines":   from + "Subject: x\r\n\r\n\r\n \r\ntext \t\r\n\r\n\r\n \r\n",
		"dots":          from + "Subject: x\r\n\r\n.\r\n..x\r\n",
		"parts":         from + "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nü\r\n--b\r\nContent-Type: image/png\r\n\r\n\xff\xfe\r\n--b--\r\n",
		"of a list":     "List-Id: <l.library.example>\r\nList-Unsubscribe: <https://library.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Help: <mailto:x@library.example>\r\n" + from + "Subject: x\r\n\r\ntext\r\n",
		"signed twice":  "DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=x; h=from; bh=eA==; b=eA==\r\n" + from + "Subject: x\r\n\r\ntext\r\n",
		"two pieces":    from + "Subject: x\r\n\r\n" + strings.Repeat("A line of the text that goes on and on.\r\n", 5000),
		"a return":      "From: MAILER-DAEMON@mail.library.example\r\nTo: notices@library.example\r\nSubject: Undelivered mail returned to sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--b--\r\n",
		"many the same": strings.Repeat("To: ann@example.net\r\n", 30) + "From: notices@library.example\r\nSubject: x\r\n\r\ntext\r\n",
	}
	sinks := map[string]smtptest.Options{"8BITMIME": {SMTPUTF8: true}, "7 bits": {No8BitMIME: true}}
	rsa, err := dkim.NewRSA(dkim.DefaultBits)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := dkim.NewEd25519()
	if err != nil {
		t.Fatal(err)
	}
	for kind, key := range map[string]*dkim.Key{"rsa": rsa, "ed25519": ed} {
		signer, err := dkim.NewSigner("library.example", "2026", key)
		if err != nil {
			t.Fatal(err)
		}
		for sink, options := range sinks {
			for name, message := range messages {
				t.Run(kind+"/"+sink+"/"+name, func(t *testing.T) {
					arrived := send(t, options, signer.Sign, message)
					if sink == "7 bits" && strings.ContainsFunc(arrived, func(r rune) bool { return r > 127 }) {
						t.Fatalf("8 bits arrived: %q", arrived)
					}
					want := "pass library.example\n"
					if name == "signed twice" {
						want += "error" // of the signature that was there
					}
					check(t, key, arrived, want, "/usr/bin/python3", "testdata/dkimpy_check.py")
					if kind == "rsa" {
						check(t, key, arrived, strings.TrimSuffix(want, "error"), "/usr/bin/perl", "testdata/maildkim_check.pl")
					}
				})
			}
		}
	}
}

// TestStrangersSignedAlready: python3-dkim's own signature of the domain is kept, and verifies.
func TestStrangersSignedAlready(t *testing.T) {
	key, err := dkim.NewRSA(dkim.DefaultBits)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := dkim.NewSigner("library.example", "2026", key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	message := "From: Bücherei <notices@library.example>\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
	cmd := exec.Command("/usr/bin/python3", "-c", `import sys, dkim
m = sys.stdin.buffer.read()
sys.stdout.buffer.write(dkim.sign(m, b"2026", b"library.example", sys.argv[1].encode(), canonicalize=(b"relaxed", b"simple")) + m)`, string(private))
	cmd.Stdin = strings.NewReader(message)
	signed, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for sink, c := range map[string]struct {
		options smtptest.Options
		want    string
	}{
		"8BITMIME": {smtptest.Options{SMTPUTF8: true}, "pass library.example\n2026"},
		"7 bits":   {smtptest.Options{No8BitMIME: true}, "pass library.example\nerror"}, // re-encoded, so signed anew
	} {
		t.Run(sink, func(t *testing.T) {
			check(t, key, send(t, c.options, signer.Sign, string(signed)), c.want, "/usr/bin/python3", "testdata/dkimpy_check.py")
		})
	}
}

// send sends a message to a server and returns what arrived.
func send(t *testing.T, o smtptest.Options, sign smtpclient.SignFunc, message string) string {
	t.Helper()
	srv := smtptest.New(t, o)
	c, err := smtpclient.Open(t.Context(), &smtpclient.Server{
		Name: "1", Host: srv.Host(), Port: srv.Port(), AllowNonSecure: true, Hello: "me.example.org", Sign: sign, Dial: srv.Dial,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	eight := func(text string) bool { return strings.ContainsFunc(text, func(r rune) bool { return r > 127 }) }
	header, _, _ := strings.Cut(message, "\r\n\r\n")
	r := c.Send(t.Context(), &smtpclient.Transaction{
		Sender: "notices@library.example", Recipients: []string{"ann@example.net"},
		Body: strings.NewReader(message), Size: int64(len(message)), EightBit: eight(message), UTF8: eight(header),
	})
	if r.Outcomes[0].Class != spool.Delivered {
		t.Fatalf("%+v", r.Outcomes)
	}
	return string(srv.Messages()[0].Data)
}

func check(t *testing.T, key *dkim.Key, message, want, interpreter, script string) {
	t.Helper()
	cmd := exec.Command(interpreter, script, key.Record())
	cmd.Stdin = strings.NewReader(message)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	if !strings.HasPrefix(string(out), want) || !strings.Contains(string(out), "2026._domainkey.library.example") {
		t.Errorf("%s says %q, want %q", script, out, want)
	}
	if t.Failed() {
		fmt.Fprintf(t.Output(), "%.2000q\n", message)
	}
}
