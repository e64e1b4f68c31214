package plot

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Axis maps values between Min and Max to a length.
type Axis struct {
	Label    string
	Min, Max float64
	Log      bool
	Ticks    []Tick
}

// Tick is a marked value and its label.
type Tick struct {
	At    float64
	Label string
}

// share returns the place of a value: 0 at Min, 1 at Max, never outside.
func (a *Axis) share(v float64) float64 {
	s := (v - a.Min) / (a.Max - a.Min)
	if a.Log {
		s = math.Log(v/a.Min) / math.Log(a.Max/a.Min)
	}
	return min(max(s, 0), 1)
}

// Panel is a rectangle of a picture with two axes.
type Panel struct {
	*Picture
	Left, Top, Width, Height float64
	X, Y                     Axis
}

// Point is one value at another.
type Point struct{ X, Y float64 }

func (p *Panel) at(v Point) (x, y float64) {
	return p.Left + p.Width*p.X.share(v.X), p.Top + p.Height*(1-p.Y.share(v.Y))
}

func (p *Panel) bottom() float64 { return p.Top + p.Height }

// Frame draws grid, ticks and labels. Call it first: the rest is drawn over it.
func (p *Panel) Frame() {
	for _, t := range p.Y.Ticks {
		_, y := p.at(Point{p.X.Min, t.At})
		p.Path(Grid, 1, false, fmt.Sprintf("M%s %sh%s", num(p.Left), num(y), num(p.Width)))
		p.Text(p.Left-7, y+4, Style{Size: 11, Colour: Muted, Anchor: "end"}, t.Label)
	}
	for _, t := range p.X.Ticks {
		x, _ := p.at(Point{t.At, p.Y.Min})
		p.Path(Grid, 1, false, fmt.Sprintf("M%s %sv%s", num(x), num(p.Top), num(p.Height)))
		if t.Label != "" {
			p.Text(x, p.bottom()+17, Style{Size: 11, Colour: Muted, Anchor: "middle"}, t.Label)
		}
	}
	p.Path(Muted, 1, false, fmt.Sprintf("M%s %sh%s", num(p.Left), num(p.bottom()), num(p.Width)))
	if p.X.Label != "" {
		p.Text(p.Left+p.Width/2, p.bottom()+37, Style{Colour: Muted, Anchor: "middle"}, p.X.Label)
	}
	if p.Y.Label != "" {
		p.Text(p.Left-62, p.Top+p.Height/2, Style{Colour: Muted, Anchor: "middle", Turn: -90}, p.Y.Label)
	}
}

// Band shades the panel from one value of X to another.
func (p *Panel) Band(from, to float64) {
	x0, _ := p.at(Point{from, p.Y.Min})
	x1, _ := p.at(Point{to, p.Y.Min})
	p.Rect(x0, p.Top, x1-x0, p.Height, Shade)
}

// Guide draws a dashed line from one point to another, with a text along it that ends at
// its middle.
func (p *Panel) Guide(c Colour, from, to Point, words string) {
	x0, y0 := p.at(from)
	x1, y1 := p.at(to)
	p.Path(c, 1, true, fmt.Sprintf("M%s %sL%s %s", num(x0), num(y0), num(x1), num(y1)))
	p.Text((x0+x1)/2, (y0+y1)/2-5, Style{Size: 11, Colour: c, Anchor: "middle", Turn: math.Atan2(y1-y0, x1-x0) * 180 / math.Pi}, words)
}

// seen is the least height of a column, so that small values can be seen.
const seen = 1.5

// Columns draws a column for each value: the first from X.Min to X.Min+1, and so on.
// Nothing outside the axes is drawn.
func (p *Panel) Columns(values []float64, c Colour) {
	var b strings.Builder
	drawn := false // the pen is at a column's upper right corner
	for i, v := range values {
		from := p.X.Min + float64(i)
		if v <= p.Y.Min || from >= p.X.Max {
			if drawn {
				fmt.Fprintf(&b, "V%sZ", num(p.bottom()))
			}
			drawn = false
			continue
		}
		x0, y := p.at(Point{from, v})
		y = min(y, p.bottom()-seen)
		x1, _ := p.at(Point{from + 1, v})
		if !drawn {
			fmt.Fprintf(&b, "M%s %s", num(x0), num(p.bottom()))
		}
		fmt.Fprintf(&b, "V%sH%s", num(y), num(x1))
		drawn = true
	}
	if drawn {
		fmt.Fprintf(&b, "V%sZ", num(p.bottom()))
	}
	if b.Len() > 0 {
		p.Path(c, 0, false, b.String())
	}
}

// Series is a line with a name at its end.
type Series struct {
	Name, Detail string
	Colour       Colour
	Strong       bool // the one that the picture is about
	Points       []Point
}

// Lines draws series, the strong ones on top, and writes the name of each at its right end,
// moved up or down where names would touch.
func (p *Panel) Lines(series []Series) {
	list := slices.Clone(series)
	slices.SortStableFunc(list, func(a, b Series) int { return b2i(a.Strong) - b2i(b.Strong) })
	for _, s := range list {
		p.line(s)
	}
	p.names(series)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (p *Panel) line(s Series) {
	width, radius := 1.7, 2.8
	if s.Strong {
		width, radius = 3.2, 4.2
	}
	var b strings.Builder
	for i, v := range s.Points {
		x, y := p.at(v)
		fmt.Fprintf(&b, "%c%s %s", "ML"[min(i, 1)], num(x), num(y))
	}
	p.Path(s.Colour, width, false, b.String())
	for _, v := range s.Points {
		x, y := p.at(v)
		p.Dot(x, y, radius, s.Colour)
	}
}

// nameHeight is the least distance of two names.
const nameHeight = 29

func (p *Panel) names(series []Series) {
	type name struct {
		Series
		y float64
	}
	var list []name
	for _, s := range series {
		if n := len(s.Points); n > 0 {
			_, y := p.at(s.Points[n-1])
			list = append(list, name{s, y})
		}
	}
	slices.SortStableFunc(list, func(a, b name) int { return cmp.Compare(a.y, b.y) })
	wanted := make([]float64, len(list))
	for i := range list {
		wanted[i] = list[i].y
	}
	for i, y := range apart(wanted, nameHeight, p.Top, p.bottom()) {
		s := list[i]
		x, _ := p.at(s.Points[len(s.Points)-1])
		p.Path(s.Colour, 1, false, fmt.Sprintf("M%s %sL%s %s", num(x+7), num(s.y), num(x+18), num(y)))
		p.Text(x+22, y+1, Style{Size: 13, Bold: true, Colour: s.Colour}, s.Name)
		p.Text(x+22, y+14, Style{Size: 10.5, Colour: Muted}, s.Detail)
	}
}

// apart moves ascending positions so that they keep that distance, between low and high if
// possible, and each as near as possible to where it was.
func apart(places []float64, gap, low, high float64) []float64 {
	moved := slices.Clone(places)
	for i := range moved {
		moved[i] = max(moved[i], low+gap*float64(i))
		if i > 0 {
			moved[i] = max(moved[i], moved[i-1]+gap)
		}
	}
	for i := len(moved) - 1; i >= 0; i-- {
		moved[i] = min(moved[i], high-gap*float64(len(moved)-1-i))
	}
	return moved
}
