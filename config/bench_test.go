package config

import (
	"os"
	"path/filepath"
	"testing"
)

// What reading a config adds to an enqueue, with a warm cache: the template as
// `notices init` writes it, one with every key and a comment on each line, and the
// shortest that is of use.
func BenchmarkLoad(b *testing.B) {
	all, err := os.ReadFile(filepath.Join("testdata", "good", "all-keys.toml"))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		text []byte
	}{{"template", Template()}, {"all-keys", all}, {"short", []byte("[site]\naddress = \"library@example.org\"\n" + oneServer)}} {
		b.Run(c.name, func(b *testing.B) {
			path := write(b, string(c.text), 0o600)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := LoadFor(path, Intake); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
