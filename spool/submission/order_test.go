package submission

import (
	"io"
	"strings"
	"testing"
	"time"
)

// asks says all of text at once, as a client does that pipelines (RFC 2920), and returns the replies
// up to that of QUIT, which follows it.
func (c *client) asks(text string) (replies []string) {
	c.t.Helper()
	go io.WriteString(c.conn, strings.ReplaceAll(text, "\n", "\r\n")+"QUIT\r\n")
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("%.100q: %q, %v", text, replies, err)
		}
		if replies = append(replies, strings.TrimSpace(line)); strings.HasPrefix(line, "221 ") {
			return replies
		}
	}
}

// TestOrder: a command that does not follow what it has to follow is 503, whether that was not said or
// was refused. A client that pipelines has sent it before it knew.
func TestOrder(t *testing.T) {
	const (
		mail = "MAIL FROM:<desk@library.example>\n"
		to   = "RCPT TO:<ada@example.net>\n"
		bad  = "RCPT TO:<ada@@example.net>\n"
		text = "DATA\nFrom: desk@library.example\n\ny\n.\n"
	)
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MessagesPerMinute, s.MaxRecipients = 1000, 2 })
		for said, want := range map[string]string{
			to:                                         "503 5.5.1",
			"DATA\n":                                   "503 5.5.1",
			"MAIL FROM:<@>\n" + to + "DATA\n":          "501 5.5.2, 503 5.5.1, 503 5.5.1",
			mail + "DATA\n":                            "250 2.0.0, 503 5.5.1",
			mail + bad + "DATA\n":                      "250 2.0.0, 501 5.1.3, 503 5.5.1",
			mail + bad + to + text:                     "250 2.0.0, 501 5.1.3, 250 2.0.0, 354 Go ah, 250 2.0.0",
			mail + to + "RSET\n" + to + "DATA\n":       "250 2.0.0, 250 2.0.0, 250 2.0.0, 503 5.5.1, 503 5.5.1",
			mail + to + text + to + "DATA\n":           "250 2.0.0, 250 2.0.0, 354 Go ah, 250 2.0.0, 503 5.5.1, 503 5.5.1",
			mail + mail:                                "250 2.0.0, 503 5.5.1",
			mail + to + to + to + text:                 "250 2.0.0, 250 2.0.0, 250 2.0.0, 452 4.5.3, 354 Go ah, 250 2.0.0",
			mail + to + "DATA now\n" + text:            "250 2.0.0, 250 2.0.0, 501 5.5.4, 354 Go ah, 250 2.0.0",
			"STARTTLS\n":                               "503 5.5.1",
			plainAuth("library", h.key):                "503 5.5.1",
			"BDAT 6 LAST\nNOOP\n":                      "502 5.5.1",
			mail + to + "BDAT 4\nQUITBDAT 0 LAST\n":    "250 2.0.0, 250 2.0.0, 502 5.5.1, 502 5.5.1",
			mail + to + "BDAT 6 LAST\nNOOP\n" + text:   "250 2.0.0, 250 2.0.0, 502 5.5.1, 354 Go ah, 250 2.0.0",
			"VRFY ada\nEXPN all\nMAIL FROM:<> SIZE=\n": "252 2.5.0, 502 5.5.1, 501 5.5.4",
		} {
			replies := h.enter().asks(said)
			for i, line := range replies {
				replies[i] = line[:min(9, len(line))]
			}
			if got := strings.Join(replies, ", "); got != want+", 221 2.0.0" {
				t.Errorf("%q: %s, want %s", said, got, want)
			}
		}
		c := h.visit()
		if got := c.asks(mail + to + "DATA\n"); !strings.HasPrefix(got[0], "503 5.5.1 EHLO") {
			t.Errorf("before EHLO: %q", got)
		}
	})
}

// TestManyBehindRefusedMail: the recipients of a message whose MAIL was refused are no errors of the
// client. It is not slowed down, and its session goes on.
func TestManyBehindRefusedMail(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MessagesPerMinute = 1 })
		c := h.enter()
		c.hands("250 ")
		began := time.Now()
		replies := c.asks("MAIL FROM:<desk@library.example>\n" + strings.Repeat("RCPT TO:<ada@example.net>\n", 300) + "DATA\n")
		if len(replies) != 303 || !strings.HasPrefix(replies[0], "451 4.7.1") || !strings.HasPrefix(replies[301], "503 5.5.1") {
			t.Errorf("%d replies, the first and the last: %q, %q", len(replies), replies[0], replies[len(replies)-2])
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
		// Of who has not logged in they are.
		s := h.visit()
		s.sends("EHLO x\r\n", "250 ")
		go io.WriteString(s.conn, strings.Repeat("RCPT TO:<ada@example.net>\r\n", maxStrangerErrors))
		for range maxStrangerErrors {
			s.sends("", "503 5.5.1")
		}
		s.sends("", "421 4.7.0 too many errors")
		s.over()
	})
}

// TestRefusedChunk: a chunk that is refused is read to its end, but not what is longer than a message
// may be, and not of who has not logged in. Nothing behind it is a command then.
func TestRefusedChunk(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		stranger := func() *client {
			c := h.visit()
			c.sends("EHLO x\r\n", "250 ")
			return c
		}
		for _, c := range []struct {
			enter func() *client
			text  string
			goes  bool // the session
		}{
			{h.enter, "BDAT 8000 LAST\r\n" + strings.Repeat("NOOP\r\n..", 1000), true},
			{h.enter, "BDAT 8001 LAST\r\n" + strings.Repeat("NOOP\r\n..", 1000), false},
			{stranger, "BDAT 6\r\nNOOP\r\n", false},
			{h.enter, "BDAT LAST\r\nNOOP\r\n", false},
			{h.enter, "BDAT 6,2\r\nNOOP\r\n", false},
		} {
			client := c.enter()
			go io.WriteString(client.conn, c.text+"NOOP\r\n") // it may be over
			client.sends("", "502 5.5.1 not implemented; messages are sent with DATA")
			if c.goes {
				client.sends("", "250 ")
				client.hands("250 ")
			} else {
				client.over()
			}
			client.conn.Close()
		}
		// It has the time of a message, and no more.
		c := h.enter()
		began := time.Now()
		io.WriteString(c.conn, "BDAT 100\r\nNOOP\r\n")
		c.sends("", "502 5.5.1")
		c.sends("", "421 4.4.2")
		c.over()
		if took := time.Since(began); took < minRateCredit || took > minRateCredit+time.Second {
			t.Errorf("a chunk that does not come: over after %v", took)
		}
	})
}

// TestRenew: other rules hold for the next message and recipient of sessions that are there.
func TestRenew(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MessagesPerMinute, s.MaxRecipients = 1, 2 })
		c := h.enter()
		c.hands("250 ")
		c.sends("MAIL FROM:<desk@library.example>\r\n", "451 4.7.1")
		rules := h.Rules
		rules.From, rules.MessagesPerMinute, rules.MaxRecipients, rules.MaxConnections = "other@service.example", 3, 1, 1
		h.Renew(rules)
		c.hands("250 ")
		c.sends("MAIL FROM:<desk@library.example>\r\n", "250 ")
		c.sends("RCPT TO:<ada@example.net>\r\n", "250 ")
		c.sends("RCPT TO:<bob@example.net>\r\n", "452 4.5.3")
		c.sends("RSET\r\n", "250 ")
		c.sends("EHLO x\r\n", "250 LIMITS RCPTMAX=1")
		full := h.client(h.connect(h.plain))
		full.sends("", "421 4.7.0 too many connections;")
		rules.MaxConnections = 0
		h.Renew(rules)
		next := h.visit()
		next.sends("EHLO x\r\n", "250 ")
		next.sends(plainAuth("library", h.key), "235 2.7.0 you are logged in; mail is sent from <other@service.example>")
		next.hands("250 ")
		next.sends("MAIL FROM:<desk@library.example>\r\n", "451 4.7.1")
		all := strings.Join(h.desk.queued(), "\n")
		if strings.Count(all, "<noreply+") != 1 || strings.Count(all, "<other+") != 2 {
			t.Errorf("the addresses that mail comes from: %s", all)
		}
	})
}
