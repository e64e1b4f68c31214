//go:build linux

package main

import (
	"bufio"
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// sink is an SMTP server that accepts everything, at once or as slowly as delay says. It keeps only the
// time of the first message and the number of messages.
type sink struct {
	net.Listener
	delay time.Duration // before it has taken a message
	taken atomic.Int64
	once  sync.Once
	first time.Time
}

func newSink() (*sink, error) { return newSlowSink(0) }

func newSlowSink(delay time.Duration) (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{Listener: l, delay: delay}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s, nil
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	r, w := bufio.NewReaderSize(c, 64<<10), bufio.NewWriter(c)
	say := func(reply string) { _, _ = w.WriteString(reply + "\r\n") }
	say("220 sink ESMTP")
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch verb := string(bytes.ToUpper(line[:min(4, len(line))])); verb {
		case "EHLO":
			say("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 104857600")
		case "DATA":
			say("354 go on")
			if w.Flush() != nil || !skipMessage(r) {
				return
			}
			time.Sleep(s.delay)
			s.once.Do(func() { s.first = time.Now() })
			s.taken.Add(1)
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 2.0.0 bye")
			_ = w.Flush()
			return
		default:
			say("250 2.1.0 ok")
		}
	}
}

// skipMessage reads up to the line with a single dot.
func skipMessage(r *bufio.Reader) bool {
	for whole := true; ; {
		line, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return false
		}
		if whole && bytes.Equal(line, []byte(".\r\n")) {
			return true
		}
		whole = err == nil
	}
}

// closedPort returns a port that refuses connections.
func closedPort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return portOf(l), nil
}

// blackHole accepts connections and sends nothing.
func blackHole() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	return l, nil
}
