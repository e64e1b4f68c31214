package config

import (
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "1s": time.Second, "90m": 90 * time.Minute, "100h": 100 * time.Hour,
		"30d": 30 * 24 * time.Hour, "1.5h": 90 * time.Minute, "0.1s": 100 * time.Millisecond, "36500d": century,
	} {
		if got, ok := ParseDuration(s); !ok || got != want {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "s", "5", "-1h", "+1h", "1e3s", "1h30m", "5 m", "5M", "inf s", "0x1s", "1_0s", "1.1.1s",
		".s", "36501d", strings.Repeat("9", 400) + "d", "5m\n", "٣m"} {
		if got, ok := ParseDuration(s); ok {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "1B": 1, "10KiB": 10240, "50MiB": 50 << 20, "2GiB": 2 << 30, "1kB": 1000, "5MB": 5e6, "1GB": 1e9, "0.5MiB": 1 << 19, "50 MiB": 50 << 20,
	} {
		if got, ok := parseSize(s); !ok || got != want {
			t.Errorf("%q: %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "MiB", "-1", "50M", "50mib", "1e9", "99999999999GiB", "50  MiB", "5 0MiB"} {
		if got, ok := parseSize(s); ok {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
}

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
