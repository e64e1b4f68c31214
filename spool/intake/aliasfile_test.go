package intake

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"notices/spool"
	"notices/spool/maillog"
)

// aliasesOf writes an alias file.
func aliasesOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "aliases")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func toName(name string) Request {
	return Request{Body: strings.NewReader("Subject: x\n\n"), Recipients: []string{name}, Qualify: true}
}

// TestLargeAliases: nothing of a long file is cut off; a file that is too long is said, and
// the mail is not queued for whoever is in the part that was read.
func TestLargeAliases(t *testing.T) {
	list := manyAddresses(spool.MaxRecipients+1, 200)
	most := list[:spool.MaxRecipients]
	for name, text := range map[string]string{
		"a line":       "all: " + strings.Join(most, ", ") + "\nlast: z@example.net\n",
		"continued":    "all: " + strings.Join(most, ",\n\t") + "\nlast: z@example.net\n",
		"behind a MiB": strings.Repeat("# nothing\n", 1<<18) + "all: " + strings.Join(most, ",") + "\nlast: z@example.net",
	} {
		d := newDesk(site)
		d.Aliases = aliasesOf(t, text)
		if q := d.must(t, toName("all")); len(q.Recipients) != len(most) || q.Recipients[len(most)-1] != most[len(most)-1] {
			t.Errorf("%s: %d recipients", name, len(q.Recipients))
		}
		if q := d.must(t, toName("last")); fmt.Sprint(q.Recipients) != "[z@example.net]" {
			t.Errorf("%s: last is %.200s", name, q.Recipients)
		}
	}
	d := newDesk(site)
	d.Aliases = aliasesOf(t, "all: "+strings.Join(list, ","))
	if e := d.refused(t, toName("all")); e.Kind != BadMessage || !errors.Is(e, ErrTooMany) {
		t.Error(e)
	}
	d.Aliases = aliasesOf(t, "root: a@example.net\n"+strings.Repeat("# nothing\n", maxAliases/10))
	if e := d.refused(t, toName("root")); e.Kind != BadConfig || !strings.Contains(e.Msg, d.Aliases+" is longer than 16 MiB") {
		t.Error(e)
	}
	d.must(t, toName("patron@example.net"))
}

// TestOddAliases: what is ignored is said, and a FIFO hangs nobody.
func TestOddAliases(t *testing.T) {
	var log bytes.Buffer
	say := func(aliases string) string {
		log.Reset()
		d := newDesk(site)
		d.Aliases, d.Log = aliases, maillog.New(&log, maillog.Warnings)
		d.must(t, toName("root"))
		return log.String()
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	for aliases, want := range map[string]string{
		fifo:        "is not a regular file",
		"/dev/zero": "is not a regular file",
		aliasesOf(t, " root: x@example.net\nroot: a@example.net\n"):                                       "line 1 is ignored: it begins with a blank",
		aliasesOf(t, "root: a@example.net\nROOT: b@example.net\n"):                                        "line 2 is ignored: a line before names",
		aliasesOf(t, "root: a@example.net\n"+strings.Repeat("junk\n", 5)+strings.Repeat("root: x\n", 95)): "90 more lines",
	} {
		if got := say(aliases); !strings.Contains(got, want) || strings.Count(got, "ignored") > maxWrong+1 {
			t.Errorf("%.60s: want %s, got %s", aliases, want, got)
		}
	}
}
