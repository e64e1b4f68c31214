//go:build peers

package google

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"notices/spool/smtptest"
)

const reportConfig = `[site]
name = "Springfield <Public> Library"
address = "library@example.org"
hostname = "desk.example.org"
[[server]]
host = "127.0.0.1"
port = %d
allow_non_secure = true
[spool]
dir = "%s/spool"
`

// newReport is a site with a past: mail that arrived, and mail that came back from addresses and
// references that could break a page.
func newReport(t *testing.T) (*site, *smtptest.Server) {
	t.Helper()
	server := smtptest.New(t, smtptest.Options{Reply: func(stage, line string) string {
		if stage == "RCPT" && !strings.Contains(line, "patron") && !strings.Contains(line, library) {
			return "550 5.1.1 no such user"
		}
		return ""
	}})
	s := &site{t: t, dir: t.TempDir()}
	check(t, os.WriteFile(s.path("notices.toml"), fmt.Appendf(nil, reportConfig, server.Port(), s.dir), 0o600))
	s.enqueue(12)
	for ref, to := range map[string]string{
		`<script>document.title="run"</script>`:       "gone@example.net",
		`"></td></table><img src=x onerror=alert(1)>`: "o'brien{{x}}&amp@example.net",
		strings.Repeat("9", 255):                      strings.Repeat("a", 60) + "@" + strings.Repeat("long.", 37) + "net",
		"用户 20041":                                    "ann@bücher.example",
	} {
		s.must("Subject: Due back soon\n\nYour book is due.\n", "enqueue", "--ref", ref, to)
	}
	s.must("", "flush")
	return s, server
}

// TestReportPage: the page of notices report loads and runs nothing, follows light and dark, fits
// a phone and prints, whatever is in it. tidy finds it well made.
func TestReportPage(t *testing.T) {
	s, _ := newReport(t)
	s.must("", "report", "--html", s.path("report.html"))
	text := read(s.path("report.html"))
	tidy(t, text)
	w := newWindow(t)
	w.report("file://"+s.path("report.html"), "report")
	w.has("Springfield <Public> Library", "16 notices were sent, 4 came back.", "o'brien{{x}}&amp@example.net",
		`"></td></table><img src=x onerror=alert(1)>`, `<script>document.title="run"</script>`, "There is no mailbox with that name", strings.Repeat("long.", 37)+"net")
	light, dark := w.background("light"), w.background("dark")
	if light == dark || light != "rgb(246, 247, 249)" {
		t.Errorf("the page is %s in light and %s in dark", light, dark)
	}
	w.media("print", "dark")
	w.photograph("report-print.png", 700, 1200)
	if paper := w.background("dark"); paper != "rgb(255, 255, 255)" {
		t.Errorf("it is printed on %s", paper)
	}
	pdf, err := chromedp.Run(w.ctx, chromedp.PrintToPDF())
	if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Errorf("it cannot be printed: %v", err)
	}
}

// TestReportMail: a browser shows the HTML of the mail as a mail program does.
func TestReportMail(t *testing.T) {
	s, server := newReport(t)
	s.must("", "report", "--mail")
	s.must("", "flush")
	sent := server.Messages()
	m, err := mail.ReadMessage(bytes.NewReader(sent[len(sent)-1].Data))
	check(t, err)
	_, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	check(t, err)
	parts := multipart.NewReader(m.Body, parameters["boundary"])
	_, err = parts.NextRawPart()
	check(t, err)
	html, err := parts.NextRawPart()
	check(t, err)
	text, err := io.ReadAll(quotedprintable.NewReader(html))
	check(t, err)
	check(t, os.WriteFile(s.path("mail.html"), text, 0o600))
	w := newWindow(t)
	w.report("file://"+s.path("mail.html"), "report-mail")
	w.has("Springfield <Public> Library", "16 notices were sent, 4 came back.", `"></td></table><img src=x onerror=alert(1)>`)
}

// report opens a page as a desk and as a phone show it. Nothing is loaded, nothing runs, nothing is
// wider than the screen.
func (w *window) report(address, name string) {
	w.t.Helper()
	var mu sync.Mutex
	var complaints []string
	check(w.t, chromedp.Listen(w.ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch event := event.(type) {
		case *log.EventEntryAdded:
			complaints = append(complaints, event.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			complaints = append(complaints, string(event.Type))
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, event.ExceptionDetails.Text)
		case *page.EventJavascriptDialogOpening:
			complaints = append(complaints, event.Message)
		}
	}))
	w.do(chromedp.Navigate(address))
	for _, scheme := range []string{"light", "dark"} {
		w.media("", scheme)
		w.photograph(name+"-desk-"+scheme+".png", 1100, 1600)
		w.fits(1100)
		w.photograph(name+"-phone-"+scheme+".png", 400, 1600)
		w.fits(400)
	}
	w.media("", "")
	loaded, err := chromedp.Run(w.ctx, chromedp.Evaluate[int](`performance.getEntriesByType("resource").length`))
	if err != nil || loaded != 0 {
		w.t.Errorf("the page loads %d other things, %v", loaded, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(complaints) > 0 {
		w.t.Errorf("the browser complains: %q", complaints)
	}
}

// fits wants everything inside the width of the screen.
func (w *window) fits(width int) {
	w.t.Helper()
	outside, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](fmt.Sprintf(`
		Array.from(document.querySelectorAll("body *"))
			.filter(e => e.getBoundingClientRect().right > %[1]d + 0.5 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1)
			.filter(e => getComputedStyle(e).display != "inline" && getComputedStyle(e).position != "absolute")
			.map(e => e.tagName + "." + e.className + " " + e.textContent.slice(0, 30))
			.concat(document.documentElement.scrollWidth > %[1]d ? ["the whole page"] : []).join("; ")`, width)))
	if err != nil || outside != "" {
		w.t.Errorf("in %d pixels this is too wide: %s, %v", width, outside, err)
	}
}

func (w *window) has(texts ...string) {
	w.t.Helper()
	shown, err := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.title + ' ' + document.body.innerText"))
	check(w.t, err)
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			w.t.Errorf("the page does not show %q: %s", text, shown)
		}
	}
}

// media sets the kind of page, and the colours that its reader prefers.
func (w *window) media(kind, scheme string) {
	w.t.Helper()
	w.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: kind, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}

// background is the colour of the paper; kind stays as it was set last.
func (w *window) background(scheme string) string {
	w.t.Helper()
	kind, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](`matchMedia("print").matches ? "print" : ""`))
	check(w.t, err)
	w.media(kind, scheme)
	colour, err := chromedp.Run(w.ctx, chromedp.Evaluate[string]("getComputedStyle(document.documentElement).backgroundColor"))
	check(w.t, err)
	return colour
}
