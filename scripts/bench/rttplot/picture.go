package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"notices/scripts/plot"
)

// ours is the name of this program in the results.
const ours = "notices"

// names has the programs' own spelling of their names, and colours.
var names = map[string]struct {
	name   string
	colour plot.Colour
}{
	ours:         {"notices", plot.Blue},
	"postfix":    {"Postfix", plot.Orange},
	"exim":       {"Exim", plot.Purple},
	"opensmtpd":  {"OpenSMTPD", plot.Brown},
	"nullmailer": {"nullmailer", plot.Grey},
	"dma":        {"dma", plot.Green},
	"msmtpq":     {"msmtpq", plot.Sky},
}

// loopback is where a round-trip time of 0 is drawn, because a logarithmic axis has no 0.
const loopback = 1.0

// connections is the number of connections of the reference line. The benchmark gives
// notices as many, and Postfix has as many by default.
const connections = 20

func picture(list []rate) []byte {
	const title = "Messages a second, near and far"
	p := plot.New(800, 540, title, words(list))
	p.Text(24, 36, plot.Style{Size: 20, Bold: true}, title)
	p.Text(24, 58, plot.Style{Size: 13, Colour: plot.Muted},
		"A full queue of 4 KiB messages goes to one smarthost. Both axes are logarithmic.")
	chart := &plot.Panel{Picture: p, Left: 84, Top: 84, Width: 540, Height: 392, X: rttAxis(list), Y: rateAxis(list)}
	chart.Frame()
	reference(chart)
	chart.Lines(series(list))
	return p.SVG()
}

// words describe the picture for people who cannot see it.
func words(list []rate) string {
	text := "Messages a second by round-trip time in milliseconds."
	for _, s := range series(list) {
		text += " " + s.Name + ":"
		for i, v := range s.Points {
			text += fmt.Sprintf("%s %s at %s", []string{"", ","}[min(i, 1)], rounded(v.Y), rttLabel(v.X))
		}
		text += "."
	}
	return text
}

func rounded(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return plot.Thousands(int(math.Round(v)))
}

// series are the lines of the programs. A rate of zero is not drawn.
func series(list []rate) []plot.Series {
	var all []plot.Series
	for i, r := range list {
		if i == 0 || list[i-1].program != r.program {
			s := plot.Series{Name: r.program, Colour: plot.Ink, Strong: r.program == ours}
			if known, ok := names[r.program]; ok {
				s.Name, s.Colour = known.name, known.colour
			}
			s.Detail = detail(list, r.program)
			all = append(all, s)
		}
		if r.perSecond > 0 {
			s := &all[len(all)-1]
			s.Points = append(s.Points, plot.Point{X: max(r.rtt, loopback), Y: r.perSecond})
		}
	}
	return slices.DeleteFunc(all, func(s plot.Series) bool { return len(s.Points) == 0 })
}

// detail says how many connections the program had.
func detail(list []rate, program string) string {
	most := 0
	for _, r := range list {
		if r.program == program {
			most = max(most, r.connections)
		}
	}
	switch most {
	case 0:
		return ""
	case 1:
		return "1 connection"
	}
	return plot.Thousands(most) + " connections"
}

// reference is the rate of that many connections with two round trips a message: one for
// the commands, which PIPELINING sends together, and one for the content.
func reference(p *plot.Panel) {
	perSecond := func(ms float64) float64 { return connections * 1000 / (2 * ms) }
	from := max(perSecond(p.Y.Max), 2)
	p.Guide(plot.Muted, plot.Point{X: from, Y: perSecond(from)}, plot.Point{X: p.X.Max, Y: perSecond(p.X.Max)},
		fmt.Sprintf("%d connections, two round trips a message", connections))
}

func rttAxis(list []rate) plot.Axis {
	a := plot.Axis{Label: "round-trip time in milliseconds; 0: within the machine", Min: loopback, Max: 10, Log: true}
	for _, r := range list {
		a.Max = max(a.Max, r.rtt)
		at := max(r.rtt, loopback)
		if !slices.ContainsFunc(a.Ticks, func(t plot.Tick) bool { return t.At == at }) {
			a.Ticks = append(a.Ticks, plot.Tick{At: at, Label: rttLabel(at)})
		}
	}
	return a
}

func rttLabel(at float64) string {
	if at <= loopback {
		return "0"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", at), ".0")
}

// rateAxis goes from one power of ten to another.
func rateAxis(list []rate) plot.Axis {
	low, high := math.Inf(1), 0.0
	for _, r := range list {
		if r.perSecond > 0 {
			low, high = min(low, r.perSecond), max(high, r.perSecond)
		}
	}
	a := plot.Axis{Label: "messages a second", Min: 1, Max: 10, Log: true}
	for a.Max < high {
		a.Max *= 10
	}
	for a.Min*10 < min(low, a.Max/10) {
		a.Min *= 10
	}
	for v := a.Min; v <= a.Max; v *= 10 {
		a.Ticks = append(a.Ticks, plot.Tick{At: v, Label: plot.Thousands(int(v))})
	}
	return a
}
