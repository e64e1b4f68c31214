package submission

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"notices/spool"
)

// TestRecipientsWithoutEnd: after the last recipient that a message may have each one is
// refused, in bounded memory, and the message goes to the others.
func TestRecipientsWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rcpt        string
		given       int
		least, most int // taken
	}{
		"many":         {"RCPT TO:<%06d@example.net>\r\n", spool.MaxRecipients + 20, spool.MaxRecipients, spool.MaxRecipients},
		"with options": {"RCPT TO:<%06d@example.net> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;" + strings.Repeat("x", 490) + "\r\n", 33_000, 20_000, 32_000},
	} {
		d := newDesk(t)
		d.Intake.MaxSize = 0
		replies := &counted{}
		Serve(t.Context(), Stdio(io.MultiReader(
			strings.NewReader("EHLO x\r\nMAIL FROM:<a@example.org>\r\n"), &rcpts{format: c.rcpt, left: c.given},
			strings.NewReader("DATA\r\nSubject: x\r\n\r\nText.\r\n.\r\nQUIT\r\n")), replies), d.Options)
		taken := 0
		err := d.store.Scan(t.Context(), func(e spool.Entry) bool {
			record, body, err := d.store.Peek(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			body.Close()
			taken += len(record.Envelope.Recipients)
			return true
		})
		if err != nil || taken < c.least || taken > c.most || replies.full != c.given-taken || !strings.Contains(replies.last, "221 ") {
			t.Errorf("%s: %d recipients were taken, %d refused, %v; at last %q", name, taken, replies.full, err, replies.last)
		}
	}
}

// TestAliasForTooMany: a name that stands for more recipients than a message may have is refused with
// the code for too many, not as a bad address.
func TestAliasForTooMany(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Intake.Aliases = filepath.Join(t.TempDir(), "aliases")
	var all strings.Builder
	all.WriteString("all: x@example.net")
	for i := range spool.MaxRecipients {
		fmt.Fprintf(&all, ",\n %d@example.net", i)
	}
	if err := os.WriteFile(d.Intake.Aliases, []byte(all.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	replies := d.says("EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<all>\r\nQUIT\r\n")
	if got := replies[len(replies)-2]; !strings.HasPrefix(got, "452 4.5.3 ") {
		t.Errorf("%q", replies)
	}
}

// rcpts are very many RCPT commands.
type rcpts struct {
	format string
	left   int
	ready  strings.Reader
}

func (r *rcpts) Read(p []byte) (int, error) {
	if r.ready.Len() == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
		r.ready.Reset(fmt.Sprintf(r.format, r.left))
	}
	return r.ready.Read(p)
}

// counted counts the replies 452 4.5.3.
type counted struct {
	full int
	last string
}

func (c *counted) Write(p []byte) (int, error) {
	if strings.HasPrefix(string(p), "452 4.5.3 ") {
		c.full++
	}
	c.last = string(p)
	return len(p), nil
}

// TestCommandsWithoutEnd: neither a command that does not end nor commands without end take
// memory.
func TestCommandsWithoutEnd(t *testing.T) {
	for name, text := range map[string]string{"one line": "x", "RCPT": "RCPT TO:<a@example.net>\r\n", "a parameter": "RCPT TO:<a@example.net> ORCPT=rfc822;" + strings.Repeat("x", 11000) + "\r\n"} {
		d := newDesk(t)
		d.MaxRecipients = 10
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		Serve(t.Context(), Stdio(io.MultiReader(strings.NewReader("EHLO x\r\nMAIL FROM:<a@example.org>\r\n"),
			io.LimitReader(&endless{text: text}, 8<<20), strings.NewReader("\r\nQUIT\r\n")), io.Discard), d.Options)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 2<<20 {
			t.Errorf("%s: %d KiB are in use", name, used>>10)
		}
	}
}

type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}
