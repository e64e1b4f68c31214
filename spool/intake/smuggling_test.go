package intake

import (
	"strings"
	"testing"
	"testing/iotest"
)

// ends are what one server or another takes for a line end, or makes of it.
var ends = []string{"\r\n", "\n", "\r", "\r\r\n", "\n\r", "\r\r", "\n\n", "\r\n\r"}

// checkCanonical fails on anything but CRLF line ends of lines of at most 998 octets.
func checkCanonical(t testing.TB, text string) {
	t.Helper()
	if !strings.HasSuffix(text, "\r\n") {
		t.Errorf("the last line has no end: %q", text)
	}
	if rest := strings.ReplaceAll(text, "\r\n", ""); strings.ContainsAny(rest, "\r\n\x00") {
		t.Errorf("a bare CR, LF or a NUL is left in %q", text)
	}
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > maxLine {
			t.Errorf("a line of %d octets", len(line))
		}
	}
}

// TestSmuggling hides the end of the message and the commands of another behind all
// kinds of line ends. They stay text, in lines of their own.
func TestSmuggling(t *testing.T) {
	for _, a := range ends {
		for _, b := range ends {
			for _, read := range []func(string) Request{plain, byteByByte} {
				hidden := a + "." + b + "MAIL FROM:<evil@example.com>" + a
				q := newDesk(site).must(t, read(complete+"\nfirst"+hidden+"last"))
				checkCanonical(t, q.text)
				_, body := q.parts()
				var words []string
				for line := range strings.SplitSeq(strings.TrimSuffix(body, "\r\n"), "\r\n") {
					if line != "" {
						words = append(words, line)
					}
				}
				if got := strings.Join(words, "|"); got != "first|.|MAIL FROM:<evil@example.com>|last" {
					t.Errorf("%q, %q: body %q", a, b, body)
				}
			}
		}
	}
}

func byteByByte(text string) Request {
	r := plain(text)
	r.Body = iotest.OneByteReader(r.Body)
	return r
}

// TestSmugglingInHeader: a CR begins no field and ends no header, whatever it stands
// with. (An LF does: that is how most programs end their lines.)
func TestSmugglingInHeader(t *testing.T) {
	for _, hidden := range []string{"\r", "\r ", "\r\r", "\r.\r", " \r \r "} {
		in := complete + "Subject: first" + hidden + "Bcc: evil@example.com\nTo: patron@example.net\n\ntext\n"
		for _, read := range []func() Request{
			func() Request { return Request{Body: strings.NewReader(in)} },
			func() Request { return Request{Body: iotest.OneByteReader(strings.NewReader(in))} },
		} {
			if e := newDesk(site).refused(t, read()); !strings.Contains(e.Msg, "line 4 of the message has a carriage return") {
				t.Errorf("%q: %v", hidden, e)
			}
			r := read()
			r.Lenient = true
			q := newDesk(site).must(t, r)
			checkCanonical(t, q.text)
			if len(q.Recipients) != 1 || q.Recipients[0] != "patron@example.net" || strings.Contains(q.text, "evil") {
				t.Errorf("%q: recipients %q of %q", hidden, q.Recipients, q.text)
			}
		}
	}
}

// TestPieces: where the reads are cut does not matter, not between CR and LF either.
func TestPieces(t *testing.T) {
	line := strings.Repeat("x", 61) + "\r\n"
	lines := strings.Repeat(line, 1100)
	for cut := range len(line) + 1 {
		if cut > 3 && cut < len(line)-3 {
			continue
		}
		// The first piece ends so many octets before a line end is complete.
		head := complete + "X: \n\n"
		shift := (pieceSize - len(head) + cut) % len(line)
		head = strings.Replace(head, "X: ", "X: "+strings.Repeat("y", shift), 1)
		q := newDesk(site).must(t, plain(head+lines+"\r\rend"))
		if _, body := q.parts(); body != lines+"\r\n\r\nend\r\n" {
			t.Fatalf("cut %d: the body differs, %d octets", cut, len(body))
		}
	}
}
