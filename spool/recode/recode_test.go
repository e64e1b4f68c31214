package recode

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
)

// TestRecode shows, on whole messages, what changes and what does not.
func TestRecode(t *testing.T) {
	long := strings.Repeat("0123456789", 100)
	for _, c := range []struct {
		name     string
		o        Options
		in, want string
	}{
		{"nothing to do", Options{SevenBit: true}, "Subject: x\n\nplain\n", "Subject: x\n\nplain\n"},
		{"empty", Options{SevenBit: true}, "", ""},
		{"header alone", Options{SevenBit: true}, "Subject: x\n", "Subject: x\n"},
		{
			"eight bits in the header and below", Options{SevenBit: true},
			"Subject: ü\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\n\nü\n",
			"Subject: =?utf-8?q?=C3=BC?=\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n",
		},
		{
			"eight bits in a part's header", Options{SevenBit: true},
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment;\n filename=\"ü\"\n\nü\n--b--\n",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment; filename*=utf-8''%C3%BC\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--b--\n",
		},
		{"eight bits may stay", Options{}, "Subject: x\n\nüber\n", "Subject: x\n\nüber\n"},
		{
			"text", Options{SevenBit: true},
			"MIME-Version: 1.0\ncontent-type: text/plain; charset=utf-8\nCONTENT-TRANSFER-ENCODING: 8BIT\nSubject: x\n\nfällig=ja \nx\n",
			"MIME-Version: 1.0\ncontent-type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nSubject: x\n\nf=C3=A4llig=3Dja=20\nx\n",
		},
		{
			"text that says nothing, UTF-8", Options{SevenBit: true},
			"Subject: x\n\nü\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n",
		},
		{
			"text that says nothing, Latin-1", Options{SevenBit: true},
			"Subject: x\n\n\xfc\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\nContent-Transfer-Encoding: quoted-printable\n\n=FC\n",
		},
		{
			"text that says nothing, long", Options{},
			"Subject: x\n\n" + long + "\n",
			"Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: quoted-printable\n\n" + soft(long) + "\n",
		},
		{
			"a line of 998 may stay", Options{},
			"Subject: x\n\n" + long[:998] + "\n", "Subject: x\n\n" + long[:998] + "\n",
		},
		{
			"a label wider than the content", Options{SevenBit: true},
			"Content-Type: text/plain\nContent-Transfer-Encoding: 8bit\n\nx\n",
			"Content-Type: text/plain\nContent-Transfer-Encoding: 7bit\n\nx\n",
		},
		{
			"no text", Options{SevenBit: true},
			"MIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n\xff\xfe\n",
			"MIME-Version: 1.0\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n//4NCg==\n",
		},
		{
			"parts", Options{SevenBit: true},
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_b\"\nContent-Transfer-Encoding: 8bit\n\nPreamble ü\n--=_b\n\nü\n\n--=_b \nContent-Type: image/png\n\n\xff\n--=_b\nContent-Type: text/html\n\n<p>\n--=_b--\nepilogue ü\n",
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=_b\"\nContent-Transfer-Encoding: 7bit\n\nPreamble ??\n--=_b\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n\n--=_b \nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n/w==\n--=_b\nContent-Type: text/html\n\n<p>\n--=_b--\nepilogue ??\n",
		},
		{
			"a message in a message", Options{SevenBit: true},
			"Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\nSubject: inner\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\n\nü\n",
			"Content-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\nSubject: inner\nContent-Type: text/plain; charset=utf-8\nMIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n",
		},
		{
			"a digest", Options{SevenBit: true},
			"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: inner\n\nü\n--b--\n",
			"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: inner\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--b--\n",
		},
		{
			"one line of base64", Options{},
			"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + strings.Repeat("QUJD", 300) + "\n",
			"Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + wrap76(strings.Repeat("QUJD", 300)) + "\n",
		},
		{
			"quoted-printable with a stray accent", Options{SevenBit: true},
			"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\na=C3=A4=\nb \xe4 = c  \nend=20\n",
			"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\na=C3=A4=\nb =E4 =3D c\nend=20\n",
		},
		{
			"an unquoted boundary that needs quotes", Options{SevenBit: true},
			"Content-Type: multipart/mixed;\n boundary=----=_Part_1; foo\n\n------=_Part_1\n\nü\n------=_Part_1--\n",
			"Content-Type: multipart/mixed;\n boundary=----=_Part_1; foo\n\n------=_Part_1\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n------=_Part_1--\n",
		},
		{
			"a part without an empty line", Options{SevenBit: true},
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nfür\n--b--\n",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: quoted-printable\n\nf=C3=BCr\n--b--\n",
		},
		{
			"two labels", Options{SevenBit: true},
			"Content-Transfer-Encoding: 8bit\nContent-Type: image/x\nContent-Transfer-Encoding:\n 8bit\nMIME-Version: 1.0\n\n\xff",
			"Content-Transfer-Encoding: base64\nContent-Type: image/x\nMIME-Version: 1.0\n\n/w==\n",
		},
		{
			"no end of the multipart", Options{SevenBit: true},
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/x\n\n\xff\n",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/x\nContent-Transfer-Encoding: base64\n\n/w0K\n",
		},
		{
			"an outer delimiter ends the inner multipart", Options{SevenBit: true},
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nü\n--b\n\nx\n--b--\n",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--b\n\nx\n--b--\n",
		},
		{
			"signed and fit", Options{SevenBit: true},
			"Content-Type: multipart/signed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\nContent-Transfer-Encoding: 8bit\n\nx\n--b--\n",
			"Content-Type: multipart/signed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\nContent-Transfer-Encoding: 8bit\n\nx\n--b--\n",
		},
		{
			"unfit beside what is signed", Options{SevenBit: true},
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n--a\n\nü\n--a--\n",
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/signed; boundary=b\n\n--b\n\nx\n--b--\n--a\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n--a--\n",
		},
		{
			"an unknown encoding", Options{},
			"Content-Type: image/x\nContent-Transfer-Encoding: x-yenc\nMIME-Version: 1.0\n\n" + long + "\n",
			"Content-Type: image/x\nContent-Transfer-Encoding: base64\nMIME-Version: 1.0\n\n" + wrap76(base64.StdEncoding.EncodeToString([]byte(long+"\r\n"))) + "\n",
		},
		{
			"a misspelt encoding", Options{SevenBit: true},
			"Content-Type: text/plain\nContent-Transfer-Encoding: 8 bit\nMIME-Version: 1.0\n\n\xfc\n",
			"Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\nMIME-Version: 1.0\n\n=FC\n",
		},
		{
			"an encoding said twice", Options{},
			"Content-Transfer-Encoding: 7bit, 8bit\nContent-Transfer-Encoding: x-foo\nContent-Type: text/plain\nMIME-Version: 1.0\n\n" + long + "\n",
			"Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain\nMIME-Version: 1.0\n\n" + soft(long) + "\n",
		},
		{
			"a multipart without a boundary is text", Options{SevenBit: true},
			"Content-Type: multipart/mixed\nMIME-Version: 1.0\n\nü\n",
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC\n",
		},
		{
			"a multipart whose boundary never comes is text", Options{},
			"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nSubject: x\n\n--c\n\n" + long + "\n",
			"MIME-Version: 1.0\nSubject: x\nContent-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: quoted-printable\n\n--c\n\n" + soft(long) + "\n",
		},
		{
			"long fields of a part", Options{},
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Description: " + strings.Repeat("word ", 250) + "\nX-Word: " + long + "\n\nx\n--b--\n",
			"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Description:" + strings.Repeat(" word", 11) + strings.Repeat("\n"+strings.Repeat(" word", 15), 15) + "\n" +
				strings.Repeat(" word", 14) + "\nX-Word: " + strings.TrimSpace(encodedLong(long)) + "\n\nx\n--b--\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := run(crlf(c.in), c.o)
			if want := crlf(c.want); err != nil || got != want {
				t.Errorf("got %v\n%q\nwant\n%q", err, got, want)
			}
		})
	}
}

func encodedLong(s string) string {
	var b strings.Builder
	for ; s != ""; s = s[min(len(s), 42):] {
		b.WriteString("\n =?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte(s[:min(len(s), 42)])) + "?=")
	}
	return b.String()
}

// soft breaks a line of plain characters as quoted-printable does.
func soft(s string) string {
	var b strings.Builder
	for len(s) > 75 {
		b.WriteString(s[:75] + "=\n")
		s = s[75:]
	}
	return b.String() + s
}

func wrap76(s string) string {
	return strings.Join(slices.Collect(func(yield func(string) bool) {
		for ; len(s) > 76; s = s[76:] {
			yield(s[:76])
		}
		yield(s)
	}), "\n")
}

func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 999)
	nested := strings.Repeat("Content-Type: message/rfc822\n\n", maxDepth+1)
	for _, c := range []struct {
		name, in string
		o        Options
		want     error
		says     string
	}{
		{"a long header line", "References: <" + long + ">\n\nx\n", Options{}, ErrHeader, `"References"`},
		{"signed", "Content-Type: multipart/signed; boundary=b\n\n--b\n\nü\n--b--\n", Options{SevenBit: true}, ErrSigned, "multipart/signed has octets over 127"},
		{"signed, long", "Content-Type: multipart/signed; boundary=b\n\n--b\n\n" + long + "\n--b--\n", Options{}, ErrSigned, "multipart/signed has a line of 999 octets"},
		{"encrypted", "Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nü\n--b--\n", Options{SevenBit: true}, ErrSigned, "multipart/encrypted"},
		{"S/MIME, not encoded", "Content-Type: application/pkcs7-mime\n\n\xff\n", Options{SevenBit: true}, ErrSigned, "application/pkcs7-mime"},
		{"a fragment", "Content-Type: message/partial\n\n\xff\n", Options{SevenBit: true}, ErrSigned, "message/partial"},
		{"messages in messages without end", nested + "\nü\n", Options{SevenBit: true}, ErrSigned, "message/rfc822"},
		{"a header without end, a megabyte long", "Subject: " + strings.Repeat("x", 1<<20) + "\n\nx\n", Options{}, ErrHeader, "longer than 1048576 octets"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := run(crlf(c.in), c.o)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.says)
			}
		})
	}
}

// TestLineThatLooksLikeADelimiter: after a soft line break the rest of a line stands
// alone, and must not end the part.
func TestLineThatLooksLikeADelimiter(t *testing.T) {
	for n := range 80 {
		for _, tail := range []string{"--b", "--b--", "--b  "} {
			text := strings.Repeat("x", 1000) + strings.Repeat("y", n) + tail
			for _, label := range []string{"", "Content-Transfer-Encoding: quoted-printable\n"} {
				in := crlf("Content-Type: multipart/mixed; boundary=b\n\n" + text + "\n--b\n" + label + "\n" + text + "\n--b--\n" + text + "\n")
				checkSame(t, in, Options{})
			}
		}
	}
}

type brokenReader struct{ at int64 }

var errBroken = errors.New("broken")

func (b brokenReader) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, errBroken
	}
	for i := range p {
		p[i] = "Subject: x\r\n\r\n"[(off+int64(i))%14]
	}
	return len(p), nil
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestErrorsOfReaderAndWriter(t *testing.T) {
	if err := Recode(&strings.Builder{}, brokenReader{10}, 20, Options{}); !errors.Is(err, errBroken) {
		t.Errorf("reader: %v", err)
	}
	if err := Recode(&strings.Builder{}, strings.NewReader("Subject: x\r\n"), 20, Options{}); err == nil {
		t.Error("a message that has become shorter is taken for whole")
	}
	message := "Subject: x\r\n\r\n" + strings.Repeat("ü\r\n", 100000)
	err := Recode(brokenWriter{}, strings.NewReader(message), int64(len(message)), Options{SevenBit: true})
	if !errors.Is(err, errBroken) {
		t.Errorf("writer: %v", err)
	}
}
