//go:build peers

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const reminder = `From: Springfield Public Library <library@example.org>
To: patrons:;
Date: Tue, 24 Nov 2026 09:00:00 +0000
Message-ID: <reminder@example.org>
Subject: Reminder

We close early on Friday.
`

// TestRecipientsOneByOne sends to three: one is served, one waits, one is returned,
// and each only once.
func TestRecipientsOneByOne(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	s := newSite(t, p.config(goodPassword))
	s.enqueue(reminder, "--ref", "20041", "patron@example.net", gone+"1@example.net", busy+"1@example.net")
	if got := s.flush(); got != (tally{Returned: 1}) {
		t.Errorf("flush says %+v; want one returned", got)
	}
	s.checkRecipients("patron@example.net delivered", gone+"1@example.net failed", busy+"1@example.net pending")

	until(t, "the message and its return", func() bool { return p.count() == 2 })
	returned := p.to(t, "library@example.org")
	if len(returned) != 1 || returned[0].sender != "" {
		t.Fatalf("returns: %v", returned)
	}
	if !strings.Contains(returned[0].String(), "20041") {
		t.Errorf("the return does not tell the reference:\n%s", returned[0])
	}

	p.accept(t, busy)
	s.must("", "retry", "--all")
	if got := s.flush(); got != (tally{Sent: 1}) {
		t.Errorf("second flush says %+v; want one sent", got)
	}
	until(t, "the last recipient", func() bool { return p.count() == 3 })
	if n := len(p.to(t, busy+"1@example.net")); n != 1 {
		t.Errorf("%d copies for the recipient that was busy", n)
	}
	if left := s.list(); len(left) != 0 {
		t.Errorf("left in the queue: %+v", left)
	}
}

// checkRecipients compares the states of the only message's recipients.
func (s *site) checkRecipients(want ...string) {
	s.t.Helper()
	messages := s.list()
	if len(messages) != 1 {
		s.t.Fatalf("the queue holds %+v, want one message", messages)
	}
	var got []string
	for _, r := range messages[0].Recipients {
		got = append(got, r.Address+" "+r.State)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("recipients are %q, want %q", got, want)
	}
}

// to returns what arrived for a recipient.
func (p *postfix) to(t *testing.T, address string) []mail {
	t.Helper()
	return slices.DeleteFunc(p.arrived(t), func(m mail) bool { return m.recipient != address })
}

// accept ends the refusal of recipients that begin so.
func (p *postfix) accept(t *testing.T, start string) {
	t.Helper()
	for _, table := range []string{"etc/recipients", "etc/mailboxes"} {
		old, err := os.ReadFile(p.path(table))
		check(t, err)
		write(t, p.path(table), strings.ReplaceAll(string(old), start, "nobody-at-all-"))
	}
	check(t, syscall.Kill(p.server.PID(), syscall.SIGHUP)) // the master alone
	until(t, "Postfix's reload", func() bool {
		return p.logged(t, "reload -- version") > 0 && greets(p.starttls, false)
	})
}

// Programs that read returns for mailing lists, each told to print the addresses
// that failed for good.
const (
	flufl = `import email, sys
from flufl.bounce import scan_message
for address in scan_message(email.message_from_binary_file(open(sys.argv[1], "rb"))):
    print(address.decode())`
	bounceParser = `use Mail::DeliveryStatus::BounceParser;
local $/; open my $f, "<", $ARGV[0] or die; my $b = Mail::DeliveryStatus::BounceParser->new(<$f>);
die "no bounce\n" unless $b->is_bounce; print $_->get("email"), "\n" for $b->reports;`
	sisimai = `use Sisimai;
for my $r (@{ Sisimai->make($ARGV[0]) || [] }) {
	print $r->recipient->address, "\n" if $r->action eq "failed" && $r->deliverystatus =~ /^5[.]1[.]1$/ && $r->reason eq "userunknown";
}`
)

// TestReturnsAreUnderstood gives a return made in earnest to parsers that we did not write.
func TestReturnsAreUnderstood(t *testing.T) {
	t.Parallel()
	p := startPostfix(t)
	s := newSite(t, p.config(goodPassword))
	s.enqueue(reminder, gone+"1@example.net", "patron@example.net", gone+"2@example.net")
	s.flush()
	until(t, "the message and its return", func() bool { return p.count() == 2 })
	returned := p.to(t, "library@example.org")
	if len(returned) != 1 {
		t.Fatalf("returns: %v", returned)
	}
	file := filepath.Join(s.dir, "return.eml")
	write(t, file, "Return-Path: <>\n"+returned[0].String())

	want := []string{gone + "1@example.net", gone + "2@example.net"}
	for name, command := range map[string][]string{
		"flufl.bounce": {"/usr/bin/python3", "-c", flufl, file},
		"BounceParser": {"/usr/bin/perl", "-e", bounceParser, file},
		"Sisimai":      {"/usr/bin/perl", "-e", sisimai, file},
	} {
		out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
		got := strings.Fields(string(out))
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s finds %q (%v), want %q in\n%s", name, out, err, want, returned[0])
		}
	}
}
