package submission

import (
	"io"
	"net"
	"time"
)

// Stdio makes a connection of a process's standard input and output. It has no
// deadlines: who started the process may take his time.
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
