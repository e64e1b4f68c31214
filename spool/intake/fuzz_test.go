package intake

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"notices/spool"
	"notices/spool/recode"
)

// FuzzAccept: whatever comes in, no panic, and what is stored is fit to be sent and
// stays as it is when it is stored again.
func FuzzAccept(f *testing.F) {
	files, err := filepath.Glob("testdata/notices/*.eml")
	if err != nil || len(files) == 0 {
		f.Fatal("no sample notices:", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, byte(0))
		f.Add(text, byte(16))
	}
	f.Fuzz(func(t *testing.T, text []byte, how byte) {
		s := site
		s.RewriteFrom = how&1 != 0
		d := newDesk(s)
		r := Request{Body: strings.NewReader(string(text)), Qualify: how&2 != 0, Lenient: how&4 != 0}
		if how&8 != 0 {
			r.Recipients = []string{"patron@example.net"}
		}
		if how&16 != 0 {
			r.Hosted = east()
		}
		q, err := d.accept(r)
		if d.store.open != 0 {
			t.Errorf("%d drafts are left open", d.store.open)
		}
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Errorf("neither stored nor refused: %v", err)
			}
			return
		}
		checkStored(t, q)
		if r.Hosted != nil {
			if !strings.Contains(q.text, "\r\nFrom: \"East Branch Library\" <noreply@service.example>\r\n") {
				t.Errorf("not from the service: %q", q.text)
			}
			return // a second time it has passed one server more
		}
		if header, _, _ := bytes.Cut(text, []byte("\n\n")); recode.EightBit(header) {
			return // what 8-bit text becomes may be read, and repaired, in another way
		}
		r.Body, r.Recipients, r.FromHeader = strings.NewReader(q.text), q.Recipients, false
		if again := newDesk(s).must(t, r); again.text != q.text || again.EightBit != q.EightBit || again.UTF8 != q.UTF8 {
			t.Errorf("the second time\n%q\nthe first\n%q", again.text, q.text)
		}
	})
}

func checkStored(t *testing.T, q queued) {
	t.Helper()
	checkCanonical(t, q.text)
	seen := make(map[string]bool)
	header, body := q.parts()
	for line := range strings.SplitSeq(strings.TrimSuffix(header, "\r\n"), "\r\n") {
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		name, _, ok := strings.Cut(line, ":")
		if !ok {
			t.Errorf("no field: %q", line)
		}
		seen[strings.ToLower(strings.TrimRight(name, " \t"))] = true
	}
	for name, want := range map[string]bool{"from": true, "date": true, "message-id": true, "bcc": false, "resent-bcc": false, "return-path": false} {
		if seen[name] != want {
			t.Errorf("%s: %v, want %v, in %q", name, seen[name], want, header)
		}
	}
	if len(q.Recipients) == 0 {
		t.Error("no recipients")
	}
	for _, address := range append(q.Recipients, q.Sender) {
		if err := spool.CheckAddress(address); err != nil {
			t.Error(err)
		}
	}
	wide := func(s string) bool { return strings.ContainsFunc(s, func(r rune) bool { return r > 127 }) }
	if q.EightBit != wide(header+body) {
		t.Errorf("eight bits: %v", q.EightBit)
	}
}
