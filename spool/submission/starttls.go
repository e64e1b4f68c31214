package submission

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strings"
	"time"
)

// maxPlainCommand is the longest command before STARTTLS: all that is understood is short.
const maxPlainCommand = 1024

// askTLS speaks SMTP in the clear until the client has said STARTTLS, and reports whether it
// has. It carries out nothing else, and passes nothing on. What came together with STARTTLS may
// come from an attacker (CVE-2011-0411), so it ends the session.
func (s *Server) askTLS(g *peer, conn net.Conn) bool {
	r := bufio.NewReaderSize(conn, maxPlainCommand)
	say := func(text string) bool {
		conn.SetWriteDeadline(time.Now().Add(replyTime))
		refused(s.meter, []byte(text))
		_, err := conn.Write([]byte(text))
		return err == nil
	}
	if !say(fmt.Sprintf("220 %s ESMTP Service Ready\r\n", s.Hostname)) {
		return false
	}
	for range maxStrangerCommands {
		if err := g.pace.begin(false, r.Buffered()); err != nil {
			return g.goodbye(say)
		}
		line, err := r.ReadSlice('\n')
		switch err {
		case nil:
		case bufio.ErrBufferFull:
			say("500 5.5.2 line too long\r\n")
			return false
		default:
			return g.goodbye(say)
		}
		if verb := verbOf(line); verb == "STARTTLS" {
			if r.Buffered() > 0 {
				say("501 5.5.1 nothing may follow STARTTLS before the TLS handshake\r\n")
				return false
			}
			return say("220 2.0.0 ready to start TLS\r\n")
		} else if !say(s.plainReply(verb)) || verb == "QUIT" || verb == "BDAT" { // octets follow that are no commands
			return false
		}
	}
	say("421 4.7.0 too many commands\r\n")
	return false
}

// goodbye says why the server ends a session in the clear, if it was the server.
func (g *peer) goodbye(say func(string) bool) bool {
	if why := g.pace.reason(); why != "" {
		say("421 " + why + "\r\n")
	}
	return false
}

func verbOf(line []byte) string {
	line = bytes.TrimRight(line, "\r\n")
	verb, rest, _ := strings.Cut(string(line), " ")
	if verb = strings.ToUpper(verb); verb == "STARTTLS" && strings.TrimSpace(rest) != "" {
		return "STARTTLS "
	}
	return verb
}

// plainReply answers a command before STARTTLS.
func (s *Server) plainReply(verb string) string {
	switch verb {
	case "EHLO":
		lines := []string{s.Hostname, "PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", fmt.Sprintf("SIZE %d", s.Intake.MaxSize), "ENHANCEDSTATUSCODES"}
		return "250-" + strings.Join(lines, "\r\n250-") + "\r\n250 STARTTLS\r\n"
	case "HELO":
		return "250 " + s.Hostname + "\r\n"
	case "NOOP", "RSET":
		return "250 2.0.0 OK\r\n"
	case "QUIT":
		return "221 2.0.0 bye\r\n"
	case "MAIL", "RCPT", "DATA", "AUTH", "VRFY", "BDAT":
		return "530 5.7.0 say STARTTLS first\r\n"
	case "STARTTLS ":
		return "501 5.5.4 STARTTLS takes no parameters\r\n"
	}
	return "500 5.5.2 command unrecognized\r\n"
}
