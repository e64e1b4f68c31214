//go:build peers

package postgres_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// cut says where a proxy loses a connection.
type cut struct {
	at    int  // the number of the statement, from 1; 0: nowhere
	late  bool // the statement is carried out, its answer is lost
	stays bool // from there on no connection works
}

// proxy passes on what a client and the server say, and cuts the connection at a statement.
type proxy struct {
	url string

	mu         sync.Mutex
	statements int
	cut        cut
	dead       bool
}

func startProxy(t *testing.T, database string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &proxy{url: fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", l.Addr(), database)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// plan counts statements anew, and cuts the connection as c says.
func (p *proxy) plan(c cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statements, p.cut, p.dead = 0, c, false
}

func (p *proxy) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statements
}

// next counts a statement. It reports whether to cut before it is passed on, or behind it.
func (p *proxy) next() (before, behind bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statements++
	if p.dead {
		return true, false
	}
	if p.statements != p.cut.at {
		return false, false
	}
	p.dead = p.cut.stays
	return !p.cut.late, p.cut.late
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	dead := p.dead
	p.mu.Unlock()
	if dead {
		return
	}
	back, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", server.Port))
	if err != nil {
		return
	}
	defer back.Close()
	lost := make(chan struct{}) // closed: answers do not arrive any more
	go func() {
		defer client.Close()
		for {
			f, err := frame(back, true)
			select {
			case <-lost:
				if err != nil || f[0] == 'Z' { // the transaction is over
					back.Close()
					return
				}
				continue
			default:
			}
			if err != nil {
				return
			}
			client.Write(f)
		}
	}()
	for typed := false; ; typed = true {
		f, err := frame(client, typed)
		if err != nil {
			return
		}
		if typed && (f[0] == 'S' || f[0] == 'Q') {
			before, behind := p.next()
			if before {
				return
			}
			if behind {
				close(lost)
				back.Write(f)
				io.Copy(io.Discard, client) // until the other side has closed it
				return
			}
		}
		back.Write(f)
	}
}

// frame reads a message of the protocol; the first one of a client has no type.
func frame(r io.Reader, typed bool) ([]byte, error) {
	head := make([]byte, 4, 5)
	if typed {
		head = head[:5]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint32(head[len(head)-4:])) - 4
	f := append(head, make([]byte, n)...)
	_, err := io.ReadFull(r, f[len(head):])
	return f, err
}
