package route

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/maildirtest"
)

// dotServer takes mail and fails the test when anything arrives between a final dot and its
// reply, which it gives a second after the dot. It offers PIPELINING.
type dotServer struct {
	t *testing.T

	mu          sync.Mutex
	connections int
	taken       int
}

func (d *dotServer) dial(context.Context, string, string) (net.Conn, error) {
	client, conn := net.Pipe()
	go d.serve(conn)
	return client, nil
}

func (d *dotServer) serve(conn net.Conn) {
	defer conn.Close()
	d.mu.Lock()
	d.connections++
	d.mu.Unlock()
	br := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 mail.example.org\r\n")
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "EHLO":
			fmt.Fprint(conn, "250-mail.example.org\r\n250 PIPELINING\r\n")
		case "DATA":
			fmt.Fprint(conn, "354 go ahead\r\n")
		case ".":
			if !d.dot(conn, br) {
				return
			}
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		case "MAIL", "RCPT":
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

// dot looks for what comes behind a final dot, and answers it.
func (d *dotServer) dot(conn net.Conn, br *bufio.Reader) bool {
	conn.SetReadDeadline(time.Now().Add(time.Second))
	if early, err := br.ReadByte(); err == nil {
		rest, _ := br.ReadString('\n')
		d.t.Errorf("behind the final dot came %q", string(early)+rest)
		return false
	}
	conn.SetReadDeadline(time.Time{})
	d.mu.Lock()
	d.taken++
	d.mu.Unlock()
	_, err := fmt.Fprint(conn, "250 2.0.0 taken\r\n")
	return err == nil
}

// Servers and proxies that drop the connection over what comes behind a final dot have taken
// the message already: it would be sent twice.
func TestNothingBehindTheDot(t *testing.T) {
	for _, perConnection := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			d := &dotServer{t: t}
			w := &world{t: t, clock: newClock(), state: &countingState{State: maildirtest.State()}}
			s := Server{Connections: 4, MessagesPerConnection: perConnection}
			s.Name, s.Host, s.Dial = "1", "mail.example.org", d.dial
			s.AllowNonSecure, s.Hello = true, "library.example.org"
			w.servers = []Server{s}
			r := w.realRun()
			// More than the route asks for: each waits for a connection of its own.
			results := make([]spool.Delivery, 60)
			var wg sync.WaitGroup
			for i := range results {
				wg.Go(func() { results[i] = w.deliver(r) })
			}
			wg.Wait()
			w.end(r)
			for _, got := range results {
				if classes(got) != "delivered" {
					t.Errorf("%+v", got)
				}
			}
			if d.taken != 60 || d.connections < 4 {
				t.Errorf("%d taken over %d connections", d.taken, d.connections)
			}
		})
	}
}
