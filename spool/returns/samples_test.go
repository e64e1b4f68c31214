package returns

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/samples.golden anew")

// samples are the files of testdata, by name. They were written for these tests, in the forms that
// the programs have; names and addresses are invented.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".eml")] = b
	}
	return all
}

// names are those of the samples, in order.
func names(all map[string][]byte) []string { return slices.Sorted(maps.Keys(all)) }

// TestSamples compares all that is read from each sample with testdata/samples.golden.
func TestSamples(t *testing.T) {
	all := samples(t)
	var got bytes.Buffer
	for _, name := range names(all) {
		r, err := Parse(bytes.NewReader(all[name]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintf(&got, "%s: %s", name, r.Kind)
		describe(&got, r)
	}
	const file = "testdata/samples.golden"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s differs; see what changed with: go test -update && git diff\n%s", file, firstDifference(got.String(), string(want)))
	}
}

// describe writes what a sample has, and leaves out what it has not.
func describe(b *bytes.Buffer, r *Return) {
	item := func(name, value string) {
		if value != "" && value != "[]" {
			fmt.Fprintf(b, " %s=%s", name, value)
		}
	}
	item("form", r.Form)
	b.WriteByte('\n')
	if r.Form == "" {
		return
	}
	b.WriteString("  message:")
	if !r.At.IsZero() {
		item("at", r.At.Format(time.RFC3339))
	}
	item("by", r.ReportingMTA)
	item("envid", r.EnvelopeID)
	item("to", fmt.Sprint(r.Addressees))
	item("verp", fmt.Sprint(r.IDs))
	item("ids", fmt.Sprint(r.MessageIDs))
	b.WriteByte('\n')
	for _, c := range r.Recipients {
		fmt.Fprintf(b, "  %s: %s", c.Final, c.Kind)
		if c.Original != c.Final {
			item("original", c.Original)
		}
		if c.Code != 0 {
			item("code", fmt.Sprint(c.Code))
		}
		item("status", c.Status)
		item("host", c.RemoteMTA)
		if !c.At.IsZero() {
			item("at", c.At.Format(time.RFC3339))
		}
		item("text", c.Text)
		b.WriteByte('\n')
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}
