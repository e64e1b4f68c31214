package submission

import (
	"context"
	"io"
	"log"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"notices/spool"
	"notices/spool/intake"
)

// Options are one side of a conversation.
type Options struct {
	Intake        *intake.Intake
	Hostname      string // in the greeting
	MaxRecipients int    // of one message; more: 452 4.5.3; 0: spool.MaxRecipients
	// Local: the client is a program of this machine, with the rights of the user who started
	// both. Lines may end in LF, names need no domain, and errors are told in full.
	Local bool
}

// Serve speaks SMTP on conn until the client says QUIT or is gone, or ctx ends, and closes
// conn. A message was either answered with 250 or is not in the spool.
func Serve(ctx context.Context, conn net.Conn, o Options) {
	w := newWire(conn, o.Local)
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	srv := newServer(o.Hostname, o.MaxRecipients, o.Intake.MaxSize)
	srv.Backend = smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{ctx: ctx, o: &o, conn: w}, nil
	})
	_ = srv.Serve(&listener{conn: w}) // net.ErrClosed, when conn is
	_ = srv.Shutdown(context.Background())
}

// newServer makes a server of go-smtp's without a backend.
func newServer(hostname string, maxRecipients int, maxSize int64) *smtp.Server {
	srv := smtp.NewServer(nil)
	srv.Domain = hostname
	if srv.MaxRecipients = maxRecipients; srv.MaxRecipients <= 0 || srv.MaxRecipients > spool.MaxRecipients {
		srv.MaxRecipients = spool.MaxRecipients
	}
	srv.MaxLineLength = 0 // wire has one for commands
	srv.EnableSMTPUTF8 = true
	srv.EnableDSN = true
	srv.ErrorLog = log.New(io.Discard, "", 0) // that a client is gone is not worth a line
	if maxSize > 0 {
		// go-smtp refuses what reaches its limit, intake what exceeds it.
		srv.MaxMessageBytes = maxSize + 1
	}
	return srv
}

// listener has one connection.
type listener struct {
	conn *wire
	once sync.Once
}

func (s *listener) Accept() (conn net.Conn, err error) {
	s.once.Do(func() { conn = s.conn })
	if conn != nil {
		return conn, nil
	}
	<-s.conn.closed
	return nil, net.ErrClosed
}

func (s *listener) Close() error   { return nil }
func (s *listener) Addr() net.Addr { return s.conn.LocalAddr() }

// Stdio makes a connection of a process's standard input and output. It has no
// deadlines: whoever started the process may take their time.
func Stdio(in io.Reader, out io.Writer) net.Conn { return &stdio{in, out} }

type stdio struct {
	io.Reader
	io.Writer
}

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "standard input and output" }

func (*stdio) Close() error                     { return nil }
func (*stdio) LocalAddr() net.Addr              { return stdioAddr{} }
func (*stdio) RemoteAddr() net.Addr             { return stdioAddr{} }
func (*stdio) SetDeadline(time.Time) error      { return nil }
func (*stdio) SetReadDeadline(time.Time) error  { return nil }
func (*stdio) SetWriteDeadline(time.Time) error { return nil }
