package torture

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"notices/spool"
	"notices/spool/smtptest"
)

var stageOf = map[string]string{"mail": "MAIL", "rcpt": "RCPT", "data": "DATA", "dot": "dot"}

// TestEveryReply has a server give each real reply to a morning's notices. Whatever it says
// of the account, the sender, the client or the message as a whole, nothing comes back in the
// first run, and beside a second server that works all of it goes out at once.
func TestEveryReply(t *testing.T) {
	table, err := os.ReadFile("../smtpreply/testdata/replies.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for line := range strings.Lines(string(table)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		stage := stageOf[f[0]]
		if stage == "" {
			continue
		}
		all.Go(func() { replyAlone(t, f, stage); replyBesideAnother(t, f, stage) })
	}
	all.Wait()
}

const notices = 5

func replyAlone(t *testing.T, f []string, stage string) {
	m := newMorning(t, saying(t, answers{stage: stage, reply: f[1], about: ""}))
	m.put(notices)
	tally := m.flush()
	attempts := m.attempts()
	switch class, scope, reason := f[2], f[3], f[4]; {
	case class == "failed" && (scope == "recipient" || reason == "cannot"):
		if tally.Returned != notices {
			t.Errorf("%s %s: %+v", stage, f[1], tally)
		}
	case scope == "server":
		if tally != (spool.Tally{Deferred: 1}) || attempts != 1 || m.health("1").Troubles != 1 {
			t.Errorf("%s %s: %+v, %d attempts, %+v", stage, f[1], tally, attempts, m.health("1"))
		}
	case class == "failed":
		if tally.Returned+tally.Failed+tally.Sent != 0 || attempts != 3 || m.health("1").Troubles != 1 {
			t.Errorf("%s %s: %+v, %d attempts", stage, f[1], tally, attempts)
		}
	default:
		if tally != (spool.Tally{Deferred: notices}) || m.health("1").Troubles != 0 {
			t.Errorf("%s %s: %+v, %+v", stage, f[1], tally, m.health("1"))
		}
	}
}

func replyBesideAnother(t *testing.T, f []string, stage string) {
	m := newMorning(t, saying(t, answers{stage: stage, reply: f[1]}), saying(t, answers{}))
	m.put(notices)
	tally := m.flush()
	tally.Failed = 0 // the returns meet the same recipient's reply
	want := spool.Tally{Sent: notices}
	switch {
	case f[3] == "recipient" && f[2] == "failed":
		want = spool.Tally{Returned: notices}
	case f[3] == "recipient":
		want = spool.Tally{Deferred: notices}
	}
	if tally != want {
		t.Errorf("%s %s: %+v beside a server that works", stage, f[1], tally)
	}
	if f[3] == "recipient" && m.health("1").Troubles != 0 {
		t.Errorf("%s %s: paused for a recipient: %+v", stage, f[1], m.health("1"))
	}
}

const unknownWords = "554 5.0.0 Transaction failed"

// A server that takes nothing else may have shut the account: three different messages
// pause it, each message waits, and the third refusal of one returns it.
func TestRefusedThrice(t *testing.T) {
	for _, stage := range []string{"MAIL", "DATA", "dot"} {
		m := newMorning(t, saying(t, answers{stage: stage, reply: unknownWords, about: ""}))
		m.one("A", "desk@example.org", "patron@example.net")
		for n := 1; n <= 2; n++ {
			if tally := m.flush(); tally.Deferred != 1 {
				t.Errorf("%s, try %d: %+v", stage, n, tally)
			}
			m.pass(10 * time.Minute)
		}
		if m.health("1").Troubles != 0 {
			t.Errorf("%s: one message paused the server: %+v", stage, m.health("1"))
		}
		if tally := m.flush(); tally.Returned != 1 {
			t.Errorf("%s: the third refusal: %+v", stage, tally)
		}
	}
}

func TestRefusedThirty(t *testing.T) {
	for _, stage := range []string{"MAIL", "DATA", "dot"} {
		s := saying(t, answers{stage: stage, reply: unknownWords})
		m := newMorning(t, s)
		m.put(30)
		if tally := m.flush(); tally != (spool.Tally{Deferred: 3}) || m.attempts() != 3 {
			t.Errorf("%s: %+v, %d attempts", stage, tally, m.attempts())
		}
		m.pass(10 * time.Minute)
		if tally := m.flush(); tally.Returned+tally.Failed != 0 || m.attempts() != 4 || m.health("1").Troubles != 2 {
			t.Errorf("%s: %+v, %d attempts, %+v", stage, tally, m.attempts(), m.health("1"))
		}
		s.Set(func(o *smtptest.Options) { o.Reply = nil })
		m.pass(10 * time.Minute)
		m.flush()
		m.wants(stage, 30, 0)
	}
}

// A server that took another message in the last hour, or takes one in this run, refuses
// the message and not the account: it is returned now.
func TestRefusedByOneThatWorks(t *testing.T) {
	for _, stage := range []string{"MAIL", "dot"} {
		s := saying(t, answers{stage: stage, reply: unknownWords})
		m := newMorning(t, s)
		s.Set(func(o *smtptest.Options) { o.Reply = nil })
		m.put(1)
		m.flush()
		s.Set(func(o *smtptest.Options) { o.Reply = answers{stage: stage, reply: unknownWords}.to })
		m.pass(59 * time.Minute)
		m.one("B", "desk@example.org", "patron@example.net")
		s.Set(func(o *smtptest.Options) { o.Reply = answers{stage: "RCPT", reply: unknownWords, about: "patron@"}.to })
		if tally := m.flush(); tally.Returned != 1 {
			t.Errorf("%s: %+v", stage, tally)
		}
	}
	refuses := answers{stage: "MAIL", reply: "550 5.0.0 no", about: "bad@"}
	for _, before := range []bool{true, false} {
		m := newMorning(t, saying(t, refuses))
		m.one("A", "bad@example.org", "patron@example.net")
		if before { // the refusal comes first
			m.flush()
			m.pass(10 * time.Minute)
		}
		m.put(5)
		tally := m.flush()
		w, failed := m.queue()
		if tally.Returned != 1 || tally.Sent != 5 || tally.Deferred != 0 || len(w) != 0 || failed != 0 {
			t.Errorf("before %v: %+v, %d wait, %d failed", before, tally, len(w), failed)
		}
	}
}

// A provider that shuts the account after it took a message returns a few notices, not a
// morning's: after several in a row nobody knows any more.
func TestShutWithinTheHour(t *testing.T) {
	s := saying(t, answers{})
	m := newMorning(t, s)
	m.put(1)
	m.flush()
	s.Set(func(o *smtptest.Options) { o.Reply = answers{stage: "dot", reply: unknownWords}.to })
	m.pass(time.Minute)
	m.put(30)
	returned := 0
	for range 10 {
		returned += m.flush().Returned
		m.pass(5 * time.Minute)
	}
	if _, failed := m.queue(); returned > 5 || failed != 0 { // those on the wire when it shows are returned, too
		t.Errorf("%d returned, %d in failed/", returned, failed)
	}
	s.Set(func(o *smtptest.Options) { o.Reply = nil })
	m.pass(10 * time.Minute)
	m.flush()
	waiting, failed := m.queue()
	if len(waiting) != 0 || failed != 0 {
		t.Errorf("%d wait, %d in failed/", len(waiting), failed)
	}
}

// An hour later it is not known any more.
func TestRefusedLongAfter(t *testing.T) {
	s := saying(t, answers{})
	m := newMorning(t, s)
	m.put(1)
	m.flush()
	s.Set(func(o *smtptest.Options) { o.Reply = answers{stage: "dot", reply: unknownWords}.to })
	m.pass(61 * time.Minute)
	m.one("B", "desk@example.org", "patron@example.net")
	if tally := m.flush(); tally.Deferred != 1 {
		t.Errorf("%+v", tally)
	}
}

// A report follows the same rules. Refused for what nobody knows, it goes out once more
// from the site's address; refused for the account, it waits.
func TestReportRefused(t *testing.T) {
	for reply, sent := range map[string]bool{
		"554 5.0.0 Transaction failed":                                               true,
		"550 5.7.1 MAILER-DAEMON is not welcome":                                     true,
		"554 Message rejected: Email address is not verified.":                       true,
		"553 Relaying disallowed as MAILER-DAEMON@mail.example.org":                  true,
		"550 5.4.5 Daily sending quota exceeded":                                     false,
		"554 Message rejected: Sending paused for this account.":                     false,
		"554 5.2.0 STOREDRV.Submission.Exception: OutboundSpamException verdict Hip": false,
	} {
		for _, stage := range []string{"MAIL", "dot"} {
			null := false
			s := smtptest.New(t, smtptest.Options{NoPipelining: true, Reply: func(at, line string) string {
				switch {
				case at == "MAIL":
					if null = strings.HasPrefix(line, "MAIL FROM:<>"); null && stage == at {
						return reply
					}
				case at == "RCPT" && strings.Contains(line, "gone@"):
					return "550 5.1.1 no such user"
				case at == "dot" && null && stage == at:
					return reply
				}
				return ""
			}})
			m := newMorning(t, s)
			m.one("A", "desk@example.org", "gone@example.net")
			m.flush()
			waiting, failed := m.queue()
			if got := len(s.Messages()) == 1; got != sent || failed != 0 || (len(waiting) == 0) != sent {
				t.Errorf("%s %s: sent %v, %d wait, %d in failed/", stage, reply, got, len(waiting), failed)
			}
			if sent && len(s.Messages()) == 1 && s.Messages()[0].Sender != "library@example.org" {
				t.Errorf("%s: from <%s>", reply, s.Messages()[0].Sender)
			}
		}
	}
}

// A limit of the connection ends that connection; a fresh one goes on with the same message.
func TestPerSession(t *testing.T) {
	for _, stage := range []string{"MAIL", "RCPT", "DATA", "dot"} {
		for _, reply := range []string{
			"451 4.7.1 Mails per session limit exceeded", "452 4.4.5 Maximum number of messages per session exceeded.", "452 4.7.0 Only 10 messages allowed per session",
			"451 4.5.3 Too many messages in this SMTP session, please reconnect", "452 4.3.2 Connection has sent too many messages", "450 4.7.1 session message limit reached",
			"450 Session limit reached, please reconnect", "451 4.4.5 Too many messages on one connection", "452 4.5.3 Error: too many transactions", "451 4.3.0 Connection limit reached: 10 messages",
			"450 4.7.0 10 mails per session allowed",
		} {
			n := 0
			s := smtptest.New(t, smtptest.Options{NoPipelining: true, Reply: func(at, _ string) string {
				switch at {
				case "connect":
					n = 0
				case "MAIL":
					n++
				}
				if at == stage && n > 3 {
					return reply
				}
				return ""
			}})
			m := newMorning(t, s)
			m.most = 1
			m.put(30)
			if tally := m.flush(); tally.Sent != 30 || m.health("1").Troubles != 0 {
				t.Errorf("%s: %+v, %+v", stage, tally, m.health("1"))
			}
			if c := s.Counts().Connections; c != 10 {
				t.Errorf("%s: %d connections", stage, c)
			}
		}
	}
}

// Said to the first message of a fresh connection it is the server's limit.
func TestPerSessionAtOnce(t *testing.T) {
	for _, stage := range []string{"MAIL", "RCPT", "DATA", "dot"} {
		s := saying(t, answers{stage: stage, reply: "451 4.7.1 Mails per session limit exceeded"})
		m := newMorning(t, s)
		m.put(30)
		if tally := m.flush(); tally.Deferred != 1 || m.attempts() != 1 || s.Counts().Connections > 2 || m.health("1").Last.Reason != spool.ReasonLimit {
			t.Errorf("%s: %+v, %d attempts, %d connections, %+v", stage, tally, m.attempts(), s.Counts().Connections, m.health("1"))
		}
	}
}

// An account that waits for a person is not returned for age; what passes by itself is.
func TestShutAccountDoesNotAge(t *testing.T) {
	for reply, waits := range map[string]bool{
		"554 Message rejected: Email address is not verified.": true, "550 Account is suspended. Contact support": true,
		"550 5.7.30 Basic authentication is not supported for Client Submission.": true,
		"550 5.4.5 Daily user sending limit exceeded.":                            false, "451 4.7.1 Your account is blocked temporarily": false,
	} {
		m := newMorning(t, saying(t, answers{stage: "MAIL", reply: reply, about: "desk@"}))
		m.put(1)
		m.flush()
		m.pass(200 * time.Hour)
		m.flush()
		m.pass(2 * time.Hour)
		m.flush() // overdue mail has two tries
		waiting, failed := m.queue()
		waiting = slices.DeleteFunc(waiting, func(r *spool.Record) bool { return r.Envelope.Sender == "" }) // the return
		if got := len(waiting) == 1 && failed == 0; got != waits {
			t.Errorf("%s: %d wait, %d failed", reply, len(waiting), failed)
		}
	}
}

// A limit costs one message its attempt, also when it is met in the middle of a run.
func TestLimitStopsAtTheFirst(t *testing.T) {
	for _, stage := range []string{"MAIL", "RCPT", "DATA", "dot"} {
		for _, after := range []int{0, 10} {
			var mu sync.Mutex
			n := 0
			s := smtptest.New(t, smtptest.Options{Reply: func(at, _ string) string {
				mu.Lock()
				defer mu.Unlock()
				if at == "MAIL" {
					n++
				}
				if at == stage && n > after {
					return "450 4.2.1 Peak SMTP relay limit exceeded for customer."
				}
				return ""
			}})
			m := newMorning(t, s)
			m.put(30)
			tally := m.flush()
			if tally.Deferred != 1 || m.attempts() != 1 {
				t.Errorf("%s after %d: %+v, %d attempts", stage, after, tally, m.attempts())
			}
			if after == 0 && n != 1 {
				t.Errorf("%s: MAIL was said %d times", stage, n)
			}
		}
	}
}
