package smtpclient

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool/smtptest"
)

// The server answers nothing until it has seen MAIL, all RCPT and DATA: they come in
// one flight. What is on the wire is compared octet for octet.
func TestPipelinedTranscript(t *testing.T) {
	p := smtptest.Script(t, pipelining+
		"< MAIL FROM:<a@example.org>\n< RCPT TO:<b@example.org>\n< RCPT TO:<c@example.org>\n< DATA\n"+
		"> \"250 2.1.0 ok\\r\\n250 2.1.5 ok\\r\\n250 2.1.5 ok\\r\\n354 go\\r\\n\"\nbody\n> 250 2.0.0 queued as 7F\n"+
		"< MAIL FROM:<>\n< RCPT TO:<b@example.org>\n< DATA\n> 250 ok\n> 250 ok\n> 354 go\nbody\n> 250 queued\n"+quit)
	c := open(t, inClear(p))
	r := deliver(t, c, message("A: b\r\n\r\n.\r\n..x\r\ny.\r\n", "b@example.org", "c@example.org"))
	wantOutcomes(t, r, "delivered 250, delivered 250")
	if got := r.Outcomes[0].Reply.String(); got != "250 2.0.0 queued as 7F" {
		t.Errorf("reply %q", got)
	}
	report := message("A: b\r\n\r\n")
	report.Sender = ""
	wantOutcomes(t, deliver(t, c, report), "delivered 250")
	if !c.Usable() {
		t.Error("not usable after two")
	}
	c.Quit()
	p.Close()
	want := "EHLO me.example.org\r\n" +
		"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n" +
		"A: b\r\n\r\n..\r\n...x\r\ny.\r\n.\r\n" +
		"MAIL FROM:<>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nA: b\r\n\r\n.\r\nQUIT\r\n"
	if got := p.Received(1); got != want {
		t.Errorf("sent\n%q\nwant\n%q", got, want)
	}
}

func TestLockstep(t *testing.T) {
	r, c := play(t, lockstep+
		"< MAIL FROM:<a@example.org>\n> 250 ok\n< RCPT TO:<b@example.org>\n> 250 ok\n< RCPT TO:<c@example.org>\n> 550 no\n"+
		"< DATA\n> 354 go\nbody\n> 250 queued\n"+quit, message(hello, "b@example.org", "c@example.org"))
	wantOutcomes(t, r, "delivered 250, failed recipient 550")
	c.Quit()
}

// Nothing is sent behind the final dot before its answer: a server may drop the connection
// over it when it has taken the message already. So it is for each message of a connection, and whatever
// the answer is.
func TestNothingBehindTheDot(t *testing.T) {
	for name, begin := range map[string]string{"pipelining": pipelining, "lockstep": lockstep} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				envelope := flight + "> 250 sender\n> 250 recipient\n> 354 go ahead\n"
				if begin == lockstep {
					envelope = "< MAIL *\nquiet\n> 250 ok\n< RCPT *\nquiet\n> 250 ok\n< DATA\nquiet\n> 354 go\n"
				}
				script, answers := begin, []string{"250 ok", "554 5.6.0 no", "451 4.3.0 later", "250 ok"}
				for _, a := range answers {
					script += envelope + "body\nquiet\nquiet\n> " + a + "\nquiet\n"
				}
				c := open(t, inClear(smtptest.Pipe(t, script+quit)))
				for _, a := range answers {
					r := deliver(t, c, message(hello))
					if got := fmt.Sprint(r.Outcomes[0].Reply.Code); !strings.HasPrefix(a, got) {
						t.Errorf("%s: %s", a, briefs(r))
					}
					time.Sleep(3 * time.Second) // of the bubble's clock
				}
				c.Quit()
			})
		})
	}
}

// Each recipient gets its own answer, and what a refusal leaves open is closed by RSET in
// front of the next MAIL, not by a round trip of its own.
func TestRecipientsApart(t *testing.T) {
	three := []string{"b@example.org", "c@example.org", "d@example.org"}
	rcpts := "< MAIL FROM:<a@example.org>\n< RCPT TO:<b@example.org>\n< RCPT TO:<c@example.org>\n< RCPT TO:<d@example.org>\n< DATA\n> 250 ok\n"
	again := flight + accepted + "> 250 ok\n" + quit
	for name, c := range map[string]struct{ script, want string }{
		"mixed":               {"> 250 ok\n> 450 4.2.1 busy\n> 550 5.1.1 no\n> 354 go\nbody\n> 250 ok\n" + again, "delivered 250, deferred recipient 450, failed recipient 550"},
		"all 4xx, DATA taken": {"> 450 a\n> 451 b\n> 452 c\n> 354 go\n< .\n> 554 none\n" + again, "deferred recipient 450, deferred recipient 451, deferred recipient 452"},
		"all 5xx":             {"> 550 a\n> 551 b\n> 553 c\n> 554 no valid recipients\n< RSET\n" + flight + "> 250 reset\n" + accepted + "> 250 ok\n" + quit, "failed recipient 550, failed recipient 551, failed recipient 553"},
		"the dot says no":     {"> 250 ok\n> 250 ok\n> 550 c\n> 354 go\nbody\n> 554 5.7.1 spam\n" + again, "failed message 554, failed message 554, failed recipient 550"},
		"DATA says no":        {"> 250 ok\n> 250 ok\n> 550 c\n> 451 later\n< RSET\n" + flight + "> 250 reset\n" + accepted + "> 250 ok\n" + quit, "deferred message 451, deferred message 451, failed recipient 550"},
		"251 and 252":         {"> 251 forwarded\n> 252 perhaps\n> 250 ok\n> 354 go\nbody\n> 250 ok\n" + again, "delivered 250, delivered 250, delivered 250"},
		"denied relay":        {"> 250 ok\n> 554 5.7.1 <c@example.org>: Relay access denied\n> 550 c\n> 354 go\nbody\n> 250 ok\n" + again, "delivered 250, deferred server relay 554, failed recipient 550"},
	} {
		t.Run(name, func(t *testing.T) {
			r, conn := play(t, pipelining+rcpts+c.script, message(hello, three...))
			wantOutcomes(t, r, c.want)
			wantOutcomes(t, deliver(t, conn, message(hello)), "delivered 250")
			conn.Quit()
		})
	}
}

// In lockstep nothing is sent that cannot succeed.
func TestLockstepStops(t *testing.T) {
	after := "< RSET\n> 250 ok\n< MAIL FROM:<a@example.org>\n> 250 ok\n< RCPT TO:<b@example.org>\n> 250 ok\n< DATA\n> 354 go\nbody\n> 250 ok\n" + quit
	t.Run("all recipients refused", func(t *testing.T) {
		r, c := play(t, lockstep+"< MAIL *\n> 250 ok\n< RCPT *\n> 550 no\n"+after, message(hello))
		wantOutcomes(t, r, "failed recipient 550")
		wantOutcomes(t, deliver(t, c, message(hello)), "delivered 250")
		c.Quit()
	})
	t.Run("sender refused", func(t *testing.T) {
		r, c := play(t, lockstep+"< MAIL *\n> 550 no\n"+strings.TrimPrefix(after, "< RSET\n> 250 ok\n"), message(hello))
		wantOutcomes(t, r, "failed message sender 550")
		wantOutcomes(t, deliver(t, c, message(hello)), "delivered 250")
		c.Quit()
	})
}

// A refused MAIL is what counts; what the server says to the rest follows from it.
func TestSenderRefused(t *testing.T) {
	for reply, want := range map[string]string{
		"550 5.1.8 no":                       "failed message sender 550",
		"451 4.3.0 later":                    "deferred message 451",
		"550 5.7.60 not as this sender":      "deferred message sendas 550",
		"530 5.7.0 authentication required":  "deferred server auth 530",
		"552 5.3.4 too big":                  "failed message cannot 552",
		"550 5.4.5 daily limit":              "deferred server limit 550",
		"421 4.3.2 shutting down":            "deferred server shutdown 421",
		"550 5.7.1 Daily SMTP relay limit e": "deferred server limit 550",
	} {
		t.Run(reply, func(t *testing.T) {
			down := strings.HasPrefix(reply, "421") // nothing more is read: a server's next write may fail
			rest := "> 503 no\n> 503 no\nsilent"
			if down {
				rest = "silent"
			}
			r, c := play(t, pipelining+flight+"> "+reply+"\n"+rest, message(hello))
			wantOutcomes(t, r, want)
			if c.Usable() == down || r.Stale {
				t.Errorf("usable %v, stale %v", c.Usable(), r.Stale)
			}
		})
	}
}

// A policy's refusal at RCPT is about the recipient when others are taken; else it may be
// about us.
func TestPolicyAtRecipient(t *testing.T) {
	two := []string{"b@example.org", "c@example.org"}
	rcpts := "< MAIL *\n< RCPT *\n< RCPT *\n< DATA\n> 250 ok\n"
	r, _ := play(t, pipelining+rcpts+"> 250 ok\n> 550 5.7.1 Not today\n> 354 go\nbody\n> 250 ok\n", message(hello, two...))
	wantOutcomes(t, r, "delivered 250, failed recipient 550")
	r, _ = play(t, pipelining+rcpts+"> 550 5.1.1 unknown\n> 550 5.7.1 Not today\n> 554 none\n", message(hello, two...))
	wantOutcomes(t, r, "failed recipient 550, failed message 550")
}

// Words on a recipient in answer to the message: of which one they do not say.
func TestMailboxFullAtDot(t *testing.T) {
	for reply, want := range map[string][2]string{
		"552 5.2.2 user over quota": {"failed recipient 552", "failed message oneof 552"},
		"450 4.2.2 mailbox full":    {"deferred message 450", "deferred message 450"},
	} {
		r, _ := play(t, pipelining+flight+"> 250 ok\n> 250 ok\n> 354 go\nbody\n> "+reply+"\n", message(hello))
		wantOutcomes(t, r, want[0])
		r, _ = play(t, pipelining+"< MAIL *\n< RCPT *\n< RCPT *\n< DATA\n> 250 ok\n> 250 ok\n> 250 ok\n> 354 go\nbody\n> "+reply+"\n", message(hello, "b@example.org", "c@example.org"))
		wantOutcomes(t, r, want[1]+", "+want[1])
	}
}

func TestTooManyRecipients(t *testing.T) {
	three := []string{"b@example.org", "c@example.org", "d@example.org"}
	rcpts := "< MAIL *\n< RCPT *\n< RCPT *\n< RCPT *\n< DATA\n> 250 ok\n"
	r, _ := play(t, pipelining+rcpts+"> 250 ok\n> 452 4.5.3 enough\n> 452 too many recipients\n> 354 go\nbody\n> 250 ok\n", message(hello, three...))
	wantOutcomes(t, r, "delivered 250, deferred recipient toomany 452, deferred recipient toomany 452")
	if r.TooMany != 2 {
		t.Errorf("TooMany %d", r.TooMany)
	}
	// None accepted: another transaction would only meet the same.
	r, _ = play(t, pipelining+rcpts+"> 452 4.5.3 enough\n> 452 4.5.3 enough\n> 550 no\n> 554 none\n", message(hello, three...))
	wantOutcomes(t, r, "deferred recipient 452, deferred recipient 452, failed recipient 550")
	if r.TooMany != 0 {
		t.Errorf("TooMany %d", r.TooMany)
	}
}

// 250 and gone: delivered. What QUIT brings does not matter.
func TestDeliveredWhateverComesAfter(t *testing.T) {
	for _, end := range []string{"drop", "reset", "< QUIT\n> 500 what?", "< QUIT\ndrop", "< QUIT\n> 999", "> 421 bye\ndrop"} {
		t.Run(end, func(t *testing.T) {
			r, c := play(t, pipelining+flight+accepted+"> 250 ok\n"+end, message(hello))
			wantOutcomes(t, r, "delivered 250")
			c.Quit()
			if c.Usable() {
				t.Error("usable after Quit")
			}
		})
	}
}

// One good message, then the connection ends before the next began: no failed attempt.
func TestStale(t *testing.T) {
	for end, stale := range map[string]bool{
		"drop": true, "reset": true,
		"< MAIL *\nreset": true, "< MAIL *\ndrop": true,
		"< MAIL *\n< RCPT *\n< DATA\ndrop":                      true,
		"< MAIL *\n> 421 4.4.2 timeout\ndrop":                   true,
		"> 421 4.4.2 idle too long\ndrop":                       true,
		"< MAIL *\n> 250 ok\ndrop":                              false,
		"< MAIL *\n< RCPT *\n< DATA\n> 451 later\n> 503\n> 503": false,
	} {
		t.Run(end, func(t *testing.T) {
			r, c := play(t, pipelining+flight+accepted+"> 250 ok\n"+end, message(hello))
			wantOutcomes(t, r, "delivered 250")
			if r = deliver(t, c, message(hello)); r.Stale != stale {
				t.Errorf("stale %v: %s", r.Stale, briefs(r))
			}
			if r.Outcomes[0].Class != "deferred" {
				t.Errorf("%v", r.Outcomes)
			}
			if !c.Usable() && !deliver(t, c, message(hello)).Stale {
				t.Error("a dead connection is not stale")
			}
		})
	}
}

// On a fresh connection the same is the server's trouble.
func TestFreshIsNotStale(t *testing.T) {
	for end, want := range map[string]string{
		"drop":                                "deferred server connect 0",
		"< MAIL *\nreset":                     "deferred server connect 0",
		"< MAIL *\n> 421 4.4.2 timeout\ndrop": "deferred server shutdown 421",
	} {
		t.Run(end, func(t *testing.T) {
			r, _ := play(t, pipelining+end, message(hello))
			wantOutcomes(t, r, want)
			if r.Stale {
				t.Error("stale")
			}
		})
	}
}

// 1,000 recipients at a server that writes long answers at once and reads on only
// when they are taken: nobody may wait for the other.
func TestManyRecipients(t *testing.T) {
	long := strings.Repeat("y", 400)
	srv := smtptest.New(t, smtptest.Options{Reply: func(stage, line string) string {
		if stage == "RCPT" && strings.Contains(line, "<no") {
			return "550 5.1.1 " + long
		}
		return ""
	}})
	c := open(t, inClear(srv))
	var to []string
	for i := range 2500 {
		to = append(to, fmt.Sprintf("%s%d@recipients.example.org", []string{"yes", "no"}[i%2], i))
	}
	r := deliver(t, c, message(hello, to...))
	for i, o := range r.Outcomes {
		if want := []string{"delivered 250", "failed recipient 550"}[i%2]; brief(o) != want {
			t.Fatalf("%d: %s, want %s", i, brief(o), want)
		}
	}
	if m := srv.Messages(); len(m) != 1 || len(m[0].Recipients) != 1250 {
		t.Errorf("%d messages", len(m))
	}
}
