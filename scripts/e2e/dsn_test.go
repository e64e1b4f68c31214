//go:build peers

package e2e

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// closed are recipients that this Postfix takes mail for and returns afterwards.
const closed = "closed-"

// reconfigure adds to main.cf and reloads. Once for a Postfix: a second SIGHUP, while the
// first one is worked on, is lost.
func (p *postfix) reconfigure(t *testing.T, settings string) {
	t.Helper()
	text, err := os.ReadFile(p.path("etc/main.cf"))
	check(t, err)
	write(t, p.path("etc/main.cf"), string(text)+strings.ReplaceAll(settings, "{dir}", p.dir))
	past := time.Now().Add(-time.Minute) // else it waits for a while
	check(t, os.Chtimes(p.path("etc/main.cf"), past, past))
	before := p.logged(t, "reload -- version")
	check(t, syscall.Kill(p.server.PID(), syscall.SIGHUP)) // the master alone
	until(t, "Postfix's reload", func() bool {
		return p.logged(t, "reload -- version") > before && greets(p.starttls, false)
	})
}

func startClosing(t *testing.T, settings string) *postfix {
	t.Helper()
	p := startPostfix(t)
	write(t, p.path("etc/transport"), "/^"+closed+"/ closed:\n")
	services, err := os.ReadFile(p.path("etc/master.cf"))
	check(t, err)
	write(t, p.path("etc/master.cf"), string(services)+"closed unix - n n - - pipe user=nobody argv=/bin/sh -c {exit 67}\n") // EX_NOUSER
	p.reconfigure(t, "transport_maps = regexp:{dir}/etc/transport\n"+settings)
	return p
}

// reports are what arrived for the sender desk@example.org.
func (p *postfix) reports(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, m := range p.to(t, "desk@example.org") {
		if m.sender != "" {
			t.Errorf("a report from %s", m.sender)
		}
		all.WriteString(m.String())
	}
	return all.String()
}

func has(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestPostfixIsAskedForReports: it offers DSN, is told what the sender asked for, and
// acts on that: success is reported by it, with the envelope id; a failure behind it is
// returned with the header only, or not at all.
func TestPostfixIsAskedForReports(t *testing.T) {
	t.Parallel()
	p := startClosing(t, "")
	s := newSite(t, p.config(goodPassword))
	s.must(reminder, "sendmail", "-i", "-N", "success", "-V", "run+7", "-f", "desk@example.org", "Patron+1@example.net")
	s.must(reminder, "sendmail", "-i", "-N", "never", "-f", "desk@example.org", closed+"1@example.net")
	s.must(reminder, "sendmail", "-i", "-N", "failure", "-R", "hdrs", "-f", "desk@example.org", closed+"2@example.net")
	s.must(reminder, "sendmail", "-i", "-f", "desk@example.org", "plain@example.net")
	if got := s.flush(); got != (tally{Sent: 4}) {
		t.Errorf("flush says %+v", got)
	}
	// Four messages and two reports go through its queue.
	until(t, "Postfix to be done", func() bool { return p.logged(t, ": removed") >= 6 })
	if n := p.count(); n != 4 {
		t.Errorf("%d messages and reports arrived, want two of each", n)
	}
	all := p.reports(t)
	has(t, all, "Reporting-MTA: dns; server1.example.org", "Original-Envelope-Id: run+7",
		"Original-Recipient: rfc822;Patron+1@example.net\nAction: delivered",
		"Original-Recipient: rfc822;"+closed+"2@example.net\nAction: failed", "text/rfc822-headers")
	for _, none := range []string{closed + "1@", "We close early"} {
		if strings.Contains(all, none) {
			t.Errorf("%q in\n%s", none, all)
		}
	}
}

// smtplibDSN hands a message to four in, each with words of its own.
const smtplibDSN = `
import smtplib, socket, subprocess, sys
ours, theirs = socket.socketpair()
class Local(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        return ours
program = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
theirs.close()
s = Local("localhost")
s.ehlo()
assert s.has_extn("dsn")
def ok(answer):
    assert answer[0] == 250, answer
ok(s.mail("desk@example.org", ["RET=HDRS", "ENVID=run+2B8"]))
ok(s.rcpt("patron@example.net", ["NOTIFY=SUCCESS", "ORCPT=rfc822;Ann+2BDesk@example.org"]))
ok(s.rcpt("plain@example.net"))
ok(s.rcpt("closed-1@example.net", ["NOTIFY=NEVER"]))
ok(s.rcpt("closed-2@example.net", ["NOTIFY=FAILURE,SUCCESS"]))
assert s.rcpt("bad@example.net", ["NOTIFY=ALWAYS"])[0] == 501
ok(s.data(b"From: desk@example.org\nSubject: four\n\nWe close early.\n"))
s.quit()
assert program.wait(20) == 0
`

// TestPostfixHearsEachRecipientsWords: what Python's smtplib says over -bs of each
// recipient is what Postfix hears.
func TestPostfixHearsEachRecipientsWords(t *testing.T) {
	t.Parallel()
	p := startClosing(t, "")
	s := newSite(t, p.config(goodPassword))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	argv := append(python(smtplibDSN), binary, "--config", s.path("notices.toml"), "sendmail", "-bs")
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("smtplib: %v\n%s", err, out)
	}
	if got := s.flush(); got != (tally{Sent: 1}) {
		t.Errorf("flush says %+v", got)
	}
	// One message, one report of success and one return go through its queue.
	until(t, "Postfix to be done", func() bool { return p.logged(t, ": removed") >= 3 })
	all := p.reports(t)
	has(t, all, "Original-Envelope-Id: run+8", "Final-Recipient: rfc822; patron@example.net\nOriginal-Recipient: rfc822;Ann+Desk@example.org\nAction: delivered",
		"Original-Recipient: rfc822;"+closed+"2@example.net\nAction: failed", "text/rfc822-headers")
	for _, none := range []string{closed + "1@", "plain@", "We close early"} {
		if strings.Contains(all, none) {
			t.Errorf("%q in\n%s", none, all)
		}
	}
}

// TestPostfixWithoutDSN: the report is ours, and says only that it was handed on.
func TestPostfixWithoutDSN(t *testing.T) {
	t.Parallel()
	p := startClosing(t, "smtpd_discard_ehlo_keywords = dsn, silent-discard\n")
	s := newSite(t, p.config(goodPassword))
	s.must(reminder, "sendmail", "-i", "-N", "success,failure", "-V", "run+9", "-f", "desk@example.org", "patron@example.net", gone+"1@example.net")
	if got := s.flush(); got != (tally{Returned: 1}) {
		t.Errorf("flush says %+v", got)
	}
	until(t, "the message, its report and its return", func() bool { return p.count() == 3 })
	has(t, p.reports(t), "Reporting-MTA: dns; desk.example.org", "Original-Envelope-Id: run+9",
		"Final-Recipient: rfc822; patron@example.net\nOriginal-Recipient: rfc822; patron@example.net\nAction: relayed\nStatus: 2.0.0",
		"Final-Recipient: rfc822; "+gone+"1@example.net\nOriginal-Recipient: rfc822; "+gone+"1@example.net\nAction: failed")
	if left := s.list(); len(left) != 0 {
		t.Errorf("left in the queue: %+v", left)
	}
}
