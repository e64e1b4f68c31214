package config

import (
	"strings"
	"testing"
)

func TestHostSyntax(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, s := range []string{"mail.example.org", "localhost", "mail.example.org.", "a", "3com.example", "xn--bcher-kva.example",
		"mail_1.example.org", long + ".example"} {
		if !validHost(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", ".", "..", "a..b", "-a.example", "a-.example", "a b", "a/b", "a:25", "[::1]", "192.0.2", "10", "256.1.1.1",
		"a\x00", "a\n", "user@host", "a%b", long + "a.example", strings.Repeat("abcdefg.", 40)} {
		if validHost(s) {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestAddressSyntax(t *testing.T) {
	for _, s := range []string{"library@example.org", "a.b+c@example.org", "o'neill@x.example", "büch@bücherei.example",
		"a@[192.0.2.1]", "a@[IPv6:2001:db8::1]", "a@localhost", "{x}@example.org", "a..b.@docomo.example"} {
		if !validAddress(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"library", "@example.org", "a@", "a@b@", "a b@example.org", "a@example.org\n", "a\r\nRCPT TO:<b>@example.org",
		"<a@example.org>", "Library <a@example.org>", "a@-x.example", "a@x..example",
		"a@[::1]", "a@[IPv6:192.0.2.1]", "a@[fe80::1%eth0]", "a,b@example.org", `"a b"@example.org`, "a@example.org>", "a\u0085@example.org",
		strings.Repeat("a", 65) + "@example.org", "a@" + strings.Repeat("abcdefg.", 40) + "example"} {
		if validAddress(s) {
			t.Errorf("%q is taken", s)
		}
	}
}
