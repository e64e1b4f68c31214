//go:build peers

package torture

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is the user whose spool it is in these tests: root may do everything.
const nobody = 65534

// userSite is a site that a user other than root runs.
type userSite struct {
	*site
	atDot func() // called once, when the server has a message and has not answered yet
}

func newUserSite(t *testing.T) *userSite {
	t.Helper()
	u := &userSite{}
	o := server()
	reply := o.Reply
	o.Reply = func(stage, line string) string {
		if stage == "dot" && u.atDot != nil {
			u.atDot()
			u.atDot = nil
		}
		return reply(stage, line)
	}
	u.site = newSite(t, o)
	for _, dir := range []string{filepath.Dir(u.dir), filepath.Dir(binary)} {
		must(t, os.Chmod(dir, 0o755))
	}
	must(t, os.Chown(u.dir, nobody, nobody))
	must(t, os.Chown(u.config(), nobody, nobody))
	return u
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// as runs the program as the user of the spool; code is its exit code.
func (u *userSite) as(stdin string, args ...string) (out string, code int) {
	u.t.Helper()
	cmd := u.command(stdin, nil, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	b, err := cmd.CombinedOutput()
	if ended(err) == -2 {
		u.t.Fatal(err)
	}
	return string(b), ended(err)
}

func (u *userSite) queue(subject string) (id string) {
	u.t.Helper()
	out, code := u.as(message(subject), "enqueue")
	if code != 0 {
		u.t.Fatalf("enqueue: %d: %s", code, out)
	}
	return strings.TrimSpace(out)
}

func (u *userSite) body(id string) string { return filepath.Join(u.spool(), "cur", id) }

func (u *userSite) sidecar(id string) string {
	u.t.Helper()
	found, _ := filepath.Glob(filepath.Join(u.spool(), "cur", "."+id+",*"))
	if len(found) != 1 {
		u.t.Fatalf("sidecars of %s: %q", id, found)
	}
	return found[0]
}

func (u *userSite) folder(name string) string { return filepath.Join(u.spool(), name) }

// command is a command of the system that must work.
func command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// mountExt4 puts an ext4 under the spool, so that there are attributes whatever the file
// system of the tests is.
func (u *userSite) mountExt4() {
	u.t.Helper()
	image := filepath.Join(u.dir, "image")
	must(u.t, os.WriteFile(image, nil, 0o600))
	must(u.t, os.Truncate(image, 16<<20))
	command(u.t, "mkfs.ext4", "-q", image)
	must(u.t, os.Mkdir(u.spool(), 0o700))
	command(u.t, "mount", "-o", "loop", image, u.spool())
	u.t.Cleanup(func() { exec.Command("umount", u.spool()).Run() })
	must(u.t, os.Remove(u.folder("lost+found")))
	must(u.t, os.Chown(u.spool(), nobody, nobody))
}

// breach is something that keeps a run from writing down or removing a message.
type breach struct {
	name string
	ext4 bool
	do   func(u *userSite, id string)
	undo func(u *userSite, id string)
	// whole: nothing may be sent meanwhile, exit 75. Otherwise the other message goes, exit 0.
	whole bool
	// sent: the message itself goes, once.
	sent bool
	says string // what a person is told, once where it is no exit 75
}

func chmod(path string, mode os.FileMode) func(*userSite, string) {
	return func(u *userSite, _ string) { must(u.t, os.Chmod(u.folder(path), mode)) }
}

func chown(path string, uid int) func(*userSite, string) {
	return func(u *userSite, _ string) { must(u.t, os.Chown(u.folder(path), uid, uid)) }
}

func attribute(how, of string) func(*userSite, string) {
	return func(u *userSite, id string) {
		path := map[string]string{"body": u.body(id), "cur": u.folder("cur")}[of]
		if of == "sidecar" {
			path = u.sidecar(id)
		}
		command(u.t, "chattr", how, path)
	}
}

// foreign gives files of the message to root, with that mode, and cur to root too, sticky
// and open to all: nobody may remove there what is not theirs.
func foreign(sticky bool, mode os.FileMode, body, side bool) func(*userSite, string) {
	return func(u *userSite, id string) {
		var files []string
		if body {
			files = append(files, u.body(id))
		}
		if side {
			files = append(files, u.sidecar(id))
		}
		for _, f := range files {
			must(u.t, os.Chown(f, 0, 0))
			must(u.t, os.Chmod(f, mode))
		}
		if sticky {
			must(u.t, os.Chown(u.folder("cur"), 0, 0))
			must(u.t, os.Chmod(u.folder("cur"), 0o777|os.ModeSticky))
		}
	}
}

func ours(u *userSite, _ string) {
	command(u.t, "chown", "-R", "nobody:nogroup", u.spool())
	command(u.t, "chmod", "-R", "u+rwX,o-w,-t", u.spool())
}

var breaches = []breach{
	{name: "cur 0555", do: chmod("cur", 0o555), undo: ours, whole: true, says: "chmod u+rwX"},
	{name: "cur of root", do: chown("cur", 0), undo: ours, whole: true, says: "chown -R 65534:65534"},
	{name: "failed of root", do: chown("failed", 0), undo: ours, whole: true, says: "failed"},
	{name: "aside 0500", do: chmod("aside", 0o500), undo: ours, whole: true, says: "aside"},
	{name: "state of root", do: chown("state", 0), undo: ours, whole: true, says: "state"},
	{name: "a lock of root", do: func(u *userSite, _ string) {
		must(u.t, os.Chown(u.folder("state/.trial.lock"), 0, 0))
		must(u.t, os.Chmod(u.folder("state/.trial.lock"), 0o600))
	}, undo: ours, whole: true, says: "chown -R 65534:65534"},
	{name: "tmp of root", do: chown("tmp", 0), undo: ours, whole: true, says: "tmp"},
	{name: "immutable cur", ext4: true, do: attribute("+i", "cur"), undo: attribute("-i", "cur"), whole: true, says: "chattr -R -ia"},
	{name: "immutable body", ext4: true, do: attribute("+i", "body"), undo: attribute("-i", "body"), sent: true, says: "chattr -R -ia"},
	{name: "immutable sidecar", ext4: true, do: attribute("+i", "sidecar"), undo: attribute("-i", "sidecar"), says: "chattr -R -ia"},
	{name: "append-only sidecar", ext4: true, do: attribute("+a", "sidecar"), undo: attribute("-a", "sidecar"), says: "chattr -R -ia"},
	{name: "body mode 0", do: func(u *userSite, id string) { must(u.t, os.Chmod(u.body(id), 0)) }, undo: ours, says: "chmod u+rwX"},
	{name: "sidecar mode 0400", do: func(u *userSite, id string) { must(u.t, os.Chmod(u.sidecar(id), 0o400)) }, undo: ours, says: "chmod u+rwX"},
	{name: "body of root", do: foreign(false, 0o600, true, false), undo: ours, says: "chown -R 65534:65534"},
	{name: "readable body of root", do: foreign(false, 0o644, true, false), undo: ours, sent: true},
	{name: "readable body of root, sticky", do: foreign(true, 0o644, true, false), undo: ours, sent: true, says: "chown -R 65534:65534"},
	{name: "writable sidecar of root, sticky", do: foreign(true, 0o666, false, true), undo: ours, sent: true, says: "chown -R 65534:65534"},
	{name: "readable sidecar of root, sticky", do: foreign(true, 0o644, false, true), undo: ours, says: "chown -R 65534:65534"},
	{name: "both of root, sticky", do: foreign(true, 0o666, true, true), undo: ours, sent: true, says: "chown -R 65534:65534"},
}

// TestNothingUnremovableIsSentTwice breaks a spool as restores and careless roots do,
// before a run or while the server has the message, flushes again and again, and repairs
// it: each message arrives once.
func TestNothingUnremovableIsSentTwice(t *testing.T) {
	for _, b := range breaches {
		t.Run(b.name+"/before", func(t *testing.T) { suffer(t, b, false) })
		t.Run(b.name+"/at the dot", func(t *testing.T) { suffer(t, b, true) })
	}
}

func suffer(t *testing.T, b breach, atDot bool) {
	u := newUserSite(t)
	if b.ext4 {
		u.mountExt4()
	}
	u.queue("first")
	if out, code := u.as("", "flush"); code != 0 { // all folders are made
		t.Fatalf("%d: %s", code, out)
	}
	id := u.queue("a")
	told, sent := 0, 0
	if atDot {
		sent = 1
		u.atDot = func() { b.do(u, id) }
	} else {
		b.do(u, id)
	}
	if b.sent {
		sent = 1
	}
	for i := range 6 {
		if !b.whole && !atDot || i > 0 && !b.whole {
			u.queue(fmt.Sprintf("other-%d", i))
		}
		waits := strings.HasSuffix(b.name, " cur") || strings.HasPrefix(b.name, "cur ") || b.name == "state of root" // the message stays, or nothing can be noted
		out, code := u.as("", "flush", "--all")
		want := 0
		if b.whole && (!atDot || i > 0 && waits) {
			want = 75
		}
		if code != want && (!atDot || i > 0) {
			t.Errorf("run %d: exit %d, want %d: %s", i+1, code, want, out)
		}
		if b.says != "" && strings.Contains(out, b.says) {
			told++
		}
		if strings.Contains(out, "interrupted") {
			t.Errorf("run %d tells of a kill: %s", i+1, out)
		}
	}
	got := arrived(u.server)
	exactly(t, "the message while it is broken", got["a patron@example.net"], sent, sent)
	for key, n := range got {
		exactly(t, key+", while it is broken", n, 1, 1)
	}
	switch {
	case b.whole && told == 0 && !atDot, !b.whole && b.says != "" && !atDot && told != 1:
		t.Errorf("told %d times: %s", told, b.says)
	}
	u.alarmed(b, atDot)
	b.undo(u, id)
	for range 3 {
		if out, code := u.as("", "flush", "--all"); code != 0 {
			t.Errorf("repaired: exit %d: %s", code, out)
		}
	}
	for key, n := range arrived(u.server) {
		exactly(t, key+", repaired", n, 1, 1)
	}
	exactly(t, "the message, repaired", arrived(u.server)["a patron@example.net"], 1, 1)
	if left := append(u.files("cur"), u.files("aside")...); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// alarmed: status --check and check tell of it.
func (u *userSite) alarmed(b breach, atDot bool) {
	u.t.Helper()
	switch {
	case b.whole:
		if out, code := u.as("", "check"); code == 0 || !strings.Contains(out, b.says) {
			u.t.Errorf("check: %d: %s", code, out)
		}
	case b.says != "" && !atDot:
		if out, code := u.as("", "status", "--check"); code == 0 || !strings.Contains(out, "in trouble") {
			u.t.Errorf("status --check: %d: %s", code, out)
		}
		if out, _ := u.as("", "status"); !strings.Contains(out, b.says) {
			u.t.Errorf("status: %s", out)
		}
	}
}

// TestNoModes is a file system that refuses to change modes, or acts as if it did.
func TestNoModes(t *testing.T) {
	for _, how := range []string{"--chmod-deny", "--chmod-ignore"} {
		t.Run(how, func(t *testing.T) {
			u := newUserSite(t)
			under := filepath.Join(u.dir, "under")
			for _, dir := range []string{under, u.spool()} {
				must(t, os.Mkdir(dir, 0o700))
				must(t, os.Chown(dir, nobody, nobody))
			}
			command(t, "bindfs", how, under, u.spool())
			t.Cleanup(func() { exec.Command("umount", u.spool()).Run() })
			u.queue("a")
			for i := range 3 {
				if out, code := u.as("", "flush", "--all"); code != 75 || i == 0 && !strings.Contains(out, "[spool] dir") {
					t.Errorf("exit %d: %s", code, out)
				}
			}
			if n := len(u.server.Messages()); n > 0 {
				t.Errorf("%d messages were sent", n)
			}
		})
	}
}

// TestForeignFiles: what root leaves in the folders goes aside, is told of once, and stops
// no mail; a folder that may not even be moved is told of once too.
func TestForeignFiles(t *testing.T) {
	u := newUserSite(t)
	u.queue("first")
	u.as("", "flush")
	for _, name := range []string{"tmp/0CKRP4W3R1A9B8C7", "cur/0CKRP4W3R1A9B8C7", "cur/.0CKRP4W3R1A9B8C9,1700000000,q"} {
		must(t, os.WriteFile(u.folder(name), []byte("x"), 0o600))
	}
	must(t, os.Mkdir(u.folder("tmp/folder"), 0o700))
	must(t, os.Mkdir(u.folder("cur/folder"), 0o700))
	var told strings.Builder
	for i := range 3 {
		u.queue(fmt.Sprintf("a-%d", i))
		out, code := u.as("", "flush", "--all")
		if code != 0 {
			t.Errorf("exit %d: %s", code, out)
		}
		exactly(t, "mail", arrived(u.server)[fmt.Sprintf("a-%d patron@example.net", i)], 1, 1)
		told.WriteString(out)
	}
	exactly(t, "moved aside", len(u.files("aside")), 3, 3)
	exactly(t, "told of those moved", strings.Count(told.String(), "was moved to aside"), 3, 3)
	exactly(t, "told of the others", strings.Count(told.String(), "repair of the spool"), 1, 1)
}

// TestUnreadableText: the disk gives the sidecar of a message, and not its text.
func TestUnreadableText(t *testing.T) {
	u := newUserSite(t)
	id := u.queue("a")
	u.queue("other")
	told := 0
	for range 3 {
		cmd := u.command("", []string{"strace", "-qq", "-f", "-o", filepath.Join(u.dir, "trace"), "-P", u.body(id),
			"-e", "trace=pread64", "-e", "inject=pread64:error=EIO"}, "flush", "--all")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cmd.CombinedOutput()
		if ended(err) != 0 {
			t.Errorf("%v: %s", err, out)
		}
		told += strings.Count(string(out), "cannot be read")
	}
	exactly(t, "told", told, 1, 1)
	if out, code := u.as("", "status", "--check"); code == 0 || !strings.Contains(out, "cannot be read") {
		t.Errorf("status --check: %d: %s", code, out)
	}
	if out, code := u.as("", "flush", "--all"); code != 0 {
		t.Errorf("repaired: %d: %s", code, out)
	}
	for _, subject := range []string{"a", "other"} {
		exactly(t, subject, arrived(u.server)[subject+" patron@example.net"], 1, 1)
	}
}

// TestNoFailingCallSendsTwice fails one system call of a flush, and then that call for the
// rest of the run, the n-th time and all after it: later runs send nothing again.
func TestNoFailingCallSendsTwice(t *testing.T) {
	places := 0
	for _, call := range []string{"fchmod", "unlinkat", "renameat2", "pwrite64", "write", "fdatasync", "fsync"} {
		for _, e := range []string{"EIO", "EPERM"} {
			for _, when := range []string{"%d", "%d+"} {
				for n := 1; n < 60; n++ {
					reached := true
					inject := fmt.Sprintf("inject=%s:error=%s:when="+when, call, e, n)
					t.Run(inject, func(t *testing.T) { reached = injected(t, call, inject) })
					if !reached {
						break
					}
					places++
				}
			}
		}
	}
	t.Logf("%d places", places)
}

// injected flushes one message for one recipient, and one of which a part is deferred.
func injected(t *testing.T, call, inject string) bool {
	s := newSite(t, server())
	s.run(message("a"), "enqueue", "patron@example.net")
	s.run(message("b"), "enqueue", "patron@example.net", "later@example.net")
	trace := filepath.Join(t.TempDir(), "trace")
	cmd := s.command("", []string{"strace", "-qq", "-f", "-o", trace, "-e", "trace=" + call, "-e", inject}, "flush")
	out, err := cmd.CombinedOutput()
	if ended(err) == -2 {
		t.Fatal(err)
	}
	log, err := os.ReadFile(trace)
	must(t, err)
	for range 4 {
		s.run("", "flush", "--all")
	}
	most := 1
	if strings.Contains(string(out)+string(log), "runtime: netpollBreak") {
		// The call that failed was one of Go's runtime, to wake a thread of its own. It ends the
		// program as a kill does, and what was in flight then may come twice.
		most = 2
	}
	got := arrived(s.server)
	for _, key := range []string{"a patron@example.net", "b patron@example.net", "b later@example.net"} {
		exactly(t, key, got[key], 1, most)
	}
	if t.Failed() {
		t.Logf("%s\n%s", out, tail(string(log)))
	}
	return strings.Contains(string(log), "INJECTED")
}
