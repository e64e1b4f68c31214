//go:build peers

package metrics

import (
	"os/exec"
	"strings"
	"testing"
)

// TestPromtool: Prometheus reads the metrics of a service, and has nothing to say about them.
func TestPromtool(t *testing.T) {
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(text(used(t)))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
