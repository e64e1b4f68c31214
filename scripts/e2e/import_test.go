//go:build peers

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeMailbox makes Python's mailbox module put messages into a mailbox. A Maildir
// has them in new and in cur by turns.
const writeMailbox = `
import mailbox, sys
kind, target, files = sys.argv[1], sys.argv[2], sys.argv[3:]
box = mailbox.Maildir(target) if kind == "Maildir" else mailbox.mbox(target)
for n, name in enumerate(files):
    text = open(name, "rb").read()
    if kind != "Maildir":
        box.add(text)
        continue
    message = mailbox.MaildirMessage(text)
    if n % 2:
        message.set_subdir("cur")
        message.add_flag("S")
    box.add(message)
box.close()
`

// TestImportReadsWhatPythonWrites imports the real notices, as an mbox and a Maildir that
// Python's standard library wrote, and wants in the spool what enqueue makes of them.
func TestImportReadsWhatPythonWrites(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "spool/intake/testdata/notices/*.eml"))
	check(t, err)
	files = append(files, fromNotice(t))
	want := queuedAlone(t, files)
	for _, kind := range []string{"mbox", "Maildir", "CRLF mbox"} {
		s := newSite(t)
		target := s.path("mailbox")
		write := exec.Command("/usr/bin/python3", append([]string{"-c", writeMailbox, strings.TrimPrefix(kind, "CRLF "), target}, files...)...)
		if out, err := write.CombinedOutput(); err != nil {
			t.Fatalf("python3: %v\n%s", err, out)
		}
		if kind == "CRLF mbox" {
			text, err := os.ReadFile(target)
			check(t, err)
			text = []byte(strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n"))
			check(t, os.WriteFile(target, text, 0o600))
		}
		ids := strings.Fields(s.must("", "import", target))
		got := make([]string, len(ids))
		for i, id := range ids {
			got[i] = comparable(s.stored(id))
		}
		slices.Sort(got) // a Maildir's names are by chance
		if !slices.Equal(got, want) {
			t.Errorf("%s: the spool has\n%q\nqueued alone\n%q", kind, got, want)
		}
		if again := s.must("", "import", target); again != "" {
			t.Errorf("%s: imported again, these were queued: %s", kind, again)
		}
	}
}

// fromNotice is a notice with lines that an mbox has to quote.
func fromNotice(t *testing.T) string {
	t.Helper()
	name := filepath.Join(folder(t), "from.eml")
	write(t, name, "To: patron@example.net\nSubject: From\n\nFrom Monday on we are closed.\n\n"+
		"From library@example.org Tue Nov 24 09:30:00 2026\nTo: nobody@example.net\n\nFrom us to you.\n")
	return name
}

// queuedAlone is what enqueue makes of each file.
func queuedAlone(t *testing.T, files []string) []string {
	t.Helper()
	s := newSite(t)
	var all []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		check(t, err)
		all = append(all, comparable(s.stored(s.enqueue(string(text)))))
	}
	slices.Sort(all)
	return all
}

// comparable is a message without what is given to it when it is queued, and without
// the empty lines at its end, of which a mailbox may take one.
func comparable(m mail) string {
	return strings.Join(m.without("Date", "Message-ID"), "") + "\n" + strings.TrimRight(m.body, "\n")
}
