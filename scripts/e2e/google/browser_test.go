//go:build peers

package google

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"notices/scripts/e2e/servers"
)

// chromium is the browser that all tests share; each opens a window of its own, which
// knows nothing of the others.
var chromium context.Context

func startBrowser() error {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors, chromedp.NoFirstRun,
		chromedp.UserDataDir(file("chromium")),
		// Without these it looks for Google's own servers all the time.
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("no-proxy-server", true),
		chromedp.ModifyCmdFunc(func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	atEnd(end)
	ctx, end := chromedp.NewContext(allocator)
	atEnd(end)
	chromium = ctx
	return servers.OnStarter(func() error { return chromedp.Do(ctx) })
}

// window is one person at the browser.
type window struct {
	t   *testing.T
	ctx context.Context
}

func newWindow(t *testing.T) *window {
	t.Helper()
	ctx, end := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	return &window{t, ctx}
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		place, _ := chromedp.Run(w.ctx, chromedp.Location())
		w.t.Fatalf("in the browser, at %.60s: %v\n%s", place, err, op.log())
	}
}

// box is a permission's check box.
func box(scope string) chromedp.CSS { return chromedp.CSS(`input[value="` + scope + `"]`) }

// logIn goes to the address, says who it is, and sees the boxes.
func (w *window) logIn(address, account string) {
	w.t.Helper()
	w.do(chromedp.Navigate(address),
		chromedp.SendKeys(chromedp.CSS("#account"), account), chromedp.Click(chromedp.CSS("#login")),
		chromedp.WaitVisible(chromedp.CSS("#continue")))
	ticked, err := chromedp.Run(w.ctx, chromedp.Evaluate[int](`document.querySelectorAll("input:checked").length`))
	if err != nil || ticked != 0 {
		w.t.Fatalf("%d boxes are ticked at first, %v", ticked, err)
	}
}

// consent ticks these boxes and goes on to the last page.
func (w *window) consent(scopes ...string) {
	w.t.Helper()
	for _, scope := range scopes {
		w.do(chromedp.Click(box(scope)))
	}
	w.do(chromedp.Click(chromedp.CSS("#continue")), chromedp.WaitVisible(chromedp.CSS("main")))
}

// lastPage wants these words on it, photographs it as a desk and as a phone show it,
// and has it checked.
func (w *window) lastPage(name string, says ...string) {
	w.t.Helper()
	text, err := chromedp.Run(w.ctx, chromedp.Text(chromedp.CSS("main")))
	check(w.t, err)
	text = strings.Join(strings.Fields(text), " ")
	for _, want := range says {
		if !strings.Contains(text, want) {
			w.t.Errorf("the last page does not say %q: %s", want, text)
		}
	}
	loaded, err := chromedp.Run(w.ctx, chromedp.Evaluate[int](`performance.getEntriesByType("resource").length`))
	if err != nil || loaded != 0 {
		w.t.Errorf("the last page loads %d other things, %v", loaded, err)
	}
	w.photograph(name+"-desk.png", 1280, 800)
	w.photograph(name+"-phone.png", 390, 844, chromedp.EmulateMobile)
	wide, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`))
	if err != nil || wide {
		w.t.Errorf("on a phone the last page is wider than the screen (%v)", err)
	}
}

func (w *window) photograph(name string, width, height int64, options ...chromedp.EmulateViewportOption) {
	w.t.Helper()
	w.do(chromedp.EmulateViewport(width, height, options...))
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	check(w.t, err)
	check(w.t, os.WriteFile(filepath.Join(dir, name), picture, 0o644))
}

// tidy has Debian's HTML checker judge a page.
func tidy(t *testing.T, page string) {
	t.Helper()
	cmd := exec.Command("tidy", "-errors", "-quiet", "--show-info", "no")
	cmd.Stdin = strings.NewReader(page)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("tidy finds fault with the page: %v\n%s\n%s", err, out, page)
	}
}
