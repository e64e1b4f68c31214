package term

import (
	"slices"
	"strings"
	"testing"
)

func TestColumns(t *testing.T) {
	for s, want := range map[string]int{
		"":                 0,
		"patron@x.example": 16,
		"Zoë":              3,
		"Zoe\u0308":        3, // the same, composed of two
		"用户@例え.example":    17,
		"ｆｕｌｌ":             8,
		"한국어":              6,
		"👍":                2,
		"…":                1,
		"a\u200bb":         2, // a zero width space
	} {
		if got := Columns(s); got != want {
			t.Errorf("%q takes %d columns, want %d", s, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s            string
		columns      int
		want, middle string
	}{
		{"Zoë", 0, "Zoë", "Zoë"},
		{"Zoë", 3, "Zoë", "Zoë"},
		{"Zoë", 2, "Z…", "Z…"},
		{"", 5, "", ""},
		{"anna.schmidt@example.net", 11, "anna.schmi…", "anna.…e.net"},
		{"用户用户@例え.example", 8, "用户用…", "用户…ple"},
		{"用户用户@例え", 7, "用户用…", "用…例え"}, // half of a rune does not fit
		{"Zoe\u0308Zoe\u0308", 4, "Zoe\u0308…", "Zo…e\u0308"},
	} {
		if got := Cut(c.s, c.columns); got != c.want {
			t.Errorf("cut(%q, %d) = %q", c.s, c.columns, got)
		}
		got := CutMiddle(c.s, c.columns)
		if got != c.middle || c.columns > 0 && Columns(got) > c.columns {
			t.Errorf("cutMiddle(%q, %d) = %q", c.s, c.columns, got)
		}
	}
}

func TestPad(t *testing.T) {
	if got := Pad("例え", 6) + "|"; got != "例え  |" {
		t.Errorf("%q", got)
	}
	if got := Pad("longer", 3); got != "longer" {
		t.Errorf("%q", got)
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	text := "no TLS, the mail travels in clear: the server does not offer STARTTLS (0s ago)"
	lines := Wrap(text, 30)
	for _, line := range lines {
		if Columns(line) > 30 {
			t.Errorf("%q is too long", line)
		}
	}
	if got := strings.Join(lines, " "); got != text {
		t.Errorf("it became %q", got)
	}
	if got := Wrap("", 30); !slices.Equal(got, []string{""}) {
		t.Errorf("nothing became %q", got)
	}
	if got := Wrap("no  terminal", 0); !slices.Equal(got, []string{"no  terminal"}) {
		t.Errorf("without a width it became %q", got)
	}
}

func TestHang(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"", 40, []string{"at ten"}},
		{"all is well", 0, []string{"at ten  all is well"}},
		{"all is well", 40, []string{"at ten  all is well"}},
		{"all is well and the rest goes below it", 40, []string{"at ten  all is well and the rest goes", "        below it"}},
		{"all is well and the rest goes below it", 30, []string{"at ten", "      all is well and the rest", "      goes below it"}},
		{"see https://example.org/a-long-address-to-copy-and-paste", 44, []string{"at ten", "      see", "      https://example.org/a-long-address-to-copy-and-paste"}},
	} {
		if got := hang("at ten  ", c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d columns: %q", c.text, c.width, got)
		}
	}
	// A bullet stays beside its text: a line of its own would give no more room.
	word := strings.Repeat("x", 90)
	if got, want := hang("  - ", word+" y", 80), []string{"  - " + word, "    y"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
