package summary

import (
	"fmt"
	"strings"

	"notices/cmd/notices/term"
	"notices/spool/history/report"
	"notices/spool/printable"
)

// write puts a report on a page, whose width is known. Nothing is wider, however long an
// address is.
func write(page *term.Page, v *report.View) {
	t := &text{page}
	if v.Site != "" {
		t.cut(v.Site)
	}
	page.Title(term.Bold, v.Title)
	page.Line("")
	t.paragraph("", v.Summary)
	for _, note := range v.Notes {
		t.paragraph("", note)
	}
	t.facts(v)
	t.addresses(v)
	t.chart(v)
	t.domains(v)
	t.servers(v)
	page.Line("")
	t.paragraph("", v.Span+" "+v.Counted)
}

type text struct{ *term.Page }

// cut writes a line that is cut at the page's width.
func (t *text) cut(line string) { t.Line(term.Cut(strings.TrimRight(line, " "), t.Width)) }

// paragraph writes wrapped text. A word that is longer than a line is cut.
func (t *text) paragraph(indent, words string) {
	for _, line := range term.Wrap(words, t.Width-len(indent)) {
		t.cut(indent + line)
	}
}

func (t *text) heading(words string) {
	t.Line("")
	t.Title(term.Bold, words)
}

func (t *text) facts(v *report.View) {
	if len(v.Facts) == 0 {
		return
	}
	t.Line("")
	for _, f := range v.Facts {
		t.Row(fmt.Sprintf("  %-10s %9s  ", f.Name, f.Number()), "", "%s", f.Meaning)
	}
}

func (t *text) addresses(v *report.View) {
	if len(v.Addresses) == 0 {
		return
	}
	t.heading("Addresses whose mail came back")
	for i := range v.Addresses {
		a := &v.Addresses[i]
		ref := term.Cut(a.Ref, t.Width/3)
		if ref != "" {
			ref = "  " + ref
		}
		t.Line("  " + term.CutMiddle(a.Address, t.Width-2-term.Columns(ref)) + ref)
		detail := a.Times
		if a.Status != "" {
			detail = a.Status + ", " + detail
		}
		t.paragraph("      ", a.Reason+" ("+detail+")")
	}
	if v.MoreAddresses > 0 {
		t.paragraph("  ", "and "+printable.Number(v.MoreAddresses)+" more; to see all of them, run: "+v.JSON)
	}
	t.Line("")
	t.paragraph("  ", "To get them as CSV, run:")
	t.paragraph("    ", v.CSV)
	t.paragraph("  ", "How to mark dead addresses in a library system: man notices-recipes")
}

func (t *text) chart(v *report.View) {
	if len(v.Chart) == 0 {
		return
	}
	t.heading("By " + v.ChartUnit + " (# delivered, x came back)")
	const before = 24 // columns before the bar
	longest := max(t.Width-before, 10)
	marks := func(share int) int { return (share*longest + 999) / 1000 }
	for i := range v.Chart {
		b := &v.Chart[i]
		x := marks(b.CameBackShare)
		bar := strings.Repeat("#", min(marks(b.DeliveredShare), longest-x)) + strings.Repeat("x", x)
		t.cut(fmt.Sprintf("  %-11s %8s  %s", b.Label, printable.Number(b.Sent()), bar))
	}
	if v.ChartMore != "" {
		t.paragraph("  ", v.ChartMore)
	}
}

func (t *text) domains(v *report.View) {
	if len(v.Domains) == 0 {
		return
	}
	t.heading("By domain of the recipient")
	names := len("Domain")
	for i := range v.Domains {
		names = max(names, term.Columns(v.Domains[i].Name))
	}
	names = min(names, max(t.Width-38, 10))
	row := func(name, sent, delivered, back string) {
		t.cut(fmt.Sprintf("  %s %10s %10s %10s", term.Pad(term.CutMiddle(name, names), names), sent, delivered, back))
	}
	row("Domain", "Sent", "Delivered", "Came back")
	for i := range v.Domains {
		d := &v.Domains[i]
		row(d.Name, printable.Number(d.Sent()), printable.Number(d.Delivered), printable.Number(d.CameBack()))
	}
	if v.MoreDomains > 0 {
		t.paragraph("  ", "and "+printable.Number(v.MoreDomains)+" more; to see all of them, run: "+v.JSON)
	}
}

func (t *text) servers(v *report.View) {
	if len(v.Servers) == 0 {
		return
	}
	t.heading("Mail servers")
	for _, s := range v.Servers {
		t.paragraph("  ", s.Name+" "+s.Text)
	}
}
