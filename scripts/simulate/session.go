package main

import (
	"bytes"
	"io"
	"net"
	"time"

	"notices/spool"
)

// session is a connection to the server without a network: a written line is answered at
// once, and the answer waits to be read.
type session struct {
	server  *server // nil: turned away
	in, out []byte
	to      spool.ID
	inBody  bool
	closed  bool
}

var _ net.Conn = (*session)(nil)

func (c *session) Write(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	c.in = append(c.in, p...)
	for c.server != nil {
		line, rest, whole := bytes.Cut(c.in, []byte("\r\n"))
		if !whole {
			break
		}
		c.in = rest
		c.out = append(c.out, c.answer(line)...)
	}
	return len(p), nil
}

// answer returns the server's answer to a line. Lines of a message get none.
func (c *session) answer(line []byte) string {
	if c.inBody {
		if !bytes.Equal(line, []byte(".")) {
			return ""
		}
		c.inBody = false
		c.server.take(c.to)
		return "250 2.0.0 taken\r\n"
	}
	verb, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(verb) {
	case "EHLO":
		return "250-mail.example.org\r\n250 PIPELINING\r\n"
	case "RCPT":
		address, _, _ := bytes.Cut(bytes.TrimPrefix(rest, []byte("TO:<")), []byte("@"))
		c.to = spool.ID(address)
	case "DATA":
		c.inBody = true
		return "354 go on\r\n"
	case "QUIT":
		return "221 2.0.0 bye\r\n"
	}
	return "250 2.1.0 ok\r\n"
}

func (c *session) Read(p []byte) (int, error) {
	if len(c.out) == 0 {
		return 0, io.EOF // the server never speaks first
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// Close implements net.Conn. A second call, as after QUIT, does nothing.
func (c *session) Close() error {
	if !c.closed && c.server != nil {
		c.server.closed()
	}
	c.closed = true
	return nil
}

func (c *session) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (c *session) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// Deadlines are real time; in the simulation nothing waits for it.

func (c *session) SetDeadline(time.Time) error      { return nil }
func (c *session) SetReadDeadline(time.Time) error  { return nil }
func (c *session) SetWriteDeadline(time.Time) error { return nil }
