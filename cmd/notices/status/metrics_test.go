package status

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"notices/cmd/internal/app"
	"notices/cmd/notices/fakesite"
	"notices/cmd/notices/metrics"
	"notices/spool"
	"notices/spool/buffer"
	"notices/spool/rate"
)

// series are metrics: `name{label=value}` to its number.
type series map[string]float64

var (
	metricLine  = regexp.MustCompile(`^(notices_[a-z_]+)(?:\{(.*)\})? (\S+)$`)
	metricLabel = regexp.MustCompile(`([a-z_]+)=("(?:[^"\\]|\\.)*")(?:,|$)`)
)

// parsed reads metrics as this program writes them: each family has HELP and TYPE, then
// its lines. Whether Prometheus reads the same is for TestPromtool.
func parsed(t *testing.T, text string) series {
	t.Helper()
	found := series{}
	family := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			family, _, _ = strings.Cut(rest, " ")
			continue
		}
		if strings.HasPrefix(line, "#") {
			if line != "# TYPE "+family+" gauge" {
				t.Errorf("behind the HELP of %s: %q", family, line)
			}
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil || m[1] != family || strings.HasSuffix(family, "_total") || strings.HasSuffix(family, "_count") || !hasUnit(family) {
			t.Fatalf("in the family %s: %q", family, line)
		}
		key := family + labels(t, m[2])
		if _, twice := found[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		found[key] = value
	}
	return found
}

// hasUnit: a name says what is counted.
func hasUnit(name string) bool {
	for _, unit := range []string{"_messages", "_bytes", "_seconds", "_info", "_up", "_ok", "_troubles", "_level"} {
		if strings.HasSuffix(name, unit) {
			return true
		}
	}
	return false
}

// labels undoes the escapes of a line's labels.
func labels(t *testing.T, text string) string {
	t.Helper()
	if text == "" {
		return ""
	}
	if rest := metricLabel.ReplaceAllString(text, ""); rest != "" {
		t.Errorf("labels %q: %q is not a label", text, rest)
	}
	var list []string
	for _, m := range metricLabel.FindAllStringSubmatch(text, -1) {
		value, err := strconv.Unquote(m[2])
		if err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
		list = append(list, m[1]+"="+value)
	}
	return "{" + strings.Join(list, ",") + "}"
}

func (w *world) metrics(o Options) series {
	w.T.Helper()
	o.Prometheus = true
	w.Out.Reset()
	w.Check(Run(context.Background(), w.q, withServers(o)))
	return parsed(w.T, w.Out.String())
}

// TestMetrics: each figure of a bad day, and no more.
func TestMetrics(t *testing.T) {
	w := on(fakesite.BadDay(t))
	o := statusDefaults()
	o.SignIn = deadSignIn
	o.Limits = []rate.Limit{{Domains: []string{"gmail.com", "googlemail.com"}, Messages: 100, Per: time.Hour}}
	got := w.metrics(o)
	if got["notices_spool_bytes"] <= 0 {
		t.Error("no bytes")
	}
	delete(got, "notices_spool_bytes")
	now := float64(w.Now.Unix())
	want := series{
		"notices_build_info{version=" + app.Version + "}":                                   1,
		"notices_messages{state=queued}":                                                    2,
		"notices_messages{state=deferred}":                                                  1,
		"notices_messages{state=held}":                                                      1,
		"notices_messages{state=failed}":                                                    1,
		"notices_unreadable_messages":                                                       0,
		"notices_aside_messages":                                                            0,
		"notices_waiting_messages{for=server}":                                              0,
		"notices_waiting_messages{for=recipient}":                                           1,
		"notices_oldest_waiting_for_server_seconds":                                         0,
		"notices_check_level":                                                               2,
		"notices_sending_ok":                                                                1,
		"notices_config_ok":                                                                 1,
		"notices_server_down_since_timestamp_seconds{server=1}":                             now,
		"notices_due_messages":                                                              2,
		"notices_oldest_due_seconds":                                                        180,
		"notices_oldest_message_seconds":                                                    30 * 3600,
		"notices_next_send_timestamp_seconds":                                               now - 180,
		"notices_server_up{server=1}":                                                       0,
		"notices_server_up{server=2}":                                                       1,
		"notices_server_troubles{server=1}":                                                 3,
		"notices_server_troubles{server=2}":                                                 0,
		"notices_server_down_until_timestamp_seconds{server=1}":                             now + 200,
		"notices_last_test_timestamp_seconds{server=1}":                                     now - 26*3600,
		"notices_last_test_ok{server=1}":                                                    1,
		"notices_account_ok{account=google}":                                                0,
		"notices_limit_used_messages{domains=gmail.com,googlemail.com,per_seconds=3600}":    0,
		"notices_limit_max_messages{domains=gmail.com,googlemail.com,per_seconds=3600}":     100,
		"notices_limit_waiting_messages{domains=gmail.com,googlemail.com,per_seconds=3600}": 0,
		"notices_last_flush_timestamp_seconds":                                              now - 50,
		"notices_last_flush_messages{outcome=sent}":                                         131,
		"notices_last_flush_messages{outcome=deferred}":                                     12,
		"notices_last_flush_messages{outcome=returned}":                                     1,
		"notices_last_flush_messages{outcome=failed}":                                       0,
	}
	if !maps.Equal(got, want) {
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if value, ok := got[key]; !ok || value != want[key] {
				t.Errorf("%s is %v, want %v", key, value, want[key])
			}
			delete(got, key)
		}
		for key, value := range got {
			t.Errorf("%s %v: nobody asked for it", key, value)
		}
	}
}

// TestMetricsOfNothing: what is not known has no line.
func TestMetricsOfNothing(t *testing.T) {
	got := newWorld(t).metrics(statusDefaults())
	want := series{
		"notices_build_info{version=" + app.Version + "}": 1,
		"notices_messages{state=queued}":                  0, "notices_messages{state=deferred}": 0,
		"notices_messages{state=held}": 0, "notices_messages{state=failed}": 0,
		"notices_unreadable_messages": 0, "notices_aside_messages": 0, "notices_spool_bytes": 0, "notices_due_messages": 0, "notices_oldest_due_seconds": 0,
		"notices_waiting_messages{for=server}": 0, "notices_waiting_messages{for=recipient}": 0, "notices_oldest_waiting_for_server_seconds": 0,
		"notices_check_level": 1, "notices_sending_ok": 1, "notices_config_ok": 1,
		"notices_server_up{server=1}": 1, "notices_server_up{server=2}": 1,
		"notices_server_troubles{server=1}": 0, "notices_server_troubles{server=2}": 0,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestMetricsEscape: a label can hold anything, a number any size.
func TestMetricsEscape(t *testing.T) {
	m := &exporter{}
	m.Gauge("notices_x_messages", "a \\ and\na new line", metrics.Value(1e15, "name", "a \"quoted\\\" name\nin two lines", "other", "f\xffr"))
	want := series{"notices_x_messages{name=a \"quoted\\\" name\nin two lines,other=f?r}": 1e15}
	if got := parsed(t, m.Text()); !maps.Equal(got, want) {
		t.Errorf("it came back as %v in\n%s", got, m.Text())
	}
	if help, _, _ := strings.Cut(m.Text(), "\n"); help != `# HELP notices_x_messages a \\ and\na new line` {
		t.Errorf("help: %s", help)
	}
}

// TestUnreadableIsCounted: a message that cannot be read is neither left out nor taken
// for one that waits.
func TestUnreadableIsCounted(t *testing.T) {
	w := newWorld(t)
	w.Queue("A1", "a@example.net")
	w.Queue("A2", "b@example.net")
	w.Store.Damage("A1")
	got := w.metrics(statusDefaults())
	if got["notices_unreadable_messages"] != 1 || got["notices_messages{state="+string(spool.StateQueued)+"}"] != 1 {
		t.Errorf("%v", got)
	}
	if !strings.Contains(w.Said.String(), "1 message cannot be read") {
		t.Errorf("said: %s", w.Said.String())
	}
}

// TestMetricsInManPage: notices-status(1) has every metric, and no other.
func TestMetricsInManPage(t *testing.T) {
	w := on(fakesite.BadDay(t))
	w.SetState(spool.BouncesReadName, spool.BouncesRead{At: w.Now})
	w.share(w.host("desk", time.Minute))
	o := statusDefaults()
	o.Buffered = &buffer.Waiting{Dir: "/var/spool/notices", Messages: 2, Oldest: w.Now}
	o.SignIn, o.Limits = deadSignIn, []rate.Limit{{Domains: []string{"gmail.com"}, Messages: 1, Per: time.Hour}}
	have := map[string]bool{}
	for key := range w.metrics(o) {
		name, _, _ := strings.Cut(key, "{")
		have[name] = true
	}
	told := map[string]bool{}
	for line := range strings.Lines(page(t)) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == ".It" && strings.HasPrefix(words[2], "notices_") {
			told[words[2]] = true
		}
	}
	if !maps.Equal(have, told) {
		t.Errorf("the metrics are\n%v\nthe page tells of\n%v", slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(told)))
	}
}

// page is notices-status(1).
func page(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "man", "notices-status.1"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
