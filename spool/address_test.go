package spool

import (
	"strings"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	for _, good := range []string{
		"patron@example.org", "first.last@sub.example.org", "a@b", "x+tag@example.org", "o'brien@example.org",
		`"two words"@example.org`, `"a\"b"@example.org`, "user@[192.0.2.1]", "user@[IPv6:2001:db8::1]",
		"jürgen@bücher.example", "用户@例え.example", "_dmarc@_tcp.example.org", "-weird@example.org",
		"!#$%&'*/=?^_`{|}~@example.org", "a..b@docomo.example", "a.@docomo.example", strings.Repeat("a", 64) + "@example.org",
	} {
		if err := CheckAddress(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "@", "a@", "@b", "nobody", "a b@example.org", "a@b c", "<a@b>", "a@b>", "a<b@c", "a@b\r\nRCPT TO:<x@y>", "a\x00@b",
		"a@b\n", ".@c", "..@c", "a@.c", "a@c.", "a@c..d", "a@-c", "a@c-", `"a@b`, `"a"b"@c`, `"a\"@c`, `""@c`,
		`"a<b"@c`, "a@[1.2.3]", "a@[1.2.3.4", "a@[IPv6:1.2.3.4]", "a@[::1]", "a,b@c", "a;b@c", "a:b@c", "(c)a@b", "a@b\x7f",
		"\xff@b", strings.Repeat("a", 65) + "@b", "a@" + strings.Repeat("b.", 130) + "c", "a@" + strings.Repeat("b", 64),
	} {
		if CheckAddress(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzCheckAddress(f *testing.F) {
	f.Add("patron@example.org")
	f.Add(`"a\"b"@[IPv6:::1]`)
	f.Add("a@b>\r\nDATA")
	f.Fuzz(func(t *testing.T, address string) {
		if CheckAddress(address) == nil && (strings.ContainsAny(address, "<>\r\n\x00") || !strings.Contains(address, "@")) {
			t.Fatalf("%q is taken", address)
		}
	})
}
