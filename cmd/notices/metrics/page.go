// Package metrics counts what a service does, and writes metrics in the text form that
// Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/.
//
// No library does it. Those of Prometheus and OpenTelemetry bring protobuf into a program that
// starts every minute; github.com/VictoriaMetrics/metrics 1.45 reads /proc, the cgroup and its
// pressure files before main (seven files and 0.9 ms in each start of notices) and writes no HELP
// texts; the format itself takes less code here than it would take to mend that.
package metrics

import (
	"strconv"
	"strings"
	"time"
)

// Page is a page of metrics. What is not known has no line.
type Page struct{ out strings.Builder }

// Text is the page so far.
func (p *Page) Text() string { return p.out.String() }

// Write adds families that somebody else wrote.
func (p *Page) Write(text []byte) (int, error) { return p.out.Write(text) }

// Point is one line of a metric: its value, and names and values of labels in turn.
type Point struct {
	value  float64
	labels []string
}

// Value is a point.
func Value[T int | int64 | float64](v T, labels ...string) Point { return Point{float64(v), labels} }

// With is the point with other labels.
func (v Point) With(labels ...string) Point { return Point{v.value, labels} }

// Truth is 1 or 0.
func Truth(yes bool, labels ...string) Point {
	if yes {
		return Point{1, labels}
	}
	return Point{0, labels}
}

// Seconds is a length of time, a whole number.
func Seconds(d time.Duration) Point { return Value(d.Truncate(time.Second).Seconds()) }

// Times are points of the times that are known.
func Times(list ...*time.Time) []Point {
	var points []Point
	for _, t := range list {
		if t != nil {
			points = append(points, Value(t.Unix()))
		}
	}
	return points
}

// Gauge writes a family with its lines; without any it is left out.
func (p *Page) Gauge(name, help string, points ...Point) { p.family(name, "gauge", help, points) }

// Counter is Gauge for what only grows while the process runs.
func (p *Page) Counter(name, help string, points ...Point) { p.family(name, "counter", help, points) }

func (p *Page) family(name, kind, help string, points []Point) {
	if len(points) == 0 {
		return
	}
	p.head(name, kind, help)
	for _, v := range points {
		p.line(name, v)
	}
}

func (p *Page) head(name, kind, help string) {
	help = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help)
	p.out.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n")
}

func (p *Page) line(name string, v Point) {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	p.out.WriteString(name)
	for i := 0; i+1 < len(v.labels); i += 2 {
		opening := ","
		if i == 0 {
			opening = "{"
		}
		p.out.WriteString(opening + v.labels[i] + `="` + escape.Replace(strings.ToValidUTF8(v.labels[i+1], "?")) + `"`)
	}
	if len(v.labels) > 0 {
		p.out.WriteString("}")
	}
	p.out.WriteString(" " + strconv.FormatFloat(v.value, 'f', -1, 64) + "\n")
}

// Histogram writes what h has counted.
func (p *Page) Histogram(name, help string, h *Histogram) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.head(name, "histogram", help)
	var n int64
	for i, bound := range h.bounds {
		n += h.counts[i]
		p.line(name+"_bucket", Value(n, "le", strconv.FormatFloat(bound, 'f', -1, 64)))
	}
	p.line(name+"_bucket", Value(h.n, "le", "+Inf"))
	p.line(name+"_sum", Value(h.sum))
	p.line(name+"_count", Value(h.n))
}
