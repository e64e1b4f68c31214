package returns

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOwnReturns: the golden files of package bounce are read as what they are.
func TestOwnReturns(t *testing.T) {
	want := map[string]Kind{
		"delayed": Delayed, "expired": Failed, "failed": Failed, "failed-many": Failed, "held": Delayed,
		"relayed": Succeeded, "utf8-recipient": Failed, "utf8-sender": Failed,
	}
	files, err := filepath.Glob("../bounce/testdata/*.golden")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d files, want %d: %v", len(files), len(want), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".golden")
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Parse(strings.NewReader(string(b)))
		if err != nil || r.Kind != want[name] || r.QueueID != "0AAAAAAAAAAAAAAA" {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}
