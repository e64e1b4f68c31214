package main

import (
	"strings"
	"testing"
)

// TestHelp: every command has a group, an example and its page, and no help shows what
// pflag prints for itself.
func TestHelp(t *testing.T) {
	for _, cmd := range newCLI().root().Commands() {
		if cmd.GroupID == "" || cmd.Example == "" {
			t.Errorf("%s has group %q and example %q", cmd.Name(), cmd.GroupID, cmd.Example)
		}
		var b strings.Builder
		cmd.SetOut(&b)
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for _, never := range []string{"true|false", "(default 0", "(default []", `" "`, "<no value>", "[flags]"} {
			if strings.Contains(b.String(), never) {
				t.Errorf("help %s shows %q:\n%s", cmd.Name(), never, b.String())
			}
		}
		if page := "man notices"; !strings.Contains(b.String(), page) {
			t.Errorf("help %s names no manual page", cmd.Name())
		}
	}
}
