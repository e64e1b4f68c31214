//go:build peers

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"notices/spool/postgres/cluster"
	"notices/spool/smtptest"
)

// fleet is hosts, that is processes of the program with a config of their own, one database,
// and a server that holds back answers to final dots.
type fleet struct {
	t        *testing.T
	dir      string
	server   *cluster.Server
	database string
	smtp     *smtptest.Server
	gate     *gate
	messages int
	hosts    map[string]place
}

// place is where a host is: inside runs a command there, and env adds to its environment. Both
// servers are reached by address.
type place struct {
	address string
	inside  []string
	env     []string
}

// gate holds back answers to final dots. At first it does not.
type gate struct {
	held chan struct{} // one for each that is held back

	mu     sync.Mutex
	holds  bool
	free   int // answers that come at once even so
	opened chan struct{}
	delay  time.Duration
}

const (
	fleetMessages = 200
	fleetFirst    = 10
	fleetInFlight = 4 // connections of each host
)

// newFleet has two hosts, desk and office.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	here := place{address: "127.0.0.1"}
	f := startFleet(t, startDatabases(t), fleetMessages, map[string]place{"desk": here, "office": here})
	f.queue("desk")
	return f
}

// startFleet gives the hosts a new database and a server.
func startFleet(t *testing.T, server *cluster.Server, messages int, hosts map[string]place) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), server: server, gate: &gate{held: make(chan struct{}, 2*messages)}, messages: messages, hosts: hosts}
	f.smtp = smtptest.New(t, smtptest.Options{Address: "0.0.0.0", Reply: f.gate.reply})
	var err error
	if f.database, err = f.server.NewDatabase(); err != nil {
		t.Fatal(err)
	}
	for host, at := range hosts {
		f.write(host+".toml", fmt.Sprintf(`
[site]
address = "library@example.org"
hostname = "%s.example.org"
[[server]]
host = "%s"
port = %d
allow_non_secure = true
connections = %d
timeout = "5s"
data_timeout = "1m"
[spool]
database = "postgres://postgres@%[2]s:%[5]d/%[6]s?sslmode=disable"
`, host, at.address, f.smtp.Port(), fleetInFlight, server.Port, f.database))
	}
	return f
}

// queue queues the messages, and sends the first few: the server is known to work.
func (f *fleet) queue(host string) {
	f.t.Helper()
	var mbox bytes.Buffer
	for i := range f.messages {
		fmt.Fprintf(&mbox, "From library@example.org Mon Nov 30 06:00:00 2026\nTo: patron%d@example.net\nSubject: Overdue %d\n\nPlease bring it back.\n\n", i, i)
	}
	f.write("notices.mbox", mbox.String())
	f.run(host, "import", "notices.mbox")
	f.run(host, "flush", "--max", fmt.Sprint(fleetFirst))
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
	hold, opened, delay := g.holds && g.free < 0, g.opened, g.delay
	g.mu.Unlock()
	time.Sleep(delay) // a server that is far away, or busy
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

// slow has each answer take its time.
func (g *gate) slow(delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = delay
}

// open holds back no further answers.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = false
}

func (f *fleet) command(host string, args ...string) *exec.Cmd {
	at := f.hosts[host]
	argv := slices.Concat(at.inside, []string{"notices", "--config", host + ".toml"}, args)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = f.dir
	cmd.Env = append(append(environment(f.dir), "PATH="+os.Getenv("PATH"), "TZ=UTC"), at.env...)
	return cmd
}

func (f *fleet) run(host string, args ...string) string {
	f.t.Helper()
	return f.runWith(host, "", args...)
}

// runWith gives it something to read.
func (f *fleet) runWith(host, text string, args ...string) string {
	f.t.Helper()
	cmd := f.command(host, args...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.Output()
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

// query is sql for goroutines.
func (f *fleet) query(statement string) string {
	out, err := f.server.SQL(f.database, statement)
	if err != nil {
		f.t.Error(err)
	}
	return out
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
	for i := range f.messages {
		if taken[fmt.Sprintf("patron%d@example.net", i)] == 0 {
			lost++
		}
	}
	for _, n := range taken {
		doubled += n - 1
	}
	return lost, doubled
}

// done checks that each message has left, is known as delivered once, and was not lost.
func (f *fleet) done(inFlight int) {
	f.t.Helper()
	if left := f.sql(`select count(*) from notices.message`); left != "0" {
		f.t.Errorf("%s messages are left", left)
	}
	if n := f.sql(`select count(*), count(distinct recipient) from notices.history where ending = 'delivered'`); n != fmt.Sprintf("%d|%[1]d", f.messages) {
		f.t.Errorf("the history has %s deliveries", n)
	}
	lost, doubled := f.count()
	if lost > 0 || doubled > inFlight {
		f.t.Errorf("%d lost, %d doubled, %d were in flight", lost, doubled, inFlight)
	}
	f.t.Logf("%d messages, %d in flight, %d lost, %d doubled", f.messages, inFlight, lost, doubled)
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
	if n := f.sql(`select count(*) ` + claimed); n != fmt.Sprint(fleetInFlight) {
		t.Errorf("the other host has claimed %s messages:\n%s", n, before)
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
