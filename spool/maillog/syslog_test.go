package maillog

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listen is a syslog that takes datagrams.
func listen(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	server, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// received reads one datagram and checks that it has all parts of want.
func received(t *testing.T, server net.Conn, want ...string) {
	t.Helper()
	packet := make([]byte, 2000)
	if err := server.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := server.Read(packet)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range want {
		if got := string(packet[:n]); !strings.Contains(got, part) {
			t.Errorf("%q is not in %q", part, got)
		}
	}
}

// socketFolder has a short path: that of a socket has at most 107 octets.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func logTo(sockets ...string) *Log {
	s := &syslogger{sockets: sockets, now: func() time.Time { return at }}
	return &Log{now: s.now, outs: []output{s.output()}}
}

// TestSyslog: a syslog that is started again gets what comes then.
func TestSyslog(t *testing.T) {
	dir := socketFolder(t)
	path := filepath.Join(dir, "log")
	l := logTo(filepath.Join(dir, "none"), path) // not connected before there is an event
	server := listen(t, path)
	l.Released(id)
	l.GaveUp(id, "x")
	received(t, server, "<22>"+at.Format(time.Stamp)+" notices[", "]: "+released)
	received(t, server, "<20>", "]: "+gaveUp)
	server.Close()
	os.Remove(path)
	server = listen(t, path)
	l.Released(id)
	received(t, server, "<22>", released)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestStreamSyslog: some have a stream.
func TestStreamSyslog(t *testing.T) {
	path := filepath.Join(socketFolder(t), "log")
	server, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l := logTo(path)
	l.Released(id)
	c, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	received(t, c, "<22>", released)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestNoSyslog: the first event looks for it, and no other.
func TestNoSyslog(t *testing.T) {
	path := filepath.Join(socketFolder(t), "log")
	l := logTo(path)
	l.Released(id)
	server := listen(t, path)
	l.Released(id)
	if err := l.Close(); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := server.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Read(make([]byte, 100)); err == nil {
		t.Errorf("%d octets were sent", n)
	}
}
