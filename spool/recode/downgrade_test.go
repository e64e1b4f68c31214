package recode

import (
	"bytes"
	"strings"
	"testing"
)

func TestDowngradeField(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"To: jörg@dest.example, a@dest.example", "To: =?utf-8?b?asO2cmdAZGVzdC5leGFtcGxl?= :;, <a@dest.example>"},
		{"Cc: =?utf-8?q?J=C3=B6rg?= <jörg@bücher.example>", "Cc: =?utf-8?b?SsO2cmcgasO2cmdAYsO8Y2hlci5leGFtcGxl?= :;"},
		{"Cc: \"Desk, Main\" <d@x.example>, b@bücher.example", "Cc: \"Desk, Main\" <d@x.example>, <b@xn--bcher-kva.example>"},
		{"From: Jörg <jörg@x.example>", "From: =?utf-8?b?SsO2cmcgasO2cmdAeC5leGFtcGxl?= <library@xn--bcher-kva.example>"},
		{"Sender: jörg@x.example", "Sender: =?utf-8?b?asO2cmdAeC5leGFtcGxl?= :;"},
		{"To: Team: ü@x.example, b@x.example;", "To: =?utf-8?b?w7xAeC5leGFtcGxl?= :;, <b@x.example>"},
		{"To: no <list> of ü", "To: =?utf-8?b?bm8gPGxpc3Q+IG9mIMO8?= :;"},
		{"Message-ID: <ä.1@bücher.example>", "Message-ID: <=C3=A4.1@xn--bcher-kva.example>"},
		{"References: <1@a.example> <2@bücher.example>", "References: <1@a.example> <2@xn--bcher-kva.example>"},
		{"Received: from bücher.example (ü) by x", "Received: from xn--bcher-kva.example (=C3=BC) by x"},
		{"List-Unsubscribe: <mailto:ü@bücher.example>, <https://bücher.example/ü>", "List-Unsubscribe: <mailto:%C3%BC@xn--bcher-kva.example>, <https://xn--bcher-kva.example/%C3%BC>"},
		{"DKIM-Signature: v=1; d=bücher.example", "DKIM-Signature: v=1; d=xn--bcher-kva.example"},
		{"Subject: Grüße", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?="},
	} {
		got := string(DowngradeField([]byte(c.in+"\r\n"), "library@bücher.example"))
		if got = strings.ReplaceAll(got, "\r\n ", " "); got != c.out+"\r\n" && got != strings.ReplaceAll(c.out, ",<", ", <")+"\r\n" {
			t.Errorf("%q\n got %q\nwant %q", c.in, got, c.out+"\r\n")
		}
	}
}

// No octet over 127 leaves, whatever a header has; and no line grows too long.
func FuzzDowngradeField(f *testing.F) {
	f.Add("To: jörg@dest.example, \"ü", "ü@x.example")
	f.Add("From: <ü@ü>, ü:ü;", "a@x.example")
	f.Add("Message-ID: <ü@"+strings.Repeat("ü", 300)+">", "")
	f.Add("List-Id: "+strings.Repeat("ü. ", 300), "")
	f.Fuzz(func(t *testing.T, field, from string) {
		if strings.ContainsAny(field, "\r\n") || strings.ContainsAny(from, "\r\n") {
			return
		}
		got := DowngradeField([]byte(field+"\r\n"), from)
		if name, _, ok := CutField([]byte(field)); ok && len(name) > 0 && EightBit(got) {
			t.Errorf("%q became %q", field, got)
		}
		for line := range bytes.Lines(got) {
			if n := len(line); n > MaxLine+2 && len(field) < 300 {
				t.Errorf("%q became a line of %d octets", field, n)
			}
		}
	})
}
