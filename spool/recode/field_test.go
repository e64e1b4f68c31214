package recode

import (
	"mime"
	"strings"
	"testing"
)

// TestEncodeField: raw text becomes what RFC 2047 and RFC 2231 have for it.
func TestEncodeField(t *testing.T) {
	for in, want := range map[string]string{
		"Subject: plain\n":                                                    "Subject: plain\n",
		"Subject: Fällig heute\n":                                             "Subject: =?utf-8?q?F=C3=A4llig?= heute\n",
		"Subject: F\xe4llig \x93heute\x94 \x80 5\n":                           "Subject: =?utf-8?q?F=C3=A4llig_=E2=80=9Cheute=E2=80=9D_=E2=82=AC?= 5\n",
		"Subject: ü x ü\n":                                                    "Subject: =?utf-8?q?=C3=BC_x_=C3=BC?=\n",
		"Subject: ü =?utf-8?q?=C3=BC?= ü\n":                                   "Subject: =?utf-8?q?=C3=BC_?= =?utf-8?q?=C3=BC?= =?utf-8?q?_=C3=BC?=\n",
		"Subject: ü\n\tü\n":                                                   "Subject: =?utf-8?q?=C3=BC_=C3=BC?=\n",
		"X-Note: " + strings.Repeat("ü", 20) + "\n":                           "X-Note: =?utf-8?q?=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC?=\n =?utf-8?q?=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC=C3=BC?=\n",
		"Content-Type: text/plain; name=\"ä;b.txt\"\n":                        "Content-Type: text/plain; name*=utf-8''%C3%A4%3Bb.txt\n",
		"Content-Disposition: attachment;\n filename=Geb\xfchr.pdf; size=3\n": "Content-Disposition: attachment; filename*=utf-8''Geb%C3%BChr.pdf; size=3\n",
		"Content-Disposition: attachment; filename=\"" + strings.Repeat("ü", 20) + ".pdf\"\n": "Content-Disposition: attachment;\n filename*0*=utf-8''%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3;\n" +
			" filename*1*=%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC;\n filename*2*=%C3%BC%C3%BC%C3%BC%C3%BC.pdf\n",
		"To: ü@example.org\n":       "To: ü@example.org\n",
		"DKIM-Signature: d=ü.org\n": "DKIM-Signature: d=ü.org\n",
	} {
		got := string(EncodeField([]byte(crlf(in))))
		if got != crlf(want) {
			t.Errorf("%q:\n%q\nwant\n%q", in, got, crlf(want))
		}
		if again := string(EncodeField([]byte(got))); again != got {
			t.Errorf("%q: the second time %q", got, again)
		}
		checkReadable(t, in, got)
	}
}

// checkReadable has the standard library read what was encoded.
func checkReadable(t *testing.T, in, got string) {
	t.Helper()
	_, value, _ := strings.Cut(got, ":")
	value = strings.ReplaceAll(value, "\r\n", "")
	_, given, _ := strings.Cut(in, ":")
	given = ToUTF8(strings.TrimSpace(Unfold(given)))
	if strings.HasPrefix(in, "Content-") {
		_, params, err := mime.ParseMediaType(strings.TrimSpace(value))
		name := params["filename"] + params["name"]
		if err != nil || !strings.Contains(given, name) || name == "" {
			t.Errorf("%q is read as %v, %v", got, params, err)
		}
		return
	}
	text, err := new(mime.WordDecoder).DecodeHeader(strings.TrimSpace(value))
	want, _ := new(mime.WordDecoder).DecodeHeader(strings.ReplaceAll(given, "\t", " "))
	if err != nil || text != want {
		t.Errorf("%q is read as %q, %v; want %q", got, text, err, want)
	}
}

// TestFitField: no line is longer than SMTP carries, and the text stays what it was.
func TestFitField(t *testing.T) {
	long := strings.Repeat("0123456789", 100)
	for _, in := range []string{
		"Subject: " + strings.Repeat("word ", 300) + "end",
		"Subject: " + long + long,
		"Subject: a" + strings.Repeat(" ", 3000) + "b " + long,
		"Subject: \"" + strings.Repeat("word ", 300),
		"To: " + strings.Repeat("a@example.net,", 300) + "b@example.net",
		"To: \"" + strings.Repeat("Lee, Ann ", 5) + "\" <a@example.net>, " + strings.Repeat("Ann Lee <a@example.net>, ", 100) + "b@example.net",
		"References: " + strings.Repeat("<1@example.net> ", 100) + "<2@example.net>",
		"References: " + strings.Repeat("<1@example.net>", 300),
		"List-Unsubscribe: " + strings.Repeat("<mailto:a@example.net>,", 300) + "<https://example.net>",
		"Authentication-Results: x;" + strings.Repeat("spf=pass;", 300) + "a",
		"Content-Type: text/plain;" + strings.Repeat("a=b;", 300) + "c=d",
		"DKIM-Signature: v=1; b=" + strings.Repeat("abcd ", 300) + "e",
		"X-Spam: a\r\n " + strings.Repeat("word ", 300) + "end",
	} {
		got, err := FitField([]byte(in + "\r\n"))
		if err != nil {
			t.Errorf("%.40q: %v", in, err)
			continue
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(got), "\r\n"), "\r\n") {
			if len(line) > 78 || strings.TrimSpace(line) == "" {
				t.Errorf("%.40q: line %q", in, line)
			}
		}
		plain := func(s string) string {
			s, _ = new(mime.WordDecoder).DecodeHeader(strings.ReplaceAll(s, "\r\n", ""))
			return strings.Join(strings.Fields(strings.NewReplacer(",", ", ", ";", "; ", ">", "> ").Replace(s)), " ")
		}
		if plain(string(got)) != plain(in) {
			t.Errorf("%.40q: %q", in, got)
		}
		if again, err := FitField(got); err != nil || string(again) != string(got) {
			t.Errorf("%.40q: the second time %q, %v", in, again, err)
		}
	}
	for _, in := range []string{"References: <" + long + ">", "To: " + long + "@example.org", long + ": x", "no field" + long} {
		if got, err := FitField([]byte(in + "\r\n")); err == nil {
			t.Errorf("%.40q: %q", in, got)
		}
	}
	if got, err := FitField([]byte("Subject: " + long[:900] + "\r\n")); err != nil || len(got) != 911 {
		t.Errorf("a line that fits is changed: %q, %v", got, err)
	}
}

// TestEncodeByNumber: where no encoding is defined an octet over 127 is written by its number.
func TestEncodeByNumber(t *testing.T) {
	for in, want := range map[string]string{
		"Content-ID: <ü@x>":                                "Content-ID: <=C3=BC@x>",
		"Authentication-Results: ü.org; spf=pass (ü)":      "Authentication-Results: xn--tda.org; spf=pass (=C3=BC)",
		"Content-Type: text/plain (ü); ü=x":                "Content-Type: text/plain (=C3=BC); =C3=BC=x",
		"Content-Disposition: x; filename*=utf-8''ü.txt":   "Content-Disposition: x; filename*=utf-8''%C3%BC.txt",
		"List-Unsubscribe: <https://x.example/ü?m=a@ü.de>": "List-Unsubscribe: <https://x.example/%C3%BC?m=a@xn--tda.de>",
	} {
		if got := string(EncodeField([]byte(in + "\r\n"))); got != want+"\r\n" {
			t.Errorf("%q: %q", in, got)
		}
	}
}
