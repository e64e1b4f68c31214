package smtptest

import (
	"cmp"
	"context"
	"io"
	"log"
	"net"
	"slices"
	"sync"

	"github.com/emersion/go-smtp"
)

// Message is what a Server was sent and answered with 2xx.
type Message struct {
	Sender         string
	Recipients     []string
	Data           []byte // dots unstuffed
	Login          string // who was logged in
	TLS            bool
	EightBit, UTF8 bool  // parameters of MAIL
	Size           int64 // SIZE= of MAIL
	Connection     int   // the number of the connection it came over, from 1
}

// Server records what it is sent. Its methods may be called at any time.
type Server struct {
	endpoint
	smtp *smtp.Server

	mu       sync.Mutex
	options  Options
	messages []Message
	commands []string
	counts   Counts
}

// endpoint is where a server listens. Without a listener it is the end of a pipe.
type endpoint struct{ listener net.Listener }

// Host is the address that it listens on.
func (e endpoint) Host() string {
	if e.listener == nil {
		return "mail.example.org"
	}
	return e.listener.Addr().(*net.TCPAddr).IP.String()
}

// Port is the port that it listens on.
func (e endpoint) Port() int {
	if e.listener == nil {
		return 25
	}
	return e.listener.Addr().(*net.TCPAddr).Port
}

// Dial reaches it whatever the address: for certificates with another name.
func (e endpoint) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", e.listener.Addr().String())
}

// Counts are what happened to a Server so far.
type Counts struct {
	Connections int // accepted
	Open, Peak  int // open now; the most at once
	Logins      int // AUTHs that succeeded
	LoginErrors int // and that did not
	Early       int // commands that came before the one before them was answered
}

// Start runs a server on a port of the address of the options.
func Start(o Options) (*Server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(cmp.Or(o.Address, "127.0.0.1"), "0"))
	if err != nil {
		return nil, err
	}
	s := &Server{endpoint: endpoint{l}, options: o}
	s.smtp = smtp.NewServer(smtp.BackendFunc(s.newSession))
	s.smtp.Domain = "mail.example.org"
	s.smtp.AllowInsecureAuth = true // the filter decides
	s.smtp.EnableSMTPUTF8 = true    // likewise
	s.smtp.EnableDSN = true         // likewise
	s.smtp.MaxLineLength = 12288    // RFC 4954 section 4, for tokens
	s.smtp.ErrorLog = log.New(io.Discard, "", 0)
	go s.smtp.Serve(filtering{l, s})
	return s, nil
}

// New is Start for tests: it fails the test on error and closes the server at its end.
func New(t TB, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Messages are those that were answered with 2xx, in order.
func (s *Server) Messages() []Message {
	return locked(s, func() []Message { return slices.Clone(s.messages) })
}

// Commands are all command lines so far, without what AUTH sends.
func (s *Server) Commands() []string {
	return locked(s, func() []string { return slices.Clone(s.commands) })
}

// Counts tells what happened so far.
func (s *Server) Counts() Counts { return locked(s, func() Counts { return s.counts }) }

func (s *Server) now() Options { return locked(s, func() Options { return s.options }) }

func locked[T any](s *Server, get func() T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return get()
}

// Set changes the options from the next command on.
func (s *Server) Set(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.options)
}

// Close ends the server and its connections.
func (s *Server) Close() { s.smtp.Close() }

func (s *Server) count(change func(*Counts)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.counts)
	s.counts.Peak = max(s.counts.Peak, s.counts.Open)
}
