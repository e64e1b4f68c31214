//go:build peers

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"notices/spool/smtptest"
)

// Three users of a machine, none of them root: the spool's, and two whose mail is
// nobody else's business.
const (
	keeper = 4321
	ann    = 65534
	ben    = 12345
)

// shared is a site whose spool belongs to keeper, with a drop, and a server.
type shared struct {
	*site
	server *smtptest.Server
}

func newShared(t *testing.T) *shared {
	t.Helper()
	s := &shared{site: &site{t: t, dir: folder(t)}, server: smtptest.New(t, smtptest.Options{})}
	s.configure(fmt.Sprintf("\n[[server]]\nhost = \"127.0.0.1\"\nport = %d\nallow_non_secure = true\n", s.server.Port()))
	check(t, os.WriteFile(s.path("notices.log"), nil, 0o600))
	check(t, os.Chown(s.path("notices.log"), keeper, keeper))
	s.shell(0, `mkdir -m 755 ann ben && chown 65534:65534 ann && chown 12345:12345 ben
		install -d -o 4321 -g 4321 -m 711 spool && install -d -o 4321 -g 4321 -m 3733 spool/drop`)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the site's log:\n%s", tail(s.path("notices.log")))
		}
	})
	return s
}

// as prepares a command of a user; 0 is root.
func (s *shared) as(uid uint32, stdin string, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = s.dir, strings.NewReader(stdin)
	cmd.Env = append(s.environment(), "PATH=/usr/bin:/bin:/usr/sbin:/sbin")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: uid == 0}}
	return cmd
}

// try runs the program as a user.
func (s *shared) try(uid uint32, stdin string, args ...string) result {
	cmd := s.as(uid, stdin, binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		s.t.Errorf("notices %v: %v", args, err)
		return result{code: -1}
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// shell runs a script that must end well.
func (s *shared) shell(uid uint32, script string) string {
	s.t.Helper()
	out, err := s.as(uid, "", "sh", "-ec", script).CombinedOutput()
	if err != nil {
		s.t.Fatalf("as %d: %s: %v\n%s", uid, script, err, out)
	}
	return strings.TrimSpace(string(out))
}

// cannot runs scripts each of which must fail.
func (s *shared) cannot(uid uint32, scripts ...string) {
	s.t.Helper()
	for _, script := range scripts {
		if out, err := s.as(uid, "", "sh", "-ec", script).CombinedOutput(); err == nil {
			s.t.Errorf("user %d can: %s\n%s", uid, script, out)
		}
	}
}

// queue hands a message in and returns its id.
func (s *shared) queue(uid uint32, text string, args ...string) string {
	s.t.Helper()
	r := s.try(uid, text, append([]string{"enqueue"}, args...)...)
	if r.code != 0 || r.stderr != "" {
		s.t.Fatalf("user %d cannot queue: %v", uid, r)
	}
	return strings.TrimSpace(r.stdout)
}

// flushed runs a flush as keeper and returns the subjects that the server has got, in
// the order of the alphabet.
func (s *shared) flushed() string {
	s.t.Helper()
	if r := s.try(keeper, "", "flush"); r.code != 0 {
		s.t.Errorf("flush: %v", r)
	}
	var subjects []string
	for _, m := range s.server.Messages() {
		subject := between(string(m.Data), "Subject: ", "\r")
		subjects = append(subjects, strings.TrimSpace(strings.SplitN(subject, "\n", 2)[0]))
	}
	return strings.Join(slices.Sorted(slices.Values(subjects)), ",")
}

func (s *shared) log() string { return tail(s.path("notices.log")) }

// about is a message with that subject.
func about(subject string) string {
	return "To: patron@example.net\nSubject: " + subject + "\n\nPlease bring it back.\n"
}

// TestUsersHandIn: two users queue, the spool's user takes both over and sends them, and
// root's flush does, too.
func TestUsersHandIn(t *testing.T) {
	s := newShared(t)
	first := s.queue(ann, about("ann"), "--ref", "4711")
	second := s.queue(ben, about("ben"), "patron@example.net", "other@example.net")
	if got := s.shell(0, "stat -c '%u %g %a' spool/drop/"+first+" spool/drop/"+second); got != "65534 4321 640\n12345 4321 640" {
		t.Errorf("owners, groups and modes:\n%s", got)
	}
	if got := s.flushed(); got != "ann,ben" {
		t.Errorf("sent: %q", got)
	}
	for _, want := range []string{"handed-in id=" + first + " uid=65534 user=nobody", "handed-in id=" + second + " uid=12345", "queued id=" + first + " from=library@example.org recipients=1"} {
		if !strings.Contains(s.log(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	big := about("big") + strings.Repeat("All work and no play makes Jack a dull boy.\n", 200_000)
	s.queue(ann, big)
	if r := s.try(0, "", "flush"); r.code != 0 || r.stderr != "" {
		t.Errorf("root's flush: %v", r)
	}
	if n := len(s.server.Messages()); n != 3 {
		t.Errorf("%d messages were sent", n)
	}
	if left := s.shell(0, "ls -A spool/drop spool/aside spool/tmp spool/cur | grep -v : || true"); left != "" {
		t.Errorf("left over: %s", left)
	}
	if got := s.shell(0, "find spool ! -user 4321; find spool ! -path spool ! -path spool/drop -perm /077"); got != "" {
		t.Errorf("not the spool's user's, or open to others:\n%s", got)
	}
	if r := s.try(0, "", "check"); r.code != 0 {
		t.Errorf("check: %v", r)
	}
}

// TestUsersAreKeptApart: what one user handed in, another can neither find nor read,
// change, remove, replace or have sent again; nor can he come at the rest of the spool.
func TestUsersAreKeptApart(t *testing.T) {
	s := newShared(t)
	s.queue(ann, about("earlier"))
	s.try(keeper, "", "flush")
	id := s.queue(ann, about("ann"))
	before := s.shell(0, "stat -c '%i %s %Y %a %u %g' spool/drop/"+id+" && sha256sum spool/drop/"+id)
	s.shell(ben, "echo mine > ben/mine")
	f := "spool/drop/" + id // he even knows its name
	s.cannot(ben,
		"ls spool", "ls spool/drop", "find spool/drop -name '1*' | grep .", "echo spool/drop/* | grep -v '[*]'",
		"cat "+f, "head -c 1 "+f, "cp "+f+" ben/copy",
		"rm -f "+f, "unlink "+f, "mv "+f+" ben/", "mv "+f+" spool/drop/other", "mv -f ben/mine "+f,
		"echo x >> "+f, "echo x > "+f, "truncate -s 0 "+f, "chmod 666 "+f, "chown 12345 "+f, "touch "+f,
		"ln "+f+" ben/link", "ln "+f+" spool/drop/1P018WH5G00273CT", "ln -f ben/mine "+f, "ln -sf ben/mine "+f,
		"mkdir "+f, "mkfifo "+f,
		"flock -n spool/drop true", "chmod 777 spool/drop", "rmdir spool/drop", "mv spool/drop spool/pord", "mkdir spool/new", "touch spool/new",
		"ls spool/cur", "ls spool/tmp", "ls spool/aside", "ls spool/failed", "ls spool/state", "touch spool/cur/x", "touch spool/tmp/x", "cat notices.log",
	)
	s.cannot(keeper, "echo x >> "+f) // he reads it, and that is all
	s.cannot(ann, "ls spool/drop")
	for _, args := range [][]string{{"list"}, {"status"}, {"flush"}, {"remove", id}, {"show", id}} {
		if r := s.try(ben, "", args...); r.code != 77 || strings.Contains(r.stdout+r.stderr, "patron") {
			t.Errorf("%v by another user: %v", args, r)
		}
	}
	if after := s.shell(0, "stat -c '%i %s %Y %a %u %g' spool/drop/"+id+" && sha256sum spool/drop/"+id); after != before {
		t.Errorf("it was\n%s\nand is\n%s", before, after)
	}
	if got := s.flushed(); got != "ann,earlier" {
		t.Errorf("sent: %q", got)
	}
}

// TestUsersWithTricks: files of others, and what is no message, are not mailed and do
// no harm, under whatever name and as whatever they are laid there.
func TestUsersWithTricks(t *testing.T) {
	s := newShared(t)
	s.shell(ann, "umask 077; echo 'password of ann' > ann/secret; echo 'for all' > ann/open; chmod 666 ann/open")
	name := func(n int) string { return fmt.Sprintf("spool/drop/1P018WH5G0027%03d", n) }
	sure := s.queue(ben, about("ben's own"))
	s.shell(ben, "cat spool/drop/"+sure+" > ben/letter")
	s.shell(ben, strings.Join([]string{
		"umask 077",
		"ln -s " + s.path("ann/secret") + " " + name(1),
		"ln -s " + s.path("ben/letter") + " " + name(2),
		"ln -s /etc/shadow " + name(3),
		"ln ben/letter " + name(4), // two names
		"mkfifo -m 640 " + name(5),
		"mkdir " + name(6) + " && touch " + name(6) + "/x",
		"truncate -s 1T " + name(7) + " && chmod 640 " + name(7),
		"head -c 100 ben/letter > " + name(8) + " && chmod 640 " + name(8),
		"cat ben/letter > " + name(9) + " && chmod 640 " + name(9), // not its name
		"echo rubbish > '" + name(10) + " -rf' && chmod 640 '" + name(10) + " -rf'",
		"cat ben/letter > spool/drop/.1P018WH5G0027999 && chmod 640 spool/drop/.1P018WH5G0027999",
		"cat ben/letter > " + name(11) + " && chmod 644 " + name(11),
		"cp ben/letter ben/moved && chmod 640 ben/moved && mv ben/moved " + name(12),
		"cat ben/letter > " + name(13), // being written, it seems
		"python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"" + name(14) + "\")' 2>/dev/null || true",
	}, "\n")+"\n true")
	// A hard link to a file of another user's that he may write: the system allows it.
	s.shell(ben, "ln "+s.path("ann/open")+" "+name(15)+" || true")
	s.queue(ann, about("ann"))
	for range 2 {
		if got := s.flushed(); got != "ann,ben's own" {
			t.Errorf("sent: %q", got)
		}
	}
	for _, m := range s.server.Messages() {
		if bytes.Contains(m.Data, []byte("password of ann")) || bytes.Contains(m.Data, []byte("root:")) {
			t.Errorf("mailed: %.200q", m.Data)
		}
	}
	if got := s.shell(0, "cd spool/drop && ls -A | sed 's/^folder-.*/folder/' | sort"); got != "1P018WH5G0027013\nfolder" {
		t.Errorf("left in the drop:\n%s", got)
	}
	if got := s.shell(0, "ls -A spool/aside | grep -v '^drop-[0-9]*-[A-Za-z0-9._-]*$' || true"); got != "" {
		t.Errorf("in aside/:\n%s", got)
	}
	if got := s.shell(0, "cat ann/secret ann/open"); got != "password of ann\nfor all" {
		t.Errorf("ann's files are now %q", got)
	}
	if !strings.Contains(s.log(), "swept name=drop/1P018WH5G0027003") || !strings.Contains(s.log(), "from user 12345") {
		t.Error("the log does not say what went aside, and whose it was")
	}
	if r := s.try(0, "", "check"); r.code != 0 || !strings.Contains(r.stderr, "rm -r "+s.path("spool/drop/folder-")) {
		t.Errorf("check, with a folder in the drop: %v", r)
	}
}

// TestUsersCannotCrowdOut: one makes thousands of names, the other's mail goes out.
func TestUsersCannotCrowdOut(t *testing.T) {
	s := newShared(t)
	s.shell(ben, "i=10000; while [ $i -lt 13000 ]; do : > spool/drop/1P018WH5G00$i; i=$((i+1)); done; chmod 640 spool/drop/1P018WH5G0012999")
	var hands sync.WaitGroup
	for i := range 8 {
		hands.Go(func() {
			for range 5 {
				if r := s.try([]uint32{ann, ben}[i%2], about("all")); r.code == 0 {
					t.Errorf("without a command: %v", r)
				}
				if r := s.try([]uint32{ann, ben}[i%2], about("all"), "enqueue"); r.code != 0 {
					t.Errorf("enqueue: %v", r)
				}
			}
		})
		hands.Go(func() {
			if r := s.try(keeper, "", "flush"); r.code != 0 {
				t.Errorf("flush: %v", r)
			}
		})
	}
	hands.Wait()
	if got := strings.Count(s.flushed(), "all"); got != 40 {
		t.Errorf("%d of 40 messages were sent", got)
	}
}

// TestMakingTheDrop: the command that the error names is the one that helps.
func TestMakingTheDrop(t *testing.T) {
	s := newShared(t)
	for _, broken := range []string{
		"rmdir spool/drop; chmod 700 spool", "rmdir spool/drop", "chmod 3777 spool/drop", "chmod u=rwx,go=wx,-t spool/drop", "chmod g-s spool/drop",
		"chmod 2733 spool/drop; chmod -t spool/drop", "chown 12345 spool/drop; chmod 3733 spool/drop", "chgrp 12345 spool/drop; chmod 3733 spool/drop",
	} {
		s.shell(0, broken)
		r := s.try(ann, about("ann"), "enqueue")
		_, command, found := strings.Cut(strings.TrimSpace(r.stderr), "run as root: ")
		if r.code != 77 || !found {
			t.Fatalf("after %s: %v", broken, r)
		}
		s.shell(0, command)
		s.queue(ann, about("ann"))
		s.try(keeper, "", "flush") // so that the drop is empty
	}
	if r := s.try(0, "", "check"); r.code != 0 {
		t.Errorf("check: %v", r)
	}
	if got := strings.Count(s.flushed(), "ann"); got != 8 {
		t.Errorf("%d messages were sent", got)
	}
}

// TestNoDropNoUsers: a spool without a drop is its user's and root's.
func TestNoDropNoUsers(t *testing.T) {
	s := newShared(t)
	s.shell(0, "rmdir spool/drop")
	s.queue(keeper, about("keeper"))
	s.queue(0, about("root"))
	if r := s.try(ann, about("ann"), "enqueue"); r.code != 77 || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("another user: %v", r)
	}
	if got := s.flushed(); got != "keeper,root" {
		t.Errorf("sent: %q", got)
	}
	if got := s.shell(0, "find spool ! -user 4321"); got != "" {
		t.Errorf("not the spool's user's: %s", got)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "spool", "drop")); err == nil {
		t.Error("a drop was made that nobody asked for")
	}
}
