package mailbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"notices/spool/smtptest"
)

const login, password = "returns@example.org", "a secret word"

// memory is a State.
type memory struct{ values map[string][]byte }

func (m *memory) Load(_ context.Context, name string) ([]byte, error) { return m.values[name], nil }

func (m *memory) Update(_ context.Context, name string, _ bool, change func([]byte) ([]byte, error)) error {
	value, err := change(m.values[name])
	if err == nil {
		m.values[name] = value
	}
	return err
}

// recorder is a Sink: a message with the line "Return: WORD" is a return. What has the word
// "later" is known only once known is set.
type recorder struct {
	read     []string // since the last Commit
	recorded map[string]int
	known    bool
	fails    error
}

func (r *recorder) Take(message io.Reader) error {
	b, err := io.ReadAll(message)
	_, word, _ := strings.Cut(string(b), "Return: ")
	word, _, _ = strings.Cut(word, "\r\n")
	r.read = append(r.read, word)
	return errors.Join(err, r.fails)
}

func (r *recorder) Commit(context.Context) (verdicts []Verdict, err error) {
	for _, word := range r.read {
		verdict := Leave
		switch {
		case word == "":
		case word == "later" && !r.known:
			verdict = Again
		default:
			verdict = Done
			r.recorded[word]++
		}
		verdicts = append(verdicts, verdict)
	}
	r.read = nil
	return verdicts, nil
}

// world is an account at a server, and what reads it.
type world struct {
	t       *testing.T
	ca      *smtptest.CA
	user    *imapmemserver.User
	caps    imap.CapSet
	sink    recorder
	reading Reading
	cutAt   int // octets that the server sends, all in all; 0: no bound
	sent    int
	talk    strings.Builder // what was said under TLS
	serving sync.WaitGroup
}

// inWorld runs a test in a bubble of time, with an account that has an INBOX.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctestRun(t, func(t *testing.T) {
		w := &world{t: t, ca: smtptest.NewCA(t), user: imapmemserver.NewUser(login, password)}
		w.caps = imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapMove: {}, imap.CapUIDPlus: {}}
		w.sink.recorded = map[string]int{}
		w.reading = Reading{
			Folder: "INBOX", State: &memory{map[string][]byte{}}, Sink: &w.sink,
			Server: Server{
				Host: "mail.example.org", Port: 993, Implicit: true, Roots: w.ca.Pool(), Login: login, Timeout: time.Minute, Now: time.Now,
				Password: func(context.Context) (string, error) { return password, nil },
				Dial:     w.dial,
			},
		}
		w.must(w.user.Create("INBOX", nil))
		test(w)
		w.serving.Wait()
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) dial(context.Context, string, string) (net.Conn, error) {
	here, there := w.pipe()
	w.serve(tls.Server(there, w.ca.TLS(w.t)))
	return here, nil
}

// pipe is a connection with room on the way, as a network has it. What the server has sent
// when it closes its side still arrives.
func (w *world) pipe() (client, server net.Conn) {
	here, there := net.Pipe()
	return w.buffer(here, true), w.buffer(there, false)
}

func (w *world) buffer(nc net.Conn, abrupt bool) net.Conn {
	b := &buffered{Conn: nc, queue: make(chan []byte, 64), abrupt: abrupt}
	b.end = sync.OnceFunc(func() { close(b.queue) })
	w.serving.Go(func() {
		for p := range b.queue {
			if _, err := nc.Write(p); err != nil {
				b.broken.Store(true)
			}
		}
		nc.Close()
	})
	return b
}

type buffered struct {
	net.Conn
	queue  chan []byte
	end    func()
	abrupt bool
	broken atomic.Bool
	mu     sync.Mutex
	closed bool
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.broken.Load() {
		return 0, io.ErrClosedPipe
	}
	b.queue <- bytes.Clone(p)
	return len(p), nil
}

// SetWriteDeadline does nothing: TLS ends all writes by it when it is closed, and these are on
// their way.
func (b *buffered) SetWriteDeadline(time.Time) error { return nil }

func (b *buffered) Close() error {
	if b.abrupt {
		b.Conn.Close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.end()
	return nil
}

// serve is the library's own server, whose connection can be cut.
func (w *world) serve(nc net.Conn) {
	memory := imapmemserver.New()
	memory.AddUser(w.user)
	server := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return memory.NewSession(), nil, nil
		},
		Caps:         w.caps,
		InsecureAuth: true, // it does not see that there is TLS
		Logger:       log.New(io.Discard, "", 0),
	})
	l := &oneConn{conn: make(chan net.Conn, 1)}
	closed := make(chan struct{})
	l.conn <- &cutConn{nc, w, sync.OnceFunc(func() { close(closed) })}
	w.serving.Go(func() { _ = server.Serve(l) })
	w.serving.Go(func() {
		<-closed
		close(l.conn)
	})
}

// oneConn is a listener with one connection.
type oneConn struct{ conn chan net.Conn }

func (l *oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l.conn; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// cutConn is the server's side, which ends after so many octets.
type cutConn struct {
	net.Conn
	w      *world
	closed func()
}

func (c *cutConn) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.w.talk.Write(p[:n])
	return n, err
}

func (c *cutConn) Write(p []byte) (int, error) {
	c.w.talk.Write(p)
	if cut := c.w.cutAt - c.w.sent; c.w.cutAt > 0 && cut < len(p) {
		n, _ := c.Conn.Write(p[:max(cut, 0)])
		c.w.sent += n
		c.Close()
		return n, io.ErrClosedPipe
	}
	c.w.sent += len(p)
	return c.Conn.Write(p)
}

// put appends messages to a folder: a word is that of a return, "" other mail.
func (w *world) put(folder string, words ...string) {
	w.t.Helper()
	for _, word := range words {
		text := "Subject: Hello\r\n\r\nOther mail.\r\n"
		if word != "" {
			text = "Subject: Undelivered\r\nReturn: " + word + "\r\n\r\nSorry.\r\n"
		}
		_, err := w.user.Append(folder, literal{strings.NewReader(text)}, &imap.AppendOptions{})
		w.must(err)
	}
}

type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// count is how many messages are in a folder, and how many of them are not seen.
func (w *world) count(folder string) string {
	w.t.Helper()
	data, err := w.user.Status(folder, &imap.StatusOptions{NumMessages: true, NumUnseen: true})
	if err != nil {
		return "none"
	}
	return fmt.Sprintf("%d, %d unseen", *data.NumMessages, *data.NumUnseen)
}

// run reads the mailbox and wants so many messages to be read.
func (w *world) run(want int) {
	w.t.Helper()
	read, err := w.reading.Run(w.t.Context())
	if err != nil || read != want {
		w.t.Errorf("%d messages read, want %d; %v\n%s", read, want, err, w.talk.String())
	}
}

func (w *world) wantCount(folder, want string) {
	w.t.Helper()
	if got := w.count(folder); got != want {
		w.t.Errorf("%s: %s, want %s", folder, got, want)
	}
}

// newUser is an account with an empty INBOX.
func newUser(w *world) *imapmemserver.User {
	u := imapmemserver.NewUser(login, password)
	w.must(u.Create("INBOX", nil))
	return u
}
