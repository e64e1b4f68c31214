package submission

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/rate"
	"notices/spool/service"
)

// in runs a test of the network in a synctest bubble: a sleep passes at once, and with it all that has
// a time limit goes on.
func in(t *testing.T, do func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, do)
}

// TestHosted: a site hands in messages over implicit TLS and over STARTTLS, with each mechanism.
func TestHosted(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		c := h.enter()
		c.hands("250 2.0.0 queued as ")
		c.hands("250 2.0.0 queued as ")
		c.sends("QUIT\r\n", "221 ")
		c.over()

		plain := h.connect(h.plain)
		c = h.client(plain)
		c.sends("", "220 mail.service.example ")
		c.sends("EHLO branch\r\n", "250 STARTTLS")
		c.sends("STARTTLS\r\n", "220 2.0.0")
		c = h.client(tls.Client(plain, insecure))
		c.sends("MAIL FROM:<a@example.org>\r\n", "503 5.5.1") // EHLO is to come again
		c.sends(plainAuth("library", h.key), "503 5.5.1")
		c.sends("EHLO branch\r\n", "250 ")
		c.sends("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6")
		c.sends(base64.StdEncoding.EncodeToString([]byte("Library"))+"\r\n", "334 UGFzc3dvcmQ6")
		c.sends(base64.StdEncoding.EncodeToString([]byte(h.key))+"\r\n", "235 ")
		c.sends(plainAuth("library", h.key), "503 5.5.1")
		c.sends("EHLO branch\r\n", "250 ") // as Thunderbird does
		c.hands("250 2.0.0 queued as ")

		all := strings.Join(h.desk.queued(), "\n")
		for _, want := range []string{"<noreply+", "@service.example> ada@example.net\n", "From: \"Town Library\" <noreply@service.example>\r\n", "Reply-To: desk@library.example\r\n"} {
			if strings.Count(all, want) != 3 {
				t.Errorf("not three times %q in\n%s", want, all)
			}
		}
		if n := len(h.entries()); n != 3 {
			t.Errorf("Queued was called %d times", n)
		}
		for _, e := range h.entries() {
			if claim, err := h.store.Claim(t.Context(), e); err != nil || claim.Record().Envelope.Site != "library" {
				t.Errorf("%+v: %v", e, err)
			} else {
				claim.Release()
			}
		}
		if n := strings.Count(h.logged(), "queued id="); n != 3 || strings.Count(h.logged(), " site=library ") != 3 {
			t.Errorf("the log has %s", h.logged())
		}
		h.stop(t)
		if list, err := h.Sites.List(t.Context()); err != nil || list[0].Today != 3 || list[0].LastUsed.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestNetworkOffers: what EHLO lists, with TLS and without.
func TestNetworkOffers(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MaxRecipients = 7 })
		ask := func(c *client) (all string) {
			io.WriteString(c.conn, "EHLO x\r\n")
			for line := "----"; line[3] == '-'; {
				var err error
				if line, err = c.r.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
				all += line
			}
			return all
		}
		c := h.client(h.connect(h.plain))
		c.sends("", "220 ")
		before, after := ask(c), ask(h.visit())
		for _, want := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "SIZE 2000\r\n"} {
			if !strings.Contains(before, want) || !strings.Contains(after, want) {
				t.Errorf("no %s in\n%s\n%s", want, before, after)
			}
		}
		for _, word := range []string{"AUTH PLAIN LOGIN", "RCPTMAX=7"} {
			if strings.Contains(before, word) || !strings.Contains(after, word) {
				t.Errorf("%s: before TLS\n%safter\n%s", word, before, after)
			}
		}
		if strings.Contains(before+after, "CHUNKING") || strings.Contains(after, "STARTTLS") {
			t.Errorf("%s%s", before, after)
		}
	})
}

// TestBeforeTLS: nothing is carried out in the clear, and what comes with STARTTLS ends the session.
func TestBeforeTLS(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		c := h.client(h.connect(h.plain))
		c.sends("", "220 ")
		for command, want := range map[string]string{
			"HELO x": "250 ", "NOOP": "250 ", "RSET": "250 ", "MAIL FROM:<a@example.org>": "530 5.7.0", "RCPT TO:<a@example.org>": "530 5.7.0",
			"DATA": "530 5.7.0", strings.TrimSpace(plainAuth("library", h.key)): "530 5.7.0", "AUTH LOGIN": "530 5.7.0",
			"STARTTLS now": "501 5.5.4", "TURN": "500 5.5.2", "": "500 5.5.2",
		} {
			c.sends(command+"\r\n", want)
		}
		c.sends("QUIT\r\n", "221 ")
		c.over()

		c = h.client(h.connect(h.plain))
		c.sends("", "220 ")
		c.sends("BDAT 10\r\nSTARTTLS\r\n", "530 5.7.0")
		c.over()

		for _, text := range []string{"STARTTLS\r\nEHLO x\r\n", "STARTTLS\r\n\r\n", "starttls\n.", "STARTTLS\r\n\x16\x03\x01"} {
			c := h.client(h.connect(h.plain))
			c.sends("", "220 ")
			c.sends(text, "501 5.5.1")
			c.over()
		}
		c = h.client(h.connect(h.plain))
		c.sends("", "220 ")
		go io.WriteString(c.conn, strings.Repeat("x", 5000))
		c.sends("", "500 5.5.2")
		c.over()

		c = h.client(h.connect(h.plain)) // it speaks no TLS
		c.sends("", "220 ")
		c.sends("STARTTLS\r\n", "220 ")
		go io.WriteString(c.conn, "EHLO x\r\nMAIL FROM:<a@example.org>\r\n")
		for {
			if line, err := c.r.ReadString('\n'); err != nil {
				break
			} else if strings.HasPrefix(line, "250") {
				t.Errorf("without a handshake: %q", line)
			}
		}
	})
}

// TestLogin: who has no key can do nothing.
func TestLogin(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		c := h.visit()
		c.sends("EHLO x\r\n", "250 ")
		for command, want := range map[string]string{
			"MAIL FROM:<a@example.org>": "530 5.7.0", "RCPT TO:<a@example.org>": "503 5.5.1", "DATA": "503 5.5.1", "AUTH": "501 5.5.4", "AUTH CRAM-MD5": "504 5.7.4",
			"AUTH PLAIN =":      "501 5.5.2", // no name in it
			"AUTH PLAIN %%%":    "501 5.5.2",
			"AUTH XOAUTH2 Zm9v": "504 ",
		} {
			c.sends(command+"\r\n", want)
		}
		c.sends("AUTH PLAIN\r\n", "334")
		c.sends("*\r\n", "501 ")
		c.sends("QUIT\r\n", "221 ")

		other, err := h.Sites.Add(t.Context(), "school", "School", "desk@school.example")
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range [][2]string{{"library", ""}, {"library", other}, {"", h.key}, {"nobody", h.key}, {"library", h.key + " "}, {strings.Repeat("x", 5000), "y"}} {
			c := h.visit()
			c.sends("EHLO x\r\n", "250 ")
			c.sends(plainAuth(wrong[0], wrong[1]), "535 5.7.8 ")
			c.sends("MAIL FROM:<a@example.org>\r\n", "530 ")
			c.sends("QUIT\r\n", "221 ")
		}
		c = h.visit()
		c.sends("EHLO x\r\n", "250 ")
		c.sends("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("school\x00library\x00"+h.key))+"\r\n", "535 5.7.8 ")
		c.sends("AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("library\x00library\x00"+h.key))+"\r\n", "235 ")
		if !strings.Contains(h.logged(), "login-failed site=nobody from=") || strings.Contains(h.logged(), h.key) || strings.Contains(h.logged(), other) {
			t.Errorf("the log has %s", h.logged())
		}
	})
}

// TestAnswerIsNoCommand: base64 that looks like BDAT, which is not offered, is left alone.
func TestAnswerIsNoCommand(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		key, err := h.Sites.Add(t.Context(), "l0-town", "Town", "desk@town.example")
		if err != nil {
			t.Fatal(err)
		}
		user := base64.StdEncoding.EncodeToString([]byte("l0-town"))
		if !strings.EqualFold(user[:4], "BDAT") {
			t.Fatal(user)
		}
		c := h.visit()
		c.sends("EHLO x\r\n", "250 ")
		c.sends("AUTH LOGIN\r\n", "334 ")
		c.sends(user+"\r\n", "334 ")
		c.sends(base64.StdEncoding.EncodeToString([]byte(key))+"\r\n", "235 ")
		c.sends("MAIL FROM:<a@example.org> FOO=bar\r\n", "555 5.5.4")
		c.sends("MAIL FROM:<a@example.org> SIZE=99999999999\r\n", "552 5.3.4")
		c.sends("MAIL FROM:<a@example.org> SIZE=x\r\n", "501 5.5.4")
	})
}

// TestWrongKeysAreSlow: for the address and for the site's name; not for the right key.
func TestWrongKeysAreSlow(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		began := time.Now()
		var last time.Duration
		for range 5 {
			c := h.visit()
			c.sends("EHLO x\r\n", "250 ")
			for range 2 {
				began := time.Now()
				c.sends(plainAuth("library", "wrong"), "535 ")
				if last = time.Since(began); last < 500*time.Millisecond || last > 8*time.Second {
					t.Errorf("an answer after %v", last)
				}
			}
			c.conn.Close()
		}
		if last != 8*time.Second || time.Since(began) < 30*time.Second {
			t.Errorf("ten wrong keys took %v, the last one %v", time.Since(began), last)
		}
		c := h.visit()
		c.sends("EHLO x\r\n", "250 ")
		began = time.Now()
		for range 3 {
			c.sends(plainAuth("other", "wrong"), "535 ")
		}
		c.sends("", "421 4.7.0 too many wrong keys")
		c.over()
		if time.Since(began) < 20*time.Second {
			t.Errorf("another name from the same address: %v", time.Since(began))
		}
		began = time.Now()
		h.enter().hands("250 ")
		if time.Since(began) > 0 {
			t.Errorf("the right key took %v", time.Since(began))
		}
	})
}

// TestRates: a site may hand in so many in a minute and in a day, over all its sessions and hosts;
// what is not handed in does not count.
func TestRates(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MessagesPerMinute, s.MessagesPerDay = 3, 5 })
		c := h.enter()
		for range 5 {
			c.sends("MAIL FROM:<desk@library.example>\r\n", "250 ")
			c.sends("RSET\r\n", "250 ")
			c.sends("MAIL FROM:<@>\r\n", "501 ")
		}
		c.hands("250 ")
		c.hands("250 ")
		other := h.enter()
		other.hands("250 ")
		c.sends("MAIL FROM:<desk@library.example>\r\n", "451 4.7.1 the sending limit of your site is reached (messages_per_minute); try again in ")
		c.sends("RCPT TO:<ada@example.net>\r\n", "503 5.5.1")
		other.sends("MAIL FROM:<desk@library.example>\r\n", "451 4.7.1 ")
		if n := strings.Count(h.logged(), "site-limited "); n != 1 {
			t.Errorf("the log has %s", h.logged())
		}
		time.Sleep(61 * time.Second)
		c.hands("250 ")
		c.hands("250 ")
		time.Sleep(2 * time.Minute)
		c.sends("MAIL FROM:<desk@library.example>\r\n", "451 4.7.1 the sending limit of your site is reached (messages_per_day); ")
		c.conn.Close()
		other.conn.Close()
		time.Sleep(24 * time.Hour)
		h.enter().hands("250 ")
	})
}

// TestRatesOfTwoHosts: they count together.
func TestRatesOfTwoHosts(t *testing.T) {
	in(t, func(t *testing.T) {
		a := newHosting(t, func(s *Server) { s.MessagesPerMinute = 100 })
		b := newHosting(t, func(s *Server) { s.MessagesPerMinute, s.Sites.State = 100, a.Sites.State })
		b.key = a.key
		one, two := a.enter(), b.enter()
		for range 50 {
			one.hands("250 ")
			two.hands("250 ")
		}
		one.sends("MAIL FROM:<desk@library.example>\r\n", "451 4.7.1 ")
		two.sends("MAIL FROM:<desk@library.example>\r\n", "451 4.7.1 ")
	})
}

// TestUnusedReservations: what a host reserved for a site and does not use is given back soon, and
// when the host stops.
func TestUnusedReservations(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MessagesPerMinute = 6000 })
		state := h.store.State()
		used := func() int {
			t.Helper()
			u, err := rate.UsageOf(t.Context(), state, rate.Server{Name: "site-library", PerMinute: 6000}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return u.Minute
		}
		c := h.enter()
		c.hands("250 ")
		if n := used(); n != 50 {
			t.Errorf("%d are reserved", n)
		}
		time.Sleep(flushTime + time.Second)
		if n := used(); n != 1 {
			t.Errorf("%d are counted of one message", n)
		}
		c.hands("250 ")
		c.sends("QUIT\r\n", "221 ")
		c.over()
		h.stop(t)
		if n := used(); n != 2 {
			t.Errorf("%d are counted of two messages", n)
		}
	})
}

// TestSizesAndRecipients: what a site may not hand in, with the code that says why.
func TestSizesAndRecipients(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MaxRecipients = 2 })
		c := h.enter()
		c.sends("MAIL FROM:<a@example.org> SIZE=2002\r\n", "552 5.3.4")
		c.sends("MAIL FROM:<a@example.org> SIZE=2000\r\n", "250 ")
		c.sends("RCPT TO:<a@example.net>\r\n", "250 ")
		c.sends("RCPT TO:<b@example.net>\r\n", "250 ")
		c.sends("RCPT TO:<c@example.net>\r\n", "452 4.5.3")
		c.sends("DATA\r\n", "354 ")
		c.sends("Subject: x\r\n\r\n"+strings.Repeat("x\r\n", 700)+".\r\n", "552 5.3.4")
		c.hands("250 ")
		c.sends("MAIL FROM:<>\r\n", "250 ")
		c.sends("RCPT TO:<ada>\r\n", "501 5.5.2")
		c.sends("RCPT TO:<ada@example.net>\r\n", "250 ")
		c.sends("DATA\r\n", "354 ")
		c.sends("no header\r\n.\r\n", "554 5.6.0")
		if n := len(h.entries()); n != 1 {
			t.Errorf("%d messages", n)
		}
	})
}

// TestCountedSoon: what was accepted is counted within a second or so, for a process that is killed.
func TestCountedSoon(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		h.enter().hands("250 ")
		time.Sleep(2 * lookTime)
		other := service.Register{State: h.store.State()}
		if list, err := other.List(t.Context()); err != nil || list[0].Today != 1 || list[0].LastUsed.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestRevoked: a session ends within a second, in whatever it is; a rotated key works on.
func TestRevoked(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		idle, busy := h.enter(), h.enter()
		busy.sends("MAIL FROM:<a@example.org>\r\n", "250 ")
		busy.sends("RCPT TO:<a@example.net>\r\n", "250 ")
		busy.sends("DATA\r\n", "354 ")
		if _, err := h.Sites.Rotate(t.Context(), "library", false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		idle.hands("250 ")
		next := h.enter()
		if err := h.Sites.Revoke(t.Context(), "library"); err != nil {
			t.Fatal(err)
		}
		next.sends("MAIL FROM:<a@example.org>\r\n", "421 4.7.0")
		next.over()
		began := time.Now()
		idle.sends("", "421 4.7.0 the key of this site is not valid any more")
		idle.over()
		busy.sends("", "421 ")
		busy.over()
		if d := time.Since(began); d > time.Second {
			t.Errorf("after %v", d)
		}
		c := h.visit()
		c.sends("EHLO x\r\n", "250 ")
		c.sends(plainAuth("library", h.key), "535 5.7.8")
	})
}

// TestConnections: how many may be connected, and how many of one site and of one address.
func TestConnections(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, func(s *Server) { s.MaxConnections = 50 })
		var all []*client
		for range 20 {
			all = append(all, h.enter())
		}
		c := h.visit()
		c.sends("EHLO x\r\n", "250 ")
		c.sends(plainAuth("library", h.key), "421 4.7.0 this site has too many connections")
		c.over()
		for range 20 {
			all = append(all, h.visit())
		}
		full := h.client(tls.Client(h.connect(h.direct), insecure))
		full.sends("", "421 4.7.0 too many connections from your address")
		full.over()
		all[0].hands("250 ") // who is in goes on
		all[0].sends("QUIT\r\n", "221 ")
		all[39].sends("QUIT\r\n", "221 ")
		synctest.Wait()
		h.enter()
		plain := h.client(h.connect(h.plain))
		plain.sends("", "220 ")
		plain = h.client(h.connect(h.plain))
		plain.sends("", "421 4.7.0")
		plain.over()
		if n, sites := h.Connections(); n != 40 || sites != 20 {
			t.Errorf("%d connections, %d of sites", n, sites)
		}
		if !strings.Contains(h.logged(), `turned-away from=pipe why="too many connections from your address`) || strings.Count(h.logged(), "turned-away") != 1 {
			t.Errorf("the log has %s", h.logged())
		}
		time.Sleep(tellTime)
		plain = h.client(h.connect(h.plain))
		plain.sends("", "421 4.7.0")
		plain.over()
		if strings.Count(h.logged(), "turned-away") != 2 {
			t.Errorf("a minute later the log has %s", h.logged())
		}
	})
	t.Run("all", func(t *testing.T) {
		in(t, func(t *testing.T) {
			h := newHosting(t, func(s *Server) { s.MaxConnections = 3 })
			for range 3 {
				h.visit()
			}
			full := h.client(tls.Client(h.connect(h.direct), insecure))
			full.sends("", "421 4.7.0 too many connections;")
		})
	})
}

// TestTooMuch: a client that asks and asks is slowed down, and its session ended.
func TestTooMuch(t *testing.T) {
	for name, c := range map[string]struct {
		login    bool
		command  string
		most     int
		slow     bool
		recovers bool
	}{
		"commands before login": {false, "NOOP", 60, false, false},
		"errors before login":   {false, "MAIL FROM:<a@example.org>", 12, false, false},
		"unknown commands":      {true, "WHAT", 12, false, false},
		"errors":                {true, "MAIL FROM:<@>", 110, true, false},
		"commands":              {true, "NOOP", 1010, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHosting(t, nil)
				v := h.visit
				if c.login {
					v = h.enter
				}
				client := v()
				client.sends("EHLO x\r\n", "250 ")
				began := time.Now()
				for n := 0; ; n++ {
					go fmt.Fprintf(client.conn, "%s\r\n", c.command) // it may be over
					if _, err := client.r.ReadString('\n'); err != nil {
						break
					}
					if n > c.most {
						t.Fatalf("%d times", n)
					}
				}
				if slow := time.Since(began) > 30*time.Second; slow != c.slow {
					t.Errorf("it took %v", time.Since(began))
				}
			})
		})
	}
}

// TestSlowClients: each has a time, and what it began is not carried out.
func TestSlowClients(t *testing.T) {
	const mail = "MAIL FROM:<a@example.org>\r\nRCPT TO:<a@example.net>\r\nDATA\r\n"
	for name, c := range map[string]struct {
		connect     func(h *hosting) *client
		write       string // again and again
		every       time.Duration
		least, most time.Duration
		last        string
	}{
		"no TLS":                 {func(h *hosting) *client { return h.client(h.connect(h.direct)) }, "", 0, 0, 2 * time.Minute, ""},
		"a TLS record":           {func(h *hosting) *client { return h.client(h.connect(h.direct)) }, "\x16", 20 * time.Second, 0, 2 * time.Minute, ""},
		"no STARTTLS":            {func(h *hosting) *client { return h.client(h.connect(h.plain)) }, "", 0, time.Minute, 2 * time.Minute, "220 "},
		"no login":               {(*hosting).visit, "", 0, time.Minute, 2 * time.Minute, "421 4.4.2"},
		"NOOP, no login":         {(*hosting).visit, "NOOP\r\n", 30 * time.Second, time.Minute, 2 * time.Minute, "421 4.4.2"},
		"idle":                   {(*hosting).enter, "", 0, 5 * time.Minute, 5 * time.Minute, "421 4.4.2"},
		"a slow command":         {(*hosting).enter, "N", time.Minute, 5 * time.Minute, 5 * time.Minute, "421 4.4.2"},
		"a silent message":       {(*hosting).enter, "", 0, time.Minute, time.Minute, "421 4.4.2"},
		"a slow message":         {(*hosting).enter, strings.Repeat("x", 98) + "\r\n", time.Second, time.Minute, 2 * time.Minute, "421 4.4.2"},
		"an endless header":      {(*hosting).enter, "x: " + strings.Repeat("x", 60_000) + "\r\n", time.Second, 10 * time.Second, 2 * time.Minute, "554 5.6.0 the header"},
		"an endless message":     {(*hosting).enter, "\r\n" + strings.Repeat("x", 60_000), time.Second, 10 * time.Second, 2 * time.Minute, "554 "},
		"an endless header line": {(*hosting).enter, strings.Repeat("x", 60_000), time.Second, 10 * time.Second, 2 * time.Minute, "554 5.6.0 the header"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				h := newHosting(t, func(s *Server) { s.Intake.MaxSize = 1_200_000 })
				client := c.connect(h)
				began := time.Now()
				if strings.HasSuffix(name, "message") || strings.Contains(name, "endless") {
					go io.WriteString(client.conn, mail)
					client.sends("", "250 ")
					client.sends("", "250 ")
					client.sends("", "354 ")
				}
				done := make(chan struct{})
				go func() {
					for c.every > 0 {
						select {
						case <-done:
							return
						case <-time.After(c.every):
							if _, err := io.WriteString(client.conn, c.write); err != nil {
								return
							}
						}
					}
				}()
				defer close(done)
				last := ""
				for {
					line, err := client.r.ReadString('\n')
					if err != nil {
						last += line
						break
					}
					last = line
				}
				if d := time.Since(began); d < c.least || d > c.most || !strings.HasPrefix(last, c.last) {
					t.Errorf("over after %v with %q", d, last)
				}
				client.conn.Close()
				synctest.Wait()
				if n, _ := h.Connections(); n != 0 || len(h.entries()) > 0 {
					t.Errorf("%d connections, queued %v", n, h.entries())
				}
			})
		})
	}
}

// TestNetworkSmuggling: a message that breaks off in its middle, and ends that are none.
func TestNetworkSmuggling(t *testing.T) {
	in(t, func(t *testing.T) {
		for _, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n\x00.\r\n", "\r\n..\r\n"} {
			h := newHosting(t, nil)
			c := h.enter()
			c.sends("MAIL FROM:<a@example.org>\r\n", "250 ")
			c.sends("RCPT TO:<a@example.net>\r\n", "250 ")
			c.sends("DATA\r\n", "354 ")
			go io.WriteString(c.conn, "Subject: x\r\n\r\ntext"+end+evil+"rest\r\n.\r\nQUIT\r\n")
			c.conn.SetReadDeadline(time.Now().Add(time.Minute))
			if replies, err := io.ReadAll(c.r); !strings.Contains(string(replies), "221 ") {
				t.Errorf("%q: %s, %v", end, replies, err)
			}
			for _, m := range h.desk.queued() {
				if strings.Contains(m, "> victim@") {
					t.Errorf("%q smuggles: %s", end, m)
				}
			}
		}
		h := newHosting(t, nil)
		c := h.enter()
		c.sends("MAIL FROM:<a@example.org>\r\n", "250 ")
		c.sends("RCPT TO:<a@example.net>\r\n", "250 ")
		c.sends("DATA\r\n", "354 ")
		io.WriteString(c.conn, "Subject: x\r\n\r\ntext\r\n")
		time.Sleep(10 * time.Minute)
		if _, err := io.WriteString(c.conn, evil); err == nil {
			t.Error("it reads on")
		}
		if len(h.entries()) > 0 {
			t.Errorf("queued %v", h.entries())
		}
	})
}

// TestShutdown: a message that is being transferred comes to its end, the others are told.
func TestShutdown(t *testing.T) {
	in(t, func(t *testing.T) {
		h := newHosting(t, nil)
		idle, greeted, busy, stuck := h.enter(), h.client(h.connect(h.plain)), h.enter(), h.enter()
		greeted.sends("", "220 ")
		for _, c := range []*client{busy, stuck} {
			c.sends("MAIL FROM:<a@example.org>\r\n", "250 ")
			c.sends("RCPT TO:<a@example.net>\r\n", "250 ")
			c.sends("DATA\r\n", "354 ")
		}
		ended := make(chan error)
		go func() {
			ctx, cancel := contextFor(10 * time.Second)
			defer cancel()
			ended <- h.Shutdown(ctx)
		}()
		idle.sends("", "421 4.3.2")
		idle.over()
		greeted.sends("", "421 4.3.2")
		greeted.over()
		busy.sends("Subject: x\r\n\r\ny\r\n.\r\n", "250 2.0.0 queued as ")
		busy.sends("", "421 4.3.2")
		busy.over()
		select {
		case err := <-ended:
			t.Fatalf("it does not wait for the last one: %v", err)
		default:
		}
		stuck.sends("", "421 ")
		stuck.over()
		if err := <-ended; err == nil {
			t.Error("the time was over, and Shutdown does not say so")
		}
		if len(h.entries()) != 1 || len(h.desk.queued()) != 1 {
			t.Errorf("%v", h.entries())
		}
		late := h.client(h.connect(h.direct))
		late.over()
	})
}

// TestStateAway: nobody can log in, and sessions go on.
func TestStateAway(t *testing.T) {
	in(t, func(t *testing.T) {
		state := &away{}
		h := newHosting(t, func(s *Server) {
			state.State = s.Sites.State
			s.Sites.State = state
		})
		c := h.enter()
		state.set(true)
		c.sends("MAIL FROM:<a@example.org>\r\n", "451 4.3.0")
		time.Sleep(10 * time.Second)
		v := h.visit()
		v.sends("EHLO x\r\n", "250 ")
		v.sends(plainAuth("library", h.key), "454 4.7.0")
		state.set(false)
		c.hands("250 ")
		v.sends(plainAuth("library", h.key), "235 ")
	})
}

var _ spool.State = (*away)(nil)
