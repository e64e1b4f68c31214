package submission

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"notices/spool/dkim"
)

// TestLongHeader: one of exactly the length is taken, and after a longer one the session goes on.
func TestLongHeader(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.Intake.MaxSize = 0 })
		c := h.enter()
		line := "X: " + strings.Repeat("x", 995) + "\r\n"
		for more, want := range map[int]string{0: queuedReply, 1: "554 5.6.0 the header"} {
			header := strings.Repeat(line, maxHeader/len(line)-1)
			header += "Y: " + strings.Repeat("x", maxHeader-len(header)-len("Y: \r\n\r\n")+more) + "\r\n"
			c.sends("MAIL FROM:<desk@library.example>\r\n", "250 ")
			c.sends("RCPT TO:<ada@example.net>\r\n", "250 ")
			c.sends("DATA\r\n", "354 ")
			c.sends(header+"\r\n"+strings.Repeat("text\r\n", 100_000)+".\r\n", want)
		}
	})
}

// TestEmptyLines: what package dkim could not sign is refused at once, and by its limit.
func TestEmptyLines(t *testing.T) {
	if maxBlank != dkim.MaxBlank || maxHeader > dkim.MaxHeader/4 {
		t.Errorf("a message may be taken that cannot be signed: %d, %d", maxBlank, maxHeader)
	}
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.Intake.MaxSize = 0 })
		c := h.enter()
		half := strings.Repeat("\r\n", maxBlank/4)
		for body, want := range map[string]string{
			half + half + "text\r\n":               queuedReply,
			half + half + "\r\ntext\r\n":           "554 5.6.0 the message has more than 1048576 octets of empty lines",
			"text\r\n" + half + half:               "554 5.6.0 the message has more",
			half + half[2:] + "x" + half + "\r\n":  queuedReply,
			strings.Repeat(" ", maxBlank) + "\r\n": "554 5.6.0 the message has more",
		} {
			c.sends("MAIL FROM:<desk@library.example>\r\n", "250 ")
			c.sends("RCPT TO:<ada@example.net>\r\n", "250 ")
			c.sends("DATA\r\n", "354 ")
			c.sends("From: a@b.example\r\n\r\n"+body+".\r\n", want)
		}
	})
}

// TestManyFields: fields cost memory, and so do long headers, of which only some are taken at once.
func TestManyFields(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.Intake.MaxSize = 0 })
		data := func(c *client) {
			c.sends("MAIL FROM:<desk@library.example>\r\n", "250 ")
			c.sends("RCPT TO:<ada@example.net>\r\n", "250 ")
			c.sends("DATA\r\n", "354 ")
		}
		c := h.enter()
		for n, want := range map[int]string{maxFields: queuedReply, maxFields + 1: "554 5.6.0 the header"} {
			data(c)
			c.sends("From: a@b.example\r\n"+strings.Repeat("X:1\r\n", n-1)+"\r\n"+strings.Repeat("x: y\r\n", 2*maxFields)+".\r\n", want)
		}
		long := "From: a@b.example\r\nX: " + strings.Repeat("x", 3*longHeader) // it is read in pieces of 64 KiB
		var all []*client
		for range maxLongOfSite {
			one := h.enter()
			data(one)
			io.WriteString(one.conn, long)
			all = append(all, one)
		}
		synctest.Wait()
		data(c)
		c.sends(long+"\r\n\r\n.\r\n", "451 4.3.1 too many messages with long headers")
		for _, one := range all {
			one.sends("\r\n\r\n.\r\n", queuedReply)
		}
		data(c)
		c.sends(long+"\r\n\r\n.\r\n", queuedReply)
	})
}

// TestRoomForRecipients: those of all sessions share it; a message may have a hundred in any case.
func TestRoomForRecipients(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		c := h.enter()
		c.sends("MAIL FROM:<a@example.org>\r\n", "250 ")
		h.room.Store(maxRoom + 1)
		for range sureRecipients {
			c.sends("RCPT TO:<ada@example.net>\r\n", "250 ")
		}
		c.sends("RCPT TO:<ada@example.net>\r\n", "452 4.5.3")
		c.sends("RSET\r\n", "250 ")
		if n := h.room.Load(); n != maxRoom+1 {
			t.Errorf("after RSET: %d", n-maxRoom-1)
		}
	})
}
