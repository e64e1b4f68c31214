package submission

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/intake"
	"notices/spool/maildirtest"
	"notices/spool/maillog"
	"notices/spool/service"
	"notices/spool/smtptest"
)

// hosting is a service with one site, "library".
type hosting struct {
	*desk
	*Server
	key string

	mu     sync.Mutex
	queued []spool.Entry
	log    strings.Builder

	direct, plain *pipes
	ended         sync.WaitGroup
}

// pipes is a listener whose connections have deadlines and no system: a test's clock is theirs.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return stdioAddr{} }

// newHosting starts a service. change may set more before it starts.
func newHosting(t testing.TB, change func(*Server)) *hosting {
	t.Helper()
	store := maildirtest.New()
	h := &hosting{direct: newPipes(), plain: newPipes()}
	h.desk = &desk{t: t, store: store}
	h.Server = &Server{
		Intake: &intake.Intake{
			Store:   store,
			Site:    intake.Site{Name: "Service", Address: "postmaster@service.example", FindHostname: func() string { return "mail.service.example" }},
			MaxSize: 2000,
			Log:     maillog.New(&lockedWriter{h: h}, maillog.All),
		},
		Hostname: "mail.service.example",
		Rules:    Rules{From: "noreply@service.example"},
		TLS:      smtptest.SelfSigned(t),
		Sites:    &service.Register{State: store.State()},
		Queued: func(e spool.Entry, site string) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if site != "library" {
				t.Errorf("%+v is of site %q", e, site)
			}
			h.queued = append(h.queued, e)
		},
	}
	var err error
	if h.key, err = h.Sites.Add(t.Context(), "library", "Town Library", "desk@library.example"); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(h.Server)
	}
	h.ended.Go(func() { _ = h.ServeTLS(h.direct) })
	h.ended.Go(func() { _ = h.ServeSTARTTLS(h.plain) })
	t.Cleanup(func() { h.stop(t) })
	return h
}

// stop ends the service without waiting for anybody.
func (h *hosting) stop(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	h.ended.Wait()
}

type lockedWriter struct{ h *hosting }

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	return w.h.log.Write(p)
}

// logged is what the log has.
func (h *hosting) logged() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.log.String()
}

// entries are what Queued was told.
func (h *hosting) entries() []spool.Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]spool.Entry(nil), h.queued...)
}

// connect makes a connection. What the client writes does not wait for the server to read it.
func (h *hosting) connect(p *pipes) net.Conn {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
	case <-p.closed:
		theirs.Close()
	}
	return ours
}

func (h *hosting) client(conn net.Conn) *client {
	h.t.Cleanup(func() { conn.Close() })
	return &client{t: h.t, conn: conn, r: bufio.NewReader(conn)}
}

// insecure trusts any certificate.
var insecure = &tls.Config{InsecureSkipVerify: true}

// visit connects with TLS and reads the greeting.
func (h *hosting) visit() *client {
	h.t.Helper()
	c := h.client(tls.Client(h.connect(h.direct), insecure))
	c.sends("", "220 mail.service.example ")
	return c
}

func plainAuth(user, key string) string {
	return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+key)) + "\r\n"
}

// enter visits and logs in.
func (h *hosting) enter() *client {
	h.t.Helper()
	c := h.visit()
	c.sends("EHLO branch.library.example\r\n", "250 ")
	c.sends(plainAuth("library", h.key), "235 2.7.0")
	return c
}

// hands hands in a message.
func (c *client) hands(want string) {
	c.t.Helper()
	c.sends("MAIL FROM:<desk@library.example>\r\n", "250 ")
	c.sends("RCPT TO:<ada@example.net>\r\n", "250 ")
	c.sends("DATA\r\n", "354 ")
	c.sends("From: desk@library.example\r\nSubject: x\r\n\r\ny\r\n.\r\n", want)
}

// over wants the connection to be closed.
func (c *client) over() {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	if rest, err := io.ReadAll(c.r); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Errorf("the connection goes on: %q, %v", rest, err)
	}
}

func contextFor(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// away is a State that cannot be reached for a while.
type away struct {
	spool.State
	mu   sync.Mutex
	gone bool
}

func (a *away) set(gone bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = gone
}

func (a *away) Load(ctx context.Context, name string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return nil, errors.New("the database is away")
	}
	return a.State.Load(ctx, name)
}
