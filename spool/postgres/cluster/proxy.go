package cluster

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
)

// Cut says where a Proxy cuts a connection.
type Cut struct {
	At    int  // the number of the statement, from 1; no statement has 0
	Late  bool // the statement is carried out, and its answer is lost
	Stays bool // from there on no connection works
}

// Proxy passes on what a client and the server say, and cuts the connection at a statement.
type Proxy struct {
	listener net.Listener
	server   *Server

	mu         sync.Mutex
	statements []string // texts of what is sent in one go, as a transaction
	executed   int      // statements
	cut        Cut
	dead       bool
	meanwhile  func()
}

// StartProxy starts a proxy on a loopback port.
func (s *Server) StartProxy() (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: l, server: s}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p, nil
}

// Address is its host and port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// URL is the address of a database through it.
func (p *Proxy) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", p.Address(), database)
}

// Stop ends the listener. Connections that there are go on.
func (p *Proxy) Stop() error { return p.listener.Close() }

// Plan counts anew, and cuts the connection as c says.
func (p *Proxy) Plan(c Cut) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statements, p.executed, p.cut, p.dead, p.meanwhile = nil, 0, c, false, nil
}

// Meanwhile has something done between a late cut and the client's learning of it. It is called
// after Plan.
func (p *Proxy) Meanwhile(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meanwhile = do
}

// Executed is the number of statements since Plan, each of several that share a transaction.
func (p *Proxy) Executed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.executed
}

// Count is the number of statements since Plan; several that share a transaction count as one.
func (p *Proxy) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.statements)
}

// Kinds lists the statements since Plan, each text once: the number of the first statement that has it.
func (p *Proxy) Kinds() (first []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, text := range p.statements {
		if !slices.Contains(p.statements[:i], text) {
			first = append(first, i+1)
		}
	}
	return first
}

// count counts what executes a statement.
func (p *Proxy) count(kind byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind == 'E' || kind == 'Q' {
		p.executed++
	}
}

// next counts a transaction. It reports whether to cut before it is passed on, or after it.
func (p *Proxy) next(text string) (before, behind bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statements = append(p.statements, text)
	if p.dead {
		return true, false
	}
	if len(p.statements) != p.cut.At {
		return false, false
	}
	p.dead = p.cut.Stays
	return !p.cut.Late, p.cut.Late
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	dead := p.dead
	p.mu.Unlock()
	if dead {
		return
	}
	back, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.server.Port))
	if err != nil {
		return
	}
	defer back.Close()
	lost := make(chan struct{}) // closed: answers do not arrive any more
	go p.answers(client, back, lost)
	text := ""
	for typed := false; ; typed = true {
		f, err := frame(client, typed)
		if err != nil {
			return
		}
		p.count(f[0]) // the first octet of a client's first message is a zero
		before, behind := false, false
		if typed && (f[0] == 'P' || f[0] == 'Q') {
			text += string(f[5:])
		}
		if typed && (f[0] == 'S' || f[0] == 'Q') {
			before, behind = p.next(text)
			text = ""
		}
		if behind {
			close(lost)
		}
		if before || !send(back, f) {
			return
		}
		if behind {
			_, _ = io.Copy(io.Discard, client) // until the client closes it
			return
		}
	}
}

// answers passes on what the server says, until it is lost: then it ends with the transaction.
func (p *Proxy) answers(client, back net.Conn, lost chan struct{}) {
	defer client.Close()
	for {
		f, err := frame(back, true)
		select {
		case <-lost:
			if err != nil || f[0] == 'Z' { // the transaction is over
				back.Close()
				p.mu.Lock()
				do := p.meanwhile
				p.mu.Unlock()
				if do != nil {
					do()
				}
				return
			}
		default:
			if err != nil || !send(client, f) {
				return
			}
		}
	}
}

func send(c net.Conn, f []byte) bool {
	_, err := c.Write(f)
	return err == nil
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
