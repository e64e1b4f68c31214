package printable

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[2Jb":             "a?[2Jb",
		"one\r\ntwo":            "one??two",
		"  tab\there":           "  tab here",
		"no\u00a0break":         "no break",
		"right\u202eto left":    "right?to left",
		"isolate\u2066d":        "isolate?d",
		"line\u2028end\u0085":   "line?end?",
		"Bücher für Zoë":        "Bücher für Zoë",
		"می\u200cخواهم":         "می\u200cخواهم",
		"Latin-1: \xe4":         "Latin-1: ?",
		"C1: \u009b31mcoloured": "C1: ?31mcoloured",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain":                    "plain",
		" a\r\n b\t\u00a0c\u2028 ": "a b c",
		"a\x00b\x7f":               "a?b?",
		"\xff\ufffd":               "??",
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOthers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{ASCII("é\r\n~\x7f\xff"), "???~??"},
		{WithoutControls("a\r\nb\t\u0085c\x7f", ""), "abc"},
		{WithoutControls("a\r\nb\t\u0085c\x7f", "\t\r\n"), "a\r\nb\tc"},
		{Cut("aé", 2), "a"},
		{Cut("aé", 3), "aé"},
		{Cut(strings.Repeat("\xbf", 9), 8), strings.Repeat("\xbf", 4)},
		{Cut("\xbf\xbf", 1), ""},
		{Short("aé", 2), "a..."},
		{Short("aé", 3), "aé"},
		{Quote("a\nb", 9), `"a\nb"`},
		{Quote("aé", 2), `"a..."`},
		{ShellQuote("/srv/a-b_c.d"), "/srv/a-b_c.d"},
		{ShellQuote("it's a $x"), `'it'\''s a $x'`},
		{ShellQuote(""), "''"},
		{string(AppendEscaped(nil, "\"\\\n\r\t\x00\xff\U000e0001é\u202e")), `\"\\\n\r\t\u0000\xff\U000e0001é\u202e`},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// FuzzShown: whatever comes in, nothing goes out that a line or a terminal would obey.
func FuzzShown(f *testing.F) {
	for _, s := range []string{"a\r\nb", "\x1b[2J", "\u202e", "\xff", "\u0085\u2028", "\U000e0001", "a  b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, shown := range []string{Line(s), Text(s), ASCII(s), Quote(s, 20), string(AppendEscaped(nil, s))} {
			bad := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }
			if strings.ContainsFunc(shown, bad) || !utf8.ValidString(shown) {
				t.Errorf("%q is shown as %q", s, shown)
			}
		}
		if line := Line(s); Line(line) != line {
			t.Errorf("%q, and again %q", line, Line(line))
		}
		if got, err := strconv.Unquote(`"` + string(AppendEscaped(nil, s)) + `"`); err != nil || got != s {
			t.Errorf("%q came back as %q, %v", s, got, err)
		}
	})
}
