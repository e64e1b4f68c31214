package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// goodbyeTime is how long the browser may take to fetch its last page.
const goodbyeTime = 3 * time.Second

// loopback is the web server that the browser comes back to (RFC 8252 7.3).
type loopback struct {
	listener net.Listener
	port     string
	server   *http.Server
	done     chan outcome

	mu   sync.Mutex
	page []byte // of the answer that counted; nil: none came yet

	silent sync.Map // connections that browsers open in advance and say nothing on
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
	return &loopback{listener: listener, port: port, done: make(chan outcome, 1)}, nil
}

func (b *loopback) serve(a *asking) {
	b.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.answer(w, r, a) }),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      callLimit*2 + goodbyeTime,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateNew {
				b.silent.Store(c, nil)
			} else {
				b.silent.Delete(c)
			}
		},
	}
	go func() { _ = b.server.Serve(b.listener) }() // ends with Close
}

// close lets the browser have its last page, then ends.
func (b *loopback) close() {
	if b.server == nil {
		b.listener.Close()
		return
	}
	// Shutdown would wait seconds for each of them.
	b.silent.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeTime)
	defer cancel()
	if b.server.Shutdown(ctx) != nil {
		b.server.Close()
	}
}

// answer takes the first request that is the provider's answer to this sign-in. Anything
// else, a favicon, a scan of the ports or the answer to an earlier try, is passed over; a
// later one is shown the same page.
func (b *loopback) answer(w http.ResponseWriter, r *http.Request, a *asking) {
	reply, ok := readReply(r.URL.Query())
	if r.Method != http.MethodGet || r.URL.Path != "/" || !ok || !local(r.Host) {
		http.Error(w, "Nothing is here.", http.StatusNotFound)
		return
	}
	if reply.state != a.state {
		writePage(w, http.StatusBadRequest, render("bad", strayTitle, []string{strayText,
			"The sign-in that was begun last still waits for its own answer: go on in the window that it opened."}))
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.page == nil {
		// The browser may be closed meanwhile: that must not spend the code for nothing.
		account, err := a.settle(context.WithoutCancel(r.Context()), reply)
		b.page = a.page(account, err)
		defer func() { b.done <- outcome{account, err} }()
	}
	writePage(w, http.StatusOK, b.page)
}

// local: the browser asked for this machine. A page of another site that made its name
// point here did not.
func local(hostport string) bool {
	name, _, err := net.SplitHostPort(hostport)
	if err != nil {
		name = hostport
	}
	return name == "127.0.0.1" || name == "localhost"
}

// readReply reads an authorization response (RFC 6749 4.1.2); ok: it is one.
func readReply(q url.Values) (r reply, ok bool) {
	r = reply{code: q.Get("code"), state: q.Get("state"), problem: q.Get("error"), words: q.Get("error_description")}
	return r, r.code != "" || r.problem != ""
}
