package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// some is a picture with everything that there is.
func some() []byte {
	p := New(400, 300, "Rates & <ratios>", `He said: "up"`)
	p.Text(10, 20, Style{Size: 14, Bold: true}, "a < b")
	left := &Panel{Picture: p, Left: 60, Top: 40, Width: 300, Height: 100,
		X: Axis{Label: "x", Max: 3, Ticks: []Tick{{0, "0"}, {3, "3"}}}, Y: Axis{Label: "y", Max: 10, Ticks: []Tick{{5, "5"}}}}
	left.Band(0, 1)
	left.Frame()
	left.Columns([]float64{10, 0, 0.001, 99}, Blue)
	lines := &Panel{Picture: p, Left: 60, Top: 160, Width: 300, Height: 100, X: Axis{Min: 1, Max: 100, Log: true}, Y: Axis{Min: 1, Max: 1000, Log: true}}
	lines.Frame()
	lines.Lines([]Series{
		{Name: "strong", Colour: Blue, Strong: true, Points: []Point{{1, 1}, {10, 1000}, {100, 10}}},
		{Name: "other", Detail: "100 connections", Colour: Green, Points: []Point{{1, 2}, {100, 11}}},
		{Name: "nothing"},
	})
	return p.SVG()
}

// TestWellFormed: an XML parser reads it, and the words in it are those that were given.
func TestWellFormed(t *testing.T) {
	d := xml.NewDecoder(bytes.NewReader(some()))
	var words []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			words = append(words, strings.TrimSpace(string(text)))
		}
	}
	for _, want := range []string{"Rates & <ratios>", `He said: "up"`, "a < b", "strong", "100 connections"} {
		if !slices.Contains(words, want) {
			t.Errorf("%q is not in it", want)
		}
	}
}

// TestColumns: what is over the axis ends at its end, what is too small to be
// seen is seen, and what is nothing is not drawn.
func TestColumns(t *testing.T) {
	svg := string(some())
	if want := `<path class="blue" d="M60 140V40H160V140ZM260 140V138.5H360V140Z"/>`; !strings.Contains(svg, want) {
		t.Errorf("no %s in\n%s", want, svg)
	}
}

func TestLogAxis(t *testing.T) {
	a := Axis{Min: 1, Max: 100, Log: true}
	for v, want := range map[float64]float64{1: 0, 10: 0.5, 100: 1, 1000: 1, 0.1: 0, 0: 0} {
		if got := a.share(v); got != want {
			t.Errorf("%v lies at %v, want %v", v, got, want)
		}
	}
}

// TestApart: names that are moved do not touch, keep their order and stay in the panel.
func TestApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SliceOfN(rapid.Float64Range(0, 300), 0, 10).Draw(t, "places")
		slices.Sort(places)
		moved := apart(places, 29, 0, 300)
		for i, y := range moved {
			if y < -1e-9 || y > 300+1e-9 || i > 0 && y-moved[i-1] < 29-1e-9 {
				t.Fatalf("%v became %v", places, moved)
			}
		}
	})
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", 100: "100"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
