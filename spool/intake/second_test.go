package intake

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"notices/spool/intake/mbox"
)

const fromLine = "From library@example.org Tue Nov 24 09:30:00 2026\n"

// TestCutOffInMbox: what an mbox says of its message is what is wrong with the message.
func TestCutOffInMbox(t *testing.T) {
	message, err := mbox.NewReader(strings.NewReader(fromLine+"To: a@example.net, b@exa"), mbox.Sure).Next()
	if err != nil {
		t.Fatal(err)
	}
	if e := newDesk(site).refused(t, Request{Body: message}); e.Kind != BadMessage || !strings.Contains(e.Msg, "cut off") {
		t.Error(e)
	}
}

// TestSecondMessage: an mbox of two that comes in as one message is refused.
func TestSecondMessage(t *testing.T) {
	const one, two = "To: a@example.net\n\nDear patron 1.\n", "To: b@example.net\n\nDear patron 2.\n"
	for _, text := range []string{
		fromLine + one + fromLine + two, fromLine + one + "\n" + fromLine + two, crlf(fromLine + one + "\n" + fromLine + two), fromLine + "To: a@example.net\n" + fromLine + two,
		fromLine + one + strings.Repeat("text\n", pieceSize) + fromLine + two, fromLine + one + fromLine + fromLine + two, fromLine + one + fromLine + "X-Id: 1\n" + two,
		">" + fromLine + one + fromLine + two,
	} {
		for _, lenient := range []bool{false, true} {
			for _, r := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
				if e := newDesk(site).refused(t, Request{Body: r, Lenient: lenient}); !strings.Contains(e.Msg, "begins another message") || !strings.Contains(e.Msg, "notices import") {
					t.Errorf("%.200q: %v", text, e)
				}
			}
		}
	}
	for _, text := range []string{fromLine + one + "From Monday on\nTo: you\n", fromLine + one + fromLine + "text\nTo: you\n", fromLine + one + ">" + fromLine + two, one + fromLine + "Note: x\n"} {
		newDesk(site).must(t, Request{Body: strings.NewReader(text)})
	}
}
