package smtpclient

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"notices/spool/smtptest"
)

// both sends two messages at once and returns the results, the one that was first
// on the wire first.
func both(t *testing.T, c *Conn) (first, second Result) {
	t.Helper()
	var results [2]Result
	var wg sync.WaitGroup
	for i, name := range []string{"one", "two"} {
		wg.Go(func() {
			results[i] = deliver(t, c, message("Subject: "+name+"\r\n\r\n"))
		})
		synctest.Wait() // the first waits for an answer, so it has the wire
	}
	wg.Wait()
	return results[0], results[1]
}

// The server holds back the answer to the first dot until it has the second's MAIL,
// RCPT and DATA: one round trip a message.
func TestOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := smtptest.Pipe(t, pipelining+flight+accepted+flight+"> 250 first\n"+accepted+"> 250 second\n"+quit)
		c := open(t, inClear(p))
		first, second := both(t, c)
		for i, r := range []Result{first, second} {
			wantOutcomes(t, r, "delivered 250")
			if want := []string{"first", "second"}[i]; r.Outcomes[0].Reply.Text != want || r.OutOfStep || r.Stale {
				t.Errorf("%s: %+v", want, r)
			}
		}
		c.Quit()
		p.Close()
		want := "EHLO me.example.org\r\n" +
			"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: one\r\n\r\n.\r\n" +
			"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nSubject: two\r\n\r\n.\r\nQUIT\r\n"
		if got := p.Received(1); got != want {
			t.Errorf("sent %q", got)
		}
	})
}

// Without PIPELINING the second waits for the answer to the first's dot.
func TestNoOverlapInLockstep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := "< MAIL *\nquiet\n> 250 ok\n< RCPT *\nquiet\n> 250 ok\n< DATA\nquiet\n> 354 go\nbody\nquiet\n> 250 ok\n"
		c := open(t, inClear(smtptest.Pipe(t, lockstep+one+one+quit)))
		first, second := both(t, c)
		wantOutcomes(t, first, "delivered 250")
		wantOutcomes(t, second, "delivered 250")
		c.Quit()
	})
}

// What can go wrong between two that overlap. Neither may be taken for delivered or
// failed when it was not, and the caller learns not to overlap there again.
func TestOverlapGoesWrong(t *testing.T) {
	for name, c := range map[string]struct {
		script, first, second string
		stale, outOfStep      bool
	}{
		"it hangs up after its answer":   {"> 250 first\ndrop", "delivered 250", "deferred server connect 0", true, true},
		"421 after its answer":           {"> 250 first\n> 421 4.7.0 enough\ndrop", "delivered 250", "deferred server shutdown 421", true, false},
		"421 to the dot":                 {"> 421 4.3.0 going down\ndrop", "deferred server shutdown 421", "deferred server connect 0", true, false},
		"it hangs up at the dot":         {"drop", "uncertain message lost 0", "deferred server connect 0", true, true},
		"silence at the dot":             {"silent", "uncertain message lost 0", "deferred server connect 0", true, true},
		"garbage at the dot":             {"> ok\nsilent", "uncertain message lost 0", "deferred server connect 0", true, true},
		"it forgot what came early":      {"> 250 first\nsilent", "delivered 250", "deferred server connect 0", true, true},
		"bad sequence":                   {"> 250 first\n> 503 5.5.1 bad sequence\nsilent", "delivered 250", "deferred server protocol 0", true, true},
		"garbage":                        {"> 250 first\n> what?\nsilent", "delivered 250", "deferred server protocol 0", true, true},
		"out of step":                    {"> 250 first\n> 354 go\nsilent", "delivered 250", "deferred server protocol 0", true, true},
		"pipelining denied":              {"> 554 SMTP synchronization error\ndrop", "deferred server protocol 554", "deferred server connect 0", true, true},
		"lost later on":                  {"> 250 first\n> 250 ok\ndrop", "delivered 250", "deferred message lost 0", false, true},
		"an honest refusal of its MAIL":  {"> 250 first\n> 550 no\n> 503 no\n> 503 no\nsilent", "delivered 250", "failed message sender 550", false, false},
		"an honest refusal of the first": {"> 554 5.7.1 spam\n> 250 ok\n> 250 ok\n> 354 ok\nbody\n> 250 second\nsilent", "failed message 554", "delivered 250", false, false},
		"a recipient refused":            {"> 250 first\n> 250 ok\n> 550 no\n> 503 none\nsilent", "delivered 250", "failed recipient 550", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := open(t, inClear(smtptest.Pipe(t, pipelining+flight+accepted+flight+c.script)))
				first, second := both(t, conn)
				wantOutcomes(t, first, c.first)
				wantOutcomes(t, second, c.second)
				if first.Stale || second.Stale != c.stale {
					t.Errorf("stale: %v, %v", first.Stale, second.Stale)
				}
				if got := first.OutOfStep || second.OutOfStep; got != c.outOfStep {
					t.Errorf("out of step: %v", got)
				}
				conn.Close()
			})
		})
	}
}

// Many goroutines over one connection to a server of another make: every message
// arrives once, and its own outcome comes back.
func TestOverlapMany(t *testing.T) {
	for name, o := range map[string]smtptest.Options{"pipelining": {}, "lockstep": {NoPipelining: true}} {
		t.Run(name, func(t *testing.T) {
			refuse := func(stage, line string) string {
				if stage == "RCPT" && strings.Contains(line, "<no") {
					return "550 5.1.1 " + line
				}
				return ""
			}
			o.Reply = refuse
			srv := smtptest.New(t, o)
			c := open(t, inClear(srv))
			var wg sync.WaitGroup
			for i := range 60 {
				wg.Go(func() {
					rcpt, want := "yes@example.org", "delivered 250"
					if i%3 == 0 {
						rcpt, want = "no@example.org", "failed recipient 550"
					}
					r := c.Send(context.Background(), message(strings.Repeat("line\r\n", i*30), rcpt))
					wantOutcomes(t, r, want)
				})
			}
			wg.Wait()
			c.Quit()
			if n := len(srv.Messages()); n != 40 {
				t.Errorf("%d messages", n)
			}
			if n := srv.Counts(); n.Connections != 1 || (n.Early > 0) == o.NoPipelining {
				t.Errorf("%+v", n)
			}
		})
	}
}
