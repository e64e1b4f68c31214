package smtpclient

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"notices/spool"
	"notices/spool/smtptest"
)

// What a peer may do instead of answering. nonsense: it is no SMTP; else the
// connection just ends or nothing comes.
var tricks = []struct {
	name, script string
	nonsense     bool
}{
	{"silent", "silent", false},
	{"a byte now and then", "drip", false},
	{"drop", "drop", false},
	{"half a line", "> \"25\"\ndrop", false},
	{"half a reply", "> 250-more\ndrop", false},
	{"endless lines", "flood", true},
	{"an endless line", "line", true},
	{"code 999", "> 999 odd\nsilent", true},
	{"code 099", "> 099 odd\nsilent", true},
	{"code 199", "> 199 odd\nsilent", true},
	{"NULs", "> \"\\x00\\x00\\x00\\x00\\r\\n\"\nsilent", true},
	{"half a TLS record", "> \"\\x16\\x03\\x03\\x00\\x7a\\x02\\x00\\r\\n\"\nsilent", true},
	{"HTTP", "> HTTP/1.1 400 Bad Request\nsilent", true},
	{"two codes", "> 250-ok\n> 550 no\nsilent", true},
	{"an intermediate reply", "> 334 go on\nsilent", true},
}

// Each trick at each step leads to the right outcome, in bounded time and memory.
func TestHostile(t *testing.T) {
	steps := []struct{ name, script, gone, nonsense string }{
		{"greeting", "", "deferred server greeting 0", "deferred server protocol 0"},
		{"EHLO", "> 220 hi\n< EHLO *\n", "deferred server greeting 0", "deferred server protocol 0"},
		{"MAIL", pipelining + flight, "deferred server connect 0", "deferred server protocol 0"},
		{"RCPT", pipelining + flight + "> 250 ok\n", "deferred message lost 0", "deferred server protocol 0"},
		{"DATA", pipelining + flight + "> 250 ok\n> 250 ok\n", "deferred message lost 0", "deferred server protocol 0"},
		{"dot", pipelining + flight + accepted, "uncertain message lost 0", "uncertain message lost 0"},
		{"MAIL in lockstep", lockstep + "< MAIL *\n", "deferred server connect 0", "deferred server protocol 0"},
		{"RCPT in lockstep", lockstep + "< MAIL *\n> 250 ok\n< RCPT *\n", "deferred message lost 0", "deferred server protocol 0"},
	}
	for _, step := range steps {
		for _, trick := range tricks {
			t.Run(step.name+"/"+trick.name, func(t *testing.T) {
				want := step.gone
				if trick.nonsense {
					want = step.nonsense
				}
				synctest.Test(t, func(t *testing.T) { hostile(t, step.script+trick.script, want) })
			})
		}
	}
}

func hostile(t *testing.T, script, want string) {
	c, err := Open(t.Context(), inClear(smtptest.Pipe(t, script)))
	if err != nil {
		if strings.Contains(script, "> 334") {
			want = strings.Replace(want, " 0", " 334", 1) // a reply at least, to be shown
		}
		wantError(t, err, want)
		return
	}
	r := deliver(t, c, message(hello))
	wantOutcomes(t, r, want)
	if c.Usable() || r.Stale {
		t.Errorf("usable %v, stale %v", c.Usable(), r.Stale)
	}
	c.Close()
}

// A peer that stops reading in the middle does not hold us for ever.
func TestHostileWhileTheMessageIsWritten(t *testing.T) {
	big := strings.Repeat("0123456789\r\n", 100_000)
	for name, c := range map[string]struct{ script, want string }{
		"reads no more":      {"wait", "deferred message lost 0"},
		"reads byte by byte": {"slow", "deferred message lost 0"},
		"hangs up":           {"bytes 1000\ndrop", "deferred message lost 0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				script := pipelining + flight + "> 250 ok\n> 250 ok\n> 354 go\n" + c.script
				conn := open(t, inClear(smtptest.Pipe(t, script)))
				wantOutcomes(t, deliver(t, conn, message(big)), c.want)
				conn.Close()
			})
		})
	}
}

// The server says why before it hangs up in the middle of the message.
func TestEarlyReplyIsHeard(t *testing.T) {
	big := strings.Repeat("0123456789\r\n", 1_000_000)
	for reply, want := range map[string]string{
		"552 5.3.4 too big":       "failed message cannot 552",
		"451 4.3.0 disk trouble":  "deferred message 451",
		"421 4.3.0 shutting down": "deferred server shutdown 421",
		"250 thank you":           "deferred message lost 0",
		"nonsense":                "deferred message lost 0",
	} {
		t.Run(reply, func(t *testing.T) {
			r, c := play(t, pipelining+flight+"> 250 ok\n> 250 ok\n> 354 go\nbytes 1000\n> "+reply+"\ndrop", message(big))
			wantOutcomes(t, r, want)
			if c.Usable() {
				t.Error("usable")
			}
		})
	}
}

// The end of the context gives up what was not sent, and waits for the answer to a dot.
func TestContextEnds(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"before MAIL is answered": {pipelining + flight + "silent", "deferred message lost 0"},
		"within the message":      {pipelining + flight + "> 250 ok\n> 250 ok\n> 354 go\nwait", "deferred message lost 0"},
		"at the dot, answered":    {pipelining + flight + accepted + "quiet\nquiet\n> 250 ok\n", "delivered 250"},
		"at the dot, never":       {pipelining + flight + accepted + "silent", "uncertain message lost 0"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := open(t, inClear(smtptest.Pipe(t, c.script)))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				wantOutcomes(t, conn.Send(ctx, message(hello)), c.want)
				if waited := time.Since(start); waited > time.Second+answerGrace { // of the bubble's clock
					t.Errorf("waited %v", waited)
				}
				conn.Close()
			})
		})
	}
	t.Run("in Open", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := Open(ctx, inClear(smtptest.Pipe(t, "silent")))
			wantError(t, err, "deferred server greeting 0")
		})
	})
}

// failing is a disk that fails behind n octets.
type failing struct{ n int64 }

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > f.n {
		return 0, errors.New("input/output error")
	}
	for i := range p {
		p[i] = "x\r\n"[(at+int64(i))%3]
	}
	return len(p), nil
}

// A message that cannot be read is not sent, and no half of it either.
func TestUnreadableMessage(t *testing.T) {
	srv := smtptest.New(t, smtptest.Options{})
	for name, tr := range map[string]*Transaction{
		"small":           {Body: failing{0}, Size: 300},
		"large":           {Body: failing{200_000}, Size: 300_000},
		"shorter, small":  {Body: strings.NewReader("x\r\n"), Size: 300},
		"shorter, larger": {Body: io.NewSectionReader(failing{1 << 20}, 0, 299_997), Size: 300_000},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, inClear(srv))
			tr.Sender, tr.Recipients = "a@example.org", []string{"b@example.org"}
			r := deliver(t, c, tr)
			wantOutcomes(t, r, "deferred message 0")
			if !strings.Contains(r.Outcomes[0].Reply.Text, "cannot be read") || r.Outcomes[0].Scope != spool.MessageScope {
				t.Errorf("%v", r.Outcomes)
			}
		})
	}
	if n := len(srv.Messages()); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}
