//go:build peers

package man_test

import (
	"os/exec"
	"testing"
)

// TestLint: mandoc has no complaints about any page, not even about style.
func TestLint(t *testing.T) {
	out, err := exec.Command("mandoc", append([]string{"-T", "lint"}, pages(t)...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc -T lint: %v\n%s", err, out)
	}
}
