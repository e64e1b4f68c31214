package intake

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestNotices stores the samples in testdata/notices and says for each what the
// envelope is and which header fields are not the same as before.
func TestNotices(t *testing.T) {
	patrons := make([]string, 150)
	for i := range patrons {
		patrons[i] = fmt.Sprintf("patron%03d@example.net", i+1)
	}
	for _, c := range []struct {
		file         string
		to           []string
		eightBit     bool
		gone, gained []string
	}{
		{file: "overdue-utf8.eml", to: []string{"juergen.mueller@example.net"}, eightBit: true},
		{file: "overdue-latin1.eml", to: []string{"francoise@example.net"}, eightBit: true},
		{file: "hold-ready-html-and-text.eml", to: []string{"ana.souza@example.net"}, eightBit: true},
		{file: "receipt-with-pdf.eml", to: []string{"patron20041@example.net"}},
		{
			file: "cron-report.eml", to: []string{"ops@example.org"}, eightBit: true,
			gone: []string{"From: root (Cron Daemon)"},
			gained: []string{
				`From: "Cron Daemon" <root@example.org>`, "Date: Tue, 24 Nov 2026 09:30:00 +0100", "Message-ID: <ID@desk.example.org>",
			},
		},
		{file: "lines-of-dots-no-final-newline.eml", to: []string{"patron@example.net"}},
		{file: "closing-notice-to-150-patrons.eml", to: patrons},
		{
			file: "php-mail-mixed-line-ends.eml", to: []string{"patron@example.net"}, eightBit: true,
			gained: []string{"Date: Tue, 24 Nov 2026 09:30:00 +0100", "Message-ID: <ID@desk.example.org>"},
		},
		{
			file: "reminder-with-bcc.eml",
			to:   []string{"skinner@example.net", "office@example.net", "archive@example.org", "head.circulation@example.org"},
			gone: []string{"Bcc: archive@example.org, Head of Circulation", " <head.circulation@example.org>"},
		},
		{
			file: "monthly-figures-to-a-group.eml",
			to:   []string{"lisa@example.net", "milhouse@example.net", "ralph@example.net", "director@example.org"},
		},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata/notices", c.file))
			if err != nil {
				t.Fatal(err)
			}
			d := newDesk(site)
			q := d.must(t, Request{Body: bytes.NewReader(text)})
			if !slices.Equal(q.Recipients, c.to) {
				t.Errorf("recipients are %q, want %q", q.Recipients, c.to)
			}
			if q.Sender != "library@example.org" || q.EightBit != c.eightBit || q.UTF8 || q.MessageID == "" {
				t.Errorf("envelope: %+v", q.Envelope)
			}
			checkLines(t, string(text), q, c.gone, c.gained)
			if d.store.writes != 1 || d.store.made != 1 || d.store.open != 0 {
				t.Errorf("%d drafts, %d writes, %d open; one of each is enough", d.store.made, d.store.writes, d.store.open)
			}
		})
	}
}

func checkLines(t *testing.T, given string, q queued, gone, gained []string) {
	t.Helper()
	given = strings.ReplaceAll(given, "\r\n", "\n")
	header, body, _ := strings.Cut(given, "\n\n")
	gotHeader, gotBody := q.parts()
	if !strings.HasSuffix(body, "\n") {
		body += "\n"
	}
	if gotBody != crlf(body) {
		t.Errorf("body is\n%q\nwant\n%q", gotBody, crlf(body))
	}
	before, after := strings.Split(header, "\n"), strings.Split(strings.TrimSuffix(gotHeader, "\r\n"), "\r\n")
	for i := range gained {
		gained[i] = strings.ReplaceAll(gained[i], "ID@", string(q.ID)+"@")
	}
	if lost := without(before, after); !slices.Equal(lost, gone) {
		t.Errorf("the header lost %q, want %q", lost, gone)
	}
	if new := without(after, before); !slices.Equal(new, gained) {
		t.Errorf("the header gained %q, want %q", new, gained)
	}
	kept := slices.DeleteFunc(slices.Clone(before), func(s string) bool { return slices.Contains(gone, s) })
	if rest := slices.DeleteFunc(after, func(s string) bool { return slices.Contains(gained, s) }); !slices.Equal(kept, rest) {
		t.Errorf("the order of the header changed: %q, before %q", rest, kept)
	}
}

func without(all, some []string) []string {
	var left []string
	for _, s := range all {
		if !slices.Contains(some, s) {
			left = append(left, s)
		}
	}
	return left
}
