package maildir

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestCountAside: what a person has to look at, a message and its sidecar being one.
func TestCountAside(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	count := func(want int, names ...string) {
		t.Helper()
		for _, name := range names {
			if err := os.MkdirAll(filepath.Join(dir, "aside"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "aside", name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, _, err := s.CountAside(context.Background()); got != want || err != nil {
			t.Errorf("%d, %v; want %d", got, err, want)
		}
	}
	count(0)
	count(1, "1K0WSE1DCR0RRWKC", ".1K0WSE1DCR0RRWKC,1790000000,q")
	count(2, "1K0WSE1DCR0RRWKC.1", ".1K0WSE1DCR0RRWKC,1790000000,q.1")
	count(3, ".2K0WSE1DCR0RRWKC,1790000000,h")
	count(4, "foreign", "drop-1000-x y")
	if _, fromDrop, err := s.CountAside(context.Background()); fromDrop != 1 || err != nil {
		t.Errorf("%d of the drop, %v", fromDrop, err)
	}
}
