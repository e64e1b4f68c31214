//go:build peers

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"notices/scripts/e2e/servers"
)

// postfix is an instance of Debian's Postfix with Dovecot's password check. It takes
// mail for every domain into one Maildir, after AUTH over TLS.
type postfix struct {
	dir      string
	starttls int // port
	implicit int // port
	server   *servers.Server
}

// What it does with a recipient depends on how the address begins.
const (
	gone = "gone-" // 550 5.1.1: no such mailbox
	busy = "busy-" // 450 4.2.1
)

const (
	login    = "library"
	password = "correct-horse"
)

const mainCf = `compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/postfix.log
maillog_file_prefixes = {dir}
myhostname = server1.example.org
mydestination =
alias_maps =
alias_database =
inet_interfaces = loopback-only
inet_protocols = ipv4
disable_dns_lookups = yes
smtpd_peername_lookup = no
local_header_rewrite_clients =
message_size_limit = 0
in_flow_delay = 0s
smtpd_error_sleep_time = 0s
smtpd_client_connection_count_limit = 0

smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {dir}/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{dir}/etc/recipients, permit_sasl_authenticated, reject

virtual_mailbox_domains = static:all
virtual_mailbox_maps = regexp:{dir}/etc/mailboxes
virtual_mailbox_base = {dir}/mail
virtual_mailbox_limit = 0
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
`

const masterCf = `127.0.0.1:{starttls} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
127.0.0.1:{implicit} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
virtual unix - n n - - virtual
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`

const dovecotConf = `protocols =
base_dir = {dir}/dovecot
state_dir = {dir}/dovecot-state
log_path = {dir}/dovecot.log
ssl = no
auth_mechanisms = plain login cram-md5 scram-sha-256
auth_failure_delay = 0
passdb {
  driver = passwd-file
  args = {dir}/etc/users
}
service auth {
  unix_listener {dir}/auth {
    mode = 0666
  }
}
`

// startPostfix starts one; settings are more lines of its main.cf.
func startPostfix(t *testing.T, settings ...string) *postfix {
	t.Helper()
	p := &postfix{dir: folder(t), starttls: freePort(t), implicit: freePort(t)}
	p.configure(t, settings...)
	startServer(t, filepath.Join(p.dir, "dovecot.out"), "/usr/sbin/dovecot", "-F", "-c", p.path("etc/dovecot.conf"))
	until(t, "Dovecot's socket", func() bool { _, err := os.Stat(p.path("auth")); return err == nil })
	p.start(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Postfix's log:\n%s\nDovecot's:\n%s", tail(p.path("postfix.log")), tail(p.path("dovecot.log")))
		}
	})
	return p
}

func (p *postfix) path(name string) string { return filepath.Join(p.dir, name) }

func (p *postfix) configure(t *testing.T, settings ...string) {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	check(t, err)
	owner, err := user.Lookup("postfix")
	check(t, err)
	fill := strings.NewReplacer("{dir}", p.dir, "{cert}", certs.cert, "{key}", certs.key,
		"{uid}", nobody.Uid, "{gid}", nobody.Gid,
		"{starttls}", strconv.Itoa(p.starttls), "{implicit}", strconv.Itoa(p.implicit))
	write(t, p.path("etc/main.cf"), fill.Replace(mainCf+strings.Join(settings, "\n")+"\n"))
	write(t, p.path("etc/master.cf"), fill.Replace(masterCf))
	write(t, p.path("etc/dovecot.conf"), fill.Replace(dovecotConf))
	write(t, p.path("etc/mailboxes"), "!/^"+gone+"/ inbox/\n")
	write(t, p.path("etc/recipients"), "/^"+busy+"/ 450 4.2.1 mailbox is busy\n")
	write(t, p.path("etc/users"), fmt.Sprintf("%s:{PLAIN}%s\n", login, password))
	// Postfix waits for a configuration that changed within the last two seconds.
	past := time.Now().Add(-time.Minute)
	check(t, os.Chtimes(p.path("etc/main.cf"), past, past))
	check(t, os.Mkdir(p.path("queue"), 0o755))
	mkdirFor(t, owner, p.path("data"))
	mkdirFor(t, nobody, p.path("mail"))
	if out, err := exec.Command("/usr/sbin/postfix", "-c", p.path("etc"), "check").CombinedOutput(); err != nil {
		t.Fatalf("postfix check: %v\n%s", err, out)
	}
}

func mkdirFor(t *testing.T, owner *user.User, dir string) {
	t.Helper()
	uid, err := strconv.Atoi(owner.Uid)
	check(t, err)
	gid, err := strconv.Atoi(owner.Gid)
	check(t, err)
	check(t, os.Mkdir(dir, 0o755))
	check(t, os.Chown(dir, uid, gid))
}

// start starts it, or starts it again after kill.
func (p *postfix) start(t *testing.T) {
	t.Helper()
	p.server = startServer(t, p.path("postfix.out"), "/usr/lib/postfix/sbin/master", "-c", p.path("etc"), "-d")
	until(t, "Postfix's greeting", func() bool { return greets(p.starttls, false) && greets(p.implicit, true) })
}

// kill ends it as a power cut would.
func (p *postfix) kill() {
	p.server.Signal(syscall.SIGKILL)
	<-p.server.Ended
}

// freeze stops it without ending it: connections are still made by the kernel and nothing answers.
func (p *postfix) freeze() { p.server.Signal(syscall.SIGSTOP) }

func (p *postfix) thaw() { p.server.Signal(syscall.SIGCONT) }

// config is the part of a site's configuration that names it.
func (p *postfix) config(secret string) string {
	return serverConfig(p.starttls, "starttls", secret)
}

// arrived reads what it delivered, a file for each recipient.
func (p *postfix) arrived(t *testing.T) []mail {
	t.Helper()
	files, err := filepath.Glob(p.path("mail/inbox/new/*"))
	check(t, err)
	mails := make([]mail, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		check(t, err)
		mails[i] = parseDelivered(t, text)
	}
	return mails
}

// count is the number of files delivered, without reading them.
func (p *postfix) count() int {
	names, _ := filepath.Glob(p.path("mail/inbox/new/*"))
	return len(names)
}

// logged counts the lines of its log that hold the text.
func (p *postfix) logged(t *testing.T, text string) int {
	t.Helper()
	log, err := os.ReadFile(p.path("postfix.log"))
	check(t, err)
	return strings.Count(string(log), text)
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}
