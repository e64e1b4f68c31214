package smtpclient

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// sink takes everything at once, as smtp-sink does.
func sink(b *testing.B) *Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go swallow(conn)
		}
	}()
	return &Server{Name: "1", Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, AllowNonSecure: true}
}

func swallow(conn net.Conn) {
	defer conn.Close()
	br, bw := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriter(conn)
	bw.WriteString("220 sink\r\n")
	data := false
	for {
		if br.Buffered() == 0 {
			bw.Flush()
		}
		line, err := br.ReadSlice('\n')
		switch {
		case err == bufio.ErrBufferFull && data:
		case err != nil:
			return
		case data:
			if data = !bytes.Equal(line, []byte(".\r\n")); !data {
				bw.WriteString("250 2.0.0 Ok: queued as 1234567890\r\n")
			}
		case line[0] == 'E':
			bw.WriteString("250-sink\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n")
		case line[0] == 'D':
			data = true
			bw.WriteString("354 End data with <CR><LF>.<CR><LF>\r\n")
		default:
			bw.WriteString("250 2.1.0 Ok\r\n")
		}
	}
}

func connect(b *testing.B) *Conn {
	c, err := Open(b.Context(), sink(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	b.ReportAllocs()
	return c
}

func mustSend(b *testing.B, c *Conn, tr *Transaction) {
	if r := c.Send(b.Context(), tr); r.Outcomes[0].Class != "delivered" {
		b.Error(r.Outcomes[0])
	}
}

// BenchmarkSend: a notice of 2 KiB, one after the other.
func BenchmarkSend(b *testing.B) {
	c := connect(b)
	tr := message(strings.Repeat("Subject: your book is due, please bring it back to the library\r\n", 32))
	for b.Loop() {
		mustSend(b, c, tr)
	}
}

func BenchmarkSendThousandRecipients(b *testing.B) {
	c := connect(b)
	var to []string
	for i := range 1000 {
		to = append(to, fmt.Sprintf("patron%d@recipients.example.org", i))
	}
	tr := message(hello, to...)
	for b.Loop() {
		mustSend(b, c, tr)
	}
}

func BenchmarkSend50MiB(b *testing.B) {
	c := connect(b)
	line := strings.Repeat("YmFzZTY0IGlzIHdoYXQgbW9zdCBiaWcgbWFpbCBpcyBtYWRlIG9m", 2)[:76] + "\r\n"
	text := strings.Repeat(line, 50<<20/78)
	tr := message(text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		mustSend(b, c, tr)
	}
}

func BenchmarkStuffing(b *testing.B) {
	line := strings.Repeat("x", 76) + "\r\n"
	text := strings.Repeat(line, 50<<20/78)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		body, _ := newBody(message(text), nil, nil)
		body.send(func(p []byte) error { _, err := io.Discard.Write(p); return err })
	}
}
