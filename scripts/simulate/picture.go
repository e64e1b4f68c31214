package main

import (
	"fmt"
	"slices"
	"time"

	"notices/scripts/plot"
)

// The picture shows the first four policies below one another: on the left all of the
// time, on the right the busiest minute.
const (
	shown    = 4
	width    = 800
	margin   = 24
	left     = 84
	leftEnd  = 560
	right    = 634
	rightEnd = width - margin
	firstTop = 128
	panelTop = 24 // of its heading
	panel    = 92
	step     = panelTop + panel + 16
	height   = firstTop + shown*step + 40
)

func (r *results) picture() []byte {
	w := r.World
	title := fmt.Sprintf("%s machines, %s notices each, a mail server away for %s",
		plot.Thousands(w.Machines), plot.Thousands(w.Messages), hours(w.Away))
	p := plot.New(width, height, title, r.words())
	p.Text(margin, 36, plot.Style{Size: 20, Bold: true}, title)
	p.Text(margin, 58, plot.Style{Size: 13, Colour: plot.Muted},
		"What reaches it, simulated: first the program's own code, then a simple queue runner. All machines' cron")
	p.Text(margin, 75, plot.Style{Size: 13, Colour: plot.Muted},
		fmt.Sprintf("fires in the same second. Notices were queued %d minutes after the server went; done: after its return.", minutes(w.Queued)))
	legend(p, 102)
	for i := range min(shown, len(r.Policies)) {
		r.strip(p, &r.Policies[i], firstTop+float64(i)*step, i)
	}
	return p.SVG()
}

// words describe the picture for people who cannot see it.
func (r *results) words() string {
	text := "Sends a minute over time."
	for i := range min(shown, len(r.Policies)) {
		text += fmt.Sprintf(" %s: %s.", r.Policies[i].Name, r.Policies[i].says(r.World.Away))
	}
	return text
}

// says sums up a policy in a sentence.
func (r *result) says(back time.Duration) string {
	_, away, busiest := r.sums()
	return fmt.Sprintf("%s turned away, up to %s a minute, done in %d min",
		plot.Thousands(away), plot.Thousands(busiest), minutes(r.Last-back))
}

func legend(p *plot.Picture, y float64) {
	p.Rect(margin, y-10, 12, 12, plot.Orange)
	p.Text(margin+18, y, plot.Style{}, "turned away: the server is not there")
	p.Rect(margin+250, y-10, 12, 12, plot.Blue)
	p.Text(margin+268, y, plot.Style{}, "taken")
	heading := plot.Style{Colour: plot.Muted, Anchor: "end"}
	p.Text(leftEnd, y, heading, "sends a minute")
	p.Text(rightEnd, y, heading, "a second, busiest minute")
}

// strip is one policy.
func (r *results) strip(p *plot.Picture, one *result, top float64, place int) {
	p.Text(left, top+14, plot.Style{Size: 14, Bold: true, Colour: strength(place)}, one.Name)
	p.Text(rightEnd, top+14, plot.Style{Size: 12, Anchor: "end"}, one.says(r.World.Away))
	last := place == shown-1
	night := &plot.Panel{Picture: p, Left: left, Top: top + panelTop, Width: leftEnd - left, Height: panel, X: r.nightAxis(last), Y: sendsAxis(100_000)}
	night.Band(0, r.World.Away.Minutes())
	night.Frame()
	var taken, all []float64
	for _, m := range one.Minutes {
		taken = append(taken, float64(m.Taken))
		all = append(all, float64(m.sends()))
	}
	night.Columns(all, plot.Orange)
	night.Columns(taken, plot.Blue)
	if place == 0 {
		p.Text(left+8, top+panelTop+15, plot.Style{Size: 11, Colour: plot.Muted}, "the server is away")
	}

	busy := &plot.Panel{Picture: p, Left: right, Top: top + panelTop, Width: rightEnd - right, Height: panel, X: minuteAxis(last), Y: sendsAxis(10_000)}
	busy.Frame()
	var seconds []float64
	for _, n := range one.Busiest {
		seconds = append(seconds, float64(n))
	}
	busy.Columns(seconds, plot.Blue)
	p.Text(rightEnd-6, top+panelTop+15, plot.Style{Size: 11, Colour: plot.Muted, Anchor: "end"}, "at most "+plot.Thousands(slices.Max(one.Busiest)))
}

// strength is the opacity of a policy: the program stands out.
func strength(place int) plot.Colour {
	if place < 2 {
		return plot.Blue
	}
	return plot.Ink
}

// nightAxis covers all of the time, in minutes. Only the last strip has labels.
func (r *results) nightAxis(last bool) plot.Axis {
	end := 0.0
	for _, one := range r.Policies[:min(shown, len(r.Policies))] {
		end = max(end, float64(len(one.Minutes)))
	}
	a := plot.Axis{Max: end + 4}
	for m := 0.0; m <= a.Max; m += 30 {
		t := plot.Tick{At: m}
		if last {
			t.Label = clockTime(time.Duration(m) * time.Minute)
		}
		a.Ticks = append(a.Ticks, t)
	}
	if last {
		a.Label = "hours since the server went away"
	}
	return a
}

func minuteAxis(last bool) plot.Axis {
	a := plot.Axis{Max: 60}
	for s := 0; s <= 60; s += 20 {
		t := plot.Tick{At: float64(s)}
		if last {
			t.Label = fmt.Sprint(s)
		}
		a.Ticks = append(a.Ticks, t)
	}
	if last {
		a.Label = "seconds"
	}
	return a
}

func sendsAxis(most int) plot.Axis {
	a := plot.Axis{Max: float64(most)}
	for _, n := range []int{0, most / 2, most} {
		a.Ticks = append(a.Ticks, plot.Tick{At: float64(n), Label: plot.Thousands(n)})
	}
	return a
}

// hours writes a time in hours and minutes.
func hours(d time.Duration) string {
	if d%time.Hour == 0 && d > time.Hour {
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return fmt.Sprintf("%d minutes", minutes(d))
}

// minutes rounds up to minutes.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }
