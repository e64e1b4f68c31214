//go:build peers

package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"notices/config"
)

// TestPromtool: Prometheus reads the metrics of a bad day, of none, and a label with
// everything in it, and has nothing to say about their names and help.
func TestPromtool(t *testing.T) {
	bad := busy(t)
	o := statusDefaults()
	o.Prometheus, o.Look = true, deadSignIn
	o.Config = &config.Config{Limits: []config.Limit{{Domains: []string{"gmail.com"}, Messages: 100, Per: time.Hour}}}
	bad.out.Reset()
	bad.check(bad.a.status(context.Background(), bad.q, servers(), o))

	none := newWorld(t)
	o = statusDefaults()
	o.Prometheus = true
	none.check(none.a.status(context.Background(), none.q, servers(), o))

	escaped := &metrics{}
	escaped.family("notices_x_messages", "a \\ and\na new line").set(1e15, "name", "a \"quoted\\\" name\nin two lines")

	for name, text := range map[string]string{"a bad day": bad.out.String(), "none": none.out.String(), "escaped": escaped.out.String()} {
		cmd := exec.Command("promtool", "check", "metrics")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: promtool check metrics: %v\n%s\n%s", name, err, out, text)
		}
	}
	wrong := exec.Command("promtool", "check", "metrics")
	wrong.Stdin = strings.NewReader("notices_x{a=\"1\" 2\n") // or it reads nothing
	if wrong.Run() == nil {
		t.Error("promtool accepts anything")
	}
}
