//go:build peers

package google

import (
	"os/exec"
	"testing"

	"notices/scripts/e2e/servers"
)

const patience = servers.Patience

// until polls for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	if !servers.Within(condition) {
		t.Fatalf("waited %v for %s", patience, what)
	}
}

var ends []func()

func atEnd(f func()) { ends = append(ends, f) }

// stopAll ends what was started, the last first.
func stopAll() {
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i]()
	}
}

// start runs a server that stopAll ends.
func start(cmd *exec.Cmd, output string) error {
	s, err := servers.Start(cmd, output)
	if err == nil {
		atEnd(s.Stop)
	}
	return err
}
