package intake

import (
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// TestBrokenHeader: whatever a header looks like, its Bcc is not shown.
func TestBrokenHeader(t *testing.T) {
	const good = "To: p@example.net\nBcc: b@example.net\nSubject: x\n\nText.\n"
	for name, in := range map[string]string{
		"an empty line first":       "\n" + good,
		"CRLF":                      crlf("\n" + good),
		"several empty lines first": "\n \t\n\n" + good,
		"junk first":                "junk line\n" + good,
		"junk in it":                "To: p@example.net\njunk line\nBcc: b@example.net\nSubject: x\n\nText.\n",
		"a blank in a name":         "To: p@example.net\nX Mailer: x\nBcc: b@example.net\nSubject: x\n\nText.\n",
		"an umlaut in a name":       "To: p@example.net\nÜbel: x\nBcc: b@example.net\nSubject: x\n\nText.\n",
		"no name":                   "To: p@example.net\n: x\nBcc: b@example.net\nSubject: x\n\nText.\n",
		"a no-break space":          "To: p@example.net\nBcc\u00a0: b@example.net\nSubject: x\n\nText.\n",
		"one before it":             "To: p@example.net\n\u00a0Bcc: b@example.net\nSubject: x\n\nText.\n",
		"a blank before it, first":  " Bcc: b@example.net\nTo: p@example.net\nSubject: x\n\nText.\n",
		"more junk than fields":     "To: p@example.net\njunk\njunk\njunk\njunk\nSubject: x\nBcc: b@example.net\n\nText.\n",
		"no empty line behind":      "To: p@example.net\nSubject: x\nText.\nBcc: b@example.net\n",
		"far behind":                "To: p@example.net\njunk\nX: " + strings.Repeat("x\n ", 40000) + "x\nBcc: b@example.net\nSubject: x\n\nText.\n",
		"a folded one":              "To: p@example.net\njunk\nBcc:\n b@example.net\nSubject: x\n\nText.\n",
	} {
		for _, r := range []Request{sendmail(nil, in), {Body: iotest.OneByteReader(strings.NewReader(in)), Lenient: true, Qualify: true}} {
			q, err := newDesk(site).accept(r)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if slices.Sort(q.Recipients); !slices.Equal(q.Recipients, []string{"b@example.net", "p@example.net"}) || strings.Contains(q.text, "b@example.net") {
				t.Errorf("%s: to %q\n%.500s", name, q.Recipients, q.text)
			}
			if !strings.Contains(q.text, "\r\nSubject: x\r\n") && !strings.HasPrefix(q.text, "Subject: x\r\n") {
				t.Errorf("%s: the subject is lost\n%.500s", name, q.text)
			}
		}
	}
	q := newDesk(site).must(t, sendmail(nil, "To: p@example.net\nBcc b@example.net,\n c@example.net\nÜbel: x\nSubject: x\n\nText.\n"))
	if header, body := q.parts(); strings.Contains(header, "b@") || strings.Contains(header, "c@") || body != "Text.\r\n" ||
		!strings.Contains(header, "X-Broken-Header: =?utf-8?q?=C3=9Cbel:?= x\r\n") {
		t.Errorf("%s", q.text)
	}
}

// TestTextWithoutHeader stays text.
func TestTextWithoutHeader(t *testing.T) {
	for _, in := range []string{
		"Backup failed.\nSubject: none\n\nMore.\n", "\nNote: bring it back.\n", "\nSubject: in the text\n", "\n\nDear patron,\nTo: x\n",
		strings.Repeat("text without an empty line\n", 100000),
	} {
		q := newDesk(site).must(t, sendmail(nil, in, "p@example.net"))
		if _, body := q.parts(); body != crlf(strings.TrimPrefix(in, "\n")) {
			t.Errorf("%.60q: body %.60q", in, body)
		}
	}
}
