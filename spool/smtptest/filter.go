package smtptest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// filtering is the listener that go-smtp accepts from.
type filtering struct {
	net.Listener
	s *Server
}

func (f filtering) Accept() (net.Conn, error) {
	for {
		conn, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &filter{s: f.s, stage: "connect"}
		refused := false
		limit := f.s.now().MaxConnections
		f.s.count(func(n *Counts) {
			n.Connections++
			c.number = n.Connections
			if refused = limit > 0 && n.Open >= limit; !refused {
				n.Open++
			}
		})
		if !refused {
			c.use(conn)
			return c, nil
		}
		io.WriteString(conn, "421 4.7.0 too many connections\r\n")
		conn.Close()
	}
}

// filter is one connection. go-smtp reads one command at a time from it and writes
// the reply before it reads the next, so the filter knows which reply is to what.
type filter struct {
	net.Conn // raw or TLS
	s        *Server
	br       *bufio.Reader
	number   int
	secure   bool
	closed   bool

	stage    string
	data     bool // within a message
	first    bool // its first line is next
	prompted bool // the last reply was 334
	messages int

	rest  []byte // of a line that go-smtp has not read yet
	reply []byte // being written by go-smtp
	// answer replaces go-smtp's reply to the dot.
	answer string
}

func (c *filter) use(conn net.Conn) {
	c.Conn, c.br = conn, bufio.NewReaderSize(conn, 64<<10)
}

func (c *filter) Close() error {
	if !c.closed {
		c.closed = true
		c.s.count(func(n *Counts) { n.Open-- })
	}
	return c.Conn.Close()
}

// startTLS puts TLS between the wire and the filter.
func (c *filter) startTLS(config *tls.Config) error {
	tc := tls.Server(c.Conn, config)
	if err := tc.Handshake(); err != nil {
		return err
	}
	c.use(tc)
	c.secure = true
	return nil
}

// Read gives go-smtp the next line that is for it.
func (c *filter) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		line, err := c.br.ReadSlice('\n')
		if err != nil && !(c.data && errors.Is(err, bufio.ErrBufferFull)) {
			return 0, err
		}
		if c.data {
			err = c.body(line)
		} else {
			err = c.command(line)
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *filter) body(line []byte) error {
	c.rest = line
	o := c.s.now()
	if c.first {
		c.first = false
		if answer := o.reply("body", string(line)); answer != "" {
			return c.play(answer)
		}
	}
	if string(line) == ".\r\n" {
		c.data, c.stage, c.answer = false, "dot", o.reply("dot", ".")
	}
	return nil
}

// command decides whether a command goes to go-smtp or is answered here.
func (c *filter) command(line []byte) error {
	text := strings.TrimRight(string(line), "\r\n")
	c.log(text)
	o := c.s.now()
	if c.br.Buffered() > 0 {
		c.s.count(func(n *Counts) { n.Early++ })
	}
	if answer := o.reply(c.stage, text); answer != "" {
		return c.play(answer)
	}
	switch {
	case c.stage == "STARTTLS" && c.offersTLS(&o):
		if err := c.play("220 2.0.0 go ahead"); err != nil {
			return err
		}
		return c.startTLS(o.TLS)
	case c.stage == "AUTH" && !c.prompted && !c.offersAuth(&o):
		return c.play("538 5.7.11 encryption required")
	case c.stage == "MAIL" && o.MaxMessages > 0 && c.messages >= o.MaxMessages:
		return c.play("421 4.7.0 enough for one connection\n" + Drop)
	case c.stage == "MAIL":
		c.messages++
	}
	c.rest = bytes.Clone(line)
	return nil
}

// log notes the command and its stage; what AUTH sends is not kept.
func (c *filter) log(text string) {
	if words := append(strings.Fields(text), ""); c.prompted {
		text = "***"
	} else if c.stage = strings.ToUpper(words[0]); c.stage == "AUTH" && len(words) > 3 {
		text = strings.Join(words[:2], " ") + " ***"
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.commands = append(c.s.commands, text)
}

func (c *filter) offersTLS(o *Options) bool { return o.TLS != nil && !o.Implicit && !c.secure }

func (c *filter) offersAuth(o *Options) bool {
	return (o.Users != nil || o.Tokens != nil) && (c.secure || o.ClearLogin)
}

// Write takes go-smtp's reply line by line and lets it out when it is whole.
func (c *filter) Write(p []byte) (int, error) {
	c.reply = append(c.reply, p...)
	last := c.reply[bytes.LastIndexByte(bytes.TrimSuffix(c.reply, []byte("\r\n")), '\n')+1:]
	if len(last) < 4 || last[3] == '-' || !bytes.HasSuffix(last, []byte("\r\n")) {
		return len(p), nil
	}
	reply := c.reply
	c.reply = nil
	return len(p), c.release(reply)
}

func (c *filter) release(reply []byte) error {
	o := c.s.now()
	switch c.stage {
	case "connect":
		if o.TLS != nil && o.Implicit && !c.secure {
			if err := c.startTLS(o.TLS); err != nil {
				return err
			}
		}
		if answer := o.reply("connect", ""); answer != "" {
			return c.play(answer)
		}
	case "EHLO":
		reply = c.offers(reply, &o)
	case "dot":
		if c.answer != "" {
			return c.play(c.answer)
		}
	}
	c.prompted = bytes.HasPrefix(reply, []byte("334"))
	c.data = c.stage == "DATA" && bytes.HasPrefix(reply, []byte("354"))
	c.first = c.data
	_, err := c.Conn.Write(reply)
	return err
}

// offers makes of go-smtp's EHLO answer what the options say.
func (c *filter) offers(reply []byte, o *Options) []byte {
	lines := strings.Split(strings.TrimSuffix(string(reply), "\r\n"), "\r\n")
	kept := []string{lines[0][4:]}
	for _, line := range lines[1:] {
		keyword, _, _ := strings.Cut(line[4:], " ")
		switch {
		case keyword == "CHUNKING", keyword == "PIPELINING" && o.NoPipelining, keyword == "8BITMIME" && o.No8BitMIME,
			keyword == "SMTPUTF8" && !o.SMTPUTF8, keyword == "DSN" && !o.DSN, keyword == "AUTH" && !c.offersAuth(o):
		case keyword == "SIZE":
			kept = append(kept, "SIZE "+strconv.FormatInt(o.Size, 10))
		default:
			kept = append(kept, line[4:])
		}
	}
	if c.offersTLS(o) {
		kept = append(kept, "STARTTLS")
	}
	return []byte("250-" + strings.Join(kept[:len(kept)-1], "\r\n250-") + "\r\n250 " + kept[len(kept)-1] + "\r\n")
}

// errOver ends a connection from our side.
var errOver = errors.New("smtptest: the connection is over")

// play answers the client with what Options.Reply gave.
func (c *filter) play(answer string) error {
	reply, ending, ends := strings.Cut(answer, "\x00")
	if reply = strings.TrimSuffix(reply, "\n"); reply != "" {
		reply = strings.ReplaceAll(reply, "\n", "\r\n") + "\r\n"
	}
	if _, err := io.WriteString(c.Conn, reply); err != nil || !ends {
		return err
	}
	end(c.Conn, "\x00"+ending)
	c.Conn.Close()
	return errOver
}

// end plays one of the endings, until the client hangs up.
func end(conn net.Conn, ending string) {
	switch ending {
	case Reset:
		if tc, ok := conn.(*tls.Conn); ok {
			conn = tc.NetConn()
		}
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	case Silent:
		io.Copy(io.Discard, conn)
	case Drip:
		for _, err := io.WriteString(conn, "250-"); err == nil; time.Sleep(100 * time.Millisecond) {
			_, err = io.WriteString(conn, "x")
		}
	case Flood, Line:
		text := "250-more of the same\r\n"
		if ending == Line {
			text = "250 and so on " // the first one's code is all that matters
		}
		var err error
		for b := bytes.Repeat([]byte(text), 1000); err == nil; {
			_, err = conn.Write(b)
		}
	}
}
