package recode

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkFit fails when a result is not what was asked for. mayHead: a header may have
// eight bits; a line like one, that is.
func checkFit(t rapid.TB, got string, o Options, mayHead bool) {
	t.Helper()
	for line := range strings.SplitSeq(got, "\r\n") {
		if len(line) > MaxLine {
			t.Fatalf("a line of %d octets is left: %.100q", len(line), line)
		}
		_, _, field := CutField([]byte(line))
		if o.SevenBit && EightBit([]byte(line)) && !(mayHead && (field || line[0] == ' ' || line[0] == '\t')) {
			t.Fatalf("eight bits are left: %.100q", line)
		}
	}
}

// checkSame recodes in and fails unless the result fits, decodes to the same, and
// stays as it is when it is recoded again.
func checkSame(t rapid.TB, in string, o Options) {
	t.Helper()
	got, err := run(in, o)
	if err != nil {
		t.Fatalf("%v\n%.2000q", err, in)
	}
	checkFit(t, got, o, false)
	before, err := leaves([]byte(in))
	if err != nil {
		t.Fatalf("the test's own message cannot be read: %v\n%.2000q", err, in)
	}
	after, err := leaves([]byte(got))
	if err != nil || !slices.Equal(before, after) {
		t.Fatalf("decodes to (%v)\n%.3000q\nbefore\n%.3000q\nrecoded\n%.3000q", err, after, before, got)
	}
	if again, err := run(got, o); err != nil || again != got {
		t.Fatalf("the second time: %v\n%.2000q\nthe first\n%.2000q", err, again, got)
	}
}

// draw makes messages; boundaries are numbered, so that none is used twice.
type draw struct {
	*rapid.T
	boundaries int
}

func (d *draw) text() string {
	line := rapid.OneOf(
		rapid.SampledFrom([]string{
			"", " ", "Liebe Leserin,", "fällig am 24.11.", "trailing  ", "tab\t", "--", "--b", "--b1", "--b2--", "a=b", "=", "=C3", ".", "..",
			"From here", "\xe4\xf6\xfc", "x: y", strings.Repeat("é", 700), strings.Repeat("- ", 600), strings.Repeat("-", 75) + "--b1",
		}),
		rapid.StringOfN(rapid.SampledFrom([]rune("abc -=\tß")), 0, 1200, -1),
	)
	lines := rapid.SliceOfN(line, 0, 6).Draw(d.T, "lines")
	for i := range lines {
		// What looks like a delimiter of the message itself would end the part.
		if strings.HasPrefix(lines[i], "--b") {
			lines[i] = "." + lines[i]
		}
	}
	return strings.Join(lines, "\r\n")
}

func (d *draw) message(depth int) string {
	return "Subject: notice\r\n" + d.entity(depth)
}

func (d *draw) entity(depth int) string {
	kinds := []string{"text", "none", "other", "qp", "base64"}
	if depth > 0 {
		kinds = append(kinds, "mixed", "mixed", "digest", "message")
	}
	label := rapid.SampledFrom([]string{"", "Content-Transfer-Encoding: 8bit\r\n", "Content-Transfer-Encoding: binary\r\n"}).Draw(d.T, "label")
	switch kind := rapid.SampledFrom(kinds).Draw(d.T, "kind"); kind {
	case "none":
		return "\r\n" + d.text()
	case "text":
		return label + "Content-Type: text/html; charset=utf-8\r\n\r\n" + d.text()
	case "other":
		return "Content-Type: application/x-thing\r\n" + label + "\r\n" + d.text()
	case "qp":
		text := strings.NewReplacer("=", "=3D", "ß", "=C3=9F", "\t", "=09", "cc", "c=\r\nc").Replace(d.text())
		return "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + text
	case "base64":
		n := rapid.IntRange(0, 2000).Draw(d.T, "groups")
		return "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("QUJD", n)
	case "message":
		return "Content-Type: message/rfc822\r\n" + label + "\r\n" + d.message(depth-1)
	default:
		return d.multipart(kind, label, depth)
	}
}

func (d *draw) multipart(kind, label string, depth int) string {
	d.boundaries++
	boundary := fmt.Sprintf("b%d", d.boundaries)
	var b strings.Builder
	fmt.Fprintf(&b, "Content-Type: multipart/%s; boundary=%s\r\n%s\r\n%s\r\n", kind, boundary, label, d.text())
	for range rapid.IntRange(1, 3).Draw(d.T, "parts") {
		b.WriteString("--" + boundary + "\r\n")
		if kind == "digest" {
			b.WriteString("\r\n" + d.message(depth-1))
		} else {
			b.WriteString(d.entity(depth - 1))
		}
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n" + d.text())
	return b.String()
}

func TestDecodesToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &draw{T: t}
		in := d.message(rapid.IntRange(0, 4).Draw(t, "depth")) + "\r\n"
		checkSame(t, in, Options{SevenBit: rapid.Bool().Draw(t, "seven bits")})
	})
}

// FuzzRecode: whatever the message, no panic, and what comes out fits. Where the
// standard library can read the message it reads the same afterwards.
func FuzzRecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, message []byte, sevenBit bool) {
		in := crlf(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "").Replace(string(message))) + "\r\n"
		o := Options{SevenBit: sevenBit}
		got, err := run(in, o)
		if err != nil {
			return
		}
		checkFit(t, got, o, true)
		if again, err := run(got, o); err != nil || again != got {
			t.Fatalf("the second time: %v\n%q\nthe first\n%q", err, again, got)
		}
		before, err := leaves([]byte(in))
		if err != nil {
			return
		}
		after, err := leaves([]byte(got))
		if err != nil || !slices.Equal(before, after) {
			t.Fatalf("decodes to (%v)\n%q\nbefore\n%q\nrecoded\n%q", err, after, before, got)
		}
	})
}
