package smtpclient

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"notices/spool"
)

// FuzzServer lets a server say anything at all: whatever it is, Open and Send end,
// each recipient gets an outcome that may be shown, and nothing is delivered that
// was not answered with 2xx.
func FuzzServer(f *testing.F) {
	f.Add([]byte("220 hi\r\n"), []byte("250-hi\r\n250 PIPELINING\r\n"), []byte("250 ok\r\n250 ok\r\n354 go\r\n250 queued\r\n"))
	f.Add([]byte("220 hi\r\n"), []byte("250-hi\r\n250 SIZE 10\r\n"), []byte("250 ok\r\n550 no\r\n"))
	f.Add([]byte("220 hi\r\n"), []byte("250-hi\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN\r\n"), []byte("334 aGk=\r\n235 ok\r\n421 bye\r\n"))
	f.Add([]byte("554 no\r\n"), []byte{}, []byte{0, 0xff, '\n'})
	f.Fuzz(func(t *testing.T, greeting, ehlo, rest []byte) {
		s := &Server{Name: "1", Host: "mail.example.org", Port: 25, TLS: TLSStart, AllowNonSecure: true, AllowNonSecureLogin: true,
			Login: "library", Password: password("hunter2"),
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return &scripted{parts: [][]byte{greeting, ehlo, rest}}, nil
			}}
		if len(rest)%2 == 0 {
			s.Login = ""
		}
		c, err := Open(t.Context(), s)
		if err != nil {
			o := err.(*Error).Outcome
			checkShown(t, o.Reply.Text)
			if o.Class != spool.Deferred || o.Scope != spool.ServerScope {
				t.Errorf("%+v", o)
			}
			return
		}
		defer c.Close()
		for range 2 {
			for _, o := range c.Send(t.Context(), message(hello, "b@example.org", "c@example.org")).Outcomes {
				checkShown(t, o.Reply.Text)
				if o.Class == "" || o.Class == spool.Delivered && o.Reply.Code/100 != 2 {
					t.Errorf("%+v", o)
				}
				if strings.Contains(o.Reply.Text, "hunter2") {
					t.Errorf("shown: %q", o.Reply.Text)
				}
			}
		}
	})
}

// scripted is a connection on which the server says its parts, each when it is waited
// for, and hangs up.
type scripted struct {
	net.Conn
	parts [][]byte
}

func (*scripted) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback} }

func (c *scripted) Read(p []byte) (int, error) {
	for len(c.parts) > 0 {
		if n := copy(p, c.parts[0]); n > 0 {
			c.parts[0] = c.parts[0][n:]
			return n, nil
		}
		c.parts = c.parts[1:]
	}
	return 0, io.EOF
}

func (c *scripted) Write(p []byte) (int, error)      { return len(p), nil }
func (c *scripted) Close() error                     { return nil }
func (c *scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }
