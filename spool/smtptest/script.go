package smtptest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Peer plays scripts. A script is played line by line:
//
//	> 220 hello           sends the text and CRLF
//	> "250 a\r\n250 b"    sends the Go string as it is
//	< EHLO *              expects a line; * stands for any text
//	body                  reads a message up to its dot
//	bytes N               reads N octets
//	tls                   does the server's side of a TLS handshake
//	quiet                 expects that the client says nothing for a second; for Pipe
//	                      in a testing/synctest bubble, where that costs no time
//	eof                   expects that the client hangs up
//	drop reset silent drip flood line  end the connection so (see Options.Reply)
//	slow                  reads a byte every 100 ms until the client hangs up
//	wait                  neither reads nor writes for an hour; for Pipe
//
// Lines that are empty or begin with # are skipped. What is expected and does not
// come fails the test. At its end a script closes the connection.
type Peer struct {
	endpoint
	t       TB
	scripts [][]string
	config  *tls.Config

	wg       sync.WaitGroup
	mu       sync.Mutex
	received []bytes.Buffer // over each connection
}

// hangTime keeps a test whose peer waits in vain from hanging; no result depends on it.
const hangTime = 30 * time.Second

// Script plays the first script to the first connection, the second to the second...; the
// last one to all that follow.
func Script(t TB, scripts ...string) *Peer { return ScriptTLS(t, nil, scripts...) }

// ScriptTLS is Script with a configuration for the step "tls".
func ScriptTLS(t TB, config *tls.Config, scripts ...string) *Peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("smtptest: %v", err)
	}
	p := Pipe(t, scripts...)
	p.listener, p.config = l, config
	p.wg.Go(p.serve)
	return p
}

// Pipe is Script over net.Pipe, reached by Dial only: for tests in a testing/synctest
// bubble, where what takes minutes takes none. A pipe has no buffer: who writes waits
// for a reader.
func Pipe(t TB, scripts ...string) *Peer {
	p := &Peer{t: t}
	for _, script := range scripts {
		var steps []string
		for line := range strings.Lines(script) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				steps = append(steps, line)
			}
		}
		p.scripts = append(p.scripts, steps)
	}
	t.Cleanup(p.Close)
	return p
}

// Nobody fails the test when anyone connects.
func Nobody(t TB) *Peer { return Script(t) }

// Dial reaches the peer whatever the address.
func (p *Peer) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.listener == nil {
		client, server := net.Pipe()
		p.accept(server)
		return client, nil
	}
	return p.endpoint.Dial(ctx, network, address)
}

// Connections counts those so far.
func (p *Peer) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.received)
}

// Received is what the client sent over the nth connection, from 1, with TLS undone.
// It is complete once Close has returned.
func (p *Peer) Received(connection int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if connection > len(p.received) {
		return ""
	}
	return p.received[connection-1].String()
}

// Close stops listening and waits for the scripts to end.
func (p *Peer) Close() {
	if p.listener != nil {
		p.listener.Close()
	}
	p.wg.Wait()
}

func (p *Peer) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		conn.SetDeadline(time.Now().Add(hangTime))
		p.accept(conn)
	}
}

// accept starts the script of the next connection.
func (p *Peer) accept(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.received = append(p.received, bytes.Buffer{})
	if len(p.scripts) == 0 {
		p.t.Errorf("smtptest: somebody connected")
		conn.Close()
		return
	}
	n := len(p.received)
	p.wg.Go(func() { p.run(conn, n) })
}

func (p *Peer) run(conn net.Conn, n int) {
	c := &connection{p: p, n: n}
	c.use(conn)
	for _, step := range p.scripts[min(n, len(p.scripts))-1] {
		if err := c.step(step); err != nil {
			p.t.Errorf("smtptest: connection %d: %s: %v", n, step, err)
			break
		}
	}
	c.conn.Close()
}

// connection is one connection with its script.
type connection struct {
	p    *Peer
	n    int
	conn net.Conn
	br   *bufio.Reader
}

func (c *connection) use(conn net.Conn) {
	c.conn, c.br = conn, bufio.NewReader(io.TeeReader(conn, c))
}

// Write keeps what the client sent.
func (c *connection) Write(b []byte) (int, error) {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	return c.p.received[c.n-1].Write(b)
}

func (c *connection) step(step string) error {
	verb, rest, _ := strings.Cut(step, " ")
	switch verb {
	case ">":
		text := rest + "\r\n"
		if strings.HasPrefix(rest, `"`) {
			var err error
			if text, err = strconv.Unquote(rest); err != nil {
				return err
			}
		}
		_, err := io.WriteString(c.conn, text)
		return err
	case "<":
		line, err := c.br.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%w after %q", err, line)
		}
		if line = strings.TrimSuffix(line, "\r\n"); !matches(rest, line) {
			return fmt.Errorf("got %q", line)
		}
		return nil
	case "body":
		for {
			if line, err := c.br.ReadString('\n'); err != nil || line == ".\r\n" {
				return err
			}
		}
	case "bytes":
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return err
		}
		_, err = io.CopyN(io.Discard, c.br, n)
		return err
	case "tls":
		tc := tls.Server(c.conn, c.p.config)
		if err := tc.Handshake(); err != nil {
			c.p.t.Logf("smtptest: handshake: %v", err) // often what is wanted
			c.conn.Close()
			return nil
		}
		c.use(tc)
		return nil
	case "quiet":
		c.conn.SetReadDeadline(time.Now().Add(time.Second))
		defer c.conn.SetReadDeadline(time.Time{})
		if b, err := c.br.ReadByte(); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("got %q, %v", b, err)
		}
		return nil
	case "wait":
		time.Sleep(time.Hour)
		return nil
	case "slow":
		for _, err := c.br.ReadByte(); err == nil; time.Sleep(100 * time.Millisecond) {
			_, err = c.br.ReadByte()
		}
		return nil
	case "eof":
		if b, err := c.br.ReadByte(); err == nil {
			return fmt.Errorf("the client sent %q", b)
		}
		return nil
	case "drop", "reset", "silent", "drip", "flood", "line":
		end(c.conn, "\x00"+verb)
		c.conn.Close()
		return nil
	}
	return fmt.Errorf("no such step")
}

// matches is path.Match without its brackets and slashes.
func matches(pattern, line string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return line == head
	}
	line, ok := strings.CutPrefix(line, head)
	for ok && line != "" && !matches(rest, line) {
		line = line[1:]
	}
	return ok && matches(rest, line)
}
