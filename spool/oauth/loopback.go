package oauth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// shutdownTime is how long the browser may take to fetch its last page.
const shutdownTime = 3 * time.Second

// loopback is the web server that the browser comes back to (RFC 8252 7.3).
type loopback struct {
	listener net.Listener
	port     string
	server   *http.Server
	done     chan outcome // of the browser's answer, and of a pasted one

	mu   sync.Mutex
	page []byte // of the answer that counted; nil: none came yet

	idle sync.Map // connections that browsers open in advance and say nothing on
}

func (l *Login) listen() (*loopback, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Port)))
	if err != nil {
		var r *Refusal
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			r = l.refuse(fmt.Sprintf("Port %d is taken", l.Port), "Another program on this machine uses it: choose another by --port, or leave --port out.")
		case errors.Is(err, syscall.EACCES):
			r = l.refuse(fmt.Sprintf("Port %d cannot be used", l.Port), "Ports below 1024 are for root: choose another by --port, or leave --port out.")
		default:
			r = l.refuse("No port can be opened for the browser to come back to", err.Error()+".")
		}
		r.err = err
		return nil, r
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return &loopback{listener: listener, port: port, done: make(chan outcome, 2)}, nil
}

func (b *loopback) serve(a *authRequest) {
	b.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.answer(w, r, a) }),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      callLimit*2 + shutdownTime,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateNew {
				b.idle.Store(c, nil)
			} else {
				b.idle.Delete(c)
			}
		},
	}
	go func() { _ = b.server.Serve(b.listener) }() // ends with Close
}

// close lets the browser have its last page, then ends.
func (b *loopback) close() {
	// Shutdown would wait seconds for each idle connection.
	b.idle.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if b.server.Shutdown(ctx) != nil {
		b.server.Close()
	}
}

// answer takes the first request that is the provider's answer to this sign-in. It ignores
// anything else, such as a favicon, a port scan or the answer to an earlier sign-in. A
// repeated answer gets the same page.
func (b *loopback) answer(w http.ResponseWriter, r *http.Request, a *authRequest) {
	reply, ok := readReply(r.URL.Query())
	// A page of another site that makes its name point here gives that name as the host.
	if r.Method != http.MethodGet || r.URL.Path != "/" || !ok || !isLocal((&url.URL{Host: r.Host}).Hostname()) {
		http.Error(w, "Nothing is here.", http.StatusNotFound)
		return
	}
	if reply.state != a.state {
		writePage(w, http.StatusBadRequest, render("bad", wrongStateTitle, []string{wrongStateText,
			"The sign-in that was begun last still waits for its own answer: go on in the window that it opened."}))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.page == nil {
		// The code can be used once: it must not be lost when the browser is closed meanwhile.
		account, err := a.finish(context.WithoutCancel(r.Context()), reply)
		b.page = a.login.page(account, err)
		defer func() { b.done <- outcome{account, err} }()
	}
	writePage(w, http.StatusOK, b.page)
}

// readReply reads an authorization response (RFC 6749 4.1.2), if it is one.
func readReply(q url.Values) (r reply, ok bool) {
	r = reply{code: q.Get("code"), state: q.Get("state"), problem: q.Get("error"), words: q.Get("error_description")}
	return r, r.code != "" || r.problem != ""
}

// maxPaste is the longest address that is read, in octets.
const maxPaste = 32 << 10

// readPaste reads lines until one is the address that the browser ended on.
func (b *loopback) readPaste(ctx context.Context, a *authRequest) {
	l := a.login
	lines := bufio.NewReaderSize(io.LimitReader(l.Paste, 8*maxPaste), maxPaste)
	for {
		line, err := lines.ReadString('\n')
		text := strings.TrimSpace(line)
		r, ok := parsePasted(text)
		switch {
		case text == "":
		case ok && r.state == a.state:
			signIn, err := a.finish(ctx, r)
			b.done <- outcome{signIn, err}
			return
		case ok:
			l.Say(wrongStateTitle + ". " + wrongStateText + " Paste the one of this sign-in:")
		default:
			l.Say("That is not the address the browser ended on: it has code= and state= in it. Paste it whole:")
		}
		if err != nil {
			b.done <- outcome{SignIn{}, l.refuse("No address was pasted")}
			return
		}
	}
}

// parsePasted reads what a person pasted: the address, or the part behind its question
// mark. A bare code is not enough: the state would be missing.
func parsePasted(text string) (reply, bool) {
	text = strings.Trim(text, `"'<>`)
	query := text
	if _, after, found := strings.Cut(text, "?"); found {
		query = after
	}
	query, _, _ = strings.Cut(query, "#")
	q, err := url.ParseQuery(query)
	if err != nil {
		return reply{}, false
	}
	r, ok := readReply(q)
	return r, ok && r.state != ""
}

// page is the browser's last page, with the same words as on the terminal. It needs neither
// network nor scripts.
func (l *Login) page(account SignIn, err error) []byte {
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
	return render("bad", "The sign-in could not be stored", []string{err.Error()})
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
