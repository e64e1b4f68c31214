package report

import (
	_ "embed" // the templates
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed templates/page.html
var pageText string

//go:embed templates/mail.html
var mailText string

// Page writes a web page that is complete in itself: it loads nothing and runs nothing.
func (v *View) Page(w io.Writer) error { return v.execute(w, "page", pageText) }

// Mail writes the HTML of a mail: its styles are in the tags, and its bars are cells of tables,
// because mail programs drop the rest.
func (v *View) Mail(w io.Writer) error { return v.execute(w, "mail", mailText) }

// execute makes a template anew: a run of the program uses one, and most use none.
func (v *View) execute(w io.Writer, name, text string) error {
	t, err := template.New(name).Funcs(template.FuncMap{
		"grouped": Grouped,
		// breakable lets a line end behind a comma, so that no number of a list is cut in two.
		"breakable": func(text string) template.HTML {
			return template.HTML(strings.ReplaceAll(template.HTMLEscapeString(text), ",", ",<wbr>"))
		},
		"percent": func(share int) string { return fmt.Sprintf("%d.%d", share/10, share%10) },
		"part":    func(share, of int) int { return max(1, share*100/max(of, 1)) },
		"count": func(n int, one, many string) string {
			if n == 1 {
				return "1 " + one
			}
			return Grouped(n) + " " + many
		},
	}).Parse(text)
	if err != nil {
		return err
	}
	return t.Execute(w, v)
}
