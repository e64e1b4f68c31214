package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

const fromLine = "From library@example.org Tue Nov 24 09:30:00 2026\n"

// split reads an mbox to its end: the messages, or "refused: ..." and "error: ...".
func split(r io.Reader) (found []string, lines []int) {
	box := NewMbox(r)
	for {
		message, err := box.Next()
		if err == io.EOF {
			return found, lines
		}
		if err != nil {
			return append(found, "error: "+err.Error()), lines
		}
		text, err := io.ReadAll(message)
		switch e := (*Error)(nil); {
		case errors.As(err, &e):
			text = []byte("refused: " + e.Msg)
		case err != nil:
			text = []byte("error: " + err.Error())
		}
		if box.Number() != len(found)+1 {
			text = fmt.Appendf(nil, "error: message %d has number %d", len(found)+1, box.Number())
		}
		found, lines = append(found, string(text)), append(lines, box.Line())
	}
}

func TestMbox(t *testing.T) {
	const one, two = "To: a@example.net\n\nOne.\n", "To: b@example.net\n\nTwo.\n"
	long := strings.Repeat("x", 3*mboxBuffer)
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"blank lines", "\n\r\n\n", nil},
		{"one", fromLine + one + "\n", []string{one}},
		{"two", fromLine + one + "\n" + fromLine + two + "\n", []string{one, two}},
		{"no empty line at the end", fromLine + one + "\n" + fromLine + two, []string{one, two}},
		{"no final newline", fromLine + one + "\n" + fromLine + "To: b@example.net\n\nTwo.", []string{one, "To: b@example.net\n\nTwo."}},
		{"CRLF", crlf(fromLine + one + "\n" + fromLine + two + "\n"), []string{crlf(one), crlf(two)}},
		{"mixed line ends", fromLine + crlf(one) + "\n" + crlf(fromLine) + two + "\r\n", []string{crlf(one), two}},
		{"blank lines before", "\r\n\n" + fromLine + one, []string{one}},
		{"byte order mark", "\xef\xbb\xbf" + fromLine + one, []string{one}},
		{"empty lines in and at the end of a message", fromLine + "To: a\n\n\n\nOne.\n\n\n\n" + fromLine + two, []string{"To: a\n\n\n\nOne.\n\n\n", two}},
		{
			"quoted", fromLine + "To: a\n\n>From here\n>>From there\n> From\n>from\n>>>>x\n>Fromage\nx >From y\n",
			[]string{"To: a\n\nFrom here\n>From there\n> From\n>from\n>>>>x\n>Fromage\nx >From y\n"},
		},
		{"quoted, CRLF, in the last line", fromLine + "To: a\r\n\r\n>From here", []string{"To: a\r\n\r\nFrom here"}},
		{"From not after an empty line", fromLine + "To: a\n\nOne.\n" + fromLine + "To: b\n\n", []string{"To: a\n\nOne.\n" + fromLine + "To: b\n"}},
		{"From right behind From", fromLine + fromLine + one, []string{fromLine + one}},
		{"Content-Length lies", fromLine + "Content-Length: 100000\n" + one + "\n" + fromLine + two, []string{"Content-Length: 100000\n" + one, two}},
		{"long lines", fromLine + "To: a\n\n" + long + "\nFrom " + long + "\n\n" + fromLine + two, []string{"To: a\n\n" + long + "\nFrom " + long + "\n", two}},
		{"a long From line first", "From " + long + "\n" + one, []string{one}},
		{"no message behind From", fromLine, []string{""}},
		{"no message behind the last From", fromLine + one + "\n" + fromLine, []string{one, ""}},
		{"only From", strings.TrimSuffix(fromLine, "\n"), []string{""}},
		{"dates of other writers", "From x\n" + one +
			"\nFrom - Tue Nov 24 09:30:00 2026\n" + two +
			"\nFrom 1234@xxx Tue Nov 24 09:30:00 +0000 2026\n" + one +
			"\nFrom a@example.org Tue, 24 Nov 2026 9:30 +0100\n" + two +
			"\nFrom ???@??? Tue Nov 24 09:30:00 2026 remote from x\nno header\n", []string{one, two, one, two, "no header\n"}},
		{"no date, but a sender and a header", "From x\n" + one + "\nFrom library\n" + two + "\nFrom a@example.org 2026-11-24 09:30\r\n" + crlf(one) + "\nFrom -\n" + two, []string{one, two, crlf(one), two}},
		{
			"text that is not quoted", fromLine + "To: a\n\nDear reader,\n\nFrom Monday on we close at 9:30.\nNote: this is text.\n\n" + fromLine + two,
			[]string{doubtful(6, "From Monday on we close at 9:30."), two},
		},
		{
			"a sender, and no header", fromLine + "To: a\n\nDear reader,\n\nFrom a@example.org\r\nNo field.\n\nFrom us\n\n" + fromLine + two,
			[]string{doubtful(6, "From a@example.org"), two},
		},
		{"nothing but text to the end", fromLine + "To: a\n\n\nFrom \n\nmore", []string{doubtful(5, "From ")}},
	} {
		for how, reader := range map[string]io.Reader{
			"":                strings.NewReader(c.text),
			", in two halves": iotest.HalfReader(strings.NewReader(c.text)),
			", by octets":     iotest.OneByteReader(strings.NewReader(c.text)),
			", with the EOF":  iotest.DataErrReader(strings.NewReader(c.text)),
		} {
			if got, _ := split(reader); !slices.Equal(got, c.want) {
				t.Errorf("%s%s:\n%.2000q, want\n%.2000q", c.name, how, got, c.want)
			}
		}
		if c.text != "" && strings.Trim(c.text, "\r\n") != "" && !IsMbox([]byte(c.text[:min(len(c.text), 512)])) {
			t.Errorf("%s: is taken for one message", c.name)
		}
	}
}

func doubtful(line int, text string) string {
	return fmt.Sprintf("refused: line %d of the mbox, %q, may be text or the beginning of a new message: write >From if it is text, or put a date into it if a message begins there", line, text)
}

func TestMboxLines(t *testing.T) {
	_, lines := split(strings.NewReader("\n" + fromLine + "To: a\n\nText.\n\n" + fromLine + fromLine + "\n\n" + fromLine + "To: b\n"))
	if want := []int{3, 8, 12}; !slices.Equal(lines, want) {
		t.Errorf("messages begin in lines %v, want %v", lines, want)
	}
}

// TestMboxSkips: what is not read of a message is passed over.
func TestMboxSkips(t *testing.T) {
	box := NewMbox(strings.NewReader(strings.Repeat(fromLine+"To: a\n\n>From\n\nText.\n\n", 100) + fromLine + "last"))
	var last string
	for n := 0; ; n++ {
		r, err := box.Next()
		if err == io.EOF {
			break
		}
		text, _ := io.ReadAll(io.LimitReader(r, int64(n%30)))
		last = string(text)
	}
	if box.Number() != 101 || last != "last"[:min(4, 100%30)] {
		t.Errorf("%d messages, the last is %q", box.Number(), last)
	}
}

func TestMboxReadError(t *testing.T) {
	broken := errors.New("broken disk")
	got, _ := split(io.MultiReader(strings.NewReader(fromLine+"To: a\n\nHalf"), iotest.ErrReader(broken)))
	if want := []string{"error: broken disk", "error: broken disk"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestMboxMemory: it does not grow with a message or with a line.
func TestMboxMemory(t *testing.T) {
	for name, text := range map[string]string{"short lines": lines, "one line": "never ends ", "quotes": ">", "empty lines": "\n", "From": "\nFrom "} {
		r := io.MultiReader(strings.NewReader(fromLine+"To: a\n\n"), io.LimitReader(&repeat{text: text}, 8<<20))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		box := NewMbox(r)
		message, err := box.Next()
		if err == nil {
			_, _ = io.Copy(io.Discard, struct{ io.Reader }{message})
			_, err = box.Next()
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err != io.EOF || used > 1<<20 {
			t.Errorf("%s: 8 MiB took %d KiB of memory, %v", name, used>>10, err)
		}
	}
}

func TestIsMbox(t *testing.T) {
	for text, want := range map[string]bool{
		fromLine: true, "From x": true, "\r\n\nFrom x": true, "\xef\xbb\xbfFrom x": true,
		"": false, "From: x": false, "From : x": false, "from x": false, "To: a\n\nFrom x": false, ">From x": false,
	} {
		if IsMbox([]byte(text)) != want {
			t.Errorf("IsMbox(%q) is %v", text, !want)
		}
	}
}

// composeMbox writes an mbox as mboxrd has it.
func composeMbox(messages []string, eol string) string {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString(strings.ReplaceAll(fromLine, "\n", eol))
		for line := range strings.Lines(m) {
			if strings.HasPrefix(strings.TrimLeft(line, ">"), "From ") {
				b.WriteByte('>')
			}
			b.WriteString(line)
		}
		b.WriteString(eol)
	}
	return b.String()
}

// TestMboxGivesBack: what is written as an mbox is read again, octet for octet.
func TestMboxGivesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eol := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end")
		line := rapid.OneOf(
			rapid.SampledFrom([]string{"", "From ", "From x", ">From ", ">>>From x", "To: a", strings.TrimSuffix(fromLine, "\n"), strings.Repeat("x", mboxBuffer), strings.Repeat(">", 70) + "From "}),
			rapid.StringMatching(`[>From :a-c\r]{0,12}`),
		)
		message := rapid.Custom(func(t *rapid.T) string {
			return strings.Join(rapid.SliceOfN(line, 1, 8).Draw(t, "lines"), eol) + eol
		})
		messages := rapid.SliceOfN(message, 1, 5).Draw(t, "messages")
		size := rapid.IntRange(1, 100).Draw(t, "read size")
		got, _ := split(&dribble{strings.NewReader(composeMbox(messages, eol)), size})
		if !slices.Equal(got, messages) {
			t.Fatalf("got %.500q\nwant %.500q", got, messages)
		}
	})
}

// dribble reads so many octets at a time.
type dribble struct {
	io.Reader
	size int
}

func (d *dribble) Read(p []byte) (int, error) { return d.Reader.Read(p[:min(len(p), d.size)]) }

// FuzzMbox: any octets are split without a panic, whatever is read at a time; nothing is
// made up, and no message has a separator within.
func FuzzMbox(f *testing.F) {
	f.Add([]byte(fromLine + "To: a\n\n>From x\n\n" + fromLine + "To: b\r\n\r\nText"))
	f.Add([]byte("From x\nTo: a\n\nFrom Monday on\n\nFrom a@b\nTo: b\n"))
	f.Add([]byte("\xef\xbb\xbf\n\nFrom x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		found, _ := split(bytes.NewReader(text))
		again, _ := split(iotest.OneByteReader(bytes.NewReader(text)))
		if !slices.Equal(found, again) {
			t.Errorf("by octets %q, at once %q", again, found)
		}
		total := 0
		for _, m := range found {
			if strings.HasPrefix(m, "error: ") && !bytes.Contains(text, []byte(m)) {
				t.Error(m)
			}
			if strings.HasPrefix(m, "refused: ") {
				continue
			}
			total += len(m)
			if i := strings.Index(m, "\n\n"+fromLine); i >= 0 && !bytes.Contains(text, []byte(">"+fromLine)) {
				t.Errorf("a separator within %q", m)
			}
		}
		if total > len(text) {
			t.Errorf("%d octets out of %d", total, len(text))
		}
	})
}
