package term

import (
	"fmt"
	"strings"

	"notices/cmd/internal/app"
	"notices/spool/printable"
)

// Page is text for a person, in titles and rows. On a terminal long rows are wrapped;
// elsewhere a row is one line.
type Page struct {
	Painter
	Width int // in columns; 0: rows are not wrapped
	out   strings.Builder
}

// NewPage is a page for standard output.
func NewPage(p *app.Program) *Page {
	return &Page{Painter: NewPainter(p.Stdout, p.Getenv), Width: Width(p.Stdout)}
}

// Title writes a line that stands out.
func (p *Page) Title(c Colour, text string) {
	p.out.WriteString(p.Paint(c, printable.Text(text)) + "\n")
}

// Line writes a line as it is.
func (p *Page) Line(text string) { p.out.WriteString(text + "\n") }

// Row writes text in a colour behind a beginning.
func (p *Page) Row(beginning string, c Colour, format string, args ...any) {
	beginning = printable.Text(beginning)
	for i, line := range hang(beginning, printable.Text(fmt.Sprintf(format, args...)), p.Width) {
		plain := ""
		if i == 0 {
			plain = beginning[:min(len(beginning), len(line))]
		}
		p.Line(plain + p.Paint(c, line[len(plain):]))
	}
}

// Text is the whole page.
func (p *Page) Text() string { return p.out.String() }
