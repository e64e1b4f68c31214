//go:build peers

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is one of the real notices, and what became of it.
type sample struct {
	name     string
	original mail
	stored   mail // as it lay in the spool
	copies   int  // one for each recipient
}

// enqueueSamples queues all sample notices to the recipients in their headers, and
// returns them by Message-ID.
func (s *site) enqueueSamples() map[string]*sample {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "spool/intake/testdata/notices/*.eml"))
	check(s.t, err)
	if len(files) < 5 {
		s.t.Fatalf("only %d sample notices", len(files))
	}
	samples := make(map[string]*sample)
	for _, file := range files {
		text, err := os.ReadFile(file)
		check(s.t, err)
		id := s.enqueue(string(text))
		one := &sample{name: filepath.Base(file), original: parseMail(s.t, text), stored: s.stored(id)}
		samples[one.stored.messageID()] = one
		one.copies = len(s.find(id).Recipients)
	}
	if len(samples) != len(files) {
		s.t.Fatalf("%d Message-IDs for %d notices", len(samples), len(files))
	}
	return samples
}

func (s *site) find(id string) queued {
	s.t.Helper()
	messages := s.list()
	i := slices.IndexFunc(messages, func(m queued) bool { return m.ID == id })
	if i < 0 {
		s.t.Fatalf("list does not show %s", id)
	}
	return messages[i]
}

// checkStored compares what lies in the spool with what was queued: the same body, no
// field lost but Bcc, and From only where it is repaired.
func (one *sample) checkStored(t *testing.T) {
	t.Helper()
	if one.stored.body != one.original.text() {
		t.Errorf("%s: the body in the spool is not what was queued:\n%q\n%q", one.name, one.stored.body, one.original.text())
	}
	for _, field := range one.original.without("Bcc", "From") {
		if !slices.Contains(one.stored.header, field) {
			t.Errorf("%s: the spool has lost %q", one.name, field)
		}
	}
	if one.stored.get("Bcc") != "" || one.stored.get("From") == "" {
		t.Errorf("%s: the header in the spool is %q", one.name, one.stored.header)
	}
}

// text is a body with the end that every stored one has.
func (m mail) text() string {
	if strings.HasSuffix(m.body, "\n") {
		return m.body
	}
	return m.body + "\n"
}

// TestSamplesArriveUnchanged sends them through Postfix, which takes 8-bit mail: not
// an octet differs from what lies in the spool, nor its body from what was queued.
func TestSamplesArriveUnchanged(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	s := newSite(t, p.config(goodPassword))
	samples := s.enqueueSamples()
	if got := s.flush(); got != (tally{Sent: len(samples)}) {
		t.Errorf("flush says %+v, want %d sent", got, len(samples))
	}
	want := 0
	for _, one := range samples {
		want += one.copies
		one.checkStored(t)
	}
	until(t, "all samples", func() bool { return p.count() == want })
	for _, got := range p.arrived(t) {
		one := samples[got.messageID()]
		if one == nil {
			t.Errorf("nobody sent this:\n%s", got)
			continue
		}
		if one.copies--; got.String() != one.stored.String() {
			t.Errorf("%s: arrived %q, sent %q", one.name, got, one.stored)
		}
	}
	for _, one := range samples {
		if one.copies != 0 {
			t.Errorf("%s: %d copies missing", one.name, one.copies)
		}
	}
}

// TestSamplesDecodeAlike sends them to Mailpit, which takes 7 bits: each part decodes
// to the same, and no field but the encoding's differs.
func TestSamplesDecodeAlike(t *testing.T) {
	t.Parallel()
	m := startMailpit(t)
	s := newSite(t, m.config(goodPassword))
	samples := s.enqueueSamples()
	if got := s.flush(); got != (tally{Sent: len(samples)}) {
		t.Errorf("flush says %+v, want %d sent", got, len(samples))
	}
	seen := make(map[string]bool)
	for _, got := range m.arrived(t) {
		seen[got.messageID()] = true
		one := samples[got.messageID()]
		if one == nil {
			t.Errorf("nobody sent this:\n%s", got)
			continue
		}
		if i := strings.IndexFunc(got.body, func(r rune) bool { return r > 127 }); i >= 0 {
			t.Errorf("%s: 8 bits were sent to a server that takes 7, at %d", one.name, i)
		}
		encoding := "Content-Transfer-Encoding"
		if a, b := got.without(encoding), one.stored.without(encoding); !slices.Equal(a, b) {
			t.Errorf("%s: header %q, sent %q", one.name, a, b)
		}
		if a, b := got.leaves(t), one.stored.leaves(t); !slices.Equal(a, b) {
			t.Errorf("%s: parts decode to %q, sent %q", one.name, a, b)
		}
	}
	if len(seen) != len(samples) {
		t.Errorf("%d of %d notices arrived", len(seen), len(samples))
	}
}
