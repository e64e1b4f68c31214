// Package plot draws plots as SVG for scripts/simulate and scripts/bench. A plotting
// library would be a dependency of the module. And a test compares pictures, so the same
// numbers must give the same bytes on every machine.
//
// A picture has its own background. It follows the reader's light or dark scheme where the
// viewer supports prefers-color-scheme; elsewhere it is light.
package plot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Colour is a colour of the palette. Colour-blind readers can tell them apart (after Okabe
// and Ito). Each has a shade for light and one for dark backgrounds.
type Colour string

// The palette.
const (
	Ink    Colour = "ink"   // text
	Muted  Colour = "muted" // text of less weight, axes
	Grid   Colour = "grid"
	Shade  Colour = "shade" // of a part of a panel
	Blue   Colour = "blue"
	Orange Colour = "orange"
	Green  Colour = "green"
	Purple Colour = "purple"
	Sky    Colour = "sky"
	Brown  Colour = "brown"
	Grey   Colour = "grey"
)

// palette has the colours for light and dark.
var palette = []struct {
	name        Colour
	light, dark string
}{
	{"paper", "#ffffff", "#12161c"},
	{Ink, "#1b1f24", "#e8ecf1"},
	{Muted, "#5b6470", "#9aa5b3"},
	{Grid, "#e3e7ec", "#2a313b"},
	{Shade, "#f0f2f5", "#1d232b"},
	{Blue, "#1667b0", "#58a6f0"},
	{Orange, "#e2761b", "#f0904a"},
	{Green, "#0b8a62", "#35c092"},
	{Purple, "#b04a92", "#d988c0"},
	{Sky, "#2f9fd6", "#6cc3ee"},
	{Brown, "#8a5a2b", "#c79a63"},
	{Grey, "#6b7280", "#a0a8b4"},
}

// Picture is a drawing. Lengths are in pixels, from the upper left corner.
type Picture struct {
	width, height float64
	title, about  string
	body          bytes.Buffer
}

// New begins a picture. about describes it for people who cannot see it.
func New(width, height float64, title, about string) *Picture {
	return &Picture{width: width, height: height, title: title, about: about}
}

// SVG returns the picture.
func (p *Picture) SVG() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]s %[2]s" width="%[1]s" height="%[2]s" role="img" font-family="system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', Helvetica, Arial, sans-serif">`+"\n",
		num(p.width), num(p.height))
	fmt.Fprintf(&b, "<title>%s</title>\n<desc>%s</desc>\n<style>\n", escape(p.title), escape(p.about))
	for _, c := range palette {
		b.WriteString(rules(c.name, c.light))
	}
	b.WriteString("@media (prefers-color-scheme: dark) {\n")
	for _, c := range palette {
		b.WriteString(rules(c.name, c.dark))
	}
	b.WriteString("}\n</style>\n")
	fmt.Fprintf(&b, `<rect class="paper" width="%s" height="%s" rx="6"/>`+"\n", num(p.width), num(p.height))
	b.Write(p.body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// rules returns the CSS rules of a colour: for filling, and for lines.
func rules(name Colour, value string) string {
	return fmt.Sprintf(".%[1]s { fill: %[2]s } .%[1]s-line { stroke: %[2]s; fill: none }\n", name, value)
}

// Style is how a text is set. The zero value is 12 pixels, ink, from X to the right.
type Style struct {
	Size   float64
	Bold   bool
	Colour Colour
	Anchor string  // start | middle | end
	Turn   float64 // degrees, around its point
}

// Text writes one line with its base line at y.
func (p *Picture) Text(x, y float64, s Style, text string) {
	if s.Size == 0 {
		s.Size = 12
	}
	if s.Colour == "" {
		s.Colour = Ink
	}
	fmt.Fprintf(&p.body, `<text class="%s" x="%s" y="%s" font-size="%s"`, s.Colour, num(x), num(y), num(s.Size))
	if s.Bold {
		p.body.WriteString(` font-weight="600"`)
	}
	if s.Anchor != "" && s.Anchor != "start" {
		fmt.Fprintf(&p.body, ` text-anchor="%s"`, s.Anchor)
	}
	if s.Turn != 0 {
		fmt.Fprintf(&p.body, ` transform="rotate(%s %s %s)"`, num(s.Turn), num(x), num(y))
	}
	fmt.Fprintf(&p.body, ">%s</text>\n", escape(text))
}

// Rect fills a rectangle.
func (p *Picture) Rect(x, y, width, height float64, c Colour) {
	fmt.Fprintf(&p.body, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>`+"\n", c, num(x), num(y), num(width), num(height))
}

// Path draws SVG path data as a line of that width; with 0 it is filled.
func (p *Picture) Path(c Colour, width float64, dashed bool, data string) {
	if width == 0 {
		fmt.Fprintf(&p.body, `<path class="%s" d="%s"/>`+"\n", c, data)
		return
	}
	dash := ""
	if dashed {
		dash = ` stroke-dasharray="5 4"`
	}
	fmt.Fprintf(&p.body, `<path class="%s-line" stroke-width="%s" stroke-linejoin="round"%s d="%s"/>`+"\n", c, num(width), dash, data)
}

// Dot draws a filled circle.
func (p *Picture) Dot(x, y, radius float64, c Colour) {
	fmt.Fprintf(&p.body, `<circle class="%s" cx="%s" cy="%s" r="%s"/>`+"\n", c, num(x), num(y), num(radius))
}

// num writes a length, to a tenth of a pixel.
func num(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10+0, 'f', -1, 64)
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}

// Thousands writes a number with a comma before each three digits: 1,234,567.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	digits := strings.TrimPrefix(s, "-")
	sign := s[:len(s)-len(digits)]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
