package report

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// elements reads a page back: it is well-formed, and loads and runs nothing.
func elements(t *testing.T, page string) (found []xml.StartElement, text string) {
	t.Helper()
	page = regexp.MustCompile(`<(meta|br|wbr)([^>]*)>`).ReplaceAllString(page, "<$1$2/>") // which HTML never closes
	d := xml.NewDecoder(strings.NewReader(page))
	d.Entity = xml.HTMLEntity
	var words strings.Builder
	style := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found, strings.Join(strings.Fields(words.String()), " ")
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			found = append(found, token.Copy())
			style = token.Name.Local == "style"
			words.WriteByte(' ')
			checkElement(t, &token)
		case xml.EndElement:
			style = false
		case xml.CharData:
			if style {
				checkStyle(t, string(token))
			} else {
				words.Write(token)
			}
		}
	}
}

func checkElement(t *testing.T, e *xml.StartElement) {
	t.Helper()
	switch e.Name.Local {
	case "script", "img", "iframe", "object", "embed", "link", "base", "form", "a", "svg", "audio", "video":
		t.Errorf("the page has a <%s>", e.Name.Local)
	}
	for _, a := range e.Attr {
		if name := a.Name.Local; name == "src" || name == "href" || name == "background" || name == "srcset" || strings.HasPrefix(name, "on") {
			t.Errorf("<%s> has %s=%q", e.Name.Local, name, a.Value)
		}
		if a.Name.Local == "style" {
			checkStyle(t, a.Value)
		}
	}
}

func checkStyle(t *testing.T, style string) {
	t.Helper()
	if found := regexp.MustCompile(`(?i)url\(|@import|expression|https?:|ZgotmplZ`).FindString(style); found != "" {
		t.Errorf("a style has %q", found)
	}
}

func mailPage(t *testing.T, r *Report, s Site) string {
	t.Helper()
	var b strings.Builder
	if err := r.View(s, Limits{Addresses: 50, Domains: 15}).Mail(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPagesLoadNothing: the page and the mail, with what is ordinary, empty and hostile.
func TestPagesLoadNothing(t *testing.T) {
	none := site()
	none.KeepHistory, none.Name = 0, `<script>"'&amp;`
	for name, r := range map[string]*Report{"sample": sample(), "hostile": hostile(), "empty": NewCollector(since, until, zone).Report()} {
		for _, s := range []Site{site(), none} {
			web, mail := page(t, r, s), mailPage(t, r, s)
			_, text := elements(t, web)
			elements(t, mail)
			if s.Name == none.Name && !strings.Contains(text, s.Name) {
				t.Errorf("%s: the site's name is not as it is: %.200s", name, text)
			}
			if strings.ContainsAny(web+mail, "\x1b\u202e\x00") || strings.Contains(web+mail, "ZgotmplZ") {
				t.Errorf("%s has what does not show", name)
			}
		}
	}
}

// TestHostileText: markup in an address, a reference or a reason is shown as it is, and long
// lists are cut with a line that says how many are missing.
func TestHostileText(t *testing.T) {
	web := page(t, hostile(), site())
	_, text := elements(t, web)
	for _, want := range []string{
		`"<script>alert(1)</script>"@example.net`, "</title></style><img src=http://evil.example/a.png>", `x" onmouseover="alert(1)`,
		"{{.Site}}@example.net", "Zoë 用户@例え.example", "?[2J?gnp.exe@example.net", strings.Repeat("a", 242) + "@example.net",
		"And 9,009 more addresses. To see all of them, run: sudo -u notices notices report --since 2026-11-23T07:00 --json",
		"And 205 more domains.", "has not worked for 9 days",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	if mail := mailPage(t, hostile(), site()); len(mail) > 90_000 {
		t.Errorf("the mail has %d octets; some readers cut it at 102,400", len(mail))
	}
}

// TestPageIsAccessible: it names its language, its headings are in order, its tables have
// heads, and its bars are not all there is.
func TestPageIsAccessible(t *testing.T) {
	found, text := elements(t, page(t, sample(), site()))
	attribute := func(e *xml.StartElement, name string) string {
		i := slices.IndexFunc(e.Attr, func(a xml.Attr) bool { return a.Name.Local == name })
		if i < 0 {
			return ""
		}
		return e.Attr[i].Value
	}
	var headings []string
	ids, heads, tables := map[string]bool{}, 0, 0
	for i := range found {
		e := &found[i]
		ids[attribute(e, "id")] = true
		switch e.Name.Local {
		case "html":
			if attribute(e, "lang") != "en" {
				t.Error("no language")
			}
		case "h1", "h2", "h3":
			headings = append(headings, e.Name.Local)
		case "table":
			tables++
		case "thead":
			heads++
		case "th":
			if attribute(e, "scope") == "" {
				t.Error("a <th> without scope")
			}
		}
	}
	if !slices.Equal(headings, []string{"h1", "h2", "h2", "h2", "h2", "h2"}) || heads != tables || tables != 3 {
		t.Errorf("headings %v, %d tables, %d heads", headings, tables, heads)
	}
	for i := range found {
		if label := attribute(&found[i], "aria-labelledby"); label != "" && !ids[label] {
			t.Errorf("%s is not there", label)
		}
	}
	for _, want := range []string{"Springfield Public Library", "128 notices were sent, 4 came back.", "Thu 26 Nov 22 1", "gmail.com 69 68 1", "2 times, last on 26 November"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q: %s", want, text)
		}
	}
}

// TestNotes: a report says what it cannot know.
func TestNotes(t *testing.T) {
	s := site()
	s.KeepHistory = 0
	v := NewCollector(since, until, zone).Report().View(s, Limits{})
	if v.Summary != `No figures: keep_history is "0", so no history is kept.` || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], `keep_history in [spool] to "90d"`) {
		t.Errorf("%s %s", v.Summary, v.Notes)
	}
	if v = sample().View(s, Limits{}); v.Summary != sample().Summary() || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "the next flush drops") {
		t.Errorf("figures of what is still there: %s %s", v.Summary, v.Notes)
	}
	s.KeepHistory = 3 * 24 * time.Hour
	if v = sample().View(s, Limits{}); len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "before 27 November 2026") {
		t.Errorf("%s", v.Notes)
	}
	if v = sample().View(site(), Limits{}); len(v.Notes) > 0 {
		t.Errorf("%s", v.Notes)
	}
}

// TestReferenceLists: a list of references breaks behind a comma, and stays text.
func TestReferenceLists(t *testing.T) {
	c := NewCollector(since, until, zone)
	c.Add(row(until.Add(-time.Hour), "ann@example.net", "20108,20109<b>", spool.EndedReturned))
	v := c.Report().View(site(), Limits{Addresses: 5, Domains: 5})
	for name, write := range map[string]func(io.Writer) error{"page": v.Page, "mail": v.Mail} {
		var b strings.Builder
		if err := write(&b); err != nil || !strings.Contains(b.String(), "20108,<wbr>20109&lt;b&gt;") {
			t.Errorf("%s: %v", name, err)
		}
		if _, domains, _ := strings.Cut(b.String(), "By domain"); !strings.Contains(domains, ">Sent</th>") {
			t.Errorf("%s: the table of domains does not say how many were sent", name)
		}
	}
}
