package intake

import (
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
)

// TestLongLines are re-encoded, whether the message was small or not.
func TestLongLines(t *testing.T) {
	for _, size := range []int{999, 5000, 200_000} {
		long := strings.Repeat("ü-", size/3)
		d := newDesk(site)
		q := d.must(t, plain(complete+"Content-Type: text/html; charset=utf-8\n\nshort\n"+long+"\n"))
		checkCanonical(t, q.text)
		header, body := q.parts()
		if !strings.HasSuffix(header, "Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n") &&
			!strings.HasSuffix(header, "MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n") {
			t.Errorf("header %q", header)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
		if err != nil || string(text) != "short\r\n"+long+"\r\n" {
			t.Errorf("%d octets decode to %d octets, %v", len(long), len(text), err)
		}
		if q.EightBit || d.store.open != 0 {
			t.Errorf("eight bits: %v, %d drafts open", q.EightBit, d.store.open)
		}
	}
}

func TestLongLineOf998(t *testing.T) {
	line := strings.Repeat("x", 998)
	q := newDesk(site).must(t, plain(complete+"\n"+line+"\n"))
	if _, body := q.parts(); body != line+"\r\n" {
		t.Errorf("body %q", body)
	}
}

// TestLongLinesRefused in a message that was written already: nothing is left.
func TestLongLinesRefused(t *testing.T) {
	in := complete + "Content-Type: multipart/signed; boundary=b\n\n--b\n\n" + strings.Repeat("x", 300_000) + "\n--b--\n"
	if err := newDesk(site).refused(t, plain(in)); err.Kind != BadMessage || !strings.Contains(err.Error(), "line 8 has 300000 octets") {
		t.Errorf("kind %d, %v", err.Kind, err)
	}
}

// TestLongHeaderLine: a list is folded, an id cannot be, and in what is removed it does
// not matter.
func TestLongHeaderLine(t *testing.T) {
	patrons := strings.Repeat("patron@example.net, ", 100)
	q := newDesk(site).must(t, plain(complete+"To: "+patrons+"\n\nx\n"))
	checkCanonical(t, q.text)
	if header, _ := q.parts(); strings.Count(header, "patron@example.net,") != 100 {
		t.Errorf("header %q", header)
	}
	long := "References: <" + strings.Repeat("x", 1000) + ">\n"
	err := newDesk(site).refused(t, plain(complete+long+"\nx\n"))
	if err.Kind != BadMessage || !strings.Contains(err.Error(), "line 4 has 1014 octets, 998 are allowed") {
		t.Errorf("kind %d, %v", err.Kind, err)
	}
	newDesk(site).must(t, plain(complete+"Bcc: "+patrons+"\n\nx\n"))
}

// TestFieldsOfParts: the raw name of an attached file is encoded, but not where it is
// signed, and the text beside it stays as it is.
func TestFieldsOfParts(t *testing.T) {
	const part = "--b\nContent-Type: text/plain; charset=utf-8\n\nF\u00e4llig\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment;\n filename=\"%.pdf\"\nContent-Transfer-Encoding: base64\n\nQUJD\n--b--\n"
	in := complete + "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" + part
	for raw, encoded := range map[string]string{"\u00dcber": "%C3%9Cber", "\xdcber": "%C3%9Cber"} {
		q := newDesk(site).must(t, plain(strings.Replace(in, "%", raw, 1)))
		want := crlf(strings.Replace(in, "attachment;\n filename=\"%.pdf\"", "attachment; filename*=utf-8''"+encoded+".pdf", 1))
		if q.text != want || !q.EightBit || q.UTF8 {
			t.Errorf("stored\n%q\nwant\n%q", q.text, want)
		}
		signed := strings.Replace(strings.Replace(in, "%", raw, 1), "mixed", "signed", 1)
		if q := newDesk(site).must(t, plain(signed)); q.text != crlf(signed) {
			t.Errorf("what is signed was changed: %q", q.text)
		}
	}
	text := strings.Replace(complete+"\nContent-Disposition: \u00fc\n", "%", "", 1)
	if q := newDesk(site).must(t, plain(text)); q.text != crlf(text) {
		t.Errorf("text that looks like a field was changed: %q", q.text)
	}
}
