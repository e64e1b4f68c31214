package oauth

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"
)

// page is what the browser ends on: the same words as the terminal's. It needs no
// network, and no script.
func (l *Login) page(account Account, err error) []byte {
	p := &l.Client.Provider
	var r *Refusal
	switch {
	case err == nil:
		return render("good", "Signed in with "+p.Name, []string{
			fmt.Sprintf("Notices now sends its mail as %s.", account.Account),
			fmt.Sprintf("To see that it works, run: notices test-server %s", p.Key)})
	case errors.As(err, &r):
		return render("bad", r.Title, r.Lines)
	}
	return render("bad", "The sign-in could not be kept", []string{err.Error()})
}

// render makes a whole document. A command stands in a line of its own: "..., run: X".
func render(class, title string, lines []string) []byte {
	var b strings.Builder
	t := html.EscapeString(title)
	b.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta name=\"robots\" content=\"noindex\">\n<link rel=\"icon\" href=\"data:,\">\n" +
		"<title>" + t + "</title>\n<style>\n" + style + "</style>\n</head>\n" +
		"<body class=\"" + class + "\">\n<main>\n<h1>" + t + "</h1>\n")
	for _, line := range lines {
		text, command, found := strings.Cut(line, "run: ")
		b.WriteString("<p>" + html.EscapeString(text))
		if found {
			b.WriteString("run:</p>\n<pre><code>" + html.EscapeString(command) + "</code></pre>\n")
			continue
		}
		b.WriteString("</p>\n")
	}
	b.WriteString("<p class=\"end\">You can close this window.</p>\n</main>\n</body>\n</html>\n")
	return []byte(b.String())
}

const style = `:root { color-scheme: light dark; --good: #1a7f37; --bad: #b3261e; --line: #d0d7de; --soft: #57606a; --box: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --good: #57c86f; --bad: #ff8a80; --line: #444c56; --soft: #adbac7; --box: #2b3138; } }
body { margin: 0; padding: 1.5rem; font: 1.125rem/1.5 system-ui, sans-serif; }
main { max-width: 36rem; margin: 8vh auto 0; padding: 1.5rem; border: 1px solid var(--line); border-top: 6px solid var(--bad); border-radius: 8px; }
.good main { border-top-color: var(--good); }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; color: var(--bad); }
.good h1 { color: var(--good); }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
pre { margin: 0 0 1rem; padding: .75rem 1rem; border-radius: 6px; background: var(--box); white-space: pre-wrap; overflow-wrap: anywhere; }
.end { margin: 1.5rem 0 0; color: var(--soft); }
`

func writePage(w http.ResponseWriter, status int, page []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write(page) // a browser that is gone is not missed
}
