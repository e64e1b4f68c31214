package mbox

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

// toCRLF is text with the line ends of a stored message.
func toCRLF(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// split reads an mbox to its end: the messages, and "error: ..." at last if there is one.
func split(r io.Reader) (found []string, lines []int) { return splitBy(r, Sure) }

func splitBy(r io.Reader, how Separator) (found []string, lines []int) {
	box := NewReader(r, how)
	for {
		message, err := box.Next()
		if err == io.EOF {
			return found, lines
		}
		if err != nil {
			return append(found, "error: "+err.Error()), lines
		}
		text, err := io.ReadAll(message)
		if err != nil {
			continue // Next says it again
		}
		if box.Number() != len(found)+1 {
			text = fmt.Appendf(nil, "error: message %d has number %d", len(found)+1, box.Number())
		}
		found, lines = append(found, string(text)), append(lines, box.Line())
	}
}

func TestMessages(t *testing.T) {
	const one, two = "To: a@example.net\n\nOne.\n", "To: b@example.net\n\nTwo.\n"
	long := strings.Repeat("x", 3*bufferSize)
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
		{"CRLF", toCRLF(fromLine + one + "\n" + fromLine + two + "\n"), []string{toCRLF(one), toCRLF(two)}},
		{"mixed line ends", fromLine + toCRLF(one) + "\n" + toCRLF(fromLine) + two + "\r\n", []string{toCRLF(one), two}},
		{"blank lines before", "\r\n\n" + fromLine + one, []string{one}},
		{"byte order mark", "\xef\xbb\xbf" + fromLine + one, []string{one}},
		{"empty lines in and at the end of a message", fromLine + "To: a\n\n\n\nOne.\n\n\n\n" + fromLine + two, []string{"To: a\n\n\n\nOne.\n\n\n", two}},
		{
			"quoted", fromLine + "To: a\n\n>From here\n>>From there\n> From\n>from\n>>>>x\n>Fromage\nx >From y\n",
			[]string{"To: a\n\nFrom here\n>From there\n> From\n>from\n>>>>x\n>Fromage\nx >From y\n"},
		},
		{"quoted, CRLF, in the last line", fromLine + "To: a\r\n\r\n>From here", []string{"To: a\r\n\r\nFrom here"}},
		{"From not after an empty line", fromLine + one + fromLine + two, []string{one, two}},
		{"the same, CRLF", toCRLF(fromLine + one + fromLine + two), []string{toCRLF(one), toCRLF(two)}},
		{"the same, mixed", toCRLF(fromLine) + one + fromLine + toCRLF(two) + toCRLF(fromLine) + one, []string{one, toCRLF(two), one}},
		{"behind a header without a body", fromLine + "To: a\n" + fromLine + two, []string{"To: a\n", two}},
		{"From right behind From", fromLine + fromLine + one, []string{fromLine + one}},
		{"Content-Length lies", fromLine + "Content-Length: 100000\n" + one + "\n" + fromLine + two, []string{"Content-Length: 100000\n" + one, two}},
		{"long lines", fromLine + "To: a\n\n" + long + "\nFrom " + long + "\n\n" + fromLine + two, []string{"To: a\n\n" + long + "\nFrom " + long + "\n", two}},
		{"a long From line first", "From " + long + "\n" + one, []string{one}},
		{"no message behind From", fromLine, []string{unsure(1, fromLine, noHeader)}},
		{"no message behind the last From", fromLine + one + "\n" + fromLine, []string{unsure(6, fromLine, noHeader)}},
		{"only From", "From x", []string{""}},
		{"an empty message", fromLine + "\n" + fromLine + one, []string{unsure(1, fromLine, noHeader)}},
		{"dates of other writers", "From x\n" + one +
			"\nFrom - Tue Nov 24 09:30:00 2026\n" + two +
			"\nFrom 1234@xxx Tue Nov 24 09:30:00 +0000 2026\n" + one +
			"\nFrom a@example.org Tue, 24 Nov 2026 9:30 +0100\n" + two +
			"\nFrom ???@??? Tue Nov 24 09:30 2026 remote from x\n" + one +
			"\nFrom a@example.org Tue Nov 24 09:30:00 MET DST 2026\n" + two +
			"\nFrom a@example.org 2026-11-24 09:30\n" + one +
			"\nFrom a@example.org 2026-11-24T09:30:00Z\n" + two, []string{one, two, one, two, one, two, one, two}},
		{
			"no date, but a sender and a header", fromLine + one + "\nFrom library\n" + two,
			[]string{unsure(6, "From library\n", noDate)},
		},
		{
			"text that is not quoted", fromLine + "To: a\n\nDear reader,\n\nFrom Monday on we close at 9:30.\nNote: this is text.\n\nFrom us\n\nFrom \n\n" + fromLine + two,
			[]string{"To: a\n\nDear reader,\n\nFrom Monday on we close at 9:30.\nNote: this is text.\n\nFrom us\n\nFrom \n", two},
		},
		{
			"text with a date", fromLine + "To: a\n\nFrom me to you Mon Jan  5 10:00:00 2026\nmore\n",
			[]string{unsure(4, "From me to you Mon Jan  5 10:00:00 2026", noHeader)},
		},
		{
			"text with a date and a colon", fromLine + "To: a\n\nFrom Thu Dec 24 12:00 2026 until Monday\nNote: nobody is here\n\nSubject: x\n",
			[]string{unsure(4, "From Thu Dec 24 12:00 2026 until Monday", noHeader)},
		},
		{
			"text with a date and a field, but no header", fromLine + "To: a\n\n" + fromLine + "Subject: to change\nwithout notice\n",
			[]string{unsure(4, fromLine, noHeader)},
		},
		{"no field comes first", fromLine + "To: a\n\n" + fromLine + "\tTo: b\n", []string{unsure(4, fromLine, noHeader)}},
		{"another quoted as UUCP does", fromLine + ">" + fromLine + one, []string{fromLine + one}},
		{
			"a message attached", attached("b", fromLine),
			[]string{"Content-Type: multipart/mixed;\n boundary=\"b\"\n\n--b\nContent-Type: message/rfc822\n", unsure(8, fromLine, inParts)},
		},
		{"the same, quoted", attached("b", ">"+fromLine), []string{strings.TrimPrefix(attached("b", fromLine), fromLine)}},
		{
			"a multipart that is cut off, and the next one", attached("b", "From: a\n")[:150] + "\n" + attached("c", "From: a\n"),
			[]string{attached("b", "From: a\n")[len(fromLine):150] + "\n", attached("c", "From: a\n")[len(fromLine):]},
		},
		{
			"the same, with the same boundary", attached("b", "From: a\n")[:150] + "\n" + attached("b", "From: a\n"),
			[]string{attached("b", "From: a\n")[len(fromLine):150] + "\n", attached("b", "From: a\n")[len(fromLine):]},
		},
	} {
		for how, reader := range map[string]io.Reader{
			"":                strings.NewReader(c.text),
			", in half reads": iotest.HalfReader(strings.NewReader(c.text)),
			", by octets":     iotest.OneByteReader(strings.NewReader(c.text)),
			", with the EOF":  iotest.DataErrReader(strings.NewReader(c.text)),
		} {
			if got, _ := split(reader); !slices.Equal(got, c.want) {
				t.Errorf("%s%s:\n%.2000q, want\n%.2000q", c.name, how, got, c.want)
			}
		}
		if c.text != "" && strings.Trim(c.text, "\r\n") != "" && !Begins([]byte(c.text[:min(len(c.text), 512)])) {
			t.Errorf("%s: is taken for one message", c.name)
		}
	}
}

// attached is an mbox of one message with another one attached, which begins so.
func attached(boundary, begins string) string {
	return fromLine + "Content-Type: multipart/mixed;\n boundary=\"" + boundary + "\"\n\n--" + boundary + "\nContent-Type: message/rfc822\n\n" +
		begins + "To: a\n\nAttached.\n--" + boundary + "--\n"
}

func unsure(line int, text, why string) string {
	return "error: " + doubtful(line, []byte(strings.TrimRight(text, "\n")), why).Error()
}

// TestSeparator: what a person says is meant is done.
func TestSeparator(t *testing.T) {
	const one, two = "To: a@example.net\n\nOne.\n", "To: b@example.net\n\nTwo.\n"
	text := "To: a\n\nHours:\n\nFrom Thu Dec 24 12:00 2026 until Monday nobody is here.\nBye\n"
	for _, c := range []struct {
		text       string
		blank, any []string
	}{
		{fromLine + one + fromLine + two, []string{one + fromLine + two}, []string{one, two}},
		{fromLine + one + "\n" + fromLine + two, []string{one, two}, []string{one, two}},
		{"From x\n" + one + "\nFrom x\n" + two, []string{one, two}, []string{one + "\nFrom x\n" + two}},
		{fromLine + text, []string{text}, []string{unsure(6, "From Thu Dec 24 12:00 2026 until Monday nobody is here.", headless)}},
		{attached("b", fromLine), []string{"Content-Type: multipart/mixed;\n boundary=\"b\"\n\n--b\nContent-Type: message/rfc822\n", "To: a\n\nAttached.\n--b--\n"},
			[]string{"Content-Type: multipart/mixed;\n boundary=\"b\"\n\n--b\nContent-Type: message/rfc822\n", "To: a\n\nAttached.\n--b--\n"}},
		{fromLine + "\n" + fromLine + one, []string{"", one}, []string{"", one}},
		{fromLine + one + "\nFROM x Tue Nov 24 09:30:00 2026\n" + two, []string{one + "\nFROM x Tue Nov 24 09:30:00 2026\n" + two}, []string{one + "\nFROM x Tue Nov 24 09:30:00 2026\n" + two}},
	} {
		for how, want := range map[Separator][]string{Blank: c.blank, Any: c.any} {
			if got, _ := splitBy(strings.NewReader(c.text), how); !slices.Equal(got, want) {
				t.Errorf("%s: %q:\n%q, want\n%q", how, c.text, got, want)
			}
			if err := Check(strings.NewReader(c.text), how); (err != nil) != strings.HasPrefix(want[len(want)-1], "error: ") {
				t.Errorf("%s: %q: %v", how, c.text, err)
			}
		}
	}
}

// TestDoubt: a "From " line that no writer's date follows and a header does makes the
// whole file refused, with or without an empty line before it; text stays text.
func TestDoubt(t *testing.T) {
	const one = "To: a@example.net\n\nDear patron 1.\n"
	const two = "To: b@example.net\nSubject: s\n\nDear patron 2.\n"
	for _, line := range []string{
		"From lib@x", "From lib@x Mi Dez  2 21:00:00 2026", "From lib@x Sun Okt 29 21:00:00 2026", "From lib@x dim. nov. 29 21:00:00 2026",
		"From lib@x 29/11/2026 21:00", "From lib@x Sun Nov 29 9:00:00 26", "From MAILER-DAEMON", "From ", "From\tlib@x Sun Nov 29 21:00:00 2026",
		"FROM lib@x Sun Nov 29 21:00:00 2026", "from lib@x Sun Nov 29 21:00:00 2026", "From Monday on",
	} {
		for _, text := range []string{
			fromLine + one + line + "\n" + two, fromLine + one + "\n" + line + "\n" + two, toCRLF(fromLine + one + line + "\n" + two), line + "\n" + one + "\n" + line + "\n" + two,
			fromLine + one + line + "\nFrom: x\n\ntext\n", fromLine + one + line + "\nX: 1\nY: 2\n\ntext\n", fromLine + one + line + "\n" + line + "\n" + two,
			fromLine + one + line + "\nA: folded\n\tfield\nSubject:\n\ntext\n", one + line + "\n" + two,
		} {
			check := func(r io.Reader) error { return Check(r, Sure) }
			if !Begins([]byte(text)) {
				check = CheckMessage
			}
			if maybeFrom([]byte(text)) && !Begins([]byte(text)) {
				continue // no header: it is refused as a message
			}
			if err := check(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "separator=") {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	for _, text := range []string{
		"From Monday on we are closed.\nPlease note: it is cold.\n", "From Monday on:\nBooks: none\nThank you\n", "Fromage: x\nTo: y\n", "From: x\nTo: y\n",
		"From \n\nTo: you\n",
	} {
		for _, text := range []string{fromLine + one + text, fromLine + one + "\n" + text} {
			if err := Check(strings.NewReader(text), Sure); err != nil {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
}

// TestCutOff: a message whose header the end of the file cuts off is refused.
func TestCutOff(t *testing.T) {
	const one = "To: a@example.net\n\nText.\n"
	for _, rest := range []string{"To: p1@example.net, p2@exa", "To: p1@example.net\nSubject: x\n", "To: p\n p2@exa"} {
		box := NewReader(strings.NewReader(fromLine+one+"\n"+fromLine+rest), Sure)
		first, err := box.Next()
		if err == nil {
			_, err = io.ReadAll(first)
		}
		if err != nil {
			t.Fatal(err)
		}
		last, err := box.Next()
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.ReadAll(last)
		if refused := Error(""); !errors.As(err, &refused) || !strings.Contains(refused.Error(), "cut off") {
			t.Errorf("%q: %v", rest, err)
		}
		if _, err = box.Next(); err != io.EOF {
			t.Error(err)
		}
	}
}

// TestCheckMessage: a file that does not begin as an mbox may be one all the same.
func TestCheckMessage(t *testing.T) {
	const one = "To: a@example.net\n\nOne.\n"
	for text, bad := range map[string]int{
		"": 0, one: 0, one + "\n" + fromLine + "Text.\n": 0, one + "From x\nText\n" + one: 0,
		"junk\n" + fromLine + one: 2, one + fromLine + one: 4, one + fromLine + "Text.\n" + fromLine + one: 6,
		strings.TrimPrefix(attached("b", fromLine), fromLine):                                                      0,
		strings.TrimPrefix(attached("b", fromLine), fromLine) + fromLine + one:                                     12,
		"X-Long: " + strings.Repeat("x", 3*bufferSize) + "\n" + one + strings.Repeat("text\n", bufferSize) + "end": 0,
	} {
		err := CheckMessage(strings.NewReader(text))
		if (err != nil) != (bad > 0) || bad > 0 && !strings.Contains(err.Error(), fmt.Sprintf("line %d begins a message", bad)) {
			t.Errorf("%.200q: %v, want line %d", text, err, bad)
		}
	}
}

func TestLines(t *testing.T) {
	_, lines := split(strings.NewReader("\n" + fromLine + "To: a\n\nText.\n\n" + fromLine + fromLine + "To: c\n\n" + fromLine + "To: b\n\n"))
	if want := []int{3, 8, 12}; !slices.Equal(lines, want) {
		t.Errorf("messages begin in lines %v, want %v", lines, want)
	}
}

// TestSkips: what is not read of a message is skipped.
func TestSkips(t *testing.T) {
	box := NewReader(strings.NewReader(strings.Repeat(fromLine+"To: a\n\n>From\n\nText.\n\n", 100)+fromLine+"To: last"), Sure)
	var last string
	for n := 0; ; n++ {
		r, err := box.Next()
		if err == io.EOF {
			break
		}
		text, _ := io.ReadAll(io.LimitReader(r, int64(n%30)))
		last = string(text)
	}
	if box.Number() != 101 || last != "To: last"[:min(8, 100%30)] {
		t.Errorf("%d messages, the last is %q", box.Number(), last)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken disk")
	got, _ := split(io.MultiReader(strings.NewReader(fromLine+"To: a\n\nHalf"), iotest.ErrReader(broken)))
	if want := []string{"error: broken disk"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// repeat says the same text without end.
type repeat struct {
	text string
	at   int
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], r.text[r.at:])
		n += m
		r.at = (r.at + m) % len(r.text)
	}
	return n, nil
}

// TestMemory: it does not grow with a message or with a line.
func TestMemory(t *testing.T) {
	for name, text := range map[string]string{"short lines": "A line of a notice with nothing special in it, as they are, ü.\n", "one line": "never ends ", "quotes": ">", "empty lines": "\n", "From": "\nFrom ", "undated": "\nFrom Monday on\nNote: a\n", "From lines": "\nFrom x"} {
		r := io.MultiReader(strings.NewReader(fromLine+"To: a\n\n"), io.LimitReader(&repeat{text: text}, 8<<20))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		box := NewReader(r, Sure)
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

func TestBegins(t *testing.T) {
	for text, want := range map[string]bool{
		fromLine: true, "From x": true, "\r\n\nFrom x": true, "\xef\xbb\xbfFrom x": true,
		"": false, "From: x": false, "From : x": false, "from x": false, "To: a\n\nFrom x": false, ">From x": false,
	} {
		if Begins([]byte(text)) != want {
			t.Errorf("Begins(%q) is %v", text, !want)
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

// TestGivesBack: what is written as an mbox is read again, octet for octet.
func TestGivesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		eol := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line end")
		line := rapid.OneOf(
			rapid.SampledFrom([]string{"", "From ", "From x", ">From ", ">>>From x", "To: a", strings.TrimSuffix(fromLine, "\n"), strings.Repeat("x", bufferSize), strings.Repeat(">", 70) + "From "}),
			rapid.StringMatching(`[>From :a-c\r]{0,12}`),
		)
		message := rapid.Custom(func(t *rapid.T) string {
			return "To: a" + eol + eol + strings.Join(rapid.SliceOfN(line, 1, 8).Draw(t, "lines"), eol) + eol
		})
		messages := rapid.SliceOfN(message, 1, 5).Draw(t, "messages")
		size := rapid.IntRange(1, 100).Draw(t, "read size")
		box := composeMbox(messages, eol)
		blank := func(m string) bool { return strings.HasSuffix(strings.ReplaceAll(m, "\r", ""), "\n\n") } // would be taken for one between
		if rapid.Bool().Draw(t, "no empty lines between") && !slices.ContainsFunc(messages, blank) {
			box = strings.ReplaceAll(box, eol+eol+fromLine[:len(fromLine)-1], eol+fromLine[:len(fromLine)-1])
		}
		got, _ := split(&dribble{strings.NewReader(box), size})
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

// Loose takes what may be text for text, where Sure refuses the file.
func TestLoose(t *testing.T) {
	text := fromLine + "To: a@example.net\n\nOne.\nFrom Monday on\n" + fromLine + "no header\nFrom x\nTo: b\n" + fromLine + "To: c@example.net\n\nTwo.\n"
	if found, _ := split(strings.NewReader(text)); !strings.HasPrefix(found[len(found)-1], "error: ") {
		t.Errorf("Sure: %q", found)
	}
	found, _ := splitBy(strings.NewReader(text), Loose)
	if len(found) != 2 || found[1] != "To: c@example.net\n\nTwo.\n" {
		t.Errorf("Loose: %q", found)
	}
}

// FuzzMbox: any octets are split without a panic, whatever is read at a time; nothing is
// made up, and where no line is in doubt no message has a separator within.
func FuzzMbox(f *testing.F) {
	f.Add([]byte(fromLine + "To: a\n\n>From x\n\n" + fromLine + "To: b\r\n\r\nText"))
	f.Add([]byte("From x\nTo: a\n\nFrom Monday on\n\nFrom a@b\nTo: b\n"))
	f.Add([]byte("\xef\xbb\xbf\n\nFrom x"))
	f.Add([]byte(attached("b", fromLine)))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, how := range []Separator{Sure, Blank, Any, Loose} {
			found, _ := splitBy(bytes.NewReader(text), how)
			again, _ := splitBy(iotest.OneByteReader(bytes.NewReader(text)), how)
			if !slices.Equal(found, again) {
				t.Errorf("%s: by octets %q, at once %q", how, again, found)
			}
			if err := Check(bytes.NewReader(text), how); err != nil {
				if how == Blank || how == Loose {
					t.Errorf("%s: %v", how, err)
				}
				continue
			}
			total := 0
			for _, m := range found {
				total += len(m)
				if i := strings.Index(m, "\n\n"+fromLine+"To: "); how == Sure && i >= 0 && !bytes.Contains(text, []byte(">"+fromLine)) {
					t.Errorf("a separator within %q", m)
				}
			}
			if total > len(text) {
				t.Errorf("%s: %d octets out of %d", how, total, len(text))
			}
		}
		_ = CheckMessage(bytes.NewReader(text))
	})
}
