//go:build peers

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// rootCommands are what root runs. What they say is of no interest here.
var rootCommands = [][]string{
	{"enqueue", "patron@example.net"},
	{"sendmail", "-t", "-i"},
	{"sendmail", "-bs"},
	{"sendmail", "-bp"},
	{"sendmail", "-q"},
	{"import", "notice.eml"},
	{"flush"},
	{"flush", "--all", "--json"},
	{"status"},
	{"status", "--check"},
	{"list"},
	{"hold", "--all"},
	{"release", "--all"},
	{"retry", "--all"},
	{"check"},
	{"test-server"},
}

// TestRootFollowsNoLink: who owns the spool puts links wherever a command of root's may
// work. Nothing is written, moved, removed or given away where they lead, and nothing in
// spool or log is root's afterwards.
func TestRootFollowsNoLink(t *testing.T) {
	for name, plant := range map[string]string{
		"nothing":     "true",
		"cur":         "rm -r spool/cur; ln -s {out} spool/cur",
		"failed":      "rm -r spool/failed; ln -s {out} spool/failed",
		"tmp":         "rm -r spool/tmp; ln -s {out} spool/tmp",
		"state":       "rm -r spool/state; ln -s {out} spool/state",
		"aside":       "rm -r spool/aside; ln -s {out} spool/aside; touch spool/cur/rubbish spool/tmp/rubbish",
		"import":      "rm -rf spool/import; ln -s {out} spool/import",
		"drop":        "rm -rf spool/drop; ln -s {out} spool/drop",
		"all":         "rm -r spool/*; for d in cur failed tmp state aside import drop; do ln -s {out} spool/$d; done",
		"the spool":   "rm -rf spool/*", // all is made anew
		"a message":   "ln -s {out}/theirs spool/cur/1P018WH5G00273CT; ln -s {out}/theirs spool/cur/.1P018WH5G00273CT,1795000000,q",
		"a value":     "find spool/state -type f -delete; for f in last-flush purge health-1 test-1 .last-flush.lock .last-flush.new .purge.new; do ln -s {out}/new spool/state/$f; done",
		"a lock":      "rm -rf spool/import; mkdir -m 700 spool/import; ln -s {out}/new spool/import/lock; ln -s {out}/new spool/import/notes",
		"a probe":     "ln -s {out}/new spool/tmp/.writable; ln -s {out}/new spool/aside/rubbish; touch spool/cur/rubbish",
		"a new log":   "rm -f log/*; ln -s {out}/new log/notices.log",
		"an old log":  "rm -f log/*; ln -s {out}/theirs log/notices.log",
		"a FIFO":      "rm -f log/*; mkfifo log/notices.log",
		"no log":      "rm -f log/*",
		"a hard link": "ln {out}/theirs spool/cur/1P018WH5G00273CT || true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRooted(t)
			before := s.outside()
			s.shell(keeper, strings.ReplaceAll(plant, "{out}", s.path("outside")))
			for _, args := range rootCommands {
				if r := s.try(0, about("root's"), args...); r.code < 0 {
					t.Errorf("%v does not end", args)
				}
				if after := s.outside(); after != before {
					t.Fatalf("%v: outside was\n%s\nand is\n%s", args, before, after)
				}
			}
			if got := s.shell(0, "find spool log -user root -o -group root"); got != "" {
				t.Errorf("root's afterwards:\n%s", got)
			}
		})
	}
}

// newRooted is a site whose spool and log belong to keeper, and a folder of root's.
func newRooted(t *testing.T) *shared {
	t.Helper()
	s := newShared(t)
	text, err := os.ReadFile(s.path("notices.toml"))
	check(t, err)
	write(t, s.path("notices.toml"), strings.ReplaceAll(string(text), s.path("notices.log"), s.path("log/notices.log")))
	write(t, s.path("notice.eml"), about("imported"))
	s.shell(0, "install -d -o 4321 -g 4321 -m 750 log; mkdir outside; echo theirs > outside/theirs")
	for _, args := range [][]string{{"enqueue", "patron@example.net"}, {"flush"}, {"enqueue", "patron@example.net"}} {
		if r := s.try(0, about("first"), args...); r.code != 0 {
			t.Fatalf("%v: %v", args, r)
		}
	}
	return s
}

func (s *shared) outside() string {
	return s.shell(0, "find outside -printf '%p %u:%g %m %s %n\n' | sort; cat outside/*")
}

// TestRootIsTheOwnerForGood: the ids, groups and rights of a command that root runs.
func TestRootIsTheOwnerForGood(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.configure(`
[[server]]
host = "127.0.0.1"
port = 9
login = "library"
password_command = "cat /proc/$PPID/status >spool/seen; echo secret"
`)
	check(t, os.Chmod(s.path("notices.toml"), 0o644))
	if r := s.try(0, "", "check"); r.code != 0 {
		t.Fatalf("check: %v", r)
	}
	text, err := os.ReadFile(s.path("spool/seen"))
	check(t, err)
	seen := string(text)
	for _, want := range []string{"Uid:\t4321\t4321\t4321\t4321\n", "Gid:\t4321\t4321\t4321\t4321\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "Groups:\t4321 \n"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in\n%s", want, seen)
		}
	}
}

// TestRootImportsItsOwn: what root may read and the spool's owner may not is imported,
// unless the owner had a say in what it is.
func TestRootImportsItsOwn(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.shell(0, `umask 077; mkdir -p private/box/cur private/box/new
		printf 'From a@b.example Thu Jan  1 00:00:00 2026\nTo: patron@example.net\nSubject: mbox\n\nx\n' >private/x.mbox
		printf 'To: patron@example.net\nSubject: maildir\n\nx\n' >private/box/cur/1
		printf 'To: patron@example.net\nSubject: secret\n\nx\n' >private/secret
		ln -s ../../secret private/box/new/2; chmod 755 private/box private/box/new`)
	s.shell(keeper, "ln -s "+s.path("private/secret")+" spool/theirs.eml")
	for args, want := range map[string]int{"private/x.mbox": 0, "private/box": 66, "spool/theirs.eml": 66} {
		if r := s.try(0, "", "import", args); r.code != want {
			t.Errorf("import %s: %v", args, r)
		}
	}
	if r := s.try(0, "To: patron@example.net\nSubject: stdin\n\nx\n", "import", "-"); r.code != 0 {
		t.Errorf("import -: %v", r)
	}
	if r := s.as(0, "", "bash", "-c", binary+` import <(printf 'To: patron@example.net\nSubject: pipe\n\nx\n')`); r.Run() != nil {
		t.Error("import of a pipe failed")
	}
	if got := s.flushed(); got != "maildir,mbox,pipe,stdin" {
		t.Errorf("sent: %q", got)
	}
}

// TestRootKeepsOffOthersPlaces: a spool that belongs to root, at a place where another
// user could exchange it, is not used; nor is one that such a user points to.
func TestRootKeepsOffOthersPlaces(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	s.shell(0, "rm -r spool; mkdir roots others; chown 4321:4321 others")
	s.shell(ben, "ln -s ../roots ben/spool")
	s.shell(keeper, "mkdir others/mine")
	for _, spool := range []string{"ben/spool", "others/roots", "ben/others"} {
		s.shell(0, "mkdir -p others/roots; rm -rf spool; ln -sfn ../others/mine ben/others; ln -s "+spool+" spool")
		for _, args := range [][]string{{"enqueue", "patron@example.net"}, {"flush"}} {
			if r := s.try(0, about("x"), args...); r.code != 77 || args[0] == "enqueue" && !strings.Contains(r.stderr, "on the way to it") {
				t.Errorf("%s: %v: %v", spool, args, r)
			}
		}
	}
	if got := s.shell(0, "ls -A roots others/roots others/mine | grep -v : || true"); got != "" {
		t.Errorf("made: %s", got)
	}
}

// TestRootBeforeSetup: without a set-up root is told to run it first, and nothing is made.
func TestRootBeforeSetup(t *testing.T) {
	t.Parallel()
	m := newSandbox(t)
	program := m.program()
	m.must("", "mkdir", "-p", "/etc/notices")
	m.write("/etc/notices/notices.toml", fmt.Sprintf(siteOnly, "/var/log/notices/notices.log"), "root:root", "644")
	for _, args := range rootCommands {
		code := 78
		if slices.Contains(args, "--check") {
			code = 2 // a monitor knows no other word for what flush refuses
		}
		r := m.want(code, "root", notice, program, args...)
		if r.stderr == "" && (args[0] == "flush" || args[0] == "sendmail") {
			continue // a flush tells a trouble once
		}
		if !strings.Contains(r.stderr, "set notices up first") || !strings.Contains(r.stderr, "setup") {
			t.Errorf("%v: %v", args, r)
		}
	}
	if m.there("/var/spool/notices") || m.there("/var/log/notices") {
		t.Error("a spool or a log was made")
	}
	m.must("", "mv", "/etc/notices", "/root/config")
	m.write("/root/main.cf", "relayhost = [mail.example.net]:587\n", "root:root", "644")
	for _, args := range [][]string{{"init"}, {"init", "--template"}, {"init", "--from", "/root/main.cf"}, {"init", "--config", "/etc//notices/notices.toml"}} {
		if r := m.want(78, "root", "", program, args...); !strings.Contains(r.stderr, "Run first: ") || m.there("/etc/notices") {
			t.Errorf("%v: %v", args, r)
		}
	}
	m.must("", "mv", "/root/config", "/etc/notices")
	m.must("", "sh", "/root/setup")
	m.want(0, "root", notice, program, "enqueue")
	if got := m.must("", "find", "/var/spool/notices", "/var/log/notices", "!", "-user", "notices"); got != "" {
		t.Errorf("not the service's:\n%s", got)
	}
}

// TestSetupRepairsRootsSpool: an earlier version made the spool when root ran a command
// before setup.
func TestSetupRepairsRootsSpool(t *testing.T) {
	t.Parallel()
	m := newSandbox(t)
	program := m.program()
	m.must("", "sh", "-ec", "mkdir -m 700 /var/spool/notices /var/spool/notices/cur; sh /root/setup")
	m.modes(map[string]string{
		"/var/spool/notices": "notices:notices 711", "/var/spool/notices/cur": "notices:notices 700", "/var/spool/notices/drop": "notices:notices 3733",
	})
	m.must("", "sh", "-ec", "rmdir /var/spool/notices/drop; sh /root/setup")
	if m.there("/var/spool/notices/drop") {
		t.Error("drop/ did not stay away")
	}
	// What root may read is not what flush may read, who runs as notices.
	m.write("/etc/notices/notices.toml", fmt.Sprintf(siteOnly, "/var/log/notices/notices.log"), "root:root", "644")
	m.want(0, "root", "", program, "check")
	for change, want := range map[string]string{
		"chmod 640 /etc/notices/notices.toml": "chown notices /etc/notices/notices.toml",
		"chmod 700 /etc/notices":              "chmod a+x /etc/notices",
		"(umask 077; echo x >/etc/notices/p); printf 'login = \"x\"\npassword_file = \"p\"\n' >/tmp/login; sed -i '/^port/r /tmp/login' /etc/notices/notices.toml": "/etc/notices/p, which belongs to root",
		"(umask 077; cp /etc/ssl/certs/ca-certificates.crt /etc/notices/ca); sed -i '/^port/a ca_file = \"ca\"' /etc/notices/notices.toml":                         "ca_file cannot be read",
	} {
		m.must("", "sh", "-ec", "cp -a /etc/notices /root/before; "+change)
		if r := m.want(78, "root", "", program, "check"); !strings.Contains(r.stderr, want) || strings.Contains(r.stdout, "in order") {
			t.Errorf("after %s: %v", change, r)
		}
		m.must("", "sh", "-ec", "rm -r /etc/notices; mv /root/before /etc/notices")
	}
}

// TestSetupRepairsALogElsewhere: the one that [log] to names, and nothing that the user
// notices could have had it name.
func TestSetupRepairsALogElsewhere(t *testing.T) {
	t.Parallel()
	m := newSandbox(t)
	m.program()
	m.must("", "sh", "-ec", "sh /root/setup; mkdir -p /srv/theirs /srv/ours; chown notices /srv/theirs; ln -s /srv/ours /srv/theirs/link")
	for _, c := range []struct{ to, owner, want string }{
		{"/srv/theirs/a.log", "notices", "notices"},
		{"/srv/ours/b.log", "root", "notices"},
		{"/srv/ours/c.log", "notices", "root"},
		{"/srv/theirs/link/d.log", "root", "root"},
		{"/srv/ours/*", "root", "root"},
	} {
		m.must("", "sh", "-c", `echo x >"$1"`, "sh", c.to)
		m.write("/etc/notices/notices.toml", fmt.Sprintf(siteOnly, c.to), c.owner, "644")
		m.must("", "sh", "/root/setup")
		if got := strings.TrimSpace(m.must("", "stat", "-c", "%U", c.to)); got != c.want {
			t.Errorf("%s, in a configuration of %s's, belongs to %s afterwards", c.to, c.owner, got)
		}
	}
}

const siteOnly = `[site]
name = "Springfield Public Library"
address = "library@example.org"
hostname = "mail.example.org"

[[server]]
host = "127.0.0.1"
port = 9

[log]
to = "%s"
`

// program brings the program and the script setup, and returns the program's path there.
func (m *sandbox) program() string {
	m.t.Helper()
	for from, to := range map[string]string{binary: "/usr/local/bin/notices", runtime + "/notices-full": "/usr/local/bin/notices-full"} {
		text, err := os.ReadFile(from)
		check(m.t, err)
		m.write(to, string(text), "root:root", "755")
	}
	m.bring(root + "/scripts/setup")
	return "/usr/local/bin/notices"
}

// TestSetupRepairs: what a run as root left to root is the service's again, and nothing
// that a link leads to.
func TestSetupRepairs(t *testing.T) {
	t.Parallel()
	m := newSandbox(t)
	program := m.program()
	m.must("", "sh", "/root/setup")
	m.write("/etc/notices/notices.toml", fmt.Sprintf(siteOnly, "/var/log/notices/notices.log"), "root:root", "644")
	m.want(0, "notices", notice, program, "enqueue")
	m.must("", "sh", "-ec", `
		cp -a /var/spool/notices/cur/. /tmp/cur; chown -R root:root /var/spool/notices/cur
		mkdir -m 700 /var/spool/notices/history; touch /var/spool/notices/state/value /var/log/notices/notices.log
		mkdir /etc/victim; echo x >/etc/victim/file; echo y >/etc/victim/hard
		ln -s /etc/victim /var/spool/notices/linked; ln -s /etc/victim/file /var/log/notices/linked
		ln /etc/victim/hard /var/spool/notices/state/hard
		umask 077; echo secret >/etc/notices/server1.password; ln -s /etc/victim/file /etc/notices/linked`)
	said := m.must("", "sh", "/root/setup")
	if !strings.Contains(said, "given to the user notices: /var/spool/notices/cur\n") {
		t.Errorf("setup says %q", said)
	}
	m.modes(map[string]string{
		"/var/spool/notices": "notices:notices 711", "/var/spool/notices/cur": "notices:notices 700", "/var/spool/notices/history": "notices:notices 700",
		"/var/spool/notices/state/value": "notices:notices 644", "/var/log/notices/notices.log": "notices:notices 600",
		"/etc/notices/server1.password": "notices:notices 600", "/etc/notices/notices.toml": "root:root 644", "/etc/notices": "root:root 755",
		"/etc/victim": "root:root 755", "/etc/victim/file": "root:root 644", "/etc/victim/hard": "root:root 644",
		"/var/spool/notices/drop": "notices:notices 3733",
	})
	if left := m.must("", "sh", "-c", "find /var/spool/notices/cur -user root"); left != "" {
		t.Errorf("still root's:\n%s", left)
	}
	if again := m.must("", "sh", "/root/setup"); again != "" {
		t.Errorf("a second run says %q", again)
	}
	if got := m.want(0, "notices", "", program, "list").stdout; !strings.Contains(got, "patron@example.net") {
		t.Errorf("list: %s", got)
	}
}
