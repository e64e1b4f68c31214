//go:build peers

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"notices/spool/smtptest"
)

// sentMail is a site whose mail a server took, and a mailbox of 1,000 messages, every
// twentieth of which says that another server could not deliver one of them.
func sentMail(t *testing.T, d *imapServer, bounces string) *site {
	t.Helper()
	sink, err := smtptest.Start(smtptest.Options{})
	check(t, err)
	t.Cleanup(sink.Close)
	server := fmt.Sprintf("\n[[server]]\nhost = \"127.0.0.1\"\nport = %d\nallow_non_secure = true\n", sink.Port())
	s := newSite(t, server, bounces)
	for i := range returnedMail {
		s.enqueue(fmt.Sprintf("To: patron%d@example.net\nSubject: Due back soon\n\nYour book is due.\n", i), "--ref", fmt.Sprint(20000+i))
	}
	if counts := s.flush(); counts.Sent != returnedMail {
		t.Fatalf("%+v", counts)
	}
	for i, m := range sink.Messages() {
		header := string(m.Data[:strings.Index(string(m.Data), "\r\n\r\n")])
		d.deliver(t, fmt.Sprintf("%04d.return", 20*i), lateReturn(m.Recipients[0], header))
	}
	for i := range allMail {
		if i%20 != 0 {
			d.deliver(t, fmt.Sprintf("%04d.other", i), fmt.Sprintf("From: patron%d@example.net\r\nSubject: A question\r\n\r\nWhen do you open?\r\n%s", i, strings.Repeat("x\r\n", i)))
		}
	}
	return s
}

const allMail, returnedMail = 1000, 50

// lateReturn is what Postfix makes of a mailbox that does not exist.
func lateReturn(to, header string) string {
	return strings.ReplaceAll(strings.NewReplacer("{to}", to, "{header}", header).Replace(`From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: library@example.org
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
	boundary="4F2A1BC0D3.1780000000/mx.example.net"

--4F2A1BC0D3.1780000000/mx.example.net
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net.

<{to}>: unknown user

--4F2A1BC0D3.1780000000/mx.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Diagnostic-Code: X-Postfix; unknown user

--4F2A1BC0D3.1780000000/mx.example.net
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

{header}

--4F2A1BC0D3.1780000000/mx.example.net--
`), "\n", "\r\n")
}

// summary is what read-bounces --json says.
type summary struct {
	Read, Returns, New int
	NotReturns         int `json:"not_returns"`
	NotOurs            int `json:"not_ours"`
}

// bounced counts the entries of the history that became bounced, each once.
func (s *site) bounced() int {
	s.t.Helper()
	var rows []struct{ Recipient, Status, Ref string }
	s.decode(&rows, "history", "--outcome", "bounced", "--json")
	recipients := map[string]bool{}
	for _, row := range rows {
		if row.Status != "5.1.1" || row.Ref == "" {
			s.t.Errorf("%+v", row)
		}
		recipients[row.Recipient] = true
	}
	if len(recipients) != len(rows) {
		s.t.Errorf("%d recipients, %d rows", len(recipients), len(rows))
	}
	return len(rows)
}

func bouncesConfig(port int, more string) string {
	return fmt.Sprintf("\n[bounces]\nimap = \"127.0.0.1:%d\"\nlogin = %q\nca_file = %q\n%s\n", port, login, certs.ca, more)
}

const withPassword = `password_file = "{dir}/` + goodPassword + `"`

// TestLateReturns reads 1,000 messages from Debian's Dovecot over TLS. The connection is cut
// several times on the way; in the end every return is counted once and moved, and other mail
// is as it was.
func TestLateReturns(t *testing.T) {
	t.Parallel()
	d := startIMAP(t)
	p := startCutter(t, d.imaps)
	s := sentMail(t, d, bouncesConfig(993, withPassword+"\nmove_to = \"Returns.read\""))
	fresh := 0
	for i, octets := range []int64{3000, 20_000, 150_000, 400_000} {
		p.after.Store(octets)
		r := s.run("", "read-bounces", "--json")
		if told := strings.Contains(r.stderr, "What to try:"); r.code != 69 || told != (i == 0) { // cron gets it once
			t.Errorf("cut after %d octets: %v", octets, r)
		}
		fresh += s.summary(r.stdout).New
	}
	if fresh == 0 {
		t.Error("nothing was recorded before the connection was cut: cut it later")
	}
	p.after.Store(1 << 40)
	r := s.run("", "read-bounces", "--json")
	if r.code != 0 || !strings.Contains(r.stderr, "the mailbox of [bounces] can be read again") {
		t.Errorf("the trouble is over: %v", r)
	}
	last := s.summary(r.stdout)
	if fresh+last.New != returnedMail || s.bounced() != returnedMail || last.NotOurs != 0 {
		t.Errorf("%d new returns and then %+v; in the history %d", fresh, last, s.bounced())
	}
	if all, seen := d.count(t, ".Returns.read", "Undelivered"); all != returnedMail || seen != returnedMail {
		t.Errorf("%d returns moved, %d of them seen", all, seen)
	}
	if all, _ := d.count(t, "", "Undelivered"); all != 0 {
		t.Errorf("%d returns stay", all)
	}
	if all, seen := d.count(t, "", "A question"); all != allMail-returnedMail || seen != 0 {
		t.Errorf("of other mail %d stay, %d are seen", all, seen)
	}
	if r := s.run("", "read-bounces"); r.code != 0 || r.stdout+r.stderr != "" {
		t.Errorf("nothing is new: %v", r)
	}
	if out := s.must("", "status", "--json"); !strings.Contains(out, `"error":null,"read":0,"bounced":0}`) {
		t.Errorf("status: %s", out)
	}
}

// TestMailboxByToken logs in with an access token, after STARTTLS, and flags what it read.
func TestMailboxByToken(t *testing.T) {
	t.Parallel()
	d := startIMAP(t)
	s := sentMail(t, d, bouncesConfig(d.imap, `token_command = "cat {dir}/token"`))
	s.password("token", "another token")
	r := s.run("", "read-bounces")
	if r.code != 69 || !strings.Contains(r.stderr, "login refused: ") || !strings.Contains(r.stderr, "token_command") || strings.Contains(r.stderr, "another token") {
		t.Errorf("a wrong token: %v", r)
	}
	if r := s.run("", "status", "--check"); !strings.Contains(r.stdout, "the mailbox of [bounces] could not be read") {
		t.Errorf("status: %v", r)
	}
	s.password("token", mailboxToken)
	if got, want := s.summary(s.must("", "read-bounces", "-n", "--json")), (summary{allMail, returnedMail, returnedMail, allMail - returnedMail, 0}); got != want {
		t.Errorf("a dry run: %+v, want %+v", got, want)
	}
	if n := s.bounced(); n != 0 {
		t.Errorf("a dry run recorded %d", n)
	}
	out := s.run("", "-v", "read-bounces").stdout
	if want := "1,000 messages read: 50 bounces of ours (50 new), 950 other messages, 0 bounces of mail that is not ours\n"; out != want || s.bounced() != returnedMail {
		t.Errorf("%s%d in the history", out, s.bounced())
	}
	if all, seen := d.count(t, "", "Undelivered"); all != returnedMail || seen != returnedMail {
		t.Errorf("of %d returns %d are seen", all, seen)
	}
	if all, seen := d.count(t, "", "A question"); all != allMail-returnedMail || seen != 0 {
		t.Errorf("of %d others %d are seen", all, seen)
	}
}

// TestMailboxRefusesAPassword: what a wrong password is told.
func TestMailboxRefusesAPassword(t *testing.T) {
	t.Parallel()
	d := startIMAP(t)
	s := newSite(t, serverConfig(1, "auto", goodPassword), bouncesConfig(d.imap, `password = "31337 wrong"`))
	check(t, s.chmod("notices.toml"))
	r := s.run("", "read-bounces")
	if r.code != 69 || !strings.Contains(r.stderr, "login refused: ") || !strings.Contains(r.stderr, "app password") || strings.Contains(r.stderr, "31337") {
		t.Errorf("%v", r)
	}
}

// cutter passes connections on from port 993, the one with TLS from the first octet.
type cutter struct{ after atomic.Int64 } // octets of the server

func startCutter(t *testing.T, to int) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:993")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	c := &cutter{}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address(to))
			if err != nil {
				client.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(server, client)
				server.Close()
			}()
			go func() {
				_, _ = io.CopyN(client, server, c.after.Load())
				client.Close()
				server.Close()
			}()
		}
	}()
	return c
}

func (s *site) summary(out string) (found summary) {
	s.t.Helper()
	check(s.t, json.Unmarshal([]byte(out), &found))
	return found
}

func (s *site) chmod(name string) error { return os.Chmod(s.path(name), 0o600) }
