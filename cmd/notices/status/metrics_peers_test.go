//go:build peers

package status

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/metrics"
	"notices/spool/rate"
)

// TestPromtool: Prometheus reads the metrics of a bad day, of none, and a label with
// everything in it, and has nothing to say about their names and help.
func TestPromtool(t *testing.T) {
	bad := on(fakesite.BadDay(t))
	o := statusDefaults()
	o.Prometheus, o.SignIn = true, deadSignIn
	o.Limits = []rate.Limit{{Domains: []string{"gmail.com"}, Messages: 100, Per: time.Hour}}
	bad.Out.Reset()
	bad.Check(Run(context.Background(), bad.q, withServers(o)))

	none := newWorld(t)
	o = statusDefaults()
	o.Prometheus = true
	none.Check(Run(context.Background(), none.q, withServers(o)))

	escaped := &exporter{}
	escaped.Gauge("notices_x_messages", "a \\ and\na new line", metrics.Value(1e15, "name", "a \"quoted\\\" name\nin two lines"))

	for name, text := range map[string]string{"a bad day": bad.Out.String(), "none": none.Out.String(), "escaped": escaped.Text()} {
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
