package submission

import (
	"context"
	"io"
	"log"
	"net"
	"sync"

	"github.com/emersion/go-smtp"

	"notices/spool"
	"notices/spool/intake"
)

// Options are one side of a conversation.
type Options struct {
	Intake        *intake.Intake
	Hostname      string // in the greeting
	MaxRecipients int    // of one message; more: 452 4.5.3; 0: spool.MaxRecipients
	// Local: a program of this machine speaks, with the rights of the user who started
	// both. Lines may end in LF, names need no domain, and trouble is told in full.
	Local bool
}

// Serve speaks SMTP on conn until the other side says QUIT or is gone, or ctx ends,
// and closes conn. A message was either answered with 250 or is not in the spool.
func Serve(ctx context.Context, conn net.Conn, o Options) {
	w := newWire(conn, o.Local)
	defer context.AfterFunc(ctx, func() { _ = w.Close() })()
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{ctx: ctx, o: &o, conn: w}, nil
	}))
	srv.Domain = o.Hostname
	if srv.MaxRecipients = o.MaxRecipients; srv.MaxRecipients <= 0 || srv.MaxRecipients > spool.MaxRecipients {
		srv.MaxRecipients = spool.MaxRecipients
	}
	srv.MaxLineLength = 0 // wire has one for commands
	srv.EnableSMTPUTF8 = true
	srv.EnableDSN = true
	srv.ErrorLog = log.New(io.Discard, "", 0) // a peer that is gone is no news
	if o.Intake.MaxSize > 0 {
		// go-smtp refuses what reaches its limit, intake what exceeds it.
		srv.MaxMessageBytes = o.Intake.MaxSize + 1
	}
	_ = srv.Serve(&single{conn: w}) // net.ErrClosed, when conn is
	_ = srv.Shutdown(context.Background())
}

// single is a listener to which one connection comes.
type single struct {
	conn *wire
	once sync.Once
}

func (s *single) Accept() (conn net.Conn, err error) {
	s.once.Do(func() { conn = s.conn })
	if conn != nil {
		return conn, nil
	}
	<-s.conn.closed
	return nil, net.ErrClosed
}

func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return s.conn.LocalAddr() }
