//go:build peers

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"notices/spool/postgres/cluster"
	"notices/spool/smtptest"
)

// fleet is two hosts, that is two processes of the program with a config of their own, one
// database, and a server that holds back answers to final dots.
type fleet struct {
	t        *testing.T
	dir      string
	server   *cluster.Server
	database string
	smtp     *smtptest.Server
	gate     *gate
}

// gate holds back answers to final dots. At first it does not.
type gate struct {
	held chan struct{} // one for each that is held back

	mu     sync.Mutex
	holds  bool
	free   int // answers that come at once even so
	opened chan struct{}
}

const (
	fleetMessages = 200
	fleetFirst    = 10
	fleetInFlight = 4 // connections of each host
)

// newFleet has queued its messages, and has sent the first few: the server is known to work.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), server: startDatabases(t), gate: &gate{held: make(chan struct{}, fleetMessages)}}
	f.smtp = smtptest.New(t, smtptest.Options{Reply: f.gate.reply})
	var err error
	if f.database, err = f.server.NewDatabase(); err != nil {
		t.Fatal(err)
	}
	var mbox bytes.Buffer
	for i := range fleetMessages {
		fmt.Fprintf(&mbox, "From library@example.org Mon Nov 30 06:00:00 2026\nTo: patron%d@example.net\nSubject: Overdue %d\n\nPlease bring it back.\n\n", i, i)
	}
	f.write("notices.mbox", mbox.String())
	for _, host := range []string{"desk", "office"} {
		f.write(host+".toml", fmt.Sprintf(`
[site]
address = "library@example.org"
hostname = "%s.example.org"
[[server]]
host = "127.0.0.1"
port = %d
allow_non_secure = true
connections = %d
[spool]
database = "%s"
`, host, f.smtp.Port(), fleetInFlight, f.server.URL(f.database)))
	}
	f.run("desk", "import", "notices.mbox")
	f.run("desk", "flush", "--max", fmt.Sprint(fleetFirst))
	return f
}

func (f *fleet) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// reply is called before each answer.
func (g *gate) reply(stage, _ string) string {
	if stage != "dot" {
		return ""
	}
	g.mu.Lock()
	g.free--
	hold, opened := g.holds && g.free < 0, g.opened
	g.mu.Unlock()
	if hold {
		g.held <- struct{}{}
		<-opened
	}
	return ""
}

// hold holds back the answers from now on, behind so many, until they are let go.
func (g *gate) hold(behind int) (letGo func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	opened := make(chan struct{})
	g.holds, g.free, g.opened = true, behind, opened
	return func() { close(opened) }
}

// open holds back no further answers.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = false
}

func (f *fleet) command(host string, args ...string) *exec.Cmd {
	cmd := exec.Command("notices", append([]string{"--config", host + ".toml"}, args...)...)
	cmd.Dir = f.dir
	cmd.Env = append(environment(f.dir), "PATH="+os.Getenv("PATH"), "TZ=UTC")
	return cmd
}

func (f *fleet) run(host string, args ...string) string {
	f.t.Helper()
	out, err := f.command(host, args...).Output()
	if err != nil {
		f.t.Fatalf("%s: notices %v: %v", host, args, err)
	}
	return string(out)
}

// flushUntilHeld starts a flush and returns when all its connections wait for an answer.
func (f *fleet) flushUntilHeld(host string, ids ...string) (*exec.Cmd, *bytes.Buffer) {
	f.t.Helper()
	cmd, said := f.command(host, append([]string{"flush", "--json"}, ids...)...), &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	for range fleetInFlight {
		select {
		case <-f.gate.held:
		case <-time.After(time.Minute): // only ends a test that would wait for ever
			f.t.Fatalf("%s does not send: %s", host, said)
		}
	}
	return cmd, said
}

func (f *fleet) sql(statement string) string {
	f.t.Helper()
	out, err := f.server.SQL(f.database, statement)
	if err != nil {
		f.t.Fatal(err)
	}
	return out
}

// claimsEndSoon: all claims are free within a minute, unless their host gives a sign of life.
// It moves the clock of the database there.
func (f *fleet) claimsEndSoon() {
	f.t.Helper()
	if n := f.sql(`select count(*) from notices.session where expires > clock_timestamp() + interval '1 minute'`); n != "0" {
		f.t.Errorf("%s sessions last longer than a minute", n)
	}
	f.sql(`update notices.session set expires = clock_timestamp()`)
}

// count says how often the server has taken each message.
func (f *fleet) count() (lost, doubled int) {
	taken := map[string]int{}
	for _, m := range f.smtp.Messages() {
		taken[m.Recipients[0]]++
	}
	for i := range fleetMessages {
		switch n := taken[fmt.Sprintf("patron%d@example.net", i)]; {
		case n == 0:
			lost++
		case n > 1:
			doubled += n - 1
		}
	}
	return lost, doubled
}

// done checks that each message has left, is known as delivered once, and was not lost.
func (f *fleet) done(mostDoubled int) {
	f.t.Helper()
	if left := f.sql(`select count(*) from notices.message`); left != "0" {
		f.t.Errorf("%s messages are left", left)
	}
	if n := f.sql(`select count(*), count(distinct recipient) from notices.history where ending = 'delivered'`); n != fmt.Sprintf("%d|%[1]d", fleetMessages) {
		f.t.Errorf("the history has %s deliveries", n)
	}
	lost, doubled := f.count()
	if lost > 0 || doubled > mostDoubled {
		f.t.Errorf("%d lost, %d doubled, %d were in flight", lost, doubled, mostDoubled)
	}
	f.t.Logf("%d messages, %d in flight, %d lost, %d doubled", fleetMessages, mostDoubled, lost, doubled)
}

// TestHostKilled: a host is killed in the middle of a flush. The other one sends the rest, and
// what was in flight when the claims are over.
func TestHostKilled(t *testing.T) {
	f := newFleet(t)
	letGo := f.gate.hold(40)
	desk, _ := f.flushUntilHeld("desk")
	if err := errors.Join(desk.Process.Kill(), ignoreExit(desk.Wait())); err != nil {
		t.Fatal(err)
	}
	f.gate.open()
	letGo()
	if sent := f.run("office", "flush", "--all", "--json"); !strings.Contains(sent, fmt.Sprintf(`"sent":%d,`, fleetMessages-fleetFirst-40-fleetInFlight)) {
		t.Errorf("within the lease the other host flushed %s", sent)
	}
	f.claimsEndSoon()
	if sent := f.run("office", "flush", "--all", "--json"); !strings.Contains(sent, fmt.Sprintf(`"sent":%d,`, fleetInFlight)) {
		t.Errorf("after the lease the other host flushed %s", sent)
	}
	f.done(fleetInFlight)
}

// TestHostFrozen: a host stands still for longer than its lease, in the middle of a flush.
// Another claims what it had in flight. The one that wakes gets its answers, changes nothing
// of those messages, and sends others.
func TestHostFrozen(t *testing.T) {
	f := newFleet(t)
	toDesk := f.gate.hold(40)
	desk, said := f.flushUntilHeld("desk")
	if err := desk.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.claimsEndSoon()
	const claimed = `from notices.message m join notices.session s on s.id = m.holder where s.expires > now()`
	inFlight := strings.Fields(f.sql(`select id from notices.message where holder is not null`))
	toOffice := f.gate.hold(0)
	office, _ := f.flushUntilHeld("office", inFlight...)
	before := f.sql(`select m.* ` + claimed + ` order by m.id`)
	if n := strings.Count(before, "\n") + 1; n != fleetInFlight {
		t.Errorf("the other host has claimed %d messages:\n%s", n, before)
	}

	f.gate.open()
	toDesk()
	if err := errors.Join(desk.Process.Signal(syscall.SIGCONT), desk.Wait()); err != nil {
		t.Error(err)
	}
	want := fmt.Sprintf(`{"sent":%d,"deferred":0,"returned":0,"failed":0}`, fleetMessages-fleetFirst-fleetInFlight)
	if !strings.HasPrefix(said.String(), want) || strings.Count(said.String(), "the claim on the message was lost") != fleetInFlight {
		t.Errorf("the host that woke said %s, want %s and the claims that it lost", said, want)
	}
	if after := f.sql(`select m.* ` + claimed + ` order by m.id`); after != before {
		t.Errorf("the host that woke changed messages of the other one:\n%s\nbefore:\n%s", after, before)
	}
	toOffice()
	if err := office.Wait(); err != nil {
		t.Error(err)
	}
	f.run("office", "flush", "--all")
	f.done(fleetInFlight)
}

// ignoreExit: that a program was killed, or ended with an exit code, is no error here.
func ignoreExit(err error) error {
	if errors.As(err, new(*exec.ExitError)) {
		return nil
	}
	return err
}
