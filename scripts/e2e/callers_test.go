//go:build peers

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"notices/spool/smtptest"
)

// caller is a program of others that sends mail by calling sendmail, and what it is
// to have handed in.
type caller struct {
	stdin  string
	argv   []string
	sender string
	to     []string
	has    []string // in the message, as it was stored with LF
	count  int      // of messages; 0: one
}

func shell(script string) []string  { return []string{"sh", "-ec", script} }
func perl(script string) []string   { return []string{"perl", "-we", "use strict; use utf8; " + script} }
func python(script string) []string { return []string{"/usr/bin/python3", "-c", script} }

const (
	site1  = "library@example.org" // whom a message is from when nobody says
	patron = "patron@example.net"
	hidden = "hidden@example.net" // in Bcc
	admin  = "admin@example.net"  // who reads root's mail
)

// callers are Debian's, each used as its users do. Where they name no program they
// find ours at /usr/sbin/sendmail.
var callers = map[string]caller{
	"php mail()": {
		argv: []string{"php", "-r", `exit(mail("patron@example.net", "Overdue", "Line 1\nLine 2\n.\nLine 3",
			"From: Desk <desk@example.org>\r\nBcc: hidden@example.net\r\nX-Php: yes", "-fbounce@example.org") ? 0 : 1);`},
		sender: "bounce@example.org", to: []string{patron, hidden},
		has: []string{"Subject: Overdue\n", "From: Desk <desk@example.org>\n", "X-Php: yes\n", "\nLine 2\n.\nLine 3\n"},
	},
	"php mail() without From": {
		argv:   []string{"php", "-r", `exit(mail("patron@example.net", "Overdue", "text") ? 0 : 1);`},
		sender: site1, to: []string{patron}, has: []string{`From: "Springfield Public Library" <library@example.org>`},
	},
	"git send-email": {
		argv: shell(`git init -q . && git config user.name Desk && git config user.email desk@example.org
			git commit -q --allow-empty -m first && echo x > file && git add file && git commit -q -m "Add a file"
			git send-email --quiet --confirm=never --from=desk@example.org --envelope-sender=bounce@example.org \
				--to=patron@example.net --cc=copy@example.net --bcc=hidden@example.net -1 < /dev/null`),
		sender: "bounce@example.org", to: []string{patron, "copy@example.net", hidden, "desk@example.org"},
		has: []string{"Subject: [PATCH] Add a file\n", "\n+x\n", "Cc: copy@example.net"},
	},
	"mutt": {
		stdin: "Überfällig\n.\nBitte zurückbringen.\n",
		argv: []string{"mutt", "-n", "-F", "/dev/null", "-e", `set from="desk@example.org" use_envelope_from=yes realname="Desk"`,
			"-e", `set dsn_notify="failure,delay" dsn_return=hdrs copy=no charset=utf-8 send_charset=utf-8`, "-s", "Overdue", "-b", hidden, "--", patron},
		sender: "desk@example.org", to: []string{patron, hidden}, has: []string{"From: Desk <desk@example.org>\n"},
	},
	"s-nail": {
		stdin: "Text.\n.\nMore.\n",
		argv:  []string{"s-nail", "-n", "-r", "desk@example.org", "-s", "Overdue", "-b", hidden, patron},
		// The dot that stands alone is s-nail's own: it ends its input there.
		sender: "desk@example.org", to: []string{patron, hidden}, has: []string{"Subject: Overdue\n", "Text.\n"},
	},
	"bsd-mailx": {
		stdin: "Text.\n", argv: []string{"bsd-mailx", "-s", "Overdue", "-r", "desk@example.org", "-b", hidden, patron},
		sender: "desk@example.org", to: []string{patron, hidden}, has: []string{"Subject: Overdue\n", "Text.\n"},
	},
	"bsd-mailx to root": {
		stdin: "Text.\n", argv: []string{"bsd-mailx", "-s", "Disk", "root"},
		sender: site1, to: []string{admin}, has: []string{"Subject: Disk\n"},
	},
	"MIME::Lite": {
		argv: perl(`use MIME::Lite; my $m = MIME::Lite->new(From => 'desk@example.org', To => 'patron@example.net',
			Bcc => 'hidden@example.net', Subject => 'Overdue', Type => 'multipart/mixed');
			$m->attach(Type => 'text/plain; charset=utf-8', Encoding => '8bit', Data => "\xc3\x9cber\n.\nend\n");
			$m->send('sendmail', FromSender => 'bounce@example.org') or die`),
		sender: "bounce@example.org", to: []string{patron, hidden}, has: []string{"X-Mailer: MIME::Lite", "\nÜber\n.\nend\n"},
	},
	"Email::Sender": { // as Koha sends its notices
		argv: perl(`use Email::Sender::Simple 'sendmail'; use Email::Sender::Transport::Sendmail; use Email::Simple;
			sendmail(Email::Simple->new("From: desk\@example.org\nTo: patron\@example.net\nSubject: Overdue\n\n.\nText.\n"),
			{ transport => Email::Sender::Transport::Sendmail->new, from => 'bounce@example.org',
			  to => ['patron@example.net', '-weird@example.net'] })`),
		sender: "bounce@example.org", to: []string{patron, "-weird@example.net"}, has: []string{"\n\n.\nText.\n"},
	},
	"Python smtplib over -bs": {
		argv: python(overBS + `
for n in 1, 2:
    refused = s.sendmail("desk@example.org", ["patron@example.net", "bad@@example.net"],
        ("From: desk@example.org\nBcc: hidden@example.net\nSubject: %d\n\n.\n..\n\u00dcber\n" % n).encode("utf-8"))
    assert list(refused) == ["bad@@example.net"] and refused["bad@@example.net"][0] == 501, refused
assert s.noop()[0] == 250 and s.vrfy("x")[0] == 252 and s.rset()[0] == 250
s.quit()
assert program.wait(20) == 0
`),
		sender: "desk@example.org", to: []string{patron}, has: []string{"\n\n.\n..\nÜber\n", "Subject: "}, count: 2,
	},
	"Python smtplib with DSN over -bs": {
		argv: python(overBS + `
s.ehlo()
assert s.has_extn("dsn")
s.sendmail("desk@example.org", ["patron@example.net"], "From: desk@example.org\nSubject: x\n\nText.\n",
    mail_options=["RET=HDRS", "ENVID=run+2B7"], rcpt_options=["NOTIFY=FAILURE,DELAY"])
s.quit()
assert program.wait(20) == 0
`),
		sender: "desk@example.org", to: []string{patron}, has: []string{"\nText.\n"},
	},
	"a script, as fail2ban's": {
		argv: shell(`printf '%s\n' 'Subject: [Fail2Ban] sshd' 'From: Fail2Ban <root>' 'To: root' '' 'Hi,' |
			/usr/sbin/sendmail -f root@example.org root`),
		sender: "root@example.org", to: []string{admin}, has: []string{`From: "Fail2Ban" <root@example.org>`},
	},
	"logwatch": {
		// A service of its own, so that there is something to report.
		argv: shell(`cd /etc/logwatch && mkdir -p conf/services scripts/services
			printf 'Title = "Shelves"\nLogFile = NONE\n' > conf/services/shelves.conf
			printf 'print "All books are in.\\n";\n' > scripts/services/shelves
			exec logwatch --output mail --mailto root --service shelves --range today`),
		sender: site1, to: []string{admin}, has: []string{"Subject: Logwatch for ", "\n All books are in.\n"},
	},
}

// TestCallers has each of them send a message: it is queued with the right envelope and
// a whole header, and arrives as it was queued.
func TestCallers(t *testing.T) {
	t.Parallel()
	for name, c := range callers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMailhost(t)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, "unshare", m.inside(c.argv...)...)
			cmd.Stdin, cmd.Env, cmd.Dir = strings.NewReader(c.stdin), m.env(), folder(t)
			cmd.WaitDelay = time.Second
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", c.argv, err, out)
			} else if len(out) > 0 {
				t.Logf("it says %q", out)
			}
			m.handedIn(c)
		})
	}
}

// TestCron: cron itself mails what a job prints, to the user that the crontab is of.
func TestCron(t *testing.T) {
	t.Parallel()
	m := newMailhost(t)
	check(t, os.MkdirAll(m.path("crontabs"), 0o700))
	check(t, os.WriteFile(m.path("crontabs/root"), []byte("@reboot printf 'Überfällig\\n.\\nend\\n'\n"), 0o600))
	daemon := startServer(t, m.path("cron.log"), "unshare", m.inside("cron", "-f")...)
	until(t, "cron's mail", func() bool { return len(m.list()) > 0 })
	daemon.Stop()
	m.handedIn(caller{sender: site1, to: []string{admin}, has: []string{
		"Subject: Cron <root@", `From: "Cron Daemon" <root@example.org>`, "\nÜberfällig\n.\nend\n",
	}})
}

// mailhost is a site whose programs find notices at /usr/sbin/sendmail, its
// configuration in /etc/notices, and who reads root's mail in /etc/aliases. It has
// mounts of its own: the real machine's files stay as they are.
type mailhost struct {
	*site
	sink *smtptest.Server
}

func newMailhost(t *testing.T) *mailhost {
	t.Helper()
	sink := smtptest.New(t, smtptest.Options{SMTPUTF8: true})
	s := newSite(t, fmt.Sprintf("\n[[server]]\nhost = \"127.0.0.1\"\nport = %d\nallow_non_secure = true\n", sink.Port()))
	if out, err := exec.Command("cp", "-a", "/etc", s.path("etc")).CombinedOutput(); err != nil {
		t.Fatalf("cp /etc: %v\n%s", err, out)
	}
	config, err := os.ReadFile(s.path("notices.toml"))
	check(t, err)
	check(t, os.RemoveAll(s.path("etc/notices")))
	write(t, s.path("etc/notices/notices.toml"), string(config))
	write(t, s.path("etc/aliases"), "# who reads it\npostmaster: root\nroot: admin@example.net\n")
	check(t, os.MkdirAll(s.path("crontabs"), 0o755))
	check(t, os.MkdirAll(s.path("spool"), 0o700)) // set-up makes it
	return &mailhost{s, sink}
}

// inside are the arguments of unshare(1) that run a command within the machine.
func (m *mailhost) inside(command ...string) []string {
	const mounts = `mount --bind "$0/etc" /etc; mount --bind "$1" /usr/sbin/sendmail; mount -t tmpfs tmpfs /run
		[ ! -d /var/spool/cron/crontabs ] || mount --bind "$0/crontabs" /var/spool/cron/crontabs
		shift; exec "$@"`
	return append([]string{"--mount", "sh", "-ec", mounts, m.dir, binary}, command...)
}

// env has no configuration in it: what the machine has is found.
func (m *mailhost) env() []string {
	return []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + m.path("home"), "LANG=C.UTF-8", "MAILRC=/dev/null", "TERM=dumb"}
}

// handedIn checks what a caller handed in, sends it, and compares what arrives.
func (m *mailhost) handedIn(c caller) {
	m.t.Helper()
	var queue []struct {
		ID, Sender string
		Recipients []struct{ Address string }
	}
	m.decode(&queue, "list", "--json")
	if len(queue) != max(c.count, 1) {
		m.t.Fatalf("%d messages are queued: %+v", len(queue), queue)
	}
	want := make(map[string]bool) // texts as they lie in the spool
	for _, q := range queue {
		var to []string
		for _, r := range q.Recipients {
			to = append(to, r.Address)
		}
		if q.Sender != c.sender || !slices.Equal(sorted(to), sorted(c.to)) {
			m.t.Errorf("queued from %s to %v, want from %s to %v", q.Sender, to, c.sender, c.to)
		}
		text, err := os.ReadFile(m.path("spool/cur/" + q.ID))
		check(m.t, err)
		want[string(text)] = true
		m.whole(string(text), c)
	}
	if got := m.flush(); got != (tally{Sent: len(queue)}) {
		m.t.Errorf("flush says %+v", got)
	}
	arrived := m.sink.Messages()
	if len(arrived) != len(queue) {
		m.t.Errorf("%d messages arrived", len(arrived))
	}
	for _, got := range arrived {
		if !want[string(got.Data)] {
			m.t.Errorf("arrived\n%q\nwhich is not what was queued", got.Data)
		}
		if got.Sender != c.sender || !slices.Equal(sorted(got.Recipients), sorted(c.to)) {
			m.t.Errorf("arrived from %s to %v", got.Sender, got.Recipients)
		}
	}
}

// whole checks a stored message.
func (m *mailhost) whole(text string, c caller) {
	m.t.Helper()
	if bare := strings.ReplaceAll(text, "\r\n", ""); strings.ContainsAny(bare, "\r\n") {
		m.t.Error("a bare CR or LF is stored")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	stored := splitMail(m.t, text)
	for _, field := range []string{"From", "Date", "Message-ID"} {
		if stored.get(field) == "" {
			m.t.Errorf("no %s", field)
		}
	}
	for _, none := range []string{"Bcc:", hidden} {
		if strings.Contains(text, none) {
			m.t.Errorf("%s is told to everybody", none)
		}
	}
	for _, has := range c.has {
		if !strings.Contains(text, has) {
			m.t.Errorf("no %q", has)
		}
	}
	if m.t.Failed() {
		m.t.Logf("stored:\n%s", text)
	}
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// overBS has Python's smtplib talk to sendmail -bs.
const overBS = `
import smtplib, socket, subprocess
ours, theirs = socket.socketpair()
class Local(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        return ours
program = subprocess.Popen(["/usr/sbin/sendmail", "-bs"], stdin=theirs, stdout=theirs)
theirs.close()
s = Local("localhost")
`
